//! Tests from real traffic: [`Recorder`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt};
use http::header::{CONTENT_TYPE, HeaderMap};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::collect;
use crate::error::{Error, ErrorKind, Result, Secrets};
use crate::transport::http::{DefaultHttp, HttpError, HttpErrorKind, HttpService, RequestBody, ResponseBody};

/// Records the exchanges with a real server to a readable file, and replays them in tests.
///
/// - A request is answered by the first recorded one that is equal and not used yet. If there is none, the error says what
///   differs.
/// - Streams are replayed chunk by chunk; with [`with_timing`](Recorder::with_timing), with their delays.
/// - No key is recorded: of the headers only those that say what a response is, and keys, organization and project ids are
///   replaced wherever they occur. Prompts and completions are recorded as they are.
///
/// ```no_run
/// # async fn run(request: openai_compatible::chat::ChatRequest) -> openai_compatible::Result<()> {
/// use openai_compatible::{Client, testing::Recorder};
///
/// // Records if the file does not exist, and replays if it does.
/// let recorder = Recorder::new("tests/recordings/rivers.json")?;
/// let client = Client::builder().base_url("http://localhost:8080/v1").http_service(recorder).build()?;
/// println!("{}", client.chat().create(&request).await?.text());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Recorder(Arc<Tape>);

struct Tape {
    path: PathBuf,
    /// What is asked when recording; `None` when replaying.
    service: Option<Arc<dyn HttpService>>,
    has_timing: bool,
    exchanges: Mutex<Vec<Exchange>>,
}

