//! A call on its way: options of this one call, then `.await` or `.with_response()`.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::transport::decode::Whole;
use crate::transport::request::{Body, WireRequest};
use crate::transport::trace::Trace;
use crate::transport::{Answer, Expect, Options, send};
use crate::wire::Reply;

/// A call that is sent when it is awaited.
///
/// Set what this one call needs, then `.await` it for the value, or [`with_response`](Call::with_response) for the
/// value with status, headers and the raw body. Dropping the future ends the call and closes its connection.
///
/// A bad input (an empty id, a header with a line break) is kept until then, and is an error of
/// [`ErrorKind::Config`](crate::ErrorKind::Config): nothing is sent.
///
/// ```no_run
/// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest) -> openai_compatible::Result<()> {
/// use std::time::Duration;
///
/// let reply = client.chat().create(&request)
///     .timeout(Duration::from_secs(20))
///     .max_retries(5)
///     .header("x-tenant", "7")
///     .await?;
/// # let _ = reply; Ok(())
/// # }
/// ```
#[must_use = "a call is sent when it is awaited"]
pub struct Call<T> {
    client: Client,
    request: Result<WireRequest>,
    options: Options,
    expect: Expect,
    decode: Decode<T>,
}

/// What was asked: kept with the answer, so that a list can ask for its next page.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) client: Client,
    pub(crate) request: WireRequest,
    pub(crate) options: Options,
}

/// How an answer becomes a value. A function pointer, so that the road is compiled once and not for every type.
pub(crate) type Decode<T> = fn(&mut Answer) -> Result<T>;

impl<T> Call<T> {
    pub(crate) fn new(client: &Client, request: Result<WireRequest>, expect: Expect, decode: Decode<T>) -> Self {
        Call { client: client.clone(), request, options: Options::default(), expect, decode }
    }

    /// Limits each attempt: until the reply is read, or until a stream or a download begins.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.options.timeout = Some(limit);
        self
    }

    /// Limits the whole call: all attempts and the waits between them.
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.options.total_timeout = Some(limit);
        self
    }

    /// Limits the silence inside a stream: from one data event, or one piece of a download, to the next.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.options.idle_timeout = Some(limit);
        self
    }

    /// Sets how often the request is sent again after a fault; 0 for never.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.options.max_retries = Some(retries);
        self
    }

    /// Sends a header; it replaces a default of the same name, `authorization` included.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        match parse_header(name.as_ref(), value.as_ref()) {
            Ok((name, value)) => drop(self.options.headers.insert(name, value)),
            Err(error) => self.fail(error),
        }
        self
    }

    /// Adds a pair to the query of the URL.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.query.push((name.into(), value.into()));
        self
    }

    /// Sends an `Idempotency-Key`, the same in all attempts, so that a server that knows it runs the request once.
    pub fn idempotency_key(self, key: impl AsRef<str>) -> Self {
        self.header("idempotency-key", key)
    }

    /// Adds a pair to the query where there is a value: for the parameters of lists.
    pub(crate) fn maybe_query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        if let (Ok(request), Some(value)) = (&mut self.request, value) {
            request.query.push((name.into(), value.to_string()));
        }
        self
    }

    /// Sets the `accept` header that the route needs.
    pub(crate) fn accept(mut self, media_type: &'static str) -> Self {
        self.options.headers.entry(http::header::ACCEPT).or_insert(HeaderValue::from_static(media_type));
        self
    }

    fn fail(&mut self, error: Error) {
        // The first mistake is the one to mend.
        if self.request.is_ok() {
            self.request = Err(error);
        }
    }

    /// The same call once more, perhaps with another query.
    pub(crate) fn again(asked: Asked, decode: Decode<T>) -> Self {
        Call { client: asked.client, request: Ok(asked.request), options: asked.options, expect: Expect::Whole, decode }
    }

    /// The same call with another reading of its reply.
    pub(crate) fn expecting<U>(self, expect: Expect, decode: Decode<U>) -> Call<U> {
        Call { client: self.client, request: self.request, options: self.options, expect, decode }
    }

    fn run<U>(self, finish: fn(T, Answer) -> U) -> impl Future<Output = Result<U>> + Send
    where
        T: 'static,
    {
        let Call { client, request, options, expect, decode } = self;
        let answered = answered(request.map(|request| Box::new(Asked { client, request, options })), expect);
        async move {
            let mut answer = answered.await?;
            match decode(&mut answer) {
                Ok(value) => Ok(finish(value, answer)),
                Err(error) => Err(answer.failed(error)),
            }
        }
    }
}

