//! [`Error`], its [`ErrorKind`], and the server's error message in [`ApiError`].

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::{self, Write as _};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

mod api;
mod secrets;

pub use api::ApiError;
pub(crate) use api::{html_title, is_error, is_failure};
pub(crate) use secrets::Secrets;

/// The `Result` of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Bytes of a body that an error keeps.
const MAX_ERROR_BODY_KEPT: usize = 64 * 1024;
/// How servers without an error code describe a request that exceeds the context.
const CONTEXT_LENGTH_PHRASES: [&str; 11] = [
    "maximum context length",                     // OpenAI, vLLM, Mistral
    "maximum model length",                       // vLLM
    "maximum prompt length",                      // xAI
    "exceeds the maximum number of tokens",       // Gemini
    "context size",                               // llama.cpp
    "too large to process",                       // llama.cpp, embeddings
    "context window",                             // OpenAI, LiteLLM
    "context length",                             // SGLang, Ollama
    "prompt is too long",                         // Anthropic
    "reduce the length of the",                   // Groq
    "`inputs` tokens + `max_new_tokens` must be", // TGI
];

/// An error returned by this crate.
///
/// [`kind`](Error::kind) is the stage at which the call failed; the other accessors return what is known about it.
/// `Display` is one line: what failed, with the status, the error code and the request id. Neither `Display` nor
/// `Debug` contains a key, a header value or the prompt. Keys are also redacted from the server's message.
///
/// ```no_run
/// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest) {
/// use openai_compatible::ErrorKind;
///
/// match client.chat().create(&request).await {
///     Ok(response) => println!("{}", response.text()),
///     Err(error) if error.is_context_length_exceeded() => eprintln!("shorten the conversation"),
///     Err(error) if error.is_rate_limited() => eprintln!("try again in {:?}", error.retry_after()),
///     Err(error) if error.kind() == ErrorKind::Connect => eprintln!("is the server running? {error}"),
///     Err(error) => eprintln!("{error}"),
/// }
/// # }
/// ```
pub struct Error(Box<Inner>);

#[derive(Default)]
struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    status: Option<StatusCode>,
    headers: Option<HeaderMap>,
    api: Option<ApiError>,
    body: Option<Bytes>,
    retry_after: Option<Duration>,
    attempts: u32,
    /// What was read before the failure: a completion, a batch. This layer knows no resource.
    last: Option<Box<dyn Any + Send + Sync>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    unnamed: OnceLock<Option<Box<Unnamed>>>,
}

/// The stage at which a call failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Invalid configuration or input, such as a base URL, header, key, model or id. Nothing was sent. Fix the
    /// configuration or the request and try again.
    #[default]
    Config,
    /// The request cannot be serialized as JSON or multipart. Nothing was sent.
    Encode,
    /// The server was not reached: wrong host or port, no network, or a failed TLS handshake. The request did not run.
    /// Retried.
    Connect,
    /// A timeout expired: of the connection, an attempt, the whole call, or between two events of a stream. The server
    /// may have run the request. Retried, except within a stream.
    Timeout,
    /// The connection was interrupted after the request was sent. The server may have run the request. Retried, except
    /// within a stream.
    Transport,
    /// The server returned an error; see [`Error::api_error`] and [`Error::status`]. Some servers send errors with
    /// status 200. Retried for 408, 409, 429 and 5xx.
    Api,
    /// The server returned success, but the body could not be decoded as the expected type; see [`Error::body`]. Usual
    /// causes: a base URL that leads to a web page or another API, a proxy, or a response over the size limit. The
    /// server ran the request.
    Decode,
    /// A stream was truncated, reported an error, or contained an unreadable event, after it started. Items received before
    /// were delivered.
    Stream,
    /// A tool run ended without a final completion: the model still called tools in the last round, or a tool failed and
    /// [`fail_on_error`](crate::chat::ToolRunner::fail_on_error) is set. See [`Error::completion`] for the last
    /// completion.
    Tool,
    /// A local file could not be read or written: it is missing, a directory, shorter than announced, or the disk is full.
    /// Retried only if the file changed while it was sent. The server may have received a part of an upload.
    Io,
    /// A webhook was not signed with the secret, or too long ago.
    Signature,
}

