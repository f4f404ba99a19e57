//! The one road: every request of this crate goes through [`send`]. Attempt, judge, wait, attempt; nothing else sleeps.

use std::time::Duration;

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use crate::call::Asked;
use crate::client::Settings;
use crate::error::{Error, ErrorKind, Result, Secrets};

pub(crate) mod decode;
pub(crate) mod form;
pub(crate) mod http;
pub(crate) mod request;
pub(crate) mod retry;
pub(crate) mod sse;
pub(crate) mod trace;

use self::decode::{Whole, refused};
use self::http::ResponseBody;
use self::request::{Body, WireRequest};
use self::retry::{Outcome, Verdict, judge};
use self::trace::Trace;

/// What one call may change about the client's settings, and what it adds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Duration>,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Vec<(String, String)>,
}

/// How much of the reply the road reads itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Expect {
    /// All of it, inside the attempt, up to the size limit.
    Whole,
    /// Its headers: the body is handed out as it comes.
    Open,
    /// As `Open`, but all of it when it is JSON or a web page: those come in place of a media file.
    Media,
}

/// A reply with a good status.
#[derive(Debug)]
pub struct Answer {
    pub(crate) whole: Whole,
    /// The unread body, unless the road has read it.
    pub(crate) open: Option<ResponseBody>,
    /// What this is the answer to.
    pub(crate) asked: Option<Box<Asked>>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_event_size: usize,
    /// Goes on with what reads the body.
    pub(crate) trace: Trace,
}

/// An attempt that failed: its error, and what the retry rules need to know.
struct Failure {
    error: Error,
    refused: Option<(StatusCode, HeaderMap)>,
}

impl Failure {
    fn outcome(&self) -> Outcome<'_> {
        match (&self.refused, self.error.kind()) {
            _ if self.error.is_quota_exceeded() => Outcome::Final,
            (Some((status, headers)), _) => Outcome::Status(*status, headers),
            (None, ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport) => Outcome::Fault,
            (None, _) => Outcome::Final,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { error, refused: None }
    }
}

/// Hops within the origin before a redirect counts as a loop.
const MOST_REDIRECTS: u32 = 10;
/// Bytes of an error's body that are read.
const ERROR_BODY: usize = 1 << 20;
/// How long a refusal's body may take: it decides between a quota that is spent and a limit that passes.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(5);

/// As good as no limit, and still on the clock.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Sends a request until it succeeds or the rules say stop.
pub(crate) async fn send(asked: &Asked, expect: Expect) -> Result<Answer> {
    let Asked { client, request, options } = asked;
    let settings = client.settings();
    let started = Instant::now();
    let query = options.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let total = options.total_timeout.or(settings.total_timeout);
    let mut attempt = Attempt {
        settings,
        request,
        options,
        expect,
        retries: 0,
        max_retries: match request.body.is_repeatable() {
            true => options.max_retries.unwrap_or(settings.max_retries),
            false => 0,
        },
        total: total.map(|total| (started + total.min(FOREVER), total)),
        secrets: settings.secrets.with_request(&options.headers, query),
    };
    loop {
        let failure = match attempt.run().await {
            Ok(mut answer) => {
                answer.attempts = attempt.retries + 1;
                answer.elapsed = started.elapsed();
                trace::attempt(answer.attempts, Ok(answer.whole.status));
                return Ok(answer);
            }
            Err(failure) => failure,
        };
        let verdict = attempt.judge(failure.outcome(), fastrand::f64());
        trace::attempt(attempt.retries + 1, Err((&failure.error, verdict)));
        match verdict {
            Verdict::Retry(wait) => sleep(wait).await,
            Verdict::Stop => return Err(failure.error.with_attempts(attempt.retries + 1)),
        }
        attempt.retries += 1;
    }
}

/// One of the attempts of a call.
struct Attempt<'call> {
    settings: &'call Settings,
    request: &'call WireRequest,
    options: &'call Options,
    expect: Expect,
    /// How many came before it.
    retries: u32,
    max_retries: u32,
    /// The end of the whole call, and the limit that set it.
    total: Option<(Instant, Duration)>,
    secrets: Secrets,
}

