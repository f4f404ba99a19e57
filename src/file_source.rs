//! Files to send: a path, bytes, or a reader, opened again for each attempt.

use std::fmt;
use std::future::Future;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::download::blocking;
use crate::error::{Error, Result};
use crate::wire::{Json, NotJson, Read, Wire, Writer};

/// A file to send.
///
/// A path is read in pieces while it is sent, never whole into memory. A path, bytes and [`reopen`](Self::reopen) are
/// read again when the call is retried; a [`reader`](Self::reader) cannot be, so its call is not retried once reading
/// began.
///
/// ```
/// use openai_compatible::FileSource;
///
/// let from_disk = FileSource::path("talk.mp3");
/// let from_memory = FileSource::bytes("in.jsonl", "{}\n").content_type("application/jsonl");
/// # let _ = (from_disk, from_memory);
/// ```
#[derive(Clone)]
pub struct FileSource {
    origin: Origin,
    name: String,
    content_type: Option<String>,
    length: Option<u64>,
    progress: Option<Progress>,
}

type Reader = Pin<Box<dyn AsyncRead + Send>>;
type Progress = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;
type Open = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = io::Result<Reader>> + Send>> + Send + Sync>;

#[derive(Clone)]
enum Origin {
    Path(PathBuf),
    Bytes(Bytes),
    Reopen(Open),
    Once(Arc<Mutex<Option<Reader>>>),
}

/// Bytes of a file that are read at once.
const PIECE: usize = 256 * 1024;

impl FileSource {
    /// A file on disk. The server sees its base name.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_name().map_or_else(|| "upload".to_owned(), |name| name.to_string_lossy().into_owned());
        FileSource::new(Origin::Path(path), name)
    }

    /// Bytes in memory and the name that the server sees. Audio needs a name with the right ending.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        FileSource::new(Origin::Bytes(bytes.into()), name.into())
    }

    /// A reader that can be read once, and the name that the server sees.
    pub fn reader(name: impl Into<String>, reader: impl AsyncRead + Send + 'static) -> Self {
        FileSource::new(Origin::Once(Arc::new(Mutex::new(Some(Box::pin(reader))))), name.into())
    }

    /// A function that opens the content anew for each attempt, and the name that the server sees.
    pub fn reopen<F, R, A>(name: impl Into<String>, open: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<A>> + Send + 'static,
        A: AsyncRead + Send + 'static,
    {
        let open: Open = Arc::new(move || {
            let opened = open();
            Box::pin(async move { opened.await.map(|reader| Box::pin(reader) as Reader) })
        });
        FileSource::new(Origin::Reopen(open), name.into())
    }

    fn new(origin: Origin, name: String) -> Self {
        FileSource { origin, name, content_type: None, length: None, progress: None }
    }

    /// Sets the name that the server sees.
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the media type, in place of the one that the name tells.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Tells the length of a reader in bytes, for servers that refuse a body of unknown length. So many are read; a reader
    /// that ends before is an error.
    pub fn length(mut self, bytes: u64) -> Self {
        self.length = Some(bytes);
        self
    }

    /// Calls a function with the bytes sent so far and the length, while the file is sent. A retry starts again from 0.
    pub fn on_progress(mut self, progress: impl Fn(u64, Option<u64>) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// The name that the server sees.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole content in a data URL: `data:audio/x-wav;base64,…`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the file cannot be read.
    pub async fn data_url(&self) -> Result<String> {
        Ok(format!("data:{};base64,{}", self.media_type(), crate::base64::encode(&self.read().await?)))
    }

    pub(crate) fn media_type(&self) -> &str {
        self.content_type.as_deref().unwrap_or_else(|| media_type_of(&self.name))
    }

    pub(crate) fn is_repeatable(&self) -> bool {
        !matches!(self.origin, Origin::Once(_))
    }

    /// Opens the content: its length, when known, and its pieces.
    pub(crate) async fn open(&self) -> Result<(Option<u64>, BoxStream<'static, io::Result<Bytes>>)> {
        let (length, pieces) = match &self.origin {
            Origin::Bytes(bytes) => (Some(bytes.len() as u64), slices(bytes.clone()).boxed()),
            Origin::Path(path) => {
                let file = tokio::fs::File::open(path).await.map_err(|error| self.unreadable(error))?;
                let metadata = file.metadata().await.map_err(|error| self.unreadable(error))?;
                if metadata.is_dir() {
                    return Err(Error::config(format!("`{}` is a folder, not a file", self.name)));
                }
                // A pipe has no length to tell.
                let length = metadata.is_file().then_some(metadata.len());
                (length, pieces_of_file(file.into_std().await, length))
            }
            Origin::Reopen(open) => {
                let reader = open().await.map_err(|error| self.unreadable(error))?;
                (self.length, pieces(reader, self.length))
            }
            Origin::Once(reader) => {
                let reader = reader.lock().ok().and_then(|mut reader| reader.take());
                let reader = reader.ok_or_else(|| {
                    Error::config(format!("the reader of `{}` has been read: it can be sent once", self.name))
                })?;
                (self.length, pieces(reader, self.length))
            }
        };
        let name = self.name.clone();
        let pieces = pieces
            .map_err(move |error| io::Error::new(error.kind(), format!("the file `{name}` cannot be read: {error}")));
        let Some(progress) = self.progress.clone() else {
            return Ok((length, pieces.boxed()));
        };
        let mut sent = 0;
        let watched = pieces.inspect(move |piece| {
            if let Ok(piece) = piece {
                sent += piece.len() as u64;
                progress(sent, length);
            }
        });
        Ok((length, watched.boxed()))
    }

    /// The whole content, for data URLs.
    pub(crate) async fn read(&self) -> Result<Vec<u8>> {
        let (length, mut pieces) = self.open().await?;
        let mut content = Vec::with_capacity(length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0));
        while let Some(piece) = pieces.next().await {
            content.extend_from_slice(&piece.map_err(|error| Error::config(error.to_string()).with_source(error))?);
        }
        Ok(content)
    }

    fn unreadable(&self, error: io::Error) -> Error {
        Error::config(format!("the file `{}` cannot be read: {error}", self.name)).with_source(error)
    }
}

