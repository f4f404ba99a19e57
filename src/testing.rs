//! Tests without a network: ready-made replies, and a service that gives them one after the other.
//!
//! ```
//! use openai_compatible::chat::{ChatRequest, Message};
//! use openai_compatible::testing::{self, Replies};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> openai_compatible::Result<()> {
//! let replies = Replies::new([testing::chat("The Nile."), testing::json(404, serde_json::json!({"error": "no"}))]);
//! let client = replies.client()?;
//!
//! let request = ChatRequest::new("llama3.2", [Message::user("Name a river.")]);
//! assert_eq!(client.chat().create(&request).await?.text(), "The Nile.");
//! assert!(client.chat().create(&request).await.unwrap_err().is_not_found());
//!
//! let sent = replies.requests();
//! assert_eq!(sent[0].path, "/v1/chat/completions");
//! assert_eq!(sent[0].json()["model"], "llama3.2");
//! # Ok(())
//! # }
//! ```
//!
//! Everything above the network is the real thing: retries, time limits, decoding, streams. Use tokio's paused clock
//! (`#[tokio::test(start_paused = true)]`) where a test would wait.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use http_body::Body as _;
use serde::Serialize;
use serde_json::{Value, json};

use crate::call::parse_header;
use crate::client::{Client, ClientBuilder};
use crate::error::Result;
use crate::transport::http::{HttpError, HttpErrorKind, HttpService, RequestBody, ResponseBody};

/// A reply that a test has ready.
#[derive(Clone)]
#[must_use]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    pieces: Vec<Bytes>,
    fault: Option<(HttpErrorKind, String)>,
    delay: Duration,
    is_cut: bool,
}

/// A JSON reply with this status.
pub fn json(status: u16, body: impl Serialize) -> Reply {
    match serde_json::to_string(&body) {
        Ok(body) => Reply::new(status, "application/json", vec![body.into()]),
        Err(error) => fault(HttpErrorKind::Config).because(error.to_string()),
    }
}

/// A reply of plain text with this status.
pub fn text(status: u16, body: impl Into<String>) -> Reply {
    Reply::new(status, "text/plain", vec![body.into().into()])
}

/// A stream of these events, each written as JSON, and the end mark `[DONE]`.
pub fn sse(events: impl IntoIterator<Item = impl Serialize>) -> Reply {
    let written: serde_json::Result<Vec<_>> = events.into_iter().map(|event| serde_json::to_string(&event)).collect();
    match written {
        Ok(events) => {
            let events = events.into_iter().chain(["[DONE]".to_owned()]);
            let pieces = events.map(|event| format!("data: {event}\n\n").into()).collect();
            Reply::new(200, "text/event-stream", pieces)
        }
        Err(error) => fault(HttpErrorKind::Config).because(error.to_string()),
    }
}

/// No reply, but a fault of the network.
pub fn fault(kind: HttpErrorKind) -> Reply {
    Reply::new(200, "text/plain", Vec::new()).fault(kind, "a fault of the test")
}

/// A chat completion that says this.
pub fn chat(text: impl Into<String>) -> Reply {
    json(200, completion(json!({ "role": "assistant", "content": text.into() }), "stop"))
}

/// A streamed chat completion that says this, one chunk a piece.
pub fn chat_stream(pieces: impl IntoIterator<Item = impl Into<String>>) -> Reply {
    let chunk = |delta: Value, finish_reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish_reason });
        json!({ "id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 0, "model": "test", "choices": [choice] })
    };
    let begin = chunk(json!({ "role": "assistant", "content": "" }), None);
    let texts = pieces.into_iter().map(|piece| chunk(json!({ "content": piece.into() }), None));
    sse([begin].into_iter().chain(texts).chain([chunk(json!({}), Some("stop"))]))
}

/// A chat completion that calls a tool with these arguments.
pub fn tool_call(name: impl Into<String>, arguments: impl Serialize) -> Reply {
    match serde_json::to_string(&arguments) {
        Ok(arguments) => {
            let function = json!({ "name": name.into(), "arguments": arguments });
            let call = json!({ "id": "call_test", "type": "function", "function": function });
            let message = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
            json(200, completion(message, "tool_calls"))
        }
        Err(error) => fault(HttpErrorKind::Config).because(error.to_string()),
    }
}

fn completion(message: Value, finish_reason: &str) -> Value {
    json!({
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 0,
        "model": "test",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish_reason }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15 },
    })
}