impl ErrorKind {
    fn text(self) -> &'static str {
        match self {
            ErrorKind::Config => "invalid configuration",
            ErrorKind::Encode => "failed to serialize the request",
            ErrorKind::Connect => "connection failed",
            ErrorKind::Timeout => "request timed out",
            ErrorKind::Transport => "connection interrupted",
            ErrorKind::Api => "API error",
            ErrorKind::Decode => "failed to decode the response",
            ErrorKind::Stream => "stream error",
            ErrorKind::Tool => "tool run failed",
            ErrorKind::Io => "file error",
            ErrorKind::Signature => "webhook refused",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Error(Box::new(Inner { kind, message: message.into(), ..Inner::default() }))
    }

    pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Config, message)
    }

    pub(crate) fn io(message: impl Into<Cow<'static, str>>) -> Self {
        Error::new(ErrorKind::Io, message)
    }

    pub(crate) fn with_shared_source(mut self, source: Arc<dyn StdError + Send + Sync>) -> Self {
        self.0.source = Some(source);
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    pub(crate) fn with_response(mut self, status: StatusCode, headers: &HeaderMap) -> Self {
        self.0.status = Some(status);
        self.0.headers = Some(headers.clone());
        self
    }

    /// Attaches a body. It is cut when keys are redacted, because one may lie across the cut.
    pub(crate) fn with_body(mut self, body: &Bytes) -> Self {
        self.0.body = Some(body.clone());
        self
    }

    pub(crate) fn with_api(mut self, api: ApiError) -> Self {
        self.0.api = Some(api);
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    /// Attaches what was read before the failure, for an accessor beside its type.
    pub(crate) fn with_last<V: Any + Send + Sync>(mut self, last: V) -> Self {
        self.0.last = Some(Box::new(last));
        self
    }

    pub(crate) fn last<V: Any>(&self) -> Option<&V> {
        self.0.last.as_ref()?.downcast_ref()
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// Puts context in front of the message.
    pub(crate) fn with_context(mut self, context: String) -> Self {
        self.0.message = match &*self.0.message {
            "" => context,
            message => format!("{context}: {message}"),
        }
        .into();
        self
    }

    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Redacts keys everywhere: servers echo the keys that they refuse.
    pub(crate) fn redact(mut self, secrets: &Secrets) -> Self {
        let inner = &mut *self.0;
        if secrets.occurs_in(&inner.message) {
            inner.message = Cow::Owned(secrets.redact(&inner.message).into_owned());
        }
        if let Some(api) = &mut inner.api {
            api.redact(secrets);
        }
        if let Some(body) = &inner.body {
            let text = String::from_utf8_lossy(body);
            let kept = match secrets.redact(&text) {
                Cow::Owned(hidden) => Bytes::from(hidden),
                Cow::Borrowed(_) => body.clone(),
            };
            // A copy, so that a small error does not keep a large buffer alive.
            inner.body = Some(Bytes::copy_from_slice(kept.get(..MAX_ERROR_BODY_KEPT).unwrap_or(&kept)));
        }
        for value in inner.headers.iter_mut().flat_map(HeaderMap::values_mut) {
            let hidden = value.to_str().ok().filter(|text| secrets.occurs_in(text)).map(|text| secrets.redact(text));
            if let Some(hidden) = hidden.and_then(|hidden| HeaderValue::try_from(&*hidden).ok()) {
                *value = hidden;
            }
        }
        if let Some(source) = &inner.source {
            let texts: Vec<_> = causes(Some(&**source)).map(ToString::to_string).collect();
            let text = texts.join(": ");
            if secrets.occurs_in(&text) || secrets.occurs_in(&format!("{source:?}")) {
                inner.source = Some(Arc::from(Box::<dyn StdError + Send + Sync>::from(secrets.redact(&text))));
            }
        }
        self
    }

    fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }

    /// Returns the error of the operating system that is the cause, such as a refused connection or a missing file.
    pub fn io_error(&self) -> Option<&std::io::Error> {
        causes(self.cause()).find_map(|cause| cause.downcast_ref())
    }

    /// Returns the stage at which the call failed.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the HTTP status of the response, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Returns the error reported by the server.
    pub fn api_error(&self) -> Option<&ApiError> {
        self.0.api.as_ref()
    }

    /// Returns the server's request id. Quote it in support requests.
    pub fn request_id(&self) -> Option<&str> {
        request_id(self.headers()?)
    }

    /// Returns the delay requested by the server, if any.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the number of attempts made, including failed connections.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns the headers of the response.
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.0.headers.as_ref()
    }

    /// Returns the first 64 KiB of the body, with keys redacted.
    pub fn body(&self) -> Option<&Bytes> {
        self.0.body.as_ref()
    }

    /// Returns `true` for too many requests or tokens (429), if waiting helps.
    pub fn is_rate_limited(&self) -> bool {
        (self.has_status(&[429]) || self.has_code(&["rate_limit_exceeded", "rate_limit_error"]))
            && !self.is_quota_exceeded()
    }

    /// Returns `true` if the key is missing, invalid or lacks permission (401, 403).
    pub fn is_auth(&self) -> bool {
        self.has_status(&[401, 403]) || self.has_code(&["invalid_api_key", "authentication_error"])
    }

    /// Returns `true` if the model, file, batch or path does not exist (404, and what servers say with 400).
    pub fn is_not_found(&self) -> bool {
        // LiteLLM answers 400 for a model that it does not know.
        let is_unknown_model =
            || self.api_error().is_some_and(|api| api.message.to_ascii_lowercase().contains("invalid model name"));
        self.has_status(&[404]) || self.has_code(&["model_not_found"]) || self.has_status(&[400]) && is_unknown_model()
    }

    /// Returns `true` if the request exceeds the context length of the model.
    pub fn is_context_length_exceeded(&self) -> bool {
        self.has_code(&["context_length_exceeded", "exceed_context_size_error"])
            || self.api_error().is_some_and(|api| {
                let message = api.message.to_ascii_lowercase();
                CONTEXT_LENGTH_PHRASES.iter().any(|words| message.contains(words))
            })
    }

    /// Returns `true` if the quota or credit of the account is exhausted: waiting does not help.
    pub fn is_quota_exceeded(&self) -> bool {
        self.has_status(&[402]) || self.has_code(&["insufficient_quota"])
    }

    /// Returns `true` if a timeout expired.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Returns `true` if the request may succeed later or on another server. Automatic retries are already exhausted.
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport => true,
            ErrorKind::Stream if self.api_error().is_none() => true,
            ErrorKind::Stream | ErrorKind::Api => {
                let is_transient = self.failed_with().is_some_and(is_transient) && !self.is_context_length_exceeded();
                !self.is_quota_exceeded() && (is_transient || self.is_rate_limited())
            }
            ErrorKind::Config | ErrorKind::Encode | ErrorKind::Decode => false,
            ErrorKind::Tool | ErrorKind::Io | ErrorKind::Signature => false,
        }
    }

    /// The status of the failure: that of the response or, where it is a success, the one that the server sends as the
    /// code.
    fn failed_with(&self) -> Option<StatusCode> {
        let status = self.status()?;
        if !status.is_success() {
            return Some(status);
        }
        StatusCode::from_bytes(self.api_error()?.code.as_ref()?.as_bytes()).ok()
    }

    fn has_status(&self, statuses: &[u16]) -> bool {
        self.failed_with().is_some_and(|status| statuses.contains(&status.as_u16()))
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        self.api_error()
            .is_some_and(|api| [&api.code, &api.type_].into_iter().flatten().any(|code| codes.contains(&code.as_str())))
    }
}

