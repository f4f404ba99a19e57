//! The loop of the pipeline: attempt, classify, back off, retry. The only place that sleeps between requests.

use std::time::Duration;

use ::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use super::decode::{BufferedResponse, status_error};
use super::http::ResponseBody;
use super::options::CallOptions;
use super::rate_limiter::Permit;
use super::request::{Body, WireRequest};
use super::retry::{AttemptFailure, RetryDecision, deadline, decide};
use super::settings::Settings;
use super::trace;
use super::{BodyMode, PreparedCall, RawResponse};
use crate::error::{Error, ErrorKind, Result, Secrets};

/// A failed attempt: its error, and what the retry policy needs to know.
struct Failure {
    error: Error,
    error_status: Option<(StatusCode, HeaderMap)>,
    /// Whether sending began.
    is_sent: bool,
    /// Milliseconds for which the body of a status that is retried anyway was waited for: part of the delay before the next
    /// attempt.
    waited: u32,
}

impl Failure {
    fn outcome(&self) -> AttemptFailure<'_> {
        match (&self.error_status, self.error.kind()) {
            _ if self.error.is_quota_exceeded() || self.error.is_context_length_exceeded() => AttemptFailure::Permanent,
            (Some((status, headers)), _) => AttemptFailure::Status(*status, headers, self.error.retry_after()),
            (None, ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport) => AttemptFailure::Transient,
            // A file that changed while it was read is opened again.
            (None, ErrorKind::Io) if self.is_sent => AttemptFailure::Transient,
            (None, _) => AttemptFailure::Permanent,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { error, error_status: None, is_sent: false, waited: 0 }
    }
}

/// Redirects within the origin before they count as a loop.
const MAX_REDIRECTS: u32 = 10;
/// Bytes that are reserved for a body of known length before they arrive.
pub(crate) const MAX_RESERVED: usize = 1 << 20;
/// Bytes of an error body that are read.
const MAX_ERROR_BODY_READ: usize = 1 << 20;
/// The timeout for an error body, which distinguishes an exhausted quota from a rate limit.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// The same for a status that is retried anyway, within the shortest delay before a retry.
const RETRIED_BODY_TIMEOUT: Duration = Duration::from_millis(300);

/// Sends a request until it succeeds or the retry policy gives up.
pub(crate) async fn send(call: &PreparedCall, body_mode: BodyMode) -> Result<RawResponse> {
    let PreparedCall { settings, request, options } = call;
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(Error::config("no Tokio runtime: await calls in one, such as that of `#[tokio::main]`"));
    }
    let started = Instant::now();
    let query = options.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let total = options.total_timeout.or(settings.total_timeout);
    let mut attempt = Attempt {
        settings,
        request,
        options,
        body: request.body.clone(),
        body_mode,
        retries: 0,
        max_retries: match request.body.is_repeatable() {
            true => options.max_retries.unwrap_or(settings.max_retries),
            false => 0,
        },
        total: total.map(|total| (deadline(total), total)),
        secrets: settings.secrets.with_request(&options.headers, query),
    };
    loop {
        let permit = attempt.wait_for_limits().await?;
        let ran = attempt.run().await;
        if let Some(permit) = permit {
            match &ran {
                Ok(response) => permit.finish(response.buffered.status, &response.buffered.headers, None),
                Err(Failure { error_status: Some((status, headers)), error, .. }) => {
                    permit.finish(*status, headers, error.retry_after())
                }
                Err(_) => {}
            }
        }
        let failure = match ran {
            Ok(mut response) => {
                settings.retry_budget.earn(attempt.retries);
                response.attempts = attempt.retries + 1;
                response.elapsed = started.elapsed();
                trace::record_attempt(response.attempts, Ok(response.buffered.status));
                return Ok(response);
            }
            Err(failure) => failure,
        };
        let mut verdict = attempt.decide(failure.outcome(), fastrand::f64());
        if matches!(verdict, RetryDecision::Retry(_)) && !settings.retry_budget.take() {
            verdict = RetryDecision::Stop;
        }
        trace::record_attempt(attempt.retries + 1, Err((&failure.error, verdict)));
        if let Some(body) = attempt.body_for_litellm(&failure) {
            attempt.body = body;
            attempt.retries += 1;
            continue;
        }
        match verdict {
            RetryDecision::Retry(wait) => {
                sleep(wait.saturating_sub(Duration::from_millis(failure.waited.into()))).await
            }
            RetryDecision::Stop => return Err(failure.error.with_attempts(attempt.retries + 1)),
        }
        attempt.retries += 1;
    }
}

