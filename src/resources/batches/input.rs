//! The input of a batch: [`BatchInput`], which writes the lines of the input file.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::BatchRequest;
use crate::chat::ChatRequest;
use crate::completions::CompletionRequest;
use crate::embeddings::EmbeddingRequest;
use crate::error::{Error, ErrorKind, Result};
use crate::files::Purpose;
use crate::responses::ResponseRequest;
use crate::transport::decode;
use crate::transport::file_source::FileSource;
use crate::transport::request::check_model;
use crate::wire::{Object, ObjectOutput, Overrides, Wire};

/// A line of a batch whose body is a request of this crate.
#[derive(Serialize)]
struct Line<'a> {
    custom_id: &'a str,
    method: &'static str,
    url: &'static str,
    body: ObjectOutput<'a>,
}

/// A request that can be part of a batch.
pub trait BatchableRequest: Serialize + Object {
    /// Endpoint of the request, as written in a batch.
    const ENDPOINT: &'static str;

    #[doc(hidden)]
    fn model(&self) -> &str;
}

macro_rules! batch_items {
    ($($request:ty: $endpoint:literal),* $(,)?) => {$(
        impl BatchableRequest for $request {
            const ENDPOINT: &'static str = $endpoint;

            fn model(&self) -> &str {
                &self.model
            }
        }
    )*};
}
batch_items! {
    ChatRequest: "/v1/chat/completions",
    CompletionRequest: "/v1/completions",
    EmbeddingRequest: "/v1/embeddings",
    ResponseRequest: "/v1/responses",
}

/// Batched requests cannot be streamed, so `stream` is dropped even if set through `extra`.
const NO_STREAM: Overrides<'static> = &[("stream", Value::Null)];

/// OpenAI's limits on the number of requests in a batch and on the size of the input file.
const MAX_REQUESTS: usize = 50_000;
const MAX_BYTES: u64 = 200_000_000;

/// The requests of a batch, serialized as the lines of the input file.
///
/// Each request has a custom id that identifies its result. Requests are serialized as they are added, in memory or
/// ([`on_disk`](BatchInput::on_disk)) on disk; only their ids are kept. A request that cannot be added (duplicate id,
/// different endpoint, exceeded limit) is an [`ErrorKind::Config`] error, and the input remains unchanged.
///
/// ```
/// use openai_compatible::batches::BatchInput;
/// use openai_compatible::chat::{ChatRequest, Message};
///
/// let mut input = BatchInput::new();
/// for place in ["Egypt", "Vietnam"] {
///     let message = Message::user(format!("Name the longest river of {place}."));
///     input.push(place, &ChatRequest::new("llama3.2", [message]))?;
/// }
/// assert_eq!(input.len(), 2);
/// # Ok::<(), openai_compatible::Error>(())
/// ```
pub struct BatchInput {
    sink: Sink,
    ids: HashSet<String>,
    endpoint: String,
    bytes: u64,
    max_requests: usize,
    max_bytes: u64,
    /// Buffer for the current line, reused between lines.
    line: Vec<u8>,
    purpose: Purpose,
    /// The request that creates the batch.
    request: BatchRequest,
}

enum Sink {
    Memory(Vec<u8>),
    File(PathBuf, BufWriter<File>),
}

impl Default for BatchInput {
    fn default() -> Self {
        BatchInput::new()
    }
}

impl BatchInput {
    /// Creates an empty input in memory, limited to 50,000 requests and 200 MB.
    pub fn new() -> Self {
        BatchInput::with(Sink::Memory(Vec::new()))
    }

    /// Creates an empty input in a file on disk, for inputs that are too large for memory.
    ///
    /// An existing file is overwritten. The file is not removed automatically. Adding requests may block on disk
    /// writes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the file cannot be created.
    pub fn on_disk(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let file = File::create(&path).map_err(|error| unwritable(&path, error))?;
        Ok(BatchInput::with(Sink::File(path, BufWriter::with_capacity(256 * 1024, file))))
    }