fn slices(bytes: Bytes) -> impl futures::Stream<Item = io::Result<Bytes>> {
    futures::stream::unfold(bytes, async |mut rest| {
        if rest.is_empty() {
            return None;
        }
        let piece = rest.split_to(rest.len().min(PIECE));
        Some((Ok(piece), rest))
    })
}

/// Reads `length` bytes, neither more nor less: what changes while it is sent must not break the length that was promised.
fn pieces(reader: Reader, length: Option<u64>) -> BoxStream<'static, io::Result<Bytes>> {
    let reader = reader.take(length.unwrap_or(u64::MAX));
    futures::stream::try_unfold((reader, BytesMut::new()), move |(mut reader, mut buffer)| async move {
        buffer.reserve(PIECE);
        reader.read_buf(&mut buffer).await?;
        let piece = buffer.split().freeze();
        Ok(more(&piece, length, reader.limit())?.then_some((piece, (reader, buffer))))
    })
    .boxed()
}

/// The same for a file on disk, by a copy less than through tokio's own buffer.
fn pieces_of_file(file: std::fs::File, length: Option<u64>) -> BoxStream<'static, io::Result<Bytes>> {
    let file = io::Read::take(file, length.unwrap_or(u64::MAX));
    futures::stream::try_unfold(file, move |mut file| async move {
        let (piece, file) = blocking(move || {
            let most = file.limit().min(PIECE as u64);
            let mut piece = Vec::with_capacity(most as usize);
            io::Read::take(&mut file, most).read_to_end(&mut piece)?;
            Ok((Bytes::from(piece), file))
        })
        .await?;
        Ok(more(&piece, length, file.limit())?.then_some((piece, file)))
    })
    .boxed()
}

/// False at the end of a source; an error where that comes too early.
fn more(piece: &Bytes, length: Option<u64>, left: u64) -> io::Result<bool> {
    match length {
        Some(length) if piece.is_empty() && left > 0 => {
            let sent = length - left;
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ended after {sent} of {length} bytes")))
        }
        _ => Ok(!piece.is_empty()),
    }
}