impl Attempt<'_> {
    /// What to do after this attempt: a wait that outlasts the call is none.
    fn judge(&self, outcome: Outcome<'_>, jitter: f64) -> Verdict {
        match (judge(outcome, self.retries, self.max_retries, jitter), self.total) {
            (Verdict::Retry(wait), Some((end, _))) if Instant::now() + wait >= end => Verdict::Stop,
            (verdict, _) => verdict,
        }
    }

    /// Under its time limit: until the whole reply is there, or the headers of an open one.
    async fn run(&mut self) -> Result<Answer, Failure> {
        let limit = self.options.timeout.unwrap_or(self.settings.timeout);
        let own_end = Instant::now() + limit.min(FOREVER);
        let total = self.total.filter(|(end, _)| *end <= own_end);
        let end = total.map_or(own_end, |(end, _)| end);
        let exchanged = timeout_at(end, self.exchange(end)).await;
        let result = exchanged.unwrap_or_else(|_| {
            let message = match total {
                Some((_, total)) => format!("no reply within the total of {total:?}"),
                None => format!("no reply within {limit:?}"),
            };
            Err(Error::new(ErrorKind::Timeout, message).into())
        });
        result.map_err(|failure| Failure { error: failure.error.redact(&self.secrets), ..failure })
    }

    /// The headers; those of a JSON body with its content type, as a map that grows is a map that is made twice.
    async fn headers(&mut self, is_json: bool) -> Result<HeaderMap> {
        let headers = if is_json { &self.settings.json_headers } else { &self.settings.headers };
        let mut headers = headers.clone();
        if let Some(key) = self.settings.authorize(&mut headers).await? {
            self.secrets = self.secrets.with_key(&key);
        }
        if self.retries > 0 {
            headers.insert(RETRY_COUNT, HeaderValue::from(self.retries));
        }
        // The call's own headers win: an `authorization` given there replaces the key.
        for (name, value) in &self.options.headers {
            headers.insert(name, value.clone());
        }
        Ok(headers)
    }

    async fn exchange(&mut self, end: Instant) -> Result<Answer, Failure> {
        let settings = self.settings;
        let mut method = self.request.method.clone();
        let mut body = self.request.body.clone();
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
                Uri::try_from(&target).map_err(|error| Error::config("the URL is not usable").with_source(error))?;
            let mut sent = ::http::Request::new(content);
            *sent.method_mut() = method.clone();
            *sent.uri_mut() = uri;
            *sent.headers_mut() = headers;
            let response = settings.service.call(sent).await.map_err(|error| self.unsent(error.into()))?;
            let (head, open) = response.into_parts();
            match redirect(&head, &target, &settings.base_url.origin)? {
                Some(next) if hops < MOST_REDIRECTS => {
                    hops += 1;
                    target = next;
                    // As browsers do: what is neither 307 nor 308 turns a POST into a GET, and 303 all methods.
                    let is_post = method == Method::POST;
                    if matches!((head.status.as_u16(), is_post), (303, _) | (301 | 302, true)) {
                        method = Method::GET;
                        body = Body::Empty;
                    }
                }
                Some(_) => {
                    return Err(Error::new(ErrorKind::Api, "it redirects without end")
                        .with_response(head.status, &head.headers)
                        .into());
                }
                None => break (head, open),
            }
        };
        let (status, headers) = (head.status, head.headers);
        if !status.is_success() {
            let mut failure = self.refusal(status, headers, open, end).await;
            // Mostly a base URL that is not quite right, or a server without this route.
            if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
                let route = target.split('?').next().unwrap_or_default();
                failure.error = failure.error.with_context(format!("{method} {route}"));
            }
            return Err(failure);
        }
        let mut whole = Whole { status, headers, body: Bytes::new(), secrets: self.secrets.clone() };
        let mut unread = None;
        match self.expect {
            Expect::Open => unread = Some(open),
            Expect::Media if !whole.is_json() && !whole.is_html() => unread = Some(open),
            Expect::Whole | Expect::Media => {
                whole.body = read_whole(&whole, &mut open, settings.max_reply_size).await?
            }
        }
        if unread.is_some() {
            whole.headers = detached(&whole.headers);
        }
        Ok(Answer {
            whole,
            open: unread,
            asked: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            idle_timeout: self.options.idle_timeout.unwrap_or(settings.idle_timeout).min(FOREVER),
            max_event_size: settings.max_event_size,
            trace: Trace::default(),
        })
    }

    /// Says which server was not reached. Not the whole URL: its query may hold a key.
    fn unsent(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Connect => error.with_context(self.settings.base_url.origin.ascii_serialization()),
            _ => error,
        }
    }

    /// Reads why a server refused, as far as somebody needs to know.
    async fn refusal(&self, status: StatusCode, headers: HeaderMap, mut open: ResponseBody, end: Instant) -> Failure {
        // A status that is tried again anyway needs no body; a 429 does: its quota may be spent.
        let needs_body = status == StatusCode::TOO_MANY_REQUESTS
            || self.judge(Outcome::Status(status, &headers), 0.0) == Verdict::Stop;
        let mut body = BytesMut::new();
        if needs_body {
            let read = async {
                while let Some(Ok(chunk)) = open.next().await {
                    let room = ERROR_BODY.saturating_sub(body.len());
                    body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                    if body.len() >= ERROR_BODY {
                        break;
                    }
                }
            };
            // What came before a cut or a stall is better than nothing, and the status tells more than a timeout.
            let _ = timeout_at(end.min(Instant::now() + ERROR_BODY_WAIT), read).await;
        }
        Failure { error: refused(status, &headers, &body.freeze()), refused: Some((status, headers)) }
    }
}

