//! What came of a batch: [`Batches::results`], the rows of its output and error files.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Batch, Batches};
use crate::FileSource;
use crate::error::{ApiError, Error, ErrorKind, Result, Secrets};
use crate::transport::decode::{Whole, describe, refused};
use crate::wire::{Json, NotJson, Read, Reply, Wire};

impl Batches {
    /// Reads what came of each request: the output file, then the error file (`GET /files/{id}/content`).
    ///
    /// The files are opened as the stream comes to them. Those of a batch that expired, was cancelled or still runs hold
    /// what there is.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, batch: openai_compatible::batches::Batch) -> openai_compatible::Result<()> {
    /// use openai_compatible::chat::ChatCompletion;
    ///
    /// let mut rows = client.batches().results::<ChatCompletion>(&batch);
    /// while let Some(row) = rows.try_next().await? {
    ///     match row.result {
    ///         Ok(reply) => println!("{}: {}", row.custom_id, reply.text()),
    ///         Err(error) => println!("{}: {error}", row.custom_id),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn results<T: BatchReply>(&self, batch: &Batch) -> BatchRows<T> {
        let files = [("output", &batch.output_file_id), ("error", &batch.error_file_id)];
        let files = files.into_iter().filter_map(|(kind, id)| {
            let id = id.as_deref().filter(|id| !id.is_empty())?;
            let pieces = stream::once(self.client.files().content(id).into_future()).try_flatten().boxed();
            Some(RowFile { name: format!("the {kind} file `{id}`"), pieces })
        });
        BatchRows::new(files.collect())
    }
}

/// A reply that a row of a batch may hold: those of this crate, and `Value` for any other.
pub trait BatchReply: Wire + Sized {
    #[doc(hidden)]
    fn from_body(status: StatusCode, headers: HeaderMap, body: Bytes) -> Result<Self>;
}

impl<T: Reply + Sized> BatchReply for T {
    fn from_body(status: StatusCode, headers: HeaderMap, body: Bytes) -> Result<Self> {
        Whole { status, headers, body, secrets: Secrets::default() }.reply()
    }
}

impl BatchReply for Value {
    fn from_body(status: StatusCode, headers: HeaderMap, body: Bytes) -> Result<Self> {
        let whole = Whole { status, headers, body, secrets: Secrets::default() };
        let value = whole.json().unwrap_or_else(|_| Value::String(whole.text().into_owned()));
        match value.get("error").filter(|error| says_something(error)) {
            Some(error) => {
                Err(whole.error(ErrorKind::Api, "").with_api(ApiError::from_value(error).unwrap_or_default()))
            }
            None => Ok(value),
        }
    }
}

/// What came of one request of a batch.
#[derive(Debug)]
#[non_exhaustive]
pub struct BatchRow<T> {
    /// Your name for the request.
    pub custom_id: String,
    /// Id that the server gave the request; empty when it does not tell.
    pub request_id: String,
    /// The reply, or why there is none. The error has the status, the server's words ([`Error::api`]) and the predicates
    /// of any other call; its kind is [`ErrorKind::Decode`] for a reply that is not of this type.
    pub result: Result<T>,
}

/// The rows of a batch's files, as they arrive, in the order of the files: custom ids tell whose they are.
///
/// - A stream of results, and [`try_next`](BatchRows::try_next) where that is all you need.
/// - One row at a time is in memory, and nothing is read ahead. Dropping it closes the connection.
/// - A row that cannot be read is an error of [`ErrorKind::Decode`] that names its line; the rows behind it follow. Every
///   other error is the last item: the file cannot be had, or broke off.
/// - A request that never ran may be in neither file: see [`BatchResults::missing`].
#[must_use = "nothing is read until it is polled"]
pub struct BatchRows<T> {
    files: VecDeque<RowFile>,
    lines: Lines,
    reply: PhantomData<fn() -> T>,
}

struct RowFile {
    name: String,
    pieces: BoxStream<'static, Result<Bytes>>,
}