/// Media types that servers of this API look at.
fn media_type_of(name: &str) -> &'static str {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "json" => "application/json",
        "jsonl" | "ndjson" => "application/jsonl",
        "txt" | "log" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        "svg" => "image/svg+xml",
        "mp3" | "mpga" => "audio/mpeg",
        "wav" => "audio/x-wav",
        "m4a" => "audio/mp4",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "flac" => "audio/flac",
        "aac" => "audio/aac",
        "webm" => "video/webm",
        "mp4" => "video/mp4",
        "mpeg" => "video/mpeg",
        _ => "application/octet-stream",
    }
}

impl fmt::Debug for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.origin {
            Origin::Path(path) => format!("path {}", path.display()),
            Origin::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Origin::Reopen(_) => "reader that can be opened again".to_owned(),
            Origin::Once(_) => "reader".to_owned(),
        };
        f.debug_struct("FileSource").field("name", &self.name).field("origin", &origin).finish_non_exhaustive()
    }
}

impl PartialEq for FileSource {
    fn eq(&self, other: &Self) -> bool {
        let same_content = match (&self.origin, &other.origin) {
            (Origin::Path(one), Origin::Path(two)) => one == two,
            (Origin::Bytes(one), Origin::Bytes(two)) => one == two,
            (Origin::Reopen(one), Origin::Reopen(two)) => Arc::ptr_eq(one, two),
            (Origin::Once(one), Origin::Once(two)) => Arc::ptr_eq(one, two),
            _ => false,
        };
        same_content
            && self.name == other.name
            && self.content_type == other.content_type
            && self.length == other.length
    }
}

impl From<&Path> for FileSource {
    fn from(path: &Path) -> Self {
        FileSource::path(path)
    }
}

impl From<PathBuf> for FileSource {
    fn from(path: PathBuf) -> Self {
        FileSource::path(path)
    }
}

serde_of_wire! { FileSource }

/// How a file source is written down, so that a request can be logged or kept: a path as text, and everything else as an
/// object, bytes in base64. A reader cannot be written down.
impl Wire for FileSource {
    fn read(&mut self, json: &mut Json<'_>) -> std::result::Result<Read, NotJson> {
        let value = json.value()?;
        Ok(match of_value(&value) {
            Some(source) => {
                *self = source;
                Read::Fits
            }
            None => Read::Odd(value),
        })
    }

    fn write(&self, writer: &mut Writer) {
        let (name, content) = match &self.origin {
            Origin::Path(path) => match path.to_str() {
                Some(text) if *self == FileSource::path(path) => return writer.text(text),
                Some(text) => ("path", text.to_owned()),
                None => return writer.fail("a path that is no text cannot be serialised"),
            },
            Origin::Bytes(bytes) => ("base64", crate::base64::encode(bytes)),
            Origin::Reopen(_) | Origin::Once(_) => return writer.fail("a reader cannot be serialised"),
        };
        writer.open(b'{');
        writer.member(name, &content);
        writer.member("name", &self.name);
        if let Some(content_type) = &self.content_type {
            writer.member("content_type", content_type);
        }
        writer.close(b'}');
    }

    fn blank() -> Self {
        // No file: sending it says so.
        FileSource::path("")
    }

    #[cfg(test)]
    fn sample() -> Value {
        "talk.mp3".into()
    }
}

fn of_value(value: &Value) -> Option<FileSource> {
    if let Some(path) = value.as_str() {
        return Some(FileSource::path(path));
    }
    let text = |name: &str| value.get(name)?.as_str();
    let origin = match (text("path"), text("base64")) {
        (Some(path), _) => Origin::Path(path.into()),
        (None, Some(base64)) => Origin::Bytes(crate::base64::decode(base64).ok()?.into()),
        (None, None) => return None,
    };
    let content_type = text("content_type").map(str::to_owned);
    Some(FileSource { content_type, ..FileSource::new(origin, text("name")?.to_owned()) })
}
