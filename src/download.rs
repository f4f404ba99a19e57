//! Replies that are files: [`Download`].

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http::HeaderMap;
use tokio::io::AsyncWriteExt;
use tokio::time::Sleep;

use crate::error::{Error, ErrorKind, Result};
use crate::transport::Answer;
use crate::transport::decode::Whole;
use crate::transport::http::ResponseBody;

/// A file that arrives: a stream of bytes, or all of it as bytes, text or a file on disk.
///
/// It is read at your pace and has no size limit. Silence longer than the idle timeout is an error, and so is an end
/// before the length that the server promised. Dropping it closes the connection.
pub struct Download {
    head: Whole,
    body: Option<ResponseBody>,
    length: Option<u64>,
    received: u64,
    progress: Option<Box<dyn FnMut(u64, Option<u64>) + Send>>,
    idle_timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Download {
    pub(crate) fn open(answer: &mut Answer) -> Result<Self> {
        let body = answer.open.take();
        Ok(Download {
            length: body.as_ref().and_then(ResponseBody::length),
            head: answer.whole.clone(),
            body,
            received: 0,
            progress: None,
            idle_timeout: answer.idle_timeout,
            timer: None,
        })
    }

    /// Headers of the reply.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Media type, as the server names it.
    pub fn content_type(&self) -> Option<&str> {
        self.headers().get(http::header::CONTENT_TYPE)?.to_str().ok()
    }

    /// Length in bytes, when the server tells it.
    pub fn content_length(&self) -> Option<u64> {
        self.length
    }

    /// Calls a function with the bytes received so far and the length, while the file arrives.
    pub fn on_progress(mut self, progress: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    /// All of it in memory.
    pub async fn bytes(mut self) -> Result<Bytes> {
        let mut content = BytesMut::with_capacity(self.length.map_or(0, |length| length.min(1 << 24) as usize));
        while let Some(piece) = self.next().await {
            content.extend_from_slice(&piece?);
        }
        Ok(content.freeze())
    }

    /// All of it as text. Bytes that are no UTF-8 become replacement characters.
    pub async fn text(self) -> Result<String> {
        let content = self.bytes().await?;
        Ok(match String::from_utf8(content.into()) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Writes it to a file, and gives its length in bytes.
    ///
    /// It is written beside its place under another name and renamed when it is whole: a download that breaks off, or is
    /// dropped, leaves nothing behind and an older file untouched.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when the file cannot be written.
    pub async fn save_to(mut self, path: impl AsRef<Path>) -> Result<u64> {
        let path = path.as_ref();
        let unwritable = |error: std::io::Error| {
            Error::config(format!("the file `{}` cannot be written: {error}", path.display())).with_source(error)
        };
        let part = Part::beside(path);
        let mut file = tokio::fs::File::create(&part.path).await.map_err(unwritable)?;
        while let Some(piece) = self.next().await {
            file.write_all(&piece?).await.map_err(unwritable)?;
        }
        file.flush().await.map_err(unwritable)?;
        drop(file);
        tokio::fs::rename(&part.path, path).await.map_err(unwritable)?;
        part.keep();
        Ok(self.received)
    }
}

/// A file that is removed unless it is kept.
struct Part {
    path: PathBuf,
    is_kept: bool,
}

impl Part {
    fn beside(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Part { path: path.with_file_name(format!(".{name}.{:08x}.part", fastrand::u32(..))), is_kept: false }
    }

    fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_kept {
            // There may be none yet; nobody is left to tell about anything else.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Stream for Download {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let failure = match Pin::new(body).poll_next(context) {
            Poll::Ready(Some(Ok(piece))) => {
                this.timer = None;
                this.received += piece.len() as u64;
                if let Some(progress) = &mut this.progress {
                    progress(this.received, this.length);
                }
                return Poll::Ready(Some(Ok(piece)));
            }
            Poll::Ready(None) => {
                this.body = None;
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(error))) => {
                this.head.error(ErrorKind::Transport, "the download broke off").with_source(error)
            }
            Poll::Pending => {
                let limit = this.idle_timeout;
                let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
                ready!(timer.as_mut().poll(context));
                this.head.error(ErrorKind::Timeout, format!("the download was silent for {limit:?}"))
            }
        };
        this.body = None;
        Poll::Ready(Some(Err(failure)))
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("content_type", &self.content_type())
            .field("content_length", &self.length)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
