//! The results of a batch: [`Batches::results`], the rows of its output and error files.

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
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Batch, Batches};
use crate::error::{ApiError, Error, ErrorKind, Result, Secrets, is_error};
use crate::transport::decode::{ApiResponse, BufferedResponse, describe, status_error};
use crate::transport::file_source::FileSource;
use crate::transport::sse::decode_utf8;
use crate::wire::{Input, InvalidInput, ReadOutcome, Wire, with_repair};

impl Batches {
    /// Reads the result of each request: the output file, then the error file (`GET /files/{id}/content`).
    ///
    /// Each file is opened when the stream reaches it. If the batch expired, was cancelled or is still running, the
    /// files contain the results available so far.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, batch: openai_compatible::batches::Batch) -> openai_compatible::Result<()> {
    /// use openai_compatible::chat::ChatCompletion;
    ///
    /// let mut rows = client.batches().results::<ChatCompletion>(&batch);
    /// while let Some(row) = rows.try_next().await? {
    ///     match row.result {
    ///         Ok(completion) => println!("{}: {}", row.custom_id, completion.text()),
    ///         Err(error) => println!("{}: {error}", row.custom_id),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn results<T: BatchResponseBody>(&self, batch: &Batch) -> BatchRows<T> {
        let files = [("output", &batch.output_file_id), ("error", &batch.error_file_id)];
        let files = files.into_iter().filter_map(|(kind, id)| {
            let id = id.as_deref().filter(|id| !id.is_empty())?;
            let chunks = stream::once(self.client.files().content(id).into_future()).try_flatten().boxed();
            Some(RowFile { name: format!("{kind} file `{id}`"), chunks })
        });
        BatchRows::new(files.collect())
    }
}

/// The body of a response in a row: a response type of this crate, or `Value` for any other endpoint.
pub trait BatchResponseBody: Wire + DeserializeOwned {
    /// Returns the body if it is a response without doubt.
    #[doc(hidden)]
    fn accept(self) -> Option<Self>;

    #[doc(hidden)]
    fn from_body(status: StatusCode, headers: HeaderMap, body: Bytes) -> Result<Self>;
}

impl<T: ApiResponse + DeserializeOwned> BatchResponseBody for T {
    fn accept(mut self) -> Option<Self> {
        self.complete();
        let is_response = !self.is_root_empty() && self.failure().is_none() && self.defect().is_none();
        is_response.then_some(self)
    }

    fn from_body(status: StatusCode, headers: HeaderMap, body: Bytes) -> Result<Self> {
        BufferedResponse { status, headers, body, secrets: Secrets::default() }.decode_wire()
    }
}

impl BatchResponseBody for Value {
    fn accept(self) -> Option<Self> {
        (!self.is_string() && !self.get("error").is_some_and(is_error)).then_some(self)
    }

    fn from_body(status: StatusCode, headers: HeaderMap, body: Bytes) -> Result<Self> {
        let buffered = BufferedResponse { status, headers, body, secrets: Secrets::default() };
        let value = buffered.decode_serde().unwrap_or_else(|_| Value::String(buffered.text().into_owned()));
        match value.get("error").filter(|error| is_error(error)) {
            Some(error) => {
                Err(buffered.error(ErrorKind::Api, "").with_api(ApiError::from_value(error).unwrap_or_default()))
            }
            None => Ok(value),
        }
    }
}

/// The result of one request of a batch.
#[derive(Debug)]
#[non_exhaustive]
pub struct BatchRow<T> {
    /// Custom id of the request.
    pub custom_id: String,
    /// The server's request id; empty if the server sends none.
    pub request_id: String,
    /// The response, or the error of the request. The error has a status, the server's error ([`Error::api_error`]) and
    /// the predicates, as for any other call. Its kind is [`ErrorKind::Decode`] if the response is not a `T`.
    pub result: Result<T>,
}

/// A stream of the rows in a batch's files, in file order. Match rows to requests by custom id.
///
/// - Implements `Stream` of results; [`try_next`](BatchRows::try_next) works without a trait import.
/// - Keeps one row at a time in memory and does not read ahead. Dropping the stream closes the connection.
/// - A row that cannot be read is an [`ErrorKind::Decode`] error that names the line; later rows follow. Any other
///   error is the last item: a file could not be fetched, or the connection was lost.
/// - A request that never ran may be in neither file: see [`BatchResults::missing`].
#[must_use = "rows are not read until they are polled"]
pub struct BatchRows<T> {
    files: VecDeque<RowFile>,
    lines: Lines,
    body: PhantomData<fn() -> T>,
}

struct RowFile {
    name: String,
    chunks: BoxStream<'static, Result<Bytes>>,
}

/// Default limit on the length of a line in bytes, the same as for the events of streams.
const LINE_SIZE: usize = 64 << 20;

impl<T: BatchResponseBody> BatchRows<T> {
    fn new(files: VecDeque<RowFile>) -> Self {
        let lines = Lines { max_size: LINE_SIZE, ..Lines::default() };
        BatchRows { files, lines, body: PhantomData }
    }

