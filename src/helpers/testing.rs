//! Tests without a network: mock responses, and a service that returns them one after the other.
//!
//! ```
//! use openai_compatible::chat::{ChatRequest, Message};
//! use openai_compatible::testing::{self, MockService};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> openai_compatible::Result<()> {
//! let replies = MockService::new([testing::chat("The Nile."), testing::json(404, serde_json::json!({"error": "no"}))]);
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
//! Everything above the network is real: retries, timeouts, decoding, streams. Use tokio's paused clock
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

mod recorder;

pub use self::recorder::Recorder;
use crate::client::{Client, ClientBuilder};
use crate::error::Result;
use crate::transport::http::{HttpError, HttpErrorKind, HttpService, RequestBody, ResponseBody};
use crate::transport::request::parse_header;

/// A response prepared by a test.
#[derive(Clone)]
#[must_use]
pub struct MockResponse {
    status: StatusCode,
    headers: HeaderMap,
    pieces: Vec<Bytes>,
    fault: Option<(HttpErrorKind, String)>,
    delay: Duration,
    is_interrupted: bool,
}

/// Creates a JSON response.
pub fn json(status: u16, body: impl Serialize) -> MockResponse {
    match serde_json::to_string(&body) {
        Ok(body) => MockResponse::new(status, "application/json", vec![body.into()]),
        Err(error) => http_error(HttpErrorKind::Config).because(error.to_string()),
    }
}

/// Creates a plain-text response.
pub fn text(status: u16, body: impl Into<String>) -> MockResponse {
    MockResponse::new(status, "text/plain", vec![body.into().into()])
}

/// Creates a stream of events, each written as JSON, followed by `[DONE]`.
pub fn sse(events: impl IntoIterator<Item = impl Serialize>) -> MockResponse {
    event_stream(events, "data: [DONE]\n\n")
}

fn event_stream(events: impl IntoIterator<Item = impl Serialize>, end: &str) -> MockResponse {
    let written: serde_json::Result<Vec<_>> = events.into_iter().map(|event| serde_json::to_string(&event)).collect();
    match written {
        Ok(events) => {
            let mut pieces: Vec<_> = events.iter().map(|event| format!("data: {event}\n\n")).collect();
            // With the last event, so that `interrupted` takes both.
            let last = pieces.pop().unwrap_or_default();
            pieces.push(last + end);
            MockResponse::new(200, "text/event-stream", pieces.into_iter().map(Bytes::from).collect())
        }
        Err(error) => http_error(HttpErrorKind::Config).because(error.to_string()),
    }
}

/// Creates a network error instead of a response.
pub fn http_error(kind: HttpErrorKind) -> MockResponse {
    MockResponse::new(200, "text/plain", Vec::new()).fault(kind, "simulated failure")
}

/// Creates a chat completion with this text.
pub fn chat(text: impl Into<String>) -> MockResponse {
    json(200, completion(json!({ "role": "assistant", "content": text.into() }), "stop"))
}

/// Creates a streamed chat completion, with one chunk per text.
pub fn chat_stream(pieces: impl IntoIterator<Item = impl Into<String>>) -> MockResponse {
    let chunk = |delta: Value, finish_reason: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish_reason });
        json!({ "id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 0, "model": "test", "choices": [choice] })
    };
    let begin = chunk(json!({ "role": "assistant", "content": "" }), None);
    let texts = pieces.into_iter().map(|piece| chunk(json!({ "content": piece.into() }), None));
    sse([begin].into_iter().chain(texts).chain([chunk(json!({}), Some("stop"))]))
}

/// Creates a chat completion that calls a tool with these arguments.
pub fn tool_call(name: impl Into<String>, arguments: impl Serialize) -> MockResponse {
    match serde_json::to_string(&arguments) {
        Ok(arguments) => {
            let function = json!({ "name": name.into(), "arguments": arguments });
            let call = json!({ "id": "call_test", "type": "function", "function": function });
            let message = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
            json(200, completion(message, "tool_calls"))
        }
        Err(error) => http_error(HttpErrorKind::Config).because(error.to_string()),
    }
}

/// Creates a response of the Responses API with this text.
pub fn response(text: impl Into<String>) -> MockResponse {
    json(200, response_of("completed", json!([message(&text.into())])))
}

/// Creates a streamed response of the Responses API, with one delta per text.
pub fn response_stream(pieces: impl IntoIterator<Item = impl Into<String>>) -> MockResponse {
    let pieces: Vec<String> = pieces.into_iter().map(Into::into).collect();
    let text = pieces.concat();
    let begun =
        json!({ "type": "message", "id": "msg_test", "role": "assistant", "status": "in_progress", "content": [] });
    let begin = [
        ("created", "response", response_of("in_progress", json!([]))),
        ("output_item.added", "item", begun),
        ("content_part.added", "part", text_part("")),
    ];
    let end = [
        ("output_text.done", "text", json!(text)),
        ("content_part.done", "part", text_part(&text)),
        ("output_item.done", "item", message(&text)),
        ("completed", "response", response_of("completed", json!([message(&text)]))),
    ];
    let deltas = pieces.into_iter().map(|piece| ("output_text.delta", "delta", json!(piece)));
    let events = (0..).zip(begin.into_iter().chain(deltas).chain(end)).map(|(number, (kind, name, value))| {
        let kind = format!("response.{kind}");
        match name {
            "response" => json!({ "type": kind, "sequence_number": number, name: value }),
            "item" => json!({ "type": kind, "sequence_number": number, "output_index": 0, name: value }),
            _ => json!({
                "type": kind, "sequence_number": number, "item_id": "msg_test", "output_index": 0, "content_index": 0,
                name: value,
            }),
        }
    });
    // The last event ends the stream, and not a marker.
    event_stream(events, "")
}