/// Bytes of a line that are read unless told otherwise: as for the events of streams.
const LINE_SIZE: usize = 64 << 20;

impl<T: BatchReply> BatchRows<T> {
    fn new(files: VecDeque<RowFile>) -> Self {
        let lines = Lines { max_size: LINE_SIZE, ..Lines::default() };
        BatchRows { files, lines, reply: PhantomData }
    }

    /// Reads a file that was saved before, such as by [`Download::save_to`](crate::Download::save_to).
    ///
    /// ```no_run
    /// # async fn run() -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, batches::BatchRows, embeddings::EmbeddingList};
    ///
    /// let results = BatchRows::<EmbeddingList>::read(FileSource::path("out.jsonl")).by_id().await?;
    /// println!("{} rows", results.rows.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn read(source: impl Into<FileSource>) -> Self {
        let source = source.into();
        let name = format!("the file `{}`", source.name());
        let pieces = stream::once(async move {
            let (_, pieces) = source.open().await?;
            Ok::<_, Error>(pieces.map_err(|error| Error::config(error.to_string()).with_source(error)))
        });
        BatchRows::new(VecDeque::from([RowFile { name, pieces: pieces.try_flatten().boxed() }]))
    }

    /// Sets how long a line may be, in bytes; 64 MiB without this. A longer one is an unreadable row.
    pub fn max_line_size(mut self, bytes: usize) -> Self {
        self.lines.max_size = bytes;
        self
    }

    /// The next row; `None` at the end. After an error of [`ErrorKind::Decode`] there may be more.
    pub async fn try_next(&mut self) -> Result<Option<BatchRow<T>>> {
        self.next().await.transpose()
    }

    /// All rows by custom id, in memory. Where an id comes twice, a reply counts for more than an error.
    ///
    /// # Errors
    ///
    /// Only where a file cannot be had or breaks off: unreadable rows are in [`BatchResults::unreadable`].
    pub async fn by_id(mut self) -> Result<BatchResults<T>> {
        let mut results = BatchResults { rows: BTreeMap::new(), unreadable: Vec::new() };
        while let Some(row) = std::future::poll_fn(|context| self.poll_row(context)).await {
            match row? {
                Ok(row) if row.result.is_err() && results.rows.contains_key(&row.custom_id) => {}
                Ok(row) => drop(results.rows.insert(row.custom_id, row.result)),
                Err(error) => results.unreadable.push(error),
            }
        }
        Ok(results)
    }

    /// The inner error is a row's, the outer one ends it all.
    fn poll_row(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Result<BatchRow<T>>>>> {
        loop {
            let Some(file) = self.files.front_mut() else { return Poll::Ready(None) };
            if let Some(line) = self.lines.next() {
                return Poll::Ready(Some(Ok(read_row(line, &file.name))));
            }
            match ready!(file.pieces.poll_next_unpin(context)) {
                Some(Ok(piece)) => self.lines.piece = piece,
                Some(Err(error)) => {
                    let error = error.with_context(file.name.clone());
                    self.files.clear();
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    let row = self.lines.finish().map(|line| read_row(line, &file.name));
                    self.files.pop_front();
                    if let Some(row) = row {
                        return Poll::Ready(Some(Ok(row)));
                    }
                }
            }
        }
    }
}

impl<T: BatchReply> Stream for BatchRows<T> {
    type Item = Result<BatchRow<T>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_row(context).map(|row| row.map(|row| row.and_then(|row| row)))
    }
}

impl<T> fmt::Debug for BatchRows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<_> = self.files.iter().map(|file| &file.name).collect();
        f.debug_struct("BatchRows").field("files", &files).field("line", &self.lines.number).finish_non_exhaustive()
    }
}

/// All that came of a batch, made by [`BatchRows::by_id`].
#[derive(Debug)]
#[non_exhaustive]
pub struct BatchResults<T> {
    /// The reply to each request, or why there is none, by custom id.
    pub rows: BTreeMap<String, Result<T>>,
    /// Rows that nobody could read, whose ids are not known therefore.
    pub unreadable: Vec<Error>,
}