    /// Reads a saved file, for example one written by [`Download::save_to`](crate::Download::save_to).
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
        let name = format!("`{}`", source.name());
        let chunks = stream::once(async move {
            let chunks = source.open().await?.pieces;
            Ok::<_, Error>(chunks.map_err(|error| Error::io(error.to_string()).with_source(error)))
        });
        BatchRows::new(VecDeque::from([RowFile { name, chunks: chunks.try_flatten().boxed() }]))
    }

    /// Sets the maximum length of a line in bytes. A longer line is an unreadable row. Defaults to 64 MiB.
    pub fn max_line_size(mut self, bytes: usize) -> Self {
        self.lines.max_size = bytes;
        self
    }

    /// Returns the next row, or `None` after the last one. More rows may follow an [`ErrorKind::Decode`] error.
    pub async fn try_next(&mut self) -> Result<Option<BatchRow<T>>> {
        self.next().await.transpose()
    }

    /// Collects all rows in memory, by custom id. If an id occurs more than once, a response takes precedence over an
    /// error.
    ///
    /// # Errors
    ///
    /// Returns an error only if a file could not be fetched or the connection was lost. Unreadable rows are collected
    /// in [`BatchResults::unreadable`].
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

    /// The inner error belongs to one row; the outer error ends the stream.
    fn poll_row(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Result<BatchRow<T>>>>> {
        loop {
            let Some(file) = self.files.front_mut() else { return Poll::Ready(None) };
            if let Some(line) = self.lines.next() {
                return Poll::Ready(Some(Ok(read_row(line, &file.name))));
            }
            match ready!(file.chunks.poll_next_unpin(context)) {
                Some(Ok(chunk)) => self.lines.chunk = chunk,
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

impl<T: BatchResponseBody> Stream for BatchRows<T> {
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

/// The results of a batch, collected by [`BatchRows::by_id`].
#[derive(Debug)]
#[non_exhaustive]
pub struct BatchResults<T> {
    /// The response or the error of each request, by custom id.
    pub rows: BTreeMap<String, Result<T>>,
    /// Errors of rows that could not be read and whose ids are therefore unknown.
    pub unreadable: Vec<Error>,
}

impl<T> BatchResults<T> {
    /// Returns the response to a request by custom id, or `None` if the request failed or is missing.
    pub fn reply(&self, custom_id: &str) -> Option<&T> {
        self.rows.get(custom_id)?.as_ref().ok()
    }

    /// Returns the given custom ids that are in neither file: the batch ended before the request ran, or the row is
    /// unreadable.
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

/// Splits the chunks of a file into lines. Only a line that spans several chunks is copied, and only once.
#[derive(Default)]
struct Lines {
    /// The start of a line that continues in a later chunk. Contains no line break.
    partial: BytesMut,
    chunk: Bytes,
    /// The current line exceeds the limit and is discarded.
    too_long: bool,
    number: u64,
    max_size: usize,
}

struct Line {
    number: u64,
    /// The text, or the limit that the line exceeds.
    text: Result<Bytes, usize>,
}

impl Lines {
    /// Returns the next line that is not empty, or `None` when the chunk is used up.
    fn next(&mut self) -> Option<Line> {
        while let Some(end) = memchr::memchr(b'\n', &self.chunk) {
            let mut rest = self.chunk.split_to(end + 1);
            rest.truncate(end);
            let line = self.take(rest);
            if line.is_some() {
                return line;
            }
        }
        let rest = std::mem::take(&mut self.chunk);
        self.begin(&rest);
        None
    }

    /// Returns the text after the last line break and resets the line number for the next file.
    fn finish(&mut self) -> Option<Line> {
        let line = self.take(Bytes::new());
        self.number = 0;
        line
    }

    fn begin(&mut self, start: &[u8]) {
        self.too_long |= self.partial.len() + start.len() > self.max_size;
        if self.too_long {
            self.partial = BytesMut::new();
        } else {
            self.partial.extend_from_slice(start);
        }
    }

    fn take(&mut self, rest: Bytes) -> Option<Line> {
        self.number += 1;
        let line = if self.partial.is_empty() && rest.len() <= self.max_size {
            rest
        } else {
            self.begin(&rest);
            self.partial.split().freeze()
        };
        let text = match std::mem::take(&mut self.too_long) {
            true => Err(self.max_size),
            false => Ok(line),
        };
        let is_empty = text.as_ref().is_ok_and(|text| text.trim_ascii().is_empty());
        (!is_empty).then_some(Line { number: self.number, text })
    }
}

/// A row of a request that ran, as nearly all are: read in one pass.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct CompletedRow<T> {
    custom_id: String,
    response: CompletedResponse<T>,
    #[serde(default)]
    error: Value,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct CompletedResponse<T> {
    status_code: u16,
    #[serde(default)]
    request_id: String,
    body: T,
}

/// Any other row. Its body is not decoded yet.
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
    Ok(crate::wire::from_value(&value).unwrap_or_else(T::default_value))
}

fn read_row<T: BatchResponseBody>(line: Line, file: &str) -> Result<BatchRow<T>> {
    let number = line.number;
    let unreadable = |what: Cow<'_, str>| Error::new(ErrorKind::Decode, format!("{file}, line {number}: {what}"));
    let bytes = match &line.text {
        Ok(bytes) => bytes,
        Err(limit) => return Err(unreadable(format!("exceeds the limit of {limit} bytes").into())),
    };
    let text = decode_utf8(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
    if let Some(row) = read_completed(&text) {
        return Ok(row);
    }
    let read = with_repair(&text, |text| {
        let row: Row<'_> = serde_json::from_str(text)?;
        let request_id = row.response.as_ref().map(|response| response.request_id.clone()).unwrap_or_default();
        Ok(BatchRow { result: result(&row), custom_id: row.custom_id, request_id })
    });
    // A copy of the line, so that the error does not keep the file alive.
    let with_line = |error: Error| error.with_body(bytes).redact(&Secrets::default());
    match read {
        Ok(row) if row.custom_id.is_empty() => Err(with_line(unreadable("missing field `custom_id`".into()))),
        Ok(row) => Ok(row),
        Err(error) => Err(with_line(unreadable(describe(&error, Some(&text))).with_source(error))),
    }
}

fn read_completed<T: BatchResponseBody>(text: &str) -> Option<BatchRow<T>> {
    let row: CompletedRow<T> = serde_json::from_str(text).ok()?;
    let is_success = (200..300).contains(&row.response.status_code);
    if !is_success || row.custom_id.is_empty() || is_error(&row.error) {
        return None;
    }
    let result = Ok(row.response.body.accept()?);
    Some(BatchRow { custom_id: row.custom_id, request_id: row.response.request_id, result })
}

fn result<T: BatchResponseBody>(row: &Row<'_>) -> Result<T> {
    let response = row.response.as_ref();
    let status = response.and_then(|response| response.status_code).and_then(|code| StatusCode::from_u16(code).ok());
    let headers: HeaderMap = response
        .and_then(|response| HeaderValue::try_from(&*response.request_id).ok().filter(|id| !id.is_empty()))
        .map(|id| (http::HeaderName::from_static("x-request-id"), id))
        .into_iter()
        .collect();
    let body = response.and_then(|response| response.body).map(body_bytes);
    let is_error = is_error(&row.error);
    match (status, body) {
        (Some(status), Some(body)) if !status.is_success() => Err(status_error(status, &headers, &body)),
        (Some(status), None) if !status.is_success() && !is_error => Err(status_error(status, &headers, &Bytes::new())),
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
        _ => Err(Error::new(ErrorKind::Decode, "line has neither a response nor an error")),
    }
}

/// Returns the body as JSON text, which some servers encode as a string. Any other string is returned as is.
fn body_bytes(raw: &RawValue) -> Bytes {
    match serde_json::from_str::<String>(raw.get()) {
        Ok(text) => text.into(),
        Err(_) => Bytes::copy_from_slice(raw.get().as_bytes()),
    }
}

wire_struct! {
    /// The result of one request: a line of a batch's output or error file.
    ///
    /// ```
    /// use openai_compatible::batches::BatchOutput;
    ///
    /// let line = r#"{"custom_id": "rivers", "response": {"status_code": 200, "body": {"choices": []}}, "error": null}"#;
    /// let output: BatchOutput = serde_json::from_str(line)?;
    /// assert_eq!(output.custom_id, "rivers");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct BatchOutput {
        /// Id that the server assigned to the request.
        pub id: String,
        /// Custom id of the request.
        pub custom_id: String = always,
        /// The response. If its status is an error, the body is an error body of the endpoint.
        pub response: Option<BatchResponse>,
        /// The reason for a missing response.
        pub error: Option<BatchOutputError>,
    }

    /// The response to one request of a batch.
    pub struct BatchResponse {
        /// HTTP status, 200 on success.
        pub status_code: u16,
        /// The server's request id.
        pub request_id: String,
        /// JSON body. A body that a server encodes as a string is decoded.
        pub body: Value = with(json_or_text),
    }

    /// The reason why a request of a batch has no response.
    pub struct BatchOutputError {
        /// Error code of the server, such as `batch_expired`.
        pub code: String,
        /// Human-readable error message.
        pub message: String,
    }
}

/// Reads JSON, which some servers encode as a string. Any other string remains a string.
fn json_or_text(place: &mut Value, input: Input<'_>) -> std::result::Result<ReadOutcome, InvalidInput> {
    let value = input.value()?;
    let parsed = match value.as_str() {
        Some(text) => serde_json::from_str(text).ok(),
        None => None,
    };
    *place = parsed.filter(|parsed: &Value| parsed.is_object() || parsed.is_array()).unwrap_or(value);
    Ok(ReadOutcome::Matched)
}