/// A request and its response, as they stand in the file.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Exchange {
    request: Request,
    response: Response,
    #[serde(skip)]
    is_used: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Request {
    method: String,
    /// Path and query.
    target: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    body: Value,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Response {
    status: u16,
    headers: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    json: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pieces: Vec<Piece>,
    /// The connection broke after the pieces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interrupted: Option<String>,
}

/// A piece of a body that is not JSON.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Piece {
    after_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Recording {
    exchanges: Vec<Exchange>,
}

impl Recorder {
    /// Creates a recorder that replays this file if it exists, and records to it otherwise. Delete the file to record it again.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not a recording.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        if path.exists() { Recorder::replay(path) } else { Ok(Recorder::record(path)) }
    }

    /// Creates a recorder that records to this file, over an older recording.
    pub fn record(path: impl Into<PathBuf>) -> Self {
        Recorder::record_service(path, DefaultHttp::new(Duration::from_secs(5)))
    }

    /// Creates a recorder that sends requests through this service.
    pub fn record_service(path: impl Into<PathBuf>, service: impl HttpService) -> Self {
        Recorder(Arc::new(Tape {
            path: path.into(),
            service: Some(Arc::new(service)),
            has_timing: false,
            exchanges: Mutex::default(),
        }))
    }

    /// Creates a recorder that replays this file, and sends nothing.
    ///
    /// # Errors
    ///
    /// The same as those of [`new`](Self::new).
    pub fn replay(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let failed = |kind, what: String| Error::new(kind, format!("recording {}: {what}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| failed(ErrorKind::Io, error.to_string()))?;
        let recording: Recording =
            serde_json::from_str(&text).map_err(|error| failed(ErrorKind::Decode, error.to_string()))?;
        let exchanges = Mutex::new(recording.exchanges);
        Ok(Recorder(Arc::new(Tape { path, service: None, has_timing: false, exchanges })))
    }

    /// Replays streams with the delays that they had. Use it with tokio's paused clock.
    pub fn with_timing(self, has_timing: bool) -> Self {
        let tape = &self.0;
        let exchanges = Mutex::new(self.exchanges().clone());
        Recorder(Arc::new(Tape { path: tape.path.clone(), service: tape.service.clone(), has_timing, exchanges }))
    }

    /// Returns `true` if the recorder replays a file.
    pub fn is_replaying(&self) -> bool {
        self.0.service.is_none()
    }

    /// Returns the number of exchanges that were recorded, or are left to replay.
    pub fn remaining(&self) -> usize {
        self.exchanges().iter().filter(|exchange| !exchange.is_used).count()
    }

    fn exchanges(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.0.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The recorded response, or what differs from the next request that is left.
    fn find(&self, request: &Request) -> Result<Response, String> {
        let mut exchanges = self.exchanges();
        if let Some(found) = exchanges.iter_mut().find(|exchange| !exchange.is_used && exchange.request == *request) {
            found.is_used = true;
            return Ok(found.response.clone());
        }
        let left = exchanges.iter().enumerate().find(|(_, exchange)| !exchange.is_used);
        Err(match left {
            None => format!("no exchange is left for {} {}", request.method, request.target),
            Some((number, exchange)) => {
                format!(
                    "the request differs from that of exchange {}: {}",
                    number + 1,
                    exchange.request.difference(request)
                )
            }
        })
    }

    /// Adds an exchange and writes the file.
    fn add(&self, exchange: Exchange) -> std::io::Result<()> {
        let mut exchanges = self.exchanges();
        exchanges.push(exchange);
        let json = serde_json::to_string_pretty(&Recording { exchanges: exchanges.clone() })?;
        if let Some(folder) = self.0.path.parent().filter(|folder| *folder != Path::new("")) {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&self.0.path, json + "\n")
    }
}

impl Request {
    fn difference(&self, other: &Request) -> String {
        let changed = |name: &str, recorded: &str, sent: &str| format!("{name} was {recorded}, is {sent}");
        if self.method != other.method || self.target != other.target {
            let line = |request: &Request| format!("`{} {}`", request.method, request.target);
            return changed("it", &line(self), &line(other));
        }
        let mut path = "body".to_owned();
        let (recorded, sent) = first_difference(&self.body, &other.body, &mut path);
        changed(&format!("`{path}`"), &recorded, &sent)
    }
}

/// The first place where two values differ, and what is there.
fn first_difference(a: &Value, b: &Value, path: &mut String) -> (String, String) {
    match (a, b) {
        (Value::Object(a_members), Value::Object(b_members)) => {
            let names = a_members.keys().chain(b_members.keys());
            let differs = |name: &&String| a_members.get(*name) != b_members.get(*name);
            if let Some(name) = names.into_iter().find(differs) {
                path.push('.');
                path.push_str(name);
                let missing = Value::Null;
                let of = |members: &Map<String, Value>| members.get(name).cloned().unwrap_or(missing.clone());
                return first_difference(&of(a_members), &of(b_members), path);
            }
        }
        (Value::Array(a_items), Value::Array(b_items)) if a_items.len() == b_items.len() => {
            if let Some((at, (a, b))) = a_items.iter().zip(b_items).enumerate().find(|(_, (a, b))| a != b) {
                path.push_str(&format!("[{at}]"));
                return first_difference(a, b, path);
            }
        }
        _ => {}
    }
    (shortened(a), shortened(b))
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

impl HttpService for Recorder {
    fn call(
        &self,
        request: http::Request<RequestBody>,
    ) -> BoxFuture<'static, Result<http::Response<ResponseBody>, HttpError>> {
        let recorder = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = collect(body).await?;
            let secrets = Cleaner::of(&head);
            let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
            let recorded = Request {
                method: head.method.to_string(),
                target: secrets.clean(target),
                body: request_body(&head.headers, &body, &secrets),
            };
            let Some(service) = recorder.0.service.clone() else {
                let failed = |what| {
                    HttpError::new(HttpErrorKind::Config, format!("recording {}: {what}", recorder.0.path.display()))
                };
                return recorder.find(&recorded).map_err(failed)?.replay(recorder.0.has_timing);
            };
            let sent = http::Request::from_parts(head, RequestBody::from(body));
            let started = Instant::now();
            let response = service.call(sent).await?;
            let (head, body) = response.into_parts();
            let response = Response {
                status: head.status.as_u16(),
                headers: recorded_headers(&head.headers),
                ..Response::default()
            };
            let taken = Taken {
                body,
                last: started,
                pieces: Vec::new(),
                recorder,
                recorded: Some((recorded, response)),
                secrets,
            };
            Ok(http::Response::from_parts(head, ResponseBody::streamed(taken)))
        })
    }
}

/// The headers of a response that are worth keeping: those that decide how it is read.
fn recorded_headers(headers: &HeaderMap) -> Map<String, Value> {
    const KEPT: [&str; 6] =
        ["content-type", "retry-after", "retry-after-ms", "x-should-retry", "x-request-id", "location"];
    let is_kept = |name: &str| KEPT.contains(&name) || name.starts_with("x-ratelimit-");
    let kept = headers.iter().filter(|(name, _)| is_kept(name.as_str()));
    kept.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.into()))).collect()
}

/// JSON as it is; of anything else only its length, because the boundary of a form is different each time.
fn request_body(headers: &HeaderMap, body: &[u8], secrets: &Cleaner) -> Value {
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    match std::str::from_utf8(body)
        .ok()
        .filter(|_| is_json)
        .and_then(|text| serde_json::from_str(&secrets.clean(text)).ok())
    {
        Some(json) => json,
        None if body.is_empty() => Value::Null,
        None => serde_json::json!({ "bytes": body.len() }),
    }
}