pub(crate) const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");

pub(crate) fn default_headers(user_agent: HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(::http::header::USER_AGENT, user_agent);
    headers
}

pub(crate) fn bearer(key: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {key}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(crate) const BEARER: HeaderName = AUTHORIZATION;

/// Where a redirect leads; an error when that is another origin, which must never see the key.
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
            format!("it redirects to another origin, {}, which is not followed", next.origin().ascii_serialization());
        return Err(Error::new(ErrorKind::Api, message).with_response(head.status, &head.headers));
    }
    Ok(Some(next.into()))
}

/// The same headers in memory of their own: those of a reply share the buffer that the connection reads into, which
/// would have to be made anew for as long as a stream keeps its headers.
fn detached(headers: &HeaderMap) -> HeaderMap {
    let mut all = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    headers.values().for_each(|value| all.extend_from_slice(value.as_bytes()));
    let mut all = all.freeze();
    let copy = |(name, value): (&HeaderName, &HeaderValue)| {
        let mut copy = HeaderValue::from_maybe_shared(all.split_to(value.len())).unwrap_or_else(|_| value.clone());
        copy.set_sensitive(value.is_sensitive());
        (name.clone(), copy)
    };
    let mut detached = HeaderMap::with_capacity(headers.len());
    detached.extend(headers.iter().map(copy));
    detached
}

async fn read_whole(whole: &Whole, open: &mut ResponseBody, limit: usize) -> Result<Bytes> {
    let broken = |error| Error::from(error).with_response(whole.status, &whole.headers);
    let too_large = |start: Bytes| {
        let start = Whole { body: start, ..whole.clone() };
        start.error(ErrorKind::Decode, format!("it is larger than the limit of {limit} bytes"))
    };
    let expected = open.length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let Some(first) = open.next().await.transpose().map_err(broken)? else { return Ok(Bytes::new()) };
    if expected.max(first.len()) > limit {
        return Err(too_large(first));
    }
    // Most replies are one piece, and need no copy.
    let Some(second) = open.next().await.transpose().map_err(broken)? else { return Ok(first) };
    let mut body = BytesMut::with_capacity(expected.max(2 * first.len()));
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
