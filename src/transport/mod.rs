//! The one road: every request of this crate goes through [`send`]. Attempt, judge, wait, attempt; nothing else sleeps.

use std::time::Duration;

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use crate::call::Asked;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};

pub(crate) mod decode;
pub(crate) mod form;
pub(crate) mod http;
pub(crate) mod request;
pub(crate) mod retry;
pub(crate) mod sse;

use self::decode::{Whole, refused};
use self::http::ResponseBody;
use self::request::{Body, WireRequest};
use self::retry::{Outcome, Verdict, judge};

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
pub(crate) struct Answer {
    pub(crate) whole: Whole,
    /// The unread body, unless the road has read it.
    pub(crate) open: Option<ResponseBody>,
    /// What this is the answer to.
    pub(crate) asked: Option<Asked>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_event_size: usize,
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

/// Sends a request until it succeeds or the rules say stop.
pub(crate) async fn send(asked: Asked, expect: Expect) -> Result<Answer> {
    let Asked { client, request, options } = &asked;
    let mut answer = limited(client, request, options, expect).await?;
    answer.asked = Some(asked);
    Ok(answer)
}

async fn limited(client: &Client, request: &WireRequest, options: &Options, expect: Expect) -> Result<Answer> {
    let total = options.total_timeout.or(client.settings().total_timeout);
    let deadline = total.map(|total| (Instant::now() + total, total));
    let Some((deadline, total)) = deadline else {
        return attempts(client, request, options, expect, None).await;
    };
    match tokio::time::timeout_at(deadline, attempts(client, request, options, expect, Some(deadline))).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(ErrorKind::Timeout, format!("no reply within the total of {total:?}"))),
    }
}

async fn attempts(
    client: &Client,
    request: &WireRequest,
    options: &Options,
    expect: Expect,
    deadline: Option<Instant>,
) -> Result<Answer> {
    let started = Instant::now();
    let max_retries = match request.body.is_repeatable() {
        true => options.max_retries.unwrap_or(client.settings().max_retries),
        false => 0,
    };
    let mut retries = 0;
    loop {
        let last = retries >= max_retries;
        let failure = match attempt(client, request, options, expect, retries, last).await {
            Ok(answer) => return Ok(Answer { attempts: retries + 1, elapsed: started.elapsed(), ..answer }),
            Err(failure) => failure,
        };
        let verdict = judge(failure.outcome(), retries, max_retries, fastrand::f64());
        match verdict {
            Verdict::Retry(wait) if deadline.is_none_or(|deadline| Instant::now() + wait < deadline) => {
                sleep(wait).await
            }
            _ => return Err(failure.error.with_attempts(retries + 1)),
        }
        retries += 1;
    }
}

/// One attempt under its time limit: until the whole reply is there, or the headers of an open one.
async fn attempt(
    client: &Client,
    request: &WireRequest,
    options: &Options,
    expect: Expect,
    retries: u32,
    last: bool,
) -> Result<Answer, Failure> {
    let limit = options.timeout.unwrap_or(client.settings().timeout);
    let mut key = None;
    let exchanged = timeout(limit, exchange(client, request, options, expect, retries, last, &mut key)).await;
    let result =
        exchanged.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, format!("no reply within {limit:?}")).into()));
    result.map_err(|failure| match key {
        Some(key) => Failure { error: failure.error.redact(&key), ..failure },
        None => failure,
    })
}

