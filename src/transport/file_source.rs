//! [`FileSource`]: a path, bytes, or a reader, opened again for each attempt.

use std::fmt;
use std::future::Future;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::{Error, Result};
use crate::wire::{Input, InvalidInput, Output, ReadOutcome, Wire};

/// The source of a file upload.
///
/// A path is read in chunks while it is sent, never as a whole into memory. Paths, bytes and
/// [`reader_fn`](Self::reader_fn) are opened again for each retry; a [`reader`](Self::reader) can be sent only once, so
/// its call is not retried.
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
    source: Source,
    name: String,
    content_type: Option<String>,
    length: Option<u64>,
    progress: Option<Progress>,
}

type Reader = Pin<Box<dyn AsyncRead + Send>>;
type Progress = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;
type Open = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = io::Result<Reader>> + Send>> + Send + Sync>;

#[derive(Clone)]
enum Source {
    Path(PathBuf),
    Bytes(Bytes),
    Reopen(Open),
    Once(Arc<Mutex<Option<Reader>>>),
}

/// A file source that is read.
pub(crate) struct OpenFile {
    /// The length, if known.
    pub(crate) length: Option<u64>,
    pub(crate) media_type: String,
    pub(crate) pieces: BoxStream<'static, io::Result<Bytes>>,
}

/// Bytes that tell a media type.
const SNIFFED: u64 = 16;
const UNKNOWN: &str = "application/octet-stream";

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