impl Reply {
    fn new(status: u16, content_type: &'static str, pieces: Vec<Bytes>) -> Self {
        let reply = Reply {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]),
            pieces,
            fault: None,
            delay: Duration::ZERO,
            is_cut: false,
        };
        match StatusCode::from_u16(status) {
            Ok(status) => Reply { status, ..reply },
            Err(_) => reply.fault(HttpErrorKind::Config, format!("{status} is no status")),
        }
    }

    fn fault(mut self, kind: HttpErrorKind, why: impl Into<String>) -> Self {
        self.fault = Some((kind, why.into()));
        self
    }

    fn because(self, why: String) -> Self {
        self.fault(HttpErrorKind::Config, why)
    }

    /// Adds a header, such as `retry-after`.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        match parse_header(name.as_ref(), value.as_ref()) {
            Ok((name, value)) => drop(self.headers.insert(name, value)),
            Err(error) => self = self.because(error.to_string()),
        }
        self
    }

    /// Waits before it answers.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Breaks the connection off in place of the last piece of the body: a stream loses its end.
    pub fn cut(mut self) -> Self {
        self.is_cut = true;
        self.pieces.pop();
        self
    }

    /// What a service of your own gives: `|_request| testing::chat("Hello.").respond()`.
    pub async fn respond(self) -> Result<http::Response<ResponseBody>, HttpError> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if let Some((kind, why)) = self.fault {
            return Err(HttpError::new(kind, why));
        }
        let cut = self.is_cut.then(|| Err(HttpError::new(HttpErrorKind::Interrupted, "cut off by the test")));
        let pieces = self.pieces.into_iter().map(Ok).chain(cut);
        let mut response = http::Response::new(ResponseBody::streamed(futures::stream::iter(pieces).fuse()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Ok(response)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reply = f.debug_struct("Reply");
        match &self.fault {
            Some(fault) => reply.field("fault", fault),
            None => reply.field("status", &self.status).field("pieces", &self.pieces.len()),
        };
        reply.finish_non_exhaustive()
    }
}

/// A request as a client sent it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Recorded {
    /// `GET`, `POST`, …
    pub method: Method,
    /// The path, such as `/v1/chat/completions`.
    pub path: String,
    /// The query, without its `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Recorded {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers nor body: a key and a prompt do not belong into a log, not even of a test.
        write!(f, "{} {} ({} bytes)", self.method, self.path, self.body.len())
    }
}

/// A server in memory: it gives its replies one after the other, and keeps the requests.
///
/// Clones share both. Where it depends on the request what the reply is, a closure does:
///
/// ```
/// use openai_compatible::{Client, testing};
///
/// # fn main() -> openai_compatible::Result<()> {
/// let client = Client::builder()
///     .base_url("http://test.invalid/v1")
///     .http_service(|request: http::Request<_>| match request.uri().path() {
///         "/v1/models" => testing::json(200, serde_json::json!({"data": [{"id": "m"}]})).respond(),
///         _ => testing::chat("Hello.").respond(),
///     })
///     .build()?;
/// # let _ = client; Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Replies(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    requests: Vec<Recorded>,
}

impl Replies {
    /// These replies, in their order. A request beyond the last one fails.
    pub fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Script { replies: replies.into_iter().collect(), requests: Vec::new() };
        Replies(Arc::new(Mutex::new(script)))
    }

    /// Adds a reply behind the others.
    pub fn push(&self, reply: Reply) {
        self.script().replies.push_back(reply);
    }

    /// A client of this server, with the base URL `http://test.invalid/v1`.
    ///
    /// # Errors
    ///
    /// None in practice: it is that of [`ClientBuilder::build`].
    pub fn client(&self) -> Result<Client> {
        self.builder().build()
    }

    /// A client of this server, to be set up further.
    pub fn builder(&self) -> ClientBuilder {
        Client::builder().base_url("http://test.invalid/v1").http_service(self.clone())
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.script().requests.clone()
    }

    /// How many replies are left.
    pub fn left(&self) -> usize {
        self.script().replies.len()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpService for Replies {
    fn call(
        &self,
        request: http::Request<RequestBody>,
    ) -> BoxFuture<'static, Result<http::Response<ResponseBody>, HttpError>> {
        let replies = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let request = Recorded {
                method: head.method,
                path: head.uri.path().to_owned(),
                query: head.uri.query().map(str::to_owned),
                headers: head.headers,
                body: collect(body).await?,
            };
            let reply = {
                let mut script = replies.script();
                let what = format!("{request:?}");
                script.requests.push(request);
                let number = script.requests.len();
                script.replies.pop_front().ok_or_else(|| {
                    HttpError::new(HttpErrorKind::Config, format!("no reply is left for request {number}, {what}"))
                })
            };
            reply?.respond().await
        })
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        f.debug_struct("Replies").field("left", &script.replies.len()).field("requests", &script.requests).finish()
    }
}

async fn collect(mut body: RequestBody) -> Result<Bytes, HttpError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| HttpError::new(HttpErrorKind::Config, error))?;
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}