impl Response {
    fn replay(self, has_timing: bool) -> Result<http::Response<ResponseBody>, HttpError> {
        let invalid = |error: http::Error| HttpError::new(HttpErrorKind::Config, error);
        let mut response = http::Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name, value.as_str().unwrap_or_default());
        }
        if !self.json.is_null() {
            return response.body(ResponseBody::from(self.json.to_string())).map_err(invalid);
        }
        let pieces = self.pieces.into_iter().map(move |piece| {
            let bytes = match (piece.text, piece.base64) {
                (Some(text), _) => Ok(Bytes::from(text)),
                (None, Some(base64)) => STANDARD
                    .decode(base64)
                    .map(Bytes::from)
                    .map_err(|error| HttpError::new(HttpErrorKind::InvalidResponse, error)),
                (None, None) => Ok(Bytes::new()),
            };
            (if has_timing { piece.after_ms } else { 0 }, bytes)
        });
        let end = self.interrupted.map(|why| (0, Err(HttpError::new(HttpErrorKind::Interrupted, why))));
        let body = stream::iter(pieces.chain(end)).then(|(delay, piece)| async move {
            if delay > 0 {
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            piece
        });
        response.body(ResponseBody::streamed(body)).map_err(invalid)
    }
}

/// A body that is recorded while the client reads it. What the client leaves unread is not part of the recording.
struct Taken {
    body: ResponseBody,
    last: Instant,
    pieces: Vec<(u64, Bytes)>,
    recorder: Recorder,
    recorded: Option<(Request, Response)>,
    secrets: Cleaner,
}

impl Taken {
    fn finish(&mut self, interrupted: Option<String>) -> std::io::Result<()> {
        let Some((request, mut response)) = self.recorded.take() else { return Ok(()) };
        let pieces = std::mem::take(&mut self.pieces);
        let is_stream = response
            .headers
            .get("content-type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind.contains("event-stream"));
        let whole: Vec<u8> = pieces.iter().flat_map(|(_, piece)| piece.iter().copied()).collect();
        let json = std::str::from_utf8(&whole).ok().filter(|_| !is_stream && interrupted.is_none());
        match json.and_then(|text| serde_json::from_str::<Value>(&self.secrets.clean(text)).ok()) {
            Some(json) => response.json = json,
            None => {
                let piece = |(after_ms, piece): &(u64, Bytes)| match std::str::from_utf8(piece) {
                    Ok(text) => Piece { after_ms: *after_ms, text: Some(self.secrets.clean(text)), base64: None },
                    Err(_) => Piece { after_ms: *after_ms, text: None, base64: Some(STANDARD.encode(piece)) },
                };
                response.pieces = pieces.iter().map(piece).collect();
            }
        }
        response.interrupted = interrupted;
        self.recorder.add(Exchange { request, response, is_used: false })
    }
}

impl Stream for Taken {
    type Item = Result<Bytes, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.body.poll_next_unpin(context);
        let finished = match &polled {
            Poll::Ready(Some(Ok(piece))) => {
                let after = u64::try_from(self.last.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.last = Instant::now();
                self.pieces.push((after, piece.clone()));
                Ok(())
            }
            Poll::Ready(Some(Err(_))) => self.finish(Some("connection interrupted".to_owned())),
            Poll::Ready(None) => self.finish(None),
            Poll::Pending => Ok(()),
        };
        match finished {
            Ok(()) => polled,
            Err(error) => Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Config, error)))),
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // A stream is usually dropped at its end marker, before the end of its body.
        let _ = self.finish(None);
    }
}

/// Replaces what must not be in a file that is shared.
struct Cleaner(Secrets);

impl Cleaner {
    fn of(head: &http::request::Parts) -> Self {
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let query = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Cleaner(Secrets::default().with_request(&head.headers, query))
    }

    fn clean(&self, text: &str) -> String {
        let text = self.0.redact(text);
        let mut clean = String::with_capacity(text.len());
        let mut rest = &*text;
        // Ids that servers repeat in errors and headers.
        while let Some((at, prefix)) = ["org-", "proj_", "sk-"].iter().filter_map(|p| Some((rest.find(p)?, *p))).min() {
            let (before, from) = rest.split_at_checked(at + prefix.len()).unwrap_or((rest, ""));
            clean.push_str(before);
            let length = from.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(from.len());
            let (id, after) = from.split_at_checked(length).unwrap_or((from, ""));
            clean.push_str(if id.len() >= 8 { "REDACTED" } else { id });
            rest = after;
        }
        clean.push_str(rest);
        clean
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("path", &self.0.path)
            .field("is_replaying", &self.is_replaying())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
