//! What can go wrong: one opaque [`Error`], its [`ErrorKind`], and the server's own words in [`ApiError`].

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::{self, Write as _};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::batches::Batch;
use crate::call::request_id;
use crate::chat::ChatCompletion;

mod api;
mod secrets;

pub use api::ApiError;
pub(crate) use secrets::Secrets;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Bytes of a body that an error keeps.
const KEPT_BODY: usize = 64 * 1024;
/// What servers without a code for it say when a request is too long.
const TOO_LONG: [&str; 10] = [
    "maximum context length",                     // OpenAI, vLLM, Mistral
    "maximum model length",                       // vLLM
    "maximum prompt length",                      // xAI
    "exceeds the maximum number of tokens",       // Gemini
    "context size",                               // llama.cpp
    "context window",                             // OpenAI, LiteLLM
    "context length",                             // SGLang, Ollama
    "prompt is too long",                         // Anthropic
    "reduce the length of the",                   // Groq
    "`inputs` tokens + `max_new_tokens` must be", // TGI
];

/// A failed call.
///
/// [`kind`](Error::kind) says at which stage it failed, the other accessors what is known about it. `Display` is one
/// line: what failed, with the status, the error code and the request id. Neither it nor `Debug` holds a key, a header's
/// value or the prompt; keys are taken out of the server's own words, too.
///
/// ```no_run
/// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest) {
/// use openai_compatible::ErrorKind;
///
/// match client.chat().create(&request).await {
///     Ok(reply) => println!("{}", reply.text()),
///     Err(error) if error.is_context_length() => eprintln!("shorten the conversation"),
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
    /// A [`ChatCompletion`] or a [`Batch`]. Of any type: what drops them is no part of a program that has neither.
    last: Option<Box<dyn Any + Send + Sync>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The stage at which a call failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing was sent: a bad base URL, header, key, model or id, or a file that cannot be opened. Mend the input.
    #[default]
    Config,
    /// Nothing was sent: the request cannot be written as JSON or multipart.
    Encode,
    /// The server was not reached: wrong address or port, no network, a failed TLS handshake. It did not run the
    /// request. Retried.
    Connect,
    /// A time limit ran out: the connection, one attempt, the whole call, or the silence inside a stream. The server
    /// may have run the request. Retried, except inside a stream.
    Timeout,
    /// The connection broke after the request was sent. The server may have run it. Retried, except inside a stream.
    Transport,
    /// The server said no: see [`Error::api`] and [`Error::status`]. Some servers do so with status 200. Retried for
    /// 408, 409, 429 and 5xx.
    Api,
    /// The server said yes with a body that is not what was asked for: see [`Error::body`]. Usual causes: a base URL
    /// that leads to a web page or to another API, a proxy, a reply over the size limit. The server ran the request.
    Decode,
    /// A stream broke off, or reported an error, after it began. What came before was delivered.
    Stream,
    /// A run of tools ended without an answer: the model still called tools in the last round allowed, or a tool
    /// failed and that was to end the run. See [`Error::completion`] for the model's last reply.
    Tool,
}