/// The whole road, behind a box: it is compiled in this crate, and not again in every program.
fn answered(asked: Result<Box<Asked>>, expect: Expect) -> Pin<Box<dyn Future<Output = Result<Answer>> + Send>> {
    Box::pin(async move {
        let asked = asked?;
        let mut trace = Trace::start(&asked);
        let mut answer = trace.over(send(&asked, expect)).await.inspect_err(|error| trace.fail(error))?;
        answer.asked = Some(asked);
        trace.answered(&answer);
        answer.trace = trace;
        Ok(answer)
    })
}

impl Answer {
    /// The error of an answer that cannot be read, as the caller sees it.
    fn failed(&mut self, error: Error) -> Error {
        self.trace.fail(&error);
        error.redact(&self.whole.secrets).with_attempts(self.attempts)
    }
}

impl<T: 'static> Call<T> {
    /// Sends the call and gives the value with what came around it: status, headers, request id, rate limits, body.
    pub async fn with_response(self) -> Result<Response<T>> {
        let response = self.run(|value, answer| {
            let Answer { whole: Whole { status, headers, body, .. }, attempts, elapsed, .. } = answer;
            Response { value, status, headers, body, attempts, elapsed }
        });
        response.await
    }
}

impl<T: Reply> Call<T> {
    /// A call whose reply is one of this crate's types.
    pub(crate) fn reply(client: &Client, request: Result<WireRequest>) -> Self {
        Call::new(client, request, Expect::Whole, T::decode)
    }

    /// `GET` of an object.
    pub(crate) fn get(client: &Client, segments: &[&str]) -> Self {
        Call::reply(client, WireRequest::new(Method::GET, segments, Body::Empty))
    }

    pub(crate) fn post(client: &Client, segments: &[&str]) -> Self {
        Call::reply(client, WireRequest::new(Method::POST, segments, Body::Empty))
    }

    pub(crate) fn post_body(client: &Client, segments: &[&str], body: Result<Body>) -> Self {
        Call::reply(client, body.and_then(|body| WireRequest::new(Method::POST, segments, body)))
    }
}

impl<T: 'static> IntoFuture for Call<T> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run(|value, _| value))
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers and query stay out: they may hold keys.
        let mut call = f.debug_struct("Call");
        match &self.request {
            Ok(request) => call.field("method", &request.method).field("path", &request.path),
            Err(error) => call.field("error", error),
        };
        call.finish_non_exhaustive()
    }
}

pub(crate) fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let parsed = HeaderName::try_from(name)
        .map_err(|_| Error::config(format!("`{}` is not a header name", name.escape_debug())))?;
    // The value stays out of the error: it may be a key.
    let value = HeaderValue::try_from(value).map_err(|_| {
        Error::config(format!("the value of the header `{parsed}` holds a line break or another control character"))
    })?;
    Ok((parsed, value))
}

/// A value and the reply that it came in. Reads like the value.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response<T> {
    value: T,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    attempts: u32,
    elapsed: Duration,
}

impl<T> Response<T> {
    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The value alone.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Status of the reply.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Headers of the reply.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Id that the server gave the request.
    pub fn request_id(&self) -> Option<&str> {
        request_id(&self.headers)
    }