    /// Creates an input from requests, with the custom ids `row-1`, `row-2`, and so on.
    ///
    /// ```
    /// use openai_compatible::batches::BatchInput;
    /// use openai_compatible::embeddings::EmbeddingRequest;
    ///
    /// let requests = ["red", "green"].map(|text| EmbeddingRequest::new("text-embedding-3-small", [text]));
    /// let input = BatchInput::from_requests(&requests)?;
    /// assert!(input.contains("row-2"));
    /// # Ok::<(), openai_compatible::Error>(())
    /// ```
    pub fn from_requests<'a, R: BatchableRequest + 'a>(requests: impl IntoIterator<Item = &'a R>) -> Result<Self> {
        let mut input = BatchInput::new();
        for request in requests {
            input.push_numbered(request)?;
        }
        Ok(input)
    }

    fn with(sink: Sink) -> Self {
        BatchInput {
            sink,
            ids: HashSet::new(),
            endpoint: String::new(),
            bytes: 0,
            max_requests: MAX_REQUESTS,
            max_bytes: MAX_BYTES,
            line: Vec::new(),
            purpose: Purpose::Batch,
            request: BatchRequest::new("", ""),
        }
    }

    /// Sets the maximum number of requests. Defaults to 50,000.
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests;
        self
    }

    /// Sets the maximum size of the input file in bytes. Defaults to 200,000,000.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Adds a metadata entry to the batch.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request = self.request.metadata(name, value);
        self
    }

    /// Sets the time frame for processing the batch. Defaults to `24h`.
    pub fn completion_window(mut self, window: impl Into<String>) -> Self {
        self.request = self.request.completion_window(window);
        self
    }

    /// Sets the number of seconds after which the server deletes the output files, from 3600 to 2592000 (30 days).
    pub fn output_expires_after(mut self, seconds: u64) -> Self {
        self.request = self.request.output_expires_after(seconds);
        self
    }

    /// Adds a field to the request that creates the batch.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.request = self.request.extra(name, value);
        self
    }

    /// Sets the purpose of the input file. Defaults to [`Purpose::Batch`]. *Providers*: `batch-api` on Together.
    pub fn purpose(mut self, purpose: impl Into<Purpose>) -> Self {
        self.purpose = purpose.into();
        self
    }

    /// Adds a request with a custom id.
    pub fn push<R: BatchableRequest>(&mut self, custom_id: impl Into<String>, request: &R) -> Result<()> {
        check_model(request.model())?;
        let custom_id = custom_id.into();
        let body = ObjectOutput { object: request, overrides: NO_STREAM };
        let line = Line { custom_id: &custom_id, method: "POST", url: R::ENDPOINT, body };
        self.add(&custom_id, R::ENDPOINT, |into| serde_json::to_writer(into, &line))
    }

    /// Adds a request with its line number as custom id, `row-1` for the first, and returns the id.
    pub fn push_numbered<R: BatchableRequest>(&mut self, request: &R) -> Result<String> {
        let custom_id = format!("row-{}", self.len() + 1);
        self.push(&*custom_id, request)?;
        Ok(custom_id)
    }

    /// Adds a request for any other endpoint: see [`BatchLine::new`].
    ///
    /// ```
    /// use openai_compatible::batches::{BatchInput, BatchLine};
    /// use serde_json::json;
    ///
    /// let body = json!({ "model": "omni-moderation-latest", "input": "Hello" });
    /// let mut input = BatchInput::new();
    /// input.push_line(&BatchLine::new("hello", "/v1/moderations", &body)?)?;
    /// # Ok::<(), openai_compatible::Error>(())
    /// ```
    pub fn push_line(&mut self, line: &BatchLine) -> Result<()> {
        self.add(&line.custom_id, &line.url, |into| serde_json::to_writer(into, line))
    }

    fn add(
        &mut self,
        custom_id: &str,
        url: &str,
        write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
    ) -> Result<()> {
        if custom_id.is_empty() || url.is_empty() {
            return Err(Error::config("`custom_id` and `url` must not be empty"));
        }
        if self.ids.contains(custom_id) {
            return Err(Error::config(format!("duplicate `custom_id` `{custom_id}`")));
        }
        if !self.endpoint.is_empty() && self.endpoint != url {
            let endpoint = &self.endpoint;
            return Err(Error::config(format!(
                "all requests of a batch must use the same endpoint: `{custom_id}` uses {url}, expected {endpoint}"
            )));
        }
        let limit = self.max_requests;
        if self.len() >= limit {
            return Err(Error::config(format!("cannot add `{custom_id}`: the batch is limited to {limit} requests")));
        }
        self.line.clear();
        write(&mut self.line).map_err(unencodable)?;
        self.line.push(b'\n');
        let (bytes, limit) = (self.bytes + self.line.len() as u64, self.max_bytes);
        if bytes > limit {
            return Err(Error::config(format!("cannot add `{custom_id}`: the input file is limited to {limit} bytes")));
        }
        match &mut self.sink {
            Sink::Memory(lines) => lines.extend_from_slice(&self.line),
            Sink::File(path, file) => file.write_all(&self.line).map_err(|error| unwritable(path, error))?,
        }
        self.bytes = bytes;
        self.ids.insert(custom_id.to_owned());
        if self.endpoint.is_empty() {
            url.clone_into(&mut self.endpoint);
        }
        Ok(())
    }

    /// The input file, its purpose, and the request that creates the batch.
    pub(super) fn into_parts(mut self) -> Result<(FileSource, Purpose, BatchRequest)> {
        let purpose = std::mem::replace(&mut self.purpose, Purpose::Batch);
        let mut request = std::mem::replace(&mut self.request, BatchRequest::new("", ""));
        request.endpoint = self.endpoint().unwrap_or_default().to_owned();
        Ok((self.into_source()?, purpose, request))
    }

    /// Returns the number of requests.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Returns `true` if there are no requests.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Returns the size of the input file in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the endpoint of the requests, or `None` if there are none.
    pub fn endpoint(&self) -> Option<&str> {
        Some(self.endpoint.as_str()).filter(|endpoint| !endpoint.is_empty())
    }

    /// Returns `true` if there is a request with this custom id.
    pub fn contains(&self, custom_id: &str) -> bool {
        self.ids.contains(custom_id)
    }

    /// Returns the custom ids of the requests, in arbitrary order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// Returns the input file, to be uploaded with [`Purpose::Batch`](crate::files::Purpose::Batch).
    /// [`Batches::run`](super::Batches::run) uploads it automatically.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if there are no requests, [`ErrorKind::Io`] if buffered requests cannot be written to
    /// disk.
    pub fn into_source(self) -> Result<FileSource> {
        if self.is_empty() {
            return Err(Error::config("batch has no requests"));
        }
        match self.sink {
            Sink::Memory(lines) => Ok(FileSource::bytes("batch.jsonl", lines)),
            Sink::File(path, mut file) => match file.flush() {
                Ok(()) => Ok(FileSource::path(path)),
                Err(error) => Err(unwritable(&path, error)),
            },
        }
    }
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::io(format!("failed to write `{}`: {error}", path.display())).with_source(error)
}