/// Creates a response of the Responses API that calls a function with these arguments.
pub fn function_call(name: impl Into<String>, arguments: impl Serialize) -> MockResponse {
    match serde_json::to_string(&arguments) {
        Ok(arguments) => {
            let call = json!({
                "type": "function_call", "id": "fc_test", "call_id": "call_test", "name": name.into(),
                "arguments": arguments, "status": "completed",
            });
            json(200, response_of("completed", json!([call])))
        }
        Err(error) => http_error(HttpErrorKind::Config).because(error.to_string()),
    }
}

fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [] })
}

fn message(text: &str) -> Value {
    let content = [text_part(text)];
    json!({ "type": "message", "id": "msg_test", "role": "assistant", "status": "completed", "content": content })
}

fn response_of(status: &str, output: Value) -> Value {
    json!({
        "id": "resp_test",
        "object": "response",
        "created_at": 0,
        "status": status,
        "model": "test",
        "output": output,
        "usage": { "input_tokens": 10, "output_tokens": 5, "total_tokens": 15 },
    })
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

impl MockResponse {
    fn new(status: u16, content_type: &'static str, pieces: Vec<Bytes>) -> Self {
        let reply = MockResponse {
            status: StatusCode::OK,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]),
            pieces,
            fault: None,
            delay: Duration::ZERO,
            is_interrupted: false,
        };
        match StatusCode::from_u16(status) {
            Ok(status) => MockResponse { status, ..reply },
            Err(_) => reply.fault(HttpErrorKind::Config, format!("invalid status code {status}")),
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

    /// Delays the response.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Interrupts the connection instead of sending the last chunk of the body: a stream loses its last event.
    pub fn interrupted(mut self) -> Self {
        self.is_interrupted = true;
        self.pieces.pop();
        self
    }

    /// Returns the response, for a service of your own: `|_request| testing::chat("Hello.").respond()`.
    pub async fn respond(self) -> Result<http::Response<ResponseBody>, HttpError> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if let Some((kind, why)) = self.fault {
            return Err(HttpError::new(kind, why));
        }
        let cut = self
            .is_interrupted
            .then(|| Err(HttpError::new(HttpErrorKind::Interrupted, "connection interrupted by the test")));
        let pieces = self.pieces.into_iter().map(Ok).chain(cut);
        let mut response = http::Response::new(ResponseBody::streamed(futures::stream::iter(pieces).fuse()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Ok(response)
    }
}

impl fmt::Debug for MockResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reply = f.debug_struct("MockResponse");
        match &self.fault {
            Some(fault) => reply.field("fault", fault),
            None => reply.field("status", &self.status).field("pieces", &self.pieces.len()),
        };
        reply.finish_non_exhaustive()
    }
}

/// A request as it was sent.
#[derive(Clone)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// Method: `GET`, `POST`, …
    pub method: Method,
    /// Path, such as `/v1/chat/completions`.
    pub path: String,
    /// Query, without its `?`.
    pub query: Option<String>,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl RecordedRequest {
    /// Returns the body as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Returns a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers nor body: a key and a prompt do not belong in a log, not even in one of a test.
        write!(f, "{} {} ({} bytes)", self.method, self.path, self.body.len())
    }
}

/// An in-memory server that returns its responses one after the other and records the requests.
///
/// Clones share both. If the response depends on the request, use a closure:
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
#[doc(alias = "mock")]
pub struct MockService(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    replies: VecDeque<MockResponse>,
    requests: Vec<RecordedRequest>,
}

impl MockService {
    /// Creates a service with these responses, in order. A request after the last one fails.
    pub fn new(replies: impl IntoIterator<Item = MockResponse>) -> Self {
        let script = Script { replies: replies.into_iter().collect(), requests: Vec::new() };
        MockService(Arc::new(Mutex::new(script)))
    }

    /// Adds a response after the others.
    pub fn push(&self, reply: MockResponse) {
        self.script().replies.push_back(reply);
    }

    /// Returns a client for this service, with the base URL `http://test.invalid/v1`.
    ///
    /// # Errors
    ///
    /// None in practice: the same as [`ClientBuilder::build`].
    pub fn client(&self) -> Result<Client> {
        self.builder().build()
    }

    /// Returns a client builder for this service.
    pub fn builder(&self) -> ClientBuilder {
        Client::builder().base_url("http://test.invalid/v1").http_service(self.clone())
    }

    /// Returns the requests received so far.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.script().requests.clone()
    }

    /// Returns the number of responses left.
    pub fn remaining(&self) -> usize {
        self.script().replies.len()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpService for MockService {
    fn call(
        &self,
        request: http::Request<RequestBody>,
    ) -> BoxFuture<'static, Result<http::Response<ResponseBody>, HttpError>> {
        let replies = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let request = RecordedRequest {
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
                    HttpError::new(HttpErrorKind::Config, format!("no response left for request {number}: {what}"))
                })
            };
            reply?.respond().await
        })
    }
}

impl fmt::Debug for MockService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        f.debug_struct("MockService").field("left", &script.replies.len()).field("requests", &script.requests).finish()
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