/// The statuses that another attempt may change.
pub(crate) fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 429 | 500..)
}

/// Headers under which servers send their request id; the first that is present counts.
const REQUEST_ID: [&str; 6] =
    ["x-request-id", "request-id", "apim-request-id", "x-litellm-call-id", "x-generation-id", "cf-ray"];

pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    REQUEST_ID.iter().find_map(|name| headers.get(*name)?.to_str().ok().filter(|id| !id.is_empty()))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.text())?;
        if !self.0.message.is_empty() {
            write!(f, ": {}", OneLine(&self.0.message))?;
        }
        if let Some(api) = self.api_error().filter(|api| !api.message.is_empty()) {
            let title = html_title(&api.message);
            write!(f, ": {}", OneLine(title.as_ref().unwrap_or(&api.message)))?;
        }
        let mut facts = Vec::new();
        facts.extend(self.status().map(|status| format!("status {}", status.as_u16())));
        facts.extend(self.api_error().and_then(|api| api.code.as_ref()).map(|code| format!("code {}", OneLine(code))));
        facts.extend(self.request_id().map(|id| format!("request id {}", OneLine(id))));
        if self.attempts() > 1 {
            facts.push(format!("after {} attempts", self.attempts()));
        }
        if self.0.kind == ErrorKind::Api {
            facts.extend(self.retry_after().map(|wait| format!("retry after {} s", wait.as_secs_f64().ceil())));
        }
        if facts.is_empty() { Ok(()) } else { write!(f, " ({})", facts.join(", ")) }
    }
}