impl FileSource {
    /// Creates a source from a file on disk. The server sees its base name.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_name().map_or_else(|| "upload".to_owned(), |name| name.to_string_lossy().into_owned());
        FileSource::new(Source::Path(path), name)
    }

    /// Creates a source from bytes in memory and the name sent to the server. Audio needs a name with the right
    /// extension.
    pub fn bytes(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        FileSource::new(Source::Bytes(bytes.into()), name.into())
    }

    /// Creates a source from a reader, which can be sent once, and the name sent to the server.
    pub fn reader(name: impl Into<String>, reader: impl AsyncRead + Send + 'static) -> Self {
        FileSource::new(Source::Once(Arc::new(Mutex::new(Some(Box::pin(reader))))), name.into())
    }

    /// Creates a source from a function that opens a reader for each attempt, and the name sent to the server.
    pub fn reader_fn<F, R, A>(name: impl Into<String>, open: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<A>> + Send + 'static,
        A: AsyncRead + Send + 'static,
    {
        let open: Open = Arc::new(move || {
            let opened = open();
            Box::pin(async move { opened.await.map(|reader| Box::pin(reader) as Reader) })
        });
        FileSource::new(Source::Reopen(open), name.into())
    }

    fn new(source: Source, name: String) -> Self {
        FileSource { source, name, content_type: None, length: None, progress: None }
    }

    /// Sets the name sent to the server.
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the media type. Defaults to that of the extension, and without one to that of the content of a file or bytes.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Sets the length of a reader in bytes, for servers that refuse a body of unknown length. At most that many bytes
    /// are read; a reader that ends earlier is an error.
    pub fn length(mut self, bytes: u64) -> Self {
        self.length = Some(bytes);
        self
    }

    /// Calls a function with the number of bytes sent so far and the length, while the file is sent. A retry starts
    /// again from 0.
    pub fn on_progress(mut self, progress: impl Fn(u64, Option<u64>) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// Returns the name sent to the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the whole content as a data URL: `data:audio/x-wav;base64,…`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read.
    pub async fn data_url(&self) -> Result<String> {
        let content = self.read().await?;
        Ok(format!("data:{};base64,{}", self.media_type_of_content(&content), crate::wire::base64::encode(&content)))
    }

    pub(crate) fn media_type(&self) -> &str {
        self.content_type.as_deref().unwrap_or_else(|| media_type_of(&self.name))
    }

    pub(crate) fn is_repeatable(&self) -> bool {
        !matches!(self.source, Source::Once(_))
    }

    /// Opens the content.
    pub(crate) async fn open(&self) -> Result<OpenFile> {
        let mut media_type = self.media_type();
        let (length, pieces) = match &self.source {
            Source::Bytes(bytes) => {
                media_type = self.media_type_of_content(bytes);
                (Some(bytes.len() as u64), slices(bytes.clone()).boxed())
            }
            Source::Path(path) => {
                let (file, length, start) = self.open_file(path.clone()).await?;
                media_type = self.media_type_of_content(&start);
                (Some(length), pieces_of_file(file, Some(length)))
            }
            Source::Reopen(open) => {
                let reader = open().await.map_err(|error| self.unreadable(error))?;
                (self.length, pieces(reader, self.length))
            }
            Source::Once(reader) => {
                let reader = reader.lock().ok().and_then(|mut reader| reader.take());
                let reader = reader.ok_or_else(|| {
                    Error::config(format!("the reader for `{}` was already consumed and cannot be sent again; use `FileSource::path`, `bytes` or `reader_fn` for retries", self.name))
                })?;
                (self.length, pieces(reader, self.length))
            }
        };
        let name = self.name.clone();
        let pieces = pieces
            .map_err(move |error| io::Error::new(error.kind(), ReadError(format!("failed to read `{name}`: {error}"))));
        let media_type = media_type.to_owned();
        let Some(progress) = self.progress.clone() else {
            return Ok(OpenFile { length, media_type, pieces: pieces.boxed() });
        };
        let mut sent = 0;
        let watched = pieces.inspect(move |piece| {
            if let Ok(piece) = piece {
                sent += piece.len() as u64;
                progress(sent, length);
            }
        });
        Ok(OpenFile { length, media_type, pieces: watched.boxed() })
    }

    /// Opens a file on disk: also its length and its first bytes. Only regular files: opening a pipe without a writer never
    /// ends, and no time limit can end it.
    async fn open_file(&self, path: PathBuf) -> Result<(std::fs::File, u64, Vec<u8>)> {
        let opened = blocking(move || {
            let metadata = std::fs::metadata(&path)?;
            if !metadata.is_file() {
                return Ok(Err(metadata.is_dir()));
            }
            let mut file = std::fs::File::open(&path)?;
            let length = file.metadata()?.len();
            let mut start = Vec::new();
            io::Read::take(&mut file, SNIFFED).read_to_end(&mut start)?;
            file.seek(io::SeekFrom::Start(0))?;
            Ok(Ok((file, length, start)))
        });
        match opened.await.map_err(|error| self.unreadable(error))? {
            Ok((_, 0, start)) if !start.is_empty() => Err(Error::config(format!(
                "`{}` has content but no length, as files of `/proc` do; read it, and use `FileSource::bytes`",
                self.name
            ))),
            Ok(opened) => Ok(opened),
            Err(true) => Err(Error::io(format!("`{}` is a directory, expected a file", self.name))),
            Err(false) => Err(Error::config(format!(
                "`{}` is a pipe or device, expected a regular file; open it, and use `FileSource::reader`",
                self.name
            ))),
        }
    }

    /// The media type, by the first bytes where the name has no extension that tells it.
    fn media_type_of_content(&self, start: &[u8]) -> &str {
        match self.media_type() {
            UNKNOWN if self.content_type.is_none() => sniff(start).unwrap_or(UNKNOWN),
            known => known,
        }
    }

    /// The whole content, for data URLs.
    pub(crate) async fn read(&self) -> Result<Vec<u8>> {
        let OpenFile { length, mut pieces, .. } = self.open().await?;
        let mut content = Vec::with_capacity(length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0));
        while let Some(piece) = pieces.next().await {
            content.extend_from_slice(&piece.map_err(|error| Error::io(error.to_string()).with_source(error))?);
        }
        Ok(content)
    }

    fn unreadable(&self, error: io::Error) -> Error {
        Error::io(format!("failed to read `{}`: {error}", self.name)).with_source(error)
    }
}

/// A source that failed while it was sent: distinguishes it from a connection that broke.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ReadError(String);

fn slices(bytes: Bytes) -> impl futures::Stream<Item = io::Result<Bytes>> {
    futures::stream::unfold(bytes, async |mut rest| {
        if rest.is_empty() {
            return None;
        }
        let piece = rest.split_to(rest.len().min(PIECE));
        Some((Ok(piece), rest))
    })
}

/// Reads exactly `length` bytes: a file that changes while it is sent must not break the length that was announced.
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

/// The same for a file on disk, with one copy less than through tokio's buffer.
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

