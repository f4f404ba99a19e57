//! Responses that are files: [`Download`].

use std::fmt;
use std::fs::{self, File};
use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::join;
use futures::{Stream, StreamExt};
use http::HeaderMap;
use sync_wrapper::SyncWrapper;
use tokio::time::Sleep;

use crate::error::{Error, ErrorKind, Result};
use crate::transport::RawResponse;
use crate::transport::decode::{BufferedResponse, compressed, declared_compression};
use crate::transport::file_source::blocking;
use crate::transport::http::ResponseBody;
use crate::transport::send::MAX_RESERVED;
use crate::transport::trace::Trace;

/// A file download: consume it as a byte stream, as bytes, as text, or save it to disk.
///
/// It is read with backpressure and has no size limit. Silence longer than the idle timeout is an error, and so is an
/// end before the announced length. Dropping it closes the connection.
pub struct Download {
    head: BufferedResponse,
    body: Option<ResponseBody>,
    length: Option<u64>,
    received: u64,
    progress: Option<SyncWrapper<Progress>>,
    idle_timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    trace: Trace,
}

type Progress = Box<dyn FnMut(u64, Option<u64>) + Send>;

impl Download {
    pub(crate) fn open(response: &mut RawResponse) -> Result<Self> {
        if let Some(encoding) = declared_compression(&response.buffered.headers) {
            let message = format!("expected a file, got {}", compressed(encoding));
            return Err(response.buffered.error(ErrorKind::Decode, message));
        }
        let body = response.body_stream.take();
        Ok(Download {
            length: body.as_ref().and_then(ResponseBody::length),
            head: response.buffered.clone(),
            body,
            received: 0,
            progress: None,
            idle_timeout: response.idle_timeout,
            timer: None,
            trace: std::mem::take(&mut response.trace),
        })
    }

    /// Returns the headers of the response.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Returns the media type reported by the server.
    pub fn content_type(&self) -> Option<&str> {
        self.headers().get(http::header::CONTENT_TYPE)?.to_str().ok()
    }

    /// Returns the length in bytes, if the server reports it.
    pub fn content_length(&self) -> Option<u64> {
        self.length
    }

    /// Calls a function with the number of bytes received so far and the length, while the file arrives.
    pub fn on_progress(mut self, progress: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.progress = Some(SyncWrapper::new(Box::new(progress)));
        self
    }

    /// Reads the whole file into memory.
    pub async fn bytes(mut self) -> Result<Bytes> {
        let mut content =
            BytesMut::with_capacity(self.length.map_or(0, |length| length.min(MAX_RESERVED as u64) as usize));
        while let Some(piece) = self.next().await {
            content.extend_from_slice(&piece?);
        }
        Ok(content.freeze())
    }

    /// Reads the whole file as text. Invalid UTF-8 becomes replacement characters.
    pub async fn text(self) -> Result<String> {
        let content = self.bytes().await?;
        Ok(match String::from_utf8(content.into()) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Saves the file, and returns its length in bytes.
    ///
    /// Writes to a temporary file in the same directory and renames it once the download is complete. An interrupted or
    /// dropped download leaves no temporary file and an existing file unchanged. Pipes and devices are written directly.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be written.
    pub async fn save_to(mut self, path: impl AsRef<Path>) -> Result<u64> {
        save(path.as_ref(), &mut self).await
    }
}

/// Writes chunks to a file, and returns its length in bytes.
pub(crate) async fn save(path: &Path, pieces: impl Stream<Item = Result<Bytes>> + Unpin) -> Result<u64> {
    let unwritable =
        |error: io::Error| Error::io(format!("failed to write `{}`: {error}", path.display())).with_source(error);
    let mut pieces = pieces.fuse();
    let place = path.to_owned();
    let mut part = blocking(move || Part::create(&place)).await.map_err(unwritable)?;
    let mut some = next_pieces(&mut pieces).await?;
    while !some.is_empty() {
        // Both run to their end, so that the temporary file is here to be removed when one fails.
        let (written, next) = join(blocking(move || part.write(&some)), next_pieces(&mut pieces)).await;
        part = written.map_err(unwritable)?;
        some = next?;
    }
    blocking(move || part.keep()).await.map_err(unwritable)
}

/// Enough for one write; empty at the end.
async fn next_pieces(pieces: &mut (impl Stream<Item = Result<Bytes>> + Unpin)) -> Result<Vec<Bytes>> {
    let (mut some, mut length) = (Vec::new(), 0);
    while length < WRITTEN_AT_ONCE {
        let Some(piece) = pieces.next().await.transpose()? else { break };
        length += piece.len();
        some.push(piece);
    }
    Ok(some)
}

/// Bytes that are written at once.
const WRITTEN_AT_ONCE: usize = 256 * 1024;

/// A file that is being written; removed if it is never completed.
struct Part {
    file: File,
    length: u64,
    place: PathBuf,
    /// The temporary path; `None` for what cannot be renamed.
    beside: Option<PathBuf>,
}

/// The file that a path leads to: a symbolic link is kept, and what it points to is replaced, or created.
fn target_of(path: &Path) -> PathBuf {
    if let Ok(place) = fs::canonicalize(path) {
        return place;
    }
    match fs::read_link(path) {
        Ok(target) => path.parent().unwrap_or(Path::new("")).join(target),
        Err(_) => path.to_owned(),
    }
}

impl Part {
    fn create(path: &Path) -> io::Result<Self> {
        let place = target_of(path);
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
            // There is nobody to report this failure to.
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
                    (progress.get_mut())(this.received, this.length);
                }
                return Poll::Ready(Some(Ok(piece)));
            }
            Poll::Ready(None) => {
                this.body = None;
                this.trace.finish();
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(error))) => this
                .head
                .error(ErrorKind::Transport, "connection closed before the download was complete")
                .with_source(error),
            Poll::Pending => {
                let limit = this.idle_timeout;
                let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
                ready!(timer.as_mut().poll(context));
                this.head.error(ErrorKind::Timeout, format!("no data received for {limit:?}"))
            }
        };
        this.body = None;
        this.trace.record_error(&failure);
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