/// One attempt of a call.
struct Attempt<'call> {
    settings: &'call Settings,
    request: &'call WireRequest,
    options: &'call CallOptions,
    body: Body,
    body_mode: BodyMode,
    /// The number of attempts before this one.
    retries: u32,
    max_retries: u32,
    /// The end of the whole call, and the limit that set it.
    total: Option<(Instant, Duration)>,
    secrets: Secrets,
}

impl Attempt<'_> {
    /// Decides what to do after this attempt. A delay that outlasts the call is not worth starting.
    fn decide(&self, outcome: AttemptFailure<'_>, jitter: f64) -> RetryDecision {
        match (decide(outcome, self.retries, self.max_retries, jitter), self.total) {
            (RetryDecision::Retry(wait), Some((end, _))) if deadline(wait) >= end => RetryDecision::Stop,
            (verdict, _) => verdict,
        }
    }

    /// The body to send once more, where LiteLLM has forwarded a null that the server behind it refused.
    fn body_for_litellm(&self, failure: &Failure) -> Option<Body> {
        let member = self.request.litellm_member.filter(|_| self.retries == 0)?;
        let (status, headers) = failure.error_status.as_ref()?;
        let is_litellm = || headers.keys().any(|name| name.as_str().starts_with("x-litellm-"));
        (*status == StatusCode::BAD_REQUEST && is_litellm()).then(|| self.body.with_member(member)).flatten()
    }

    /// Waits until the limiter lets the attempt start, within the total timeout.
    async fn wait_for_limits(&self) -> Result<Option<Permit>> {
        let Some(limiter) = &self.settings.rate_limiter else { return Ok(None) };
        let permit = limiter.start(self.request.body.length());
        match self.total {
            None => Ok(Some(permit.await)),
            Some((end, total)) => timeout_at(end, permit).await.map(Some).map_err(|_| {
                let message = format!("not started within the total timeout of {total:?}, because of the rate limits");
                Error::new(ErrorKind::Timeout, message)
            }),
        }
    }

    /// Runs the attempt within its timeout: until the response is read, or until the headers of a streaming one arrive.
    async fn run(&mut self) -> Result<RawResponse, Failure> {
        let limit = self.options.timeout.unwrap_or(self.settings.timeout);
        let own_end = deadline(limit);
        let total = self.total.filter(|(end, _)| *end <= own_end);
        let end = total.map_or(own_end, |(end, _)| end);
        let exchanged = timeout_at(end, self.exchange(end)).await;
        let result = exchanged.unwrap_or_else(|_| {
            let message = match total {
                Some((_, total)) => format!("no response within the total timeout of {total:?}"),
                None => format!("no response within {limit:?}"),
            };
            Err(Error::new(ErrorKind::Timeout, message).into())
        });
        result.map_err(|failure| Failure { error: failure.error.redact(&self.secrets), ..failure })
    }

    /// The headers; for a JSON body they include the content type, because a map that grows is allocated twice.
    async fn headers(&mut self, is_json: bool) -> Result<HeaderMap> {
        let headers = if is_json { &self.settings.json_headers } else { &self.settings.headers };
        let mut headers = headers.clone();
        if let Some(key) = self.settings.authorize(&mut headers).await? {
            self.secrets = self.secrets.with_key(&key);
        }
        if self.retries > 0 {
            headers.insert(RETRY_COUNT, HeaderValue::from(self.retries));
        }
        // The call's own headers win: an `authorization` set there replaces the key.
        for (name, value) in &self.options.headers {
            headers.insert(name, value.clone());
        }
        Ok(headers)
    }

    async fn exchange(&mut self, end: Instant) -> Result<RawResponse, Failure> {
        let settings = self.settings;
        let mut method = self.request.method.clone();
        let mut body = self.body.clone();
        let mut target = settings.target(self.request, &self.options.query);
        let mut hops = 0;
        let (head, mut open) = loop {
            let (content, content_type) = body.build().await?;
            let mut headers = self.headers(matches!(body, Body::Json(_))).await?;
            match content_type {
                Some(content_type) => {
                    headers.entry(CONTENT_TYPE).or_insert(content_type);
                }
                None => drop(headers.remove(CONTENT_LENGTH)),
            }
            let uri =
                Uri::try_from(&target).map_err(|error| Error::config("invalid request URL").with_source(error))?;
            let mut sent = ::http::Request::new(content);
            *sent.method_mut() = method.clone();
            *sent.uri_mut() = uri;
            *sent.headers_mut() = headers;
            let response = settings.service.call(sent).await.map_err(|error| Failure {
                error: self.with_origin_context(error.into()),
                error_status: None,
                is_sent: true,
                waited: 0,
            })?;
            let (head, open) = response.into_parts();
            match redirect(&head, &target, &settings.base_url.origin)? {
                Some(next) if hops < MAX_REDIRECTS => {
                    hops += 1;
                    target = next;
                    // As in browsers: 303 turns every method into GET, and 301 and 302 turn a POST into one.
                    let is_post = method == Method::POST;
                    if matches!((head.status.as_u16(), is_post), (303, _) | (301 | 302, true)) {
                        method = Method::GET;
                        body = Body::Empty;
                    }
                }
                Some(_) => {
                    return Err(Error::new(ErrorKind::Api, "too many redirects (more than 10)")
                        .with_response(head.status, &head.headers)
                        .into());
                }
                None => break (head, open),
            }
        };
        let (status, headers) = (head.status, head.headers);
        if !status.is_success() {
            let mut failure = self.read_error_body(status, headers, open, end).await;
            // Usually a wrong base URL, or a server without this endpoint.
            if status.is_redirection() {
                failure.error = failure.error.with_context("redirect without a usable `location`".to_owned());
            }
            if is_missing(status) {
                let route = target.split('?').next().unwrap_or_default();
                let hint = match self.request.alternative {
                    _ if !settings.base_url.has_path() => " (most base URLs end in `/v1`)".to_owned(),
                    Some(other) if !names_what_is_missing(&failure.error) => {
                        format!(" (if the server lacks this endpoint, use {other})")
                    }
                    _ => String::new(),
                };
                failure.error = failure.error.with_context(format!("{method} {route}{hint}"));
            }
            return Err(failure);
        }
        let mut buffered = BufferedResponse { status, headers, body: Bytes::new(), secrets: self.secrets.clone() };
        let mut unread = None;
        match self.body_mode {
            BodyMode::Stream => unread = Some(open),
            BodyMode::StreamMedia if !buffered.is_json() && !buffered.is_html() => unread = Some(open),
            BodyMode::Buffer | BodyMode::StreamMedia => {
                buffered.body = read_whole(&buffered, &mut open, settings.max_response_size).await?
            }
        }
        if unread.is_some() {
            buffered.headers = copy_headers(&buffered.headers);
        }
        Ok(RawResponse {
            body_stream: unread,
            idle_timeout: self.options.idle_timeout.unwrap_or(settings.idle_timeout),
            max_event_size: settings.max_event_size,
            ..RawResponse::buffered(buffered)
        })
    }

    /// Names the server that was not reached. Not the whole URL: its query may contain a key.
    fn with_origin_context(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Connect => error.with_context(self.settings.base_url.place()),
            _ => error,
        }
    }

    /// Reads the body of an error status, as far as it is needed.
    async fn read_error_body(
        &self,
        status: StatusCode,
        headers: HeaderMap,
        mut open: ResponseBody,
        end: Instant,
    ) -> Failure {
        // Skip the body for statuses that are retried anyway, except those that may request a delay in it. That of 429 also
        // distinguishes an exhausted quota from a rate limit, and that of 500 a prompt that is too long (llama.cpp).
        let started = Instant::now();
        let is_last = self.decide(AttemptFailure::Status(status, &headers, None), 0.0) == RetryDecision::Stop;
        let is_retried = status == StatusCode::INTERNAL_SERVER_ERROR && !is_last;
        let limit = if is_retried { RETRIED_BODY_TIMEOUT } else { ERROR_BODY_TIMEOUT };
        let needs_body =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) || is_retried || is_last;
        let mut body = BytesMut::new();
        if needs_body {
            let read = async {
                while let Some(Ok(chunk)) = open.next().await {
                    let room = MAX_ERROR_BODY_READ.saturating_sub(body.len());
                    body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                    if body.len() >= MAX_ERROR_BODY_READ {
                        break;
                    }
                }
            };
            // What arrived before an interruption or a stall is better than nothing, and the status says more than a
            // timeout.
            let _ = timeout_at(end.min(deadline(limit)), read).await;
        }
        Failure {
            error: status_error(status, &headers, &body.freeze()),
            error_status: Some((status, headers)),
            is_sent: true,
            waited: if is_retried { u32::try_from(started.elapsed().as_millis()).unwrap_or(0) } else { 0 },
        }
    }
}