impl<T> BatchResults<T> {
    /// The reply to the request of this name.
    pub fn reply(&self, custom_id: &str) -> Option<&T> {
        self.rows.get(custom_id)?.as_ref().ok()
    }

    /// Those of these requests that are in no file: the batch ended before they ran, or their row is unreadable.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, batch: openai_compatible::batches::Batch) -> openai_compatible::Result<()> {
    /// use openai_compatible::chat::ChatCompletion;
    ///
    /// let results = client.batches().results::<ChatCompletion>(&batch).by_id().await?;
    /// for id in results.missing(["rivers", "lakes"]) {
    ///     println!("{id} did not run");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn missing<I: AsRef<str>>(&self, custom_ids: impl IntoIterator<Item = I>) -> Vec<I> {
        custom_ids.into_iter().filter(|id| !self.rows.contains_key(id.as_ref())).collect()
    }
}

/// Pieces of a file into lines, each copied at most once and only where a piece ends inside of it.
#[derive(Default)]
struct Lines {
    /// The beginning of a line whose end is in a later piece. Holds no line break.
    begun: BytesMut,
    piece: Bytes,
    /// The line at work is over the limit, and was not kept.
    too_long: bool,
    number: u64,
    max_size: usize,
}

struct Line {
    number: u64,
    /// Nothing where it was over this limit.
    text: Result<Bytes, usize>,
}

impl Lines {
    /// The next line that is not blank; `None` when the piece is used up.
    fn next(&mut self) -> Option<Line> {
        while let Some(end) = memchr::memchr(b'\n', &self.piece) {
            let mut rest = self.piece.split_to(end + 1);
            rest.truncate(end);
            let line = self.take(rest);
            if line.is_some() {
                return line;
            }
        }
        let rest = std::mem::take(&mut self.piece);
        self.begin(&rest);
        None
    }

    /// What stands behind the last line break. The next line is of another file.
    fn finish(&mut self) -> Option<Line> {
        let line = self.take(Bytes::new());
        self.number = 0;
        line
    }

    fn begin(&mut self, start: &[u8]) {
        self.too_long |= self.begun.len() + start.len() > self.max_size;
        if self.too_long {
            self.begun = BytesMut::new();
        } else {
            self.begun.extend_from_slice(start);
        }
    }

    fn take(&mut self, rest: Bytes) -> Option<Line> {
        self.number += 1;
        let whole = if self.begun.is_empty() && rest.len() <= self.max_size {
            rest
        } else {
            self.begin(&rest);
            self.begun.split().freeze()
        };
        let text = match std::mem::take(&mut self.too_long) {
            true => Err(self.max_size),
            false => Ok(whole),
        };
        let is_blank = text.as_ref().is_ok_and(|text| text.trim_ascii().is_empty());
        (!is_blank).then_some(Line { number: self.number, text })
    }
}

/// A row, its body unread.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(default, deserialize_with = "lenient")]
    custom_id: String,
    #[serde(borrow)]
    response: Option<RowResponse<'a>>,
    #[serde(default)]
    error: Value,
}

#[derive(Deserialize)]
struct RowResponse<'a> {
    #[serde(default, deserialize_with = "lenient")]
    status_code: Option<u16>,
    #[serde(default, deserialize_with = "lenient")]
    request_id: String,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

fn lenient<'de, T: Wire, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(crate::wire::of_value(&value).unwrap_or_else(T::blank))
}

fn read_row<T: BatchReply>(line: Line, file: &str) -> Result<BatchRow<T>> {
    let number = line.number;
    let unreadable = |what: Cow<'_, str>| Error::new(ErrorKind::Decode, format!("line {number} of {file}: {what}"));
    let bytes = match &line.text {
        Ok(bytes) => bytes,
        Err(most) => return Err(unreadable(format!("it is longer than {most} bytes").into())),
    };
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
    let row: Row<'_> = serde_json::from_str(&text)
        .map_err(|error| unreadable(describe(&error, Some(&text))).with_body(bytes).with_source(error))?;
    if row.custom_id.is_empty() {
        return Err(unreadable("it has no `custom_id`".into()).with_body(bytes));
    }
    let request_id = row.response.as_ref().map(|response| response.request_id.clone()).unwrap_or_default();
    Ok(BatchRow { result: result(&row), custom_id: row.custom_id, request_id })
}