fn unencodable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Encode, decode::describe(&error, None)).with_source(error)
}

impl fmt::Debug for BatchInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchInput")
            .field("endpoint", &self.endpoint)
            .field("requests", &self.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

wire_struct! {
    /// A request of a batch: one line of the input file.
    ///
    /// ```
    /// use openai_compatible::batches::BatchLine;
    /// use openai_compatible::chat::{ChatRequest, Message};
    ///
    /// let request = ChatRequest::new("llama3.2", [Message::user("Name three rivers.")]);
    /// let line = BatchLine::new("rivers", "/v1/chat/completions", &request)?;
    /// # assert_eq!(line.body["model"], "llama3.2");
    /// # Ok::<(), openai_compatible::Error>(())
    /// ```
    pub struct BatchLine {
        /// Custom id of the request, unique within the file. Results may arrive in any order.
        pub custom_id: String = always,
        /// HTTP method: `POST`.
        pub method: String = always,
        /// Endpoint of the request, the same in all lines.
        pub url: String = always,
        /// Body of the request.
        pub body: Value = always,
    }
}

impl BatchLine {
    /// Creates a line from a custom id, an endpoint and a request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] if the request cannot be serialized as JSON.
    pub fn new(
        custom_id: impl Into<String>,
        url: impl Into<String>,
        request: &(impl Serialize + ?Sized),
    ) -> Result<Self> {
        let body = serde_json::to_value(request).map_err(unencodable)?;
        let (custom_id, url) = (custom_id.into(), url.into());
        Ok(BatchLine { custom_id, method: "POST".to_owned(), url, body, ..BatchLine::default_value() })
    }
}
