//! [`Call`]: a pending API call, with the options of this one call.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderValue, Method};
use sync_wrapper::SyncWrapper;

use crate::error::{Error, Result};
use crate::transport::decode::ApiResponse;
use crate::transport::options::CallOptions;
use crate::transport::request::{Body, WireRequest};
use crate::transport::send::send;
use crate::transport::settings::Settings;
use crate::transport::trace::Trace;
use crate::transport::{BodyMode, PreparedCall, RawResponse};

#[cfg(feature = "blocking")]
pub mod blocking;
pub(crate) mod job;
pub(crate) mod page;
mod response;

pub use self::response::Response;

/// A pending API call, sent when awaited.
///
/// Set the options of this one call, then `.await` it for the value, or [`with_response`](Call::with_response) for the
/// value together with the status, headers and raw body. A call is a [`Future`]: it can be spawned, buffered and joined.
/// Dropping it ends the request and closes its connection.
///
/// Invalid input, such as an empty id or a header with a line break, is kept until then and returned as an error of
/// [`ErrorKind::Config`](crate::ErrorKind::Config): nothing is sent.
///
/// ```no_run
/// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest) -> openai_compatible::Result<()> {
/// use std::time::Duration;
///
/// let response = client.chat().create(&request)
///     .timeout(Duration::from_secs(20))
///     .max_retries(5)
///     .header("x-tenant", "7")
///     .await?;
/// # let _ = response; Ok(())
/// # }
/// ```
///
/// Many calls, eight at a time:
///
/// ```no_run
/// # async fn run(client: openai_compatible::Client, requests: Vec<openai_compatible::chat::ChatRequest>) -> openai_compatible::Result<()> {
/// use futures::{StreamExt, TryStreamExt, stream};
///
/// let calls = stream::iter(requests).map(|request| client.chat().create(request));
/// let completions: Vec<_> = calls.buffered(8).try_collect().await?;
/// # let _ = completions; Ok(())
/// # }
/// ```
#[must_use = "a call is sent when it is awaited"]
pub struct Call<T> {
    state: State,
    decode: Decode<T>,
}

enum State {
    /// Not sent yet. The error is the first mistake in the input.
    Pending(Result<Box<PreparedCall>>, BodyMode),
    Sent(SyncWrapper<Pin<Box<dyn Future<Output = Result<RawResponse>> + Send>>>),
    Done,
}

/// How a response becomes a value. A function pointer, so that the pipeline is compiled once and not for every type.
pub(crate) type Decode<T> = fn(&mut RawResponse) -> Result<T>;

impl<T> Call<T> {
    pub(crate) fn new(
        settings: &Arc<Settings>,
        request: Result<WireRequest>,
        body_mode: BodyMode,
        decode: Decode<T>,
    ) -> Self {
        let prepared = request.map(|request| {
            Box::new(PreparedCall { settings: settings.clone(), request, options: CallOptions::default() })
        });
        Call { state: State::Pending(prepared, body_mode), decode }
    }

    /// Sends a prepared call, perhaps once more.
    pub(crate) fn from_prepared(prepared: PreparedCall, decode: Decode<T>) -> Self {
        Call { state: State::Pending(Ok(Box::new(prepared)), BodyMode::Buffer), decode }
    }

    /// The same call with another reading of its response.
    pub(crate) fn decode_as<U>(self, body_mode: BodyMode, decode: Decode<U>) -> Call<U> {
        let state = match self.state {
            State::Pending(prepared, _) => State::Pending(prepared, body_mode),
            sent => sent,
        };
        Call { state, decode }
    }

    /// Sets what the options set, and adds their headers and query.
    pub fn options(self, options: CallOptions) -> Self {
        self.set(|call| call.options.merge(options))
    }

    /// Limits each attempt: until the response is read, or until a stream or download starts. Overrides the client's
    /// [`timeout`](crate::ClientBuilder::timeout).
    pub fn timeout(self, limit: Duration) -> Self {
        self.set(|call| call.options.timeout = Some(limit))
    }

    /// Limits the whole call: all attempts and the delays between them.
    pub fn total_timeout(self, limit: Duration) -> Self {
        self.set(|call| call.options.total_timeout = Some(limit))
    }

    /// Limits the silence in a stream, from one data event to the next, and in a download, from one chunk to the next.
    pub fn idle_timeout(self, limit: Duration) -> Self {
        self.set(|call| call.options.idle_timeout = Some(limit))
    }

    /// Sets the maximum number of retries. Set to 0 to disable retries.
    pub fn max_retries(self, retries: u32) -> Self {
        self.set(|call| call.options.max_retries = Some(retries))
    }