async fn exchange(
    client: &Client,
    request: &WireRequest,
    options: &Options,
    expect: Expect,
    retries: u32,
    last: bool,
    key: &mut Option<String>,
) -> Result<Answer, Failure> {
    let settings = client.settings();
    let mut headers = settings.headers.clone();
    *key = settings.authorize(&mut headers).await?;
    headers.insert(RETRY_COUNT, HeaderValue::from(retries));
    // The call's own headers win: an `authorization` given there replaces the key.
    for (name, value) in &options.headers {
        headers.insert(name, value.clone());
    }
    let mut method = request.method.clone();
    let mut body = request.body.clone();
    let mut target = settings.target(request, &options.query);
    let mut hops = 0;
    let (head, mut open) = loop {
        let (content, content_type) = body.build().await?;
        let mut headers = headers.clone();
        match content_type {
            Some(content_type) => {
                let value = HeaderValue::try_from(&*content_type)
                    .map_err(|_| Error::config("the content type holds a character that no header may hold"))?;
                headers.entry(CONTENT_TYPE).or_insert(value);
            }
            None => drop(headers.remove(CONTENT_LENGTH)),
        }
        let uri = Uri::try_from(&target).map_err(|error| Error::config("the URL is not usable").with_source(error))?;
        let mut sent = ::http::Request::new(content);
        *sent.method_mut() = method.clone();
        *sent.uri_mut() = uri;
        *sent.headers_mut() = headers;
        let response = settings.service.call(sent).await.map_err(Error::from)?;
        let (head, open) = response.into_parts();
        match redirect(&head, &target, &settings.base_url.origin)? {
            Some(next) if hops < MOST_REDIRECTS => {
                hops += 1;
                target = next;
                // As browsers and the official clients do: only 307 and 308 keep method and body.
                if !matches!(head.status.as_u16(), 307 | 308) && method != Method::HEAD {
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
        return Err(refusal(status, headers, open, last).await);
    }
    let mut whole = Whole { status, headers, body: Bytes::new() };
    let mut unread = None;
    match expect {
        Expect::Open => unread = Some(open),
        Expect::Media if !whole.is_json() && !whole.is_html() => unread = Some(open),
        Expect::Whole | Expect::Media => whole.body = read_whole(&whole, &mut open, settings.max_reply_size).await?,
    }
    Ok(Answer {
        whole,
        open: unread,
        asked: None,
        attempts: 0,
        elapsed: Duration::ZERO,
        idle_timeout: options.idle_timeout.unwrap_or(settings.idle_timeout),
        max_event_size: settings.max_event_size,
    })
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

/// Reads why a server refused, as far as somebody needs to know.
async fn refusal(status: StatusCode, headers: HeaderMap, mut open: ResponseBody, last: bool) -> Failure {
    let outcome = Outcome::Status(status, &headers);
    // A status that is tried again anyway needs no body; a 429 does: its quota may be spent.
    let retried = !last && status != StatusCode::TOO_MANY_REQUESTS && judge(outcome, 0, 1, 0.0) != Verdict::Stop;
    let mut body = BytesMut::new();
    if !retried {
        let read = async {
            while let Some(Ok(chunk)) = open.next().await {
                let room = ERROR_BODY.saturating_sub(body.len());
                body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
                if body.len() >= ERROR_BODY {
                    break;
                }
            }
        };
        // What came before a cut or a stall is better than nothing.
        let _ = timeout(ERROR_BODY_WAIT, read).await;
    }
    Failure { error: refused(status, &headers, &body.freeze()), refused: Some((status, headers)) }
}

async fn read_whole(whole: &Whole, open: &mut ResponseBody, limit: usize) -> Result<Bytes> {
    let too_large = || whole.error(ErrorKind::Decode, format!("it is larger than the limit of {limit} bytes"));
    let expected = open.length().unwrap_or(0);
    if expected > limit as u64 {
        return Err(too_large());
    }
    let Some(first) = open.next().await else { return Ok(Bytes::new()) };
    let first = first?;
    // Most replies are one piece, and need no copy.
    let Some(second) = open.next().await else { return Ok(first) };
    let mut next = Some(second);
    let mut body = BytesMut::with_capacity(usize::try_from(expected).unwrap_or(0).max(2 * first.len()));
    body.extend_from_slice(&first);
    while let Some(chunk) = next {
        let chunk = chunk?;
        if body.len() + chunk.len() > limit {
            let start = Whole { body: body.split().freeze(), ..whole.clone() };
            return Err(start.error(ErrorKind::Decode, format!("it is larger than the limit of {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
        next = open.next().await;
    }
    Ok(body.freeze())
}