/// Runs blocking file I/O. If the caller is dropped, the work runs to its end and its result is dropped, which removes
/// a file that nobody waits for.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// False at the end of a source; an error if that comes too early.
fn more(piece: &Bytes, length: Option<u64>, left: u64) -> io::Result<bool> {
    match length {
        Some(length) if piece.is_empty() && left > 0 => {
            let sent = length - left;
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("file ended after {sent} of {length} bytes")))
        }
        _ => Ok(!piece.is_empty()),
    }
}

/// Media types that servers of this API check.
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
        _ => UNKNOWN,
    }
}

/// The media type by the first bytes, of those that servers accept images and audio in.
fn sniff(start: &[u8]) -> Option<&'static str> {
    Some(match start {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "audio/x-wav",
        [b'I', b'D', b'3', ..] | [0xFF, 0xFB | 0xF3 | 0xF2, ..] => "audio/mpeg",
        [b'f', b'L', b'a', b'C', ..] => "audio/flac",
        [b'O', b'g', b'g', b'S', ..] => "audio/ogg",
        [_, _, _, _, b'f', b't', b'y', b'p', b'M', b'4', b'A', ..] => "audio/mp4",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "video/mp4",
        [0x1A, 0x45, 0xDF, 0xA3, ..] => "video/webm",
        [b'%', b'P', b'D', b'F', ..] => "application/pdf",
        _ => return None,
    })
}

impl fmt::Debug for FileSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.source {
            Source::Path(path) => format!("path {}", path.display()),
            Source::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Source::Reopen(_) => "reader that can be opened again".to_owned(),
            Source::Once(_) => "reader".to_owned(),
        };
        f.debug_struct("FileSource").field("name", &self.name).field("source", &source).finish_non_exhaustive()
    }
}

impl PartialEq for FileSource {
    fn eq(&self, other: &Self) -> bool {
        let same_content = match (&self.source, &other.source) {
            (Source::Path(one), Source::Path(two)) => one == two,
            (Source::Bytes(one), Source::Bytes(two)) => one == two,
            (Source::Reopen(one), Source::Reopen(two)) => Arc::ptr_eq(one, two),
            (Source::Once(one), Source::Once(two)) => Arc::ptr_eq(one, two),
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

/// The serialized form, so that a request can be logged or stored: a path as a string, and everything else as an object
/// with bytes in base64. Readers cannot be serialized.
impl Wire for FileSource {
    fn read(&mut self, input: Input<'_>) -> std::result::Result<ReadOutcome, InvalidInput> {
        let value = input.value()?;
        Ok(match from_value(&value) {
            Some(source) => {
                *self = source;
                ReadOutcome::Matched
            }
            None => ReadOutcome::mismatched(value),
        })
    }

    fn output(&self) -> Output<'_> {
        let (name, content) = match &self.source {
            Source::Path(path) => match path.to_str() {
                Some(text) if *self == FileSource::path(path) => return Output::String(text),
                Some(text) => ("path", text.to_owned()),
                None => return Output::Unsupported("a path that is not valid UTF-8 cannot be serialized"),
            },
            Source::Bytes(bytes) => ("base64", crate::wire::base64::encode(bytes)),
            Source::Reopen(_) | Source::Once(_) => return Output::Unsupported("a reader cannot be serialized"),
        };
        let mut members = json!({ name: content, "name": self.name });
        if let (Some(content_type), Some(members)) = (&self.content_type, members.as_object_mut()) {
            members.insert("content_type".to_owned(), content_type.as_str().into());
        }
        Output::Owned(members)
    }

    fn default_value() -> Self {
        // Not a file: sending it is an error.
        FileSource::path("")
    }

    #[cfg(test)]
    fn sample() -> Value {
        "talk.mp3".into()
    }
}

fn from_value(value: &Value) -> Option<FileSource> {
    if let Some(path) = value.as_str() {
        return Some(FileSource::path(path));
    }
    let text = |name: &str| value.get(name)?.as_str();
    let source = match (text("path"), text("base64")) {
        (Some(path), _) => Source::Path(path.into()),
        (None, Some(base64)) => Source::Bytes(crate::wire::base64::decode(base64).ok()?.into()),
        (None, None) => return None,
    };
    let content_type = text("content_type").map(str::to_owned);
    Some(FileSource { content_type, ..FileSource::new(source, text("name")?.to_owned()) })
}