    /// Sends a header. Replaces a default header of the same name, `authorization` included.
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.options(CallOptions::new().header(name, value))
    }

    /// Adds a pair to the query of the URL.
    pub fn query(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(|call| call.options.query.push((name.into(), value.into())))
    }

    /// Sends an `Idempotency-Key`, the same in all attempts, so that a server that supports it runs the request once.
    pub fn idempotency_key(self, key: impl AsRef<str>) -> Self {
        self.header("idempotency-key", key)
    }

    /// Adds a pair to the query where there is a value: for the parameters of lists.
    pub(crate) fn query_opt(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.set(|call| call.request.query.push((name.into(), value.to_string()))),
            None => self,
        }
    }

    /// Adds the unknown fields of a request to the query.
    pub(crate) fn extra_query(self, extra: &crate::wire::Extra) -> Self {
        extra.iter().fold(self, |call, (name, value)| call.query(name, crate::wire::query_value(value)))
    }

    /// Sets the `accept` header that the endpoint needs.
    pub(crate) fn accept(self, media_type: &'static str) -> Self {
        let media_type = HeaderValue::from_static(media_type);
        self.set(|call| {
            call.options.headers.entry(http::header::ACCEPT).or_insert(media_type);
        })
    }

    fn set(mut self, set: impl FnOnce(&mut PreparedCall)) -> Self {
        if let State::Pending(Ok(prepared), _) = &mut self.state {
            set(prepared);
        }
        self
    }

    fn poll_response(&mut self, context: &mut Context<'_>) -> Poll<Result<RawResponse>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Pending(prepared, body_mode) => {
                    let prepared = prepared?;
                    prepared.options.check()?;
                    self.state = State::Sent(SyncWrapper::new(send_traced(prepared, body_mode)));
                }
                State::Sent(mut response) => {
                    let polled = response.get_mut().as_mut().poll(context);
                    if polled.is_pending() {
                        self.state = State::Sent(response);
                    }
                    return polled;
                }
                State::Done => return Poll::Ready(Err(Error::config("call was polled after it had completed"))),
            }
        }
    }

    fn poll_decoded(&mut self, context: &mut Context<'_>) -> Poll<Result<(T, RawResponse)>> {
        let mut response = ready!(self.poll_response(context))?;
        Poll::Ready(match (self.decode)(&mut response) {
            Ok(value) => Ok((value, response)),
            Err(error) => {
                response.trace.record_error(&error);
                Err(error.redact(&response.buffered.secrets).with_attempts(response.attempts))
            }
        })
    }

    /// Sends the call and returns the value together with the status, headers, request id, rate limits and raw body.
    ///
    /// # Errors
    ///
    /// The same as those of the call itself.
    pub async fn with_response(mut self) -> Result<Response<T>> {
        let (value, response) = std::future::poll_fn(|context| self.poll_decoded(context)).await?;
        Ok(Response::new(value, response))
    }
}

/// The pipeline in a box, so that it is compiled in this crate and not again in every program.
fn send_traced(
    prepared: Box<PreparedCall>,
    body_mode: BodyMode,
) -> Pin<Box<dyn Future<Output = Result<RawResponse>> + Send>> {
    Box::pin(async move {
        let mut trace = Trace::start(&prepared);
        let sent = trace.instrument(send(&prepared, body_mode)).await;
        let mut response = sent.inspect_err(|error| trace.record_error(error))?;
        response.prepared = Some(prepared);
        trace.record_response(&response);
        response.trace = trace;
        Ok(response)
    })
}

impl<T: ApiResponse> Call<T> {
    /// A call that returns one of this crate's types.
    pub(crate) fn send(settings: &Arc<Settings>, request: Result<WireRequest>) -> Self {
        Call::new(settings, request, BodyMode::Buffer, T::decode)
    }

    pub(crate) fn get(settings: &Arc<Settings>, segments: &[&str]) -> Self {
        Call::send(settings, WireRequest::new(Method::GET, segments, Body::Empty))
    }

    pub(crate) fn post(settings: &Arc<Settings>, segments: &[&str]) -> Self {
        Call::send(settings, WireRequest::new(Method::POST, segments, Body::Empty))
    }

    pub(crate) fn post_body(settings: &Arc<Settings>, segments: &[&str], body: Result<Body>) -> Self {
        Call::send(settings, body.and_then(|body| WireRequest::new(Method::POST, segments, body)))
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        self.poll_decoded(context).map_ok(|(value, _)| value)
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers nor query: both may hold keys.
        let mut call = f.debug_struct("Call");
        match &self.state {
            State::Pending(Ok(prepared), _) => {
                call.field("method", &prepared.request.method).field("path", &prepared.request.path)
            }
            State::Pending(Err(error), _) => call.field("error", error),
            State::Sent(_) | State::Done => call.field("is_sent", &true),
        };
        call.finish_non_exhaustive()
    }
}