impl ErrorKind {
    fn text(self) -> &'static str {
        match self {
            ErrorKind::Config => "the call is not set up right",
            ErrorKind::Encode => "the request cannot be encoded",
            ErrorKind::Connect => "connecting to the server failed",
            ErrorKind::Timeout => "the call timed out",
            ErrorKind::Transport => "the connection broke",
            ErrorKind::Api => "the server refused the request",
            ErrorKind::Decode => "the reply cannot be decoded",
            ErrorKind::Stream => "the stream failed",
            ErrorKind::Tool => "the run of tools failed",
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

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_response(mut self, status: StatusCode, headers: &HeaderMap) -> Self {
        self.0.status = Some(status);
        self.0.headers = Some(headers.clone());
        self
    }

    pub(crate) fn with_body(mut self, body: &Bytes) -> Self {
        // A copy, so that a small error does not hold a large buffer.
        self.0.body = Some(Bytes::copy_from_slice(body.get(..KEPT_BODY).unwrap_or(body)));
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

    pub(crate) fn with_completion(mut self, completion: ChatCompletion) -> Self {
        self.0.last = Some(Box::new(completion));
        self
    }

    pub(crate) fn with_batch(mut self, batch: Batch) -> Self {
        self.0.last = Some(Box::new(batch));
        self
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// Puts what else is known in front of what failed.
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

    /// Takes keys out of everything: servers repeat those that they refuse.
    pub(crate) fn redact(mut self, secrets: &Secrets) -> Self {
        let inner = &mut *self.0;
        if secrets.is_in(&inner.message) {
            inner.message = Cow::Owned(secrets.hide(&inner.message).into_owned());
        }
        if let Some(api) = &mut inner.api {
            api.redact(secrets);
        }
        if let Some(body) = &inner.body {
            let text = String::from_utf8_lossy(body);
            if let Cow::Owned(hidden) = secrets.hide(&text) {
                inner.body = Some(Bytes::from(hidden));
            }
        }
        for value in inner.headers.iter_mut().flat_map(HeaderMap::values_mut) {
            let hidden = value.to_str().ok().filter(|text| secrets.is_in(text)).map(|text| secrets.hide(text));
            if let Some(hidden) = hidden.and_then(|hidden| HeaderValue::try_from(&*hidden).ok()) {
                *value = hidden;
            }
        }
        if let Some(source) = &inner.source {
            let mut text = source.to_string();
            let mut next = source.source();
            while let Some(cause) = next {
                text = format!("{text}: {cause}");
                next = cause.source();
            }
            if secrets.is_in(&text) || secrets.is_in(&format!("{source:?}")) {
                inner.source = Some(secrets.hide(&text).into());
            }
        }
        self
    }

    /// The stage at which the call failed.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Status of the HTTP reply, when there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The server's own words about the error.
    pub fn api(&self) -> Option<&ApiError> {
        self.0.api.as_ref()
    }

    /// Id that the server gave the request: ask its operator with it.
    pub fn request_id(&self) -> Option<&str> {
        request_id(self.headers()?)
    }

    /// How long the server asks to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How many times the request was sent, or tried to be.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Headers of the reply.
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.0.headers.as_ref()
    }

    /// The body of the reply as it came but for keys, its first 64 KiB.
    pub fn body(&self) -> Option<&Bytes> {
        self.0.body.as_ref()
    }

    /// The model's reply, where it was read and is the trouble: an answer that does not fit a type
    /// ([`ChatCompletion::parse`]), or a run of tools without an end.
    pub fn completion(&self) -> Option<&ChatCompletion> {
        self.0.last.as_ref()?.downcast_ref()
    }

    /// The batch as it was last seen, where it failed or the wait for it did: [`Batches::wait`](crate::batches::Batches::wait)
    /// goes on with its id.
    pub fn batch(&self) -> Option<&Batch> {
        self.0.last.as_ref()?.downcast_ref()
    }

    /// Too many requests or tokens (429), and waiting helps.
    pub fn is_rate_limited(&self) -> bool {
        (self.has_status(&[429]) || self.has_code(&["rate_limit_exceeded", "rate_limit_error"]))
            && !self.is_quota_exceeded()
    }

    /// The key is missing, wrong, or not allowed to do this (401, 403).
    pub fn is_auth(&self) -> bool {
        self.has_status(&[401, 403]) || self.has_code(&["invalid_api_key", "authentication_error"])
    }

    /// No such model, file, batch or route (404).
    pub fn is_not_found(&self) -> bool {
        self.has_status(&[404]) || self.has_code(&["model_not_found"])
    }

    /// The request is longer than the model's context.
    pub fn is_context_length(&self) -> bool {
        self.has_code(&["context_length_exceeded", "exceed_context_size_error"])
            || self.api().is_some_and(|api| {
                let message = api.message.to_ascii_lowercase();
                TOO_LONG.iter().any(|words| message.contains(words))
            })
    }

    /// The account has no credit left: waiting does not help.
    pub fn is_quota_exceeded(&self) -> bool {
        self.has_status(&[402]) || self.has_code(&["insufficient_quota"])
    }

    /// A time limit ran out.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// True when the same request may succeed later or elsewhere. The call's own retries are already spent.
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport => true,
            ErrorKind::Stream if self.api().is_none() => true,
            ErrorKind::Stream | ErrorKind::Api => {
                !self.is_quota_exceeded()
                    && (self.failed_with().is_some_and(crate::transport::retry::is_retried) || self.is_rate_limited())
            }
            ErrorKind::Config | ErrorKind::Encode | ErrorKind::Decode | ErrorKind::Tool => false,
        }
    }

    /// The status of the failure: the reply's own or, where that says success, the one that the server gives as code.
    fn failed_with(&self) -> Option<StatusCode> {
        let status = self.status()?;
        if !status.is_success() {
            return Some(status);
        }
        StatusCode::from_bytes(self.api()?.code.as_ref()?.as_bytes()).ok()
    }

    fn has_status(&self, statuses: &[u16]) -> bool {
        self.failed_with().is_some_and(|status| statuses.contains(&status.as_u16()))
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        self.api()
            .is_some_and(|api| [&api.code, &api.type_].into_iter().flatten().any(|code| codes.contains(&code.as_str())))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.text())?;
        if !self.0.message.is_empty() {
            write!(f, ": {}", OneLine(&self.0.message))?;
        }
        if let Some(api) = self.api().filter(|api| !api.message.is_empty()) {
            write!(f, ": {}", OneLine(&api.message))?;
        }
        let mut facts = Vec::new();
        facts.extend(self.status().map(|status| format!("status {}", status.as_u16())));
        facts.extend(self.api().and_then(|api| api.code.as_ref()).map(|code| format!("code {}", OneLine(code))));
        facts.extend(self.request_id().map(|id| format!("request {}", OneLine(id))));
        if self.attempts() > 1 {
            facts.push(format!("after {} attempts", self.attempts()));
        }
        if self.0.kind == ErrorKind::Api {
            facts.extend(self.retry_after().map(|wait| format!("retry after {} s", wait.as_secs_f64().ceil())));
        }
        if facts.is_empty() { Ok(()) } else { write!(f, " ({})", facts.join(", ")) }
    }
}

/// Text on one line, cut at a length that a log can take, without characters that steer a terminal.
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers, body and the server's further members stay out: they may hold cookies and prompts.
        let api = self.api().map(|api| ApiError {
            message: OneLine(&api.message).to_string(),
            extra: crate::Extra::new(),
            ..api.clone()
        });
        // What is not known stays out, too: an error that leaves `main` is read by people.
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

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