/// Text on one line, limited to a length suitable for logs, without terminal control characters.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 600;
        let mut left = LONGEST;
        for (n, word) in self.0.split_whitespace().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            for c in word.chars() {
                if left == 0 {
                    return f.write_str("…");
                }
                left -= 1;
                f.write_char(if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    /// The sentence of `Display` and the causes that it does not name; the fields with `{:#?}`. Neither contains headers,
    /// the body or further fields: they may contain cookies and prompts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            // What `fn main() -> Result` prints.
            write!(f, "{self}")?;
            return causes(self.source()).try_for_each(|cause| write!(f, ": {}", OneLine(&cause.to_string())));
        }
        let api = self.api_error().map(|api| ApiError {
            message: OneLine(&api.message).to_string(),
            extra: crate::wire::Extra::new(),
            ..api.clone()
        });
        // Unknown facts are left out.
        let mut error = f.debug_struct("Error");
        error.field("kind", &self.0.kind);
        let mut known = |name, value: Option<&dyn fmt::Debug>| {
            if let Some(value) = value {
                error.field(name, value);
            }
        };
        known("message", Some(&self.0.message).filter(|message| !message.is_empty()).map(|message| message as _));
        known("status", self.0.status.as_ref().map(|status| status as _));
        known("api", api.as_ref().map(|api| api as _));
        known("request_id", self.request_id().as_ref().map(|id| id as _));
        known("retry_after", self.0.retry_after.as_ref().map(|wait| wait as _));
        known("attempts", Some(&self.0.attempts).filter(|attempts| **attempts > 0).map(|attempts| attempts as _));
        known("source", self.0.source.as_ref().map(|source| source as _));
        error.finish()
    }
}

/// An error and the causes below it.
fn causes<'a>(first: Option<&'a (dyn StdError + 'static)>) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(first, |cause| {
        let cause: &'a (dyn StdError + 'static) = *cause;
        cause.source()
    })
}

impl StdError for Error {
    /// Returns the cause. What `Display` names already is not among it and its sources, because reports that print both
    /// would print it twice; [`io_error`](Error::io_error) returns the error of the operating system in any case.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let first = self.cause()?;
        let is_named = |text: &str| !text.is_empty() && self.0.message.contains(text);
        if !causes(Some(first)).any(|cause| is_named(&cause.to_string())) {
            return Some(first);
        }
        let unnamed = self.0.unnamed.get_or_init(|| {
            let texts: Vec<_> = causes(Some(first)).map(ToString::to_string).filter(|text| !is_named(text)).collect();
            texts.into_iter().rev().fold(None, |source, text| Some(Box::new(Unnamed { text, source })))
        });
        unnamed.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

/// A cause that `Display` does not name.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Unnamed {
    text: String,
    source: Option<Box<Unnamed>>,
}
