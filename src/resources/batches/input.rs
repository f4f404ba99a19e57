//! What a batch runs: [`BatchInput`], the lines of its file.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::FileSource;
use crate::chat::ChatRequest;
use crate::completions::CompletionRequest;
use crate::embeddings::EmbeddingRequest;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::decode;
use crate::transport::request::check_model;
use crate::wire::{Added, Object, Wire, Writer, object};

/// A request that may stand in a batch: it knows its route.
pub trait BatchItem: Serialize + Object {
    /// Route as batches name it.
    const ENDPOINT: &'static str;

    #[doc(hidden)]
    fn model(&self) -> &str;
}

macro_rules! batch_items {
    ($($request:ty: $endpoint:literal),* $(,)?) => {$(
        impl BatchItem for $request {
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
}

/// A batch has no streams: here as everywhere the method decides.
const NO_STREAM: Added<'static> = &[("stream", Value::Null)];

/// Most requests of one batch, and most bytes of its file, on OpenAI.
const MOST_REQUESTS: usize = 50_000;
const MOST_BYTES: u64 = 200_000_000;

/// The requests of a batch, written as the lines of its file.
///
/// Each has a custom id, its name among the results. Requests are written down as they are added, in memory or
/// ([`in_file`](BatchInput::in_file)) on disk, and nothing of them is kept but the id. One that cannot be added (an id
/// twice, another route than the others, a limit) is an error of [`ErrorKind::Config`], and the input stays as it was.
///
/// ```
/// use openai_compatible::batches::BatchInput;
/// use openai_compatible::chat::{ChatRequest, Message};
///
/// let mut input = BatchInput::new();
/// for place in ["Egypt", "Vietnam"] {
///     let question = Message::user(format!("Name the longest river of {place}."));
///     input.push(place, &ChatRequest::new("llama3.2", [question]))?;
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
    /// The line at work, kept for its memory.
    line: Vec<u8>,
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
    /// No requests yet, in memory; up to 50,000 of them in 200 MB.
    pub fn new() -> Self {
        BatchInput::with(Sink::Memory(Vec::new()))
    }

    /// No requests yet, in a file on disk, which is made anew. For inputs that are large beside the memory; the file is
    /// yours to remove. Adding requests waits for the disk now and then.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when the file cannot be made.
    pub fn in_file(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let file = File::create(&path).map_err(|error| unwritable(&path, error))?;
        Ok(BatchInput::with(Sink::File(path, BufWriter::with_capacity(256 * 1024, file))))
    }

    /// Requests with the ids `row-1`, `row-2`, and so on.
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
    pub fn from_requests<'a, R: BatchItem + 'a>(requests: impl IntoIterator<Item = &'a R>) -> Result<Self> {
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
            max_requests: MOST_REQUESTS,
            max_bytes: MOST_BYTES,
            line: Vec::new(),
        }
    }

    /// Sets how many requests the server takes in one batch.
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests;
        self
    }

    /// Sets how many bytes the server takes in one input file.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Adds a request under a name of yours.
    pub fn push<R: BatchItem>(&mut self, custom_id: impl Into<String>, request: &R) -> Result<()> {
        check_model(request.model())?;
        let custom_id = custom_id.into();
        self.add(&custom_id, R::ENDPOINT, &|writer| {
            writer.open(b'{');
            writer.member("custom_id", &custom_id);
            writer.name("method");
            writer.text("POST");
            writer.name("url");
            writer.text(R::ENDPOINT);
            writer.name("body");
            object::write(request, writer, &[], NO_STREAM);
            writer.close(b'}');
        })
    }

    /// Adds a request under its line number, `row-1` for the first, and gives that name.
    pub fn push_numbered<R: BatchItem>(&mut self, request: &R) -> Result<String> {
        let custom_id = format!("row-{}", self.len() + 1);
        self.push(&*custom_id, request)?;
        Ok(custom_id)
    }

    /// Adds a request to any other route: see [`BatchLine::new`].
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
        self.add(&line.custom_id, &line.url, &|writer| line.write(writer))
    }

    fn add(&mut self, custom_id: &str, url: &str, write: &dyn Fn(&mut Writer)) -> Result<()> {
        if custom_id.is_empty() || url.is_empty() {
            return Err(Error::config("the custom id or the route of a request is empty"));
        }
        if self.ids.contains(custom_id) {
            return Err(Error::config(format!("the custom id `{custom_id}` is there twice")));
        }
        if !self.endpoint.is_empty() && self.endpoint != url {
            let endpoint = &self.endpoint;
            return Err(Error::config(format!("a batch has one route: `{custom_id}` goes to {url}, not {endpoint}")));
        }
        let most = self.max_requests;
        if self.len() >= most {
            return Err(Error::config(format!("`{custom_id}` is over the limit of {most} requests")));
        }
        self.line.clear();
        let mut writer = Writer::append(std::mem::take(&mut self.line));
        write(&mut writer);
        self.line = writer.finish().map_err(unencodable)?;
        self.line.push(b'\n');
        let (bytes, most) = (self.bytes + self.line.len() as u64, self.max_bytes);
        if bytes > most {
            return Err(Error::config(format!("`{custom_id}` is over the limit of {most} bytes")));
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

    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Length of the file in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Route of the requests; `None` while there are none.
    pub fn endpoint(&self) -> Option<&str> {
        Some(self.endpoint.as_str()).filter(|endpoint| !endpoint.is_empty())
    }

    /// True when there is a request of this name.
    pub fn contains(&self, custom_id: &str) -> bool {
        self.ids.contains(custom_id)
    }

    /// Names of the requests, in no order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// The file, to be uploaded with [`Purpose::Batch`](crate::files::Purpose::Batch).
    /// [`Batches::run`](super::Batches::run) does it for you.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when there are no requests, or the last of them cannot be written to disk.
    pub fn into_source(self) -> Result<FileSource> {
        if self.is_empty() {
            return Err(Error::config("the batch has no requests"));
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
    Error::config(format!("the file `{}` cannot be written: {error}", path.display())).with_source(error)
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

wire! {
    /// One request of a batch: a line of its input file.
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
    #[doc(alias = "BatchRequestInput")]
    pub struct BatchLine {
        /// Your name for it, once in a file: results come in any order.
        pub custom_id: String = always,
        /// `POST`.
        pub method: String = always,
        /// Route that it goes to, the same in all lines.
        pub url: String = always,
        /// What is sent there.
        pub body: Value = always,
    }
}

impl BatchLine {
    /// A request under a name of yours.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] when the request cannot be written as JSON.
    pub fn new(
        custom_id: impl Into<String>,
        url: impl Into<String>,
        request: &(impl Serialize + ?Sized),
    ) -> Result<Self> {
        let body = serde_json::to_value(request).map_err(unencodable)?;
        let (custom_id, url) = (custom_id.into(), url.into());
        Ok(BatchLine { custom_id, method: "POST".to_owned(), url, body, ..BatchLine::blank() })
    }
}