    /// What the server's headers say about its rate limits.
    pub fn rate_limits(&self) -> RateLimits {
        RateLimits::from_headers(&self.headers)
    }

    /// How many times the request was sent.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Time from the first attempt to the reply, waits included; for a stream, until it began.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The body as it came; empty for a stream or a download.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

impl<T> Deref for Response<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Response<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("request_id", &self.request_id())
            .field("attempts", &self.attempts)
            .field("elapsed", &self.elapsed)
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

/// Names under which servers send their request id, the first that is there counts.
const REQUEST_ID: [&str; 6] =
    ["x-request-id", "request-id", "apim-request-id", "x-litellm-call-id", "x-generation-id", "cf-ray"];

pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    REQUEST_ID.iter().find_map(|name| headers.get(*name)?.to_str().ok().filter(|id| !id.is_empty()))
}

/// Rate limits as the headers `x-ratelimit-*` tell them. What a server does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimits {
    /// Requests in one period.
    pub limit_requests: Option<u64>,
    /// Requests left in this period.
    pub remaining_requests: Option<u64>,
    /// Time until the requests are full again.
    pub reset_requests: Option<Duration>,
    /// Tokens in one period.
    pub limit_tokens: Option<u64>,
    /// Tokens left in this period.
    pub remaining_tokens: Option<u64>,
    /// Time until the tokens are full again.
    pub reset_tokens: Option<Duration>,
}

impl RateLimits {
    /// Reads `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` and the shorter and longer names of other servers.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let text = |what: &str, endings: [&str; 3]| {
            endings.into_iter().find_map(|ending| {
                let value = headers.get(format!("x-ratelimit-{what}{ending}"))?.to_str().ok()?.trim();
                // LiteLLM writes Python's `None`.
                (!value.is_empty() && value != "None").then_some(value)
            })
        };
        let requests = ["-requests", "", "-requests-day"];
        let tokens = ["-tokens", "-tokens-minute", "-project-tokens"];
        // A count may be written as a float.
        let count = |text: &str| text.parse::<f64>().ok().filter(|n| *n >= 0.0).map(|n| n as u64);
        RateLimits {
            limit_requests: text("limit", requests).and_then(count),
            remaining_requests: text("remaining", requests).and_then(count),
            reset_requests: text("reset", requests).and_then(|text| parse_reset(text, SystemTime::now())),
            limit_tokens: text("limit", tokens).and_then(count),
            remaining_tokens: text("remaining", tokens).and_then(count),
            reset_tokens: text("reset", tokens).and_then(|text| parse_reset(text, SystemTime::now())),
        }
    }
}

/// `6m0s`, `17ms`, `1h2m3.5s`, seconds, or a moment in epoch seconds or milliseconds.
fn parse_reset(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        let epoch = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs_f64();
        let seconds = match number {
            _ if number >= 1e12 => number / 1000.0 - epoch,
            _ if number >= 1e9 => number - epoch,
            _ => number,
        };
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?)?;
        let (unit, tail) = tail.split_at_checked(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()))?;
        seconds += number.parse::<f64>().ok()?
            * match unit {
                "d" => 86_400.0,
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = tail;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reset(text: &str) -> Option<Duration> {
        parse_reset(text, SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
    }

    #[test]
    fn resets_are_durations_seconds_or_moments() {
        assert_eq!(reset("6m0s"), Some(Duration::from_secs(360)));
        assert_eq!(reset("17ms"), Some(Duration::from_millis(17)));
        assert_eq!(reset("1h2m3.5s"), Some(Duration::from_millis(3_723_500)));
        assert_eq!(reset("12.5"), Some(Duration::from_millis(12_500)));
        assert_eq!(reset("1700000009"), Some(Duration::from_secs(9)));
        assert_eq!(reset("1700000009000"), Some(Duration::from_secs(9)));
        assert_eq!(reset("soon"), None);
        assert_eq!(reset("3x"), None);
    }
}
