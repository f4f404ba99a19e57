//! Replies that are files: [`Download`].

use std::fmt;
use std::fs::{self, File};
use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::join;
use futures::{Stream, StreamExt};
use http::HeaderMap;
use tokio::time::Sleep;

use crate::error::{Error, ErrorKind, Result};
use crate::transport::Answer;
use crate::transport::decode::Whole;
use crate::transport::http::ResponseBody;
use crate::transport::trace::Trace;

/// A file that arrives: a stream of bytes, or all of it as bytes, text or a file on disk.
///
/// It is read at your pace and has no size limit. Silence longer than the idle timeout is an error, and so is an end
/// before the length that the server promised. Dropping it closes the connection.
pub struct Download {
    head: Whole,
    body: Option<ResponseBody>,
    length: Option<u64>,
    received: u64,
    /// Never locked: it lets downloads be shared between threads.
    progress: Option<Mutex<Progress>>,
    idle_timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    trace: Trace,
}

type Progress = Box<dyn FnMut(u64, Option<u64>) + Send>;

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
            trace: std::mem::take(&mut answer.trace),
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
        self.progress = Some(Mutex::new(Box::new(progress)));
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
    /// dropped, leaves nothing behind and an older file untouched. A pipe or a device is written directly.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when the file cannot be written.
    pub async fn save_to(mut self, path: impl AsRef<Path>) -> Result<u64> {
        save(path.as_ref(), &mut self).await
    }
}

/// Writes pieces to a file, and gives its length in bytes.
pub(crate) async fn save(path: &Path, pieces: impl Stream<Item = Result<Bytes>> + Unpin) -> Result<u64> {
    let unwritable = |error: io::Error| {
        Error::config(format!("the file `{}` cannot be written: {error}", path.display())).with_source(error)
    };
    let mut pieces = pieces.fuse();
    let place = path.to_owned();
    let mut part = blocking(move || Part::create(&place)).await.map_err(unwritable)?;
    let mut some = next_pieces(&mut pieces).await?;
    while !some.is_empty() {
        // Both to their end, so that the part is here to be removed when one fails.
        let (written, next) = join(blocking(move || part.write(&some)), next_pieces(&mut pieces)).await;
        part = written.map_err(unwritable)?;
        some = next?;
    }
    blocking(move || part.keep()).await.map_err(unwritable)
}

/// Enough for one visit to the disk; nothing at the end.
async fn next_pieces(pieces: &mut (impl Stream<Item = Result<Bytes>> + Unpin)) -> Result<Vec<Bytes>> {
    let (mut some, mut length) = (Vec::new(), 0);
    while length < WRITTEN_AT_ONCE {
        let Some(piece) = pieces.next().await.transpose()? else { break };
        length += piece.len();
        some.push(piece);
    }
    Ok(some)
}

/// Bytes of a download that are written at once.
const WRITTEN_AT_ONCE: usize = 256 * 1024;

/// Runs what waits for a disk where waiting is allowed. When the caller goes away it runs to its end, and its result is
/// dropped: a file that was made for nobody is removed again.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// A file on its way to its place; removed when it never gets there.
struct Part {
    file: File,
    length: u64,
    place: PathBuf,
    /// Where it is written until it is whole; none for what cannot be renamed.
    beside: Option<PathBuf>,
}

impl Part {
    fn create(path: &Path) -> io::Result<Self> {
        // A link stays one: the file that it leads to is replaced.
        let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let old = fs::metadata(&place).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Ok(Part { file: File::options().write(true).open(&place)?, length: 0, place, beside: None });
        }
        if place.file_name().is_none() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let beside = place.with_file_name(format!(".download-{:016x}.part", fastrand::u64(..)));
        let part = Part { file: File::create_new(&beside)?, length: 0, place, beside: Some(beside) };
        if let Some(old) = old {
            part.file.set_permissions(old.permissions())?;
        }
        Ok(part)
    }

    fn write(mut self, pieces: &[Bytes]) -> io::Result<Self> {
        for piece in pieces {
            self.file.write_all(piece)?;
            self.length += piece.len() as u64;
        }
        Ok(self)
    }

    fn keep(mut self) -> io::Result<u64> {
        if let Some(beside) = &self.beside {
            fs::rename(beside, &self.place)?;
            self.beside = None;
        }
        Ok(self.length)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // Nobody is left to tell when this fails.
            let _ = fs::remove_file(beside);
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
                    progress.get_mut().unwrap_or_else(PoisonError::into_inner)(this.received, this.length);
                }
                return Poll::Ready(Some(Ok(piece)));
            }
            Poll::Ready(None) => {
                this.body = None;
                this.trace.end();
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
        this.trace.fail(&failure);
        Poll::Ready(Some(Err(failure.redact(&this.head.secrets))))
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