pub(crate) const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");

pub(crate) fn default_headers(user_agent: HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(::http::header::USER_AGENT, user_agent);
    headers
}

/// Statuses of a route that the server lacks. The first one has other meanings, too.
fn is_missing(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
}

/// True if the server says that something else than the route is missing.
fn names_what_is_missing(error: &Error) -> bool {
    let message = error.api_error().map_or("", |api| &*api.message).to_ascii_lowercase();
    error.status() == Some(StatusCode::NOT_FOUND) && ["model", "previous"].iter().any(|what| message.contains(what))
}

/// Returns the target of a redirect; an error if that is another origin, which must never receive the key.
fn redirect(head: &::http::response::Parts, from: &str, origin: &url::Origin) -> Result<Option<String>> {
    if !matches!(head.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = head.headers.get(LOCATION).and_then(|location| location.to_str().ok()) else {
        return Ok(None);
    };
    let Ok(next) = Url::parse(from).and_then(|from| from.join(location)) else {
        return Ok(None);
    };
    if next.origin() != *origin {
        let message =
            format!("refusing to follow a redirect to another origin: {}", next.origin().ascii_serialization());
        return Err(Error::new(ErrorKind::Api, message).with_response(head.status, &head.headers));
    }
    Ok(Some(next.into()))
}

/// Copies the headers: those of a response share the connection's read buffer, which could not be reused while a stream
/// keeps its headers.
fn copy_headers(headers: &HeaderMap) -> HeaderMap {
    let mut all = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    headers.values().for_each(|value| all.extend_from_slice(value.as_bytes()));
    let mut all = all.freeze();
    let copy = |(name, value): (&HeaderName, &HeaderValue)| {
        let mut copy = HeaderValue::from_maybe_shared(all.split_to(value.len())).unwrap_or_else(|_| value.clone());
        copy.set_sensitive(value.is_sensitive());
        (name.clone(), copy)
    };
    let mut copy_headers = HeaderMap::with_capacity(headers.len());
    copy_headers.extend(headers.iter().map(copy));
    copy_headers
}

async fn read_whole(buffered: &BufferedResponse, open: &mut ResponseBody, limit: usize) -> Result<Bytes> {
    let broken = |error| Error::from(error).with_response(buffered.status, &buffered.headers);
    let too_large = |start: Bytes| {
        let start = BufferedResponse { body: start, ..buffered.clone() };
        start.error(
            ErrorKind::Decode,
            format!("response body exceeds the limit of {limit} bytes (raise `max_response_size`)"),
        )
    };
    let expected = open.length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let Some(first) = open.next().await.transpose().map_err(broken)? else { return Ok(Bytes::new()) };
    if expected.max(first.len()) > limit {
        return Err(too_large(first));
    }
    // Most responses arrive in one chunk, and need no copy.
    let Some(second) = open.next().await.transpose().map_err(broken)? else { return Ok(first) };
    // A little ahead of what has arrived: the announced length may be wrong.
    let mut body = BytesMut::with_capacity(expected.min(MAX_RESERVED).max(2 * first.len()));
    body.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if body.len() + chunk.len() > limit {
            return Err(too_large(body.freeze()));
        }
        body.extend_from_slice(&chunk);
        next = open.next().await.transpose().map_err(broken)?;
    }
    Ok(body.freeze())
}