fn result<T: BatchReply>(row: &Row<'_>) -> Result<T> {
    let response = row.response.as_ref();
    let status = response.and_then(|response| response.status_code).and_then(|code| StatusCode::from_u16(code).ok());
    let headers: HeaderMap = response
        .and_then(|response| HeaderValue::try_from(&*response.request_id).ok().filter(|id| !id.is_empty()))
        .map(|id| (http::HeaderName::from_static("x-request-id"), id))
        .into_iter()
        .collect();
    let body = response.and_then(|response| response.body).map(body_of);
    let is_error = says_something(&row.error);
    match (status, body) {
        (Some(status), Some(body)) if !status.is_success() => Err(refused(status, &headers, &body)),
        (Some(status), None) if !status.is_success() && !is_error => Err(refused(status, &headers, &Bytes::new())),
        (status, Some(body)) if status.is_some() || !is_error => {
            T::from_body(status.unwrap_or(StatusCode::OK), headers, body)
        }
        (status, _) if is_error => {
            let api = ApiError::from_value(&row.error).unwrap_or_default();
            let error = Error::new(ErrorKind::Api, "").with_api(api);
            Err(match status.filter(|status| !status.is_success()) {
                Some(status) => error.with_response(status, &headers),
                None => error,
            })
        }
        _ => Err(Error::new(ErrorKind::Decode, "the row has neither a reply nor an error")),
    }
}

/// The body's JSON, also where it is written as text; other text as it is.
fn body_of(raw: &RawValue) -> Bytes {
    match serde_json::from_str::<String>(raw.get()) {
        Ok(text) => text.into(),
        Err(_) => Bytes::copy_from_slice(raw.get().as_bytes()),
    }
}

/// False for what servers write where there is no error: null, `""`, `{}`, `{"code": null, "message": null}`.
fn says_something(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(members) => members.values().any(says_something),
        _ => true,
    }
}

wire! {
    /// What became of one request: a line of a batch's output or error file.
    ///
    /// ```
    /// use openai_compatible::batches::BatchOutput;
    ///
    /// let line = r#"{"custom_id": "rivers", "response": {"status_code": 200, "body": {"choices": []}}, "error": null}"#;
    /// let output: BatchOutput = serde_json::from_str(line)?;
    /// assert_eq!(output.custom_id, "rivers");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[doc(alias = "BatchRequestOutput")]
    pub struct BatchOutput {
        /// The server's name for it.
        pub id: String,
        /// Your name for it.
        pub custom_id: String = always,
        /// The reply; of the route's own error shape where the status says so.
        pub response: Option<BatchResponse>,
        /// Why there is no reply.
        pub error: Option<BatchOutputError>,
    }

    /// The reply to one request of a batch.
    pub struct BatchResponse {
        /// HTTP status: 200 is good.
        pub status_code: u16,
        /// Id that the server gave the request.
        pub request_id: String,
        /// The reply's JSON. Where a server writes it as text, it is read.
        pub body: Value = by(json_or_text),
    }

    /// Why a request of a batch has no reply.
    pub struct BatchOutputError {
        /// Its kind, a word of the server such as `batch_expired`.
        pub code: String,
        /// What happened, for people.
        pub message: String,
    }
}

/// JSON, also where it is written as text; other text stays text.
fn json_or_text(place: &mut Value, json: &mut Json<'_>) -> std::result::Result<Read, NotJson> {
    let value = json.value()?;
    let parsed = match value.as_str() {
        Some(text) => serde_json::from_str(text).ok(),
        None => None,
    };
    *place = parsed.filter(|parsed: &Value| parsed.is_object() || parsed.is_array()).unwrap_or(value);
    Ok(Read::Fits)
}
