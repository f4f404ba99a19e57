//! Streamed responses, which continue after an interruption where the server can: [`ResponseStream`].

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::{FutureExt, Stream, StreamExt};
use http::HeaderMap;

use super::accumulate::ResponseAccumulator;
use super::event::ResponseEvent;
use super::reply::Response;
use crate::call::Call;
use crate::error::{Error, ErrorKind, Result};
use crate::reply::stream::{EventStream, StreamItem, StreamTiming};
use crate::transport::options::CallOptions;
use crate::transport::request::{Body, WireRequest};
use crate::transport::settings::Settings;
use crate::transport::{BodyMode, PreparedCall, RawResponse};

/// The events of a streamed response.
///
/// A [`Stream`] of results, with [`try_next`](ResponseStream::try_next) for plain loops and
/// [`collect`](ResponseStream::collect) for the whole response. It ends after the last event: `response.completed`,
/// `response.incomplete` or `response.cancelled`. Everything else is an error, which contains the response so far
/// ([`Error::response`]): a response that failed, an interruption, a `[DONE]` before the last event.
///
/// An interrupted stream continues where the server can, which are stored and background responses on servers that number
/// their events: it is requested again with `starting_after`, as often as the call may be retried. No event is returned
/// twice.
///
/// Dropping the stream closes its connection. A background response goes on.
pub struct ResponseStream {
    events: EventStream<ResponseEvent>,
    /// The request for the rest of the stream, and the error that made it necessary.
    reopening: Option<Box<(Call<EventStream<ResponseEvent>>, Error)>>,
    accumulator: ResponseAccumulator,
    resume: Option<Box<Resume>>,
    /// Events that were read ahead.
    unread: VecDeque<ResponseEvent>,
    is_over: bool,
}

/// What is needed to continue.
struct Resume {
    settings: Arc<Settings>,
    options: CallOptions,
    /// How many times the stream may still be requested again.
    budget: u32,
    last: Option<u64>,
}

impl ResponseStream {
    pub(crate) fn open(response: &mut RawResponse) -> Result<Self> {
        let events = ResponseEvent::open(response)?;
        let resume = response.prepared.take().map(|prepared| {
            let PreparedCall { settings, options, .. } = *prepared;
            let budget = options.max_retries.unwrap_or(settings.max_retries);
            Box::new(Resume { settings, options, budget, last: None })
        });
        let accumulator = ResponseAccumulator::new();
        Ok(ResponseStream { events, reopening: None, accumulator, resume, unread: VecDeque::new(), is_over: false })
    }

    /// Returns the headers of the HTTP response.
    pub fn headers(&self) -> &HeaderMap {
        self.events.headers()
    }

    /// Returns the server's request id, if any.
    pub fn request_id(&self) -> Option<&str> {
        self.events.request_id()
    }

    /// Returns the next event, or `None` at the end.
    ///
    /// # Errors
    ///
    /// The stream was interrupted and cannot continue, or the response failed. [`Error::response`] returns the response so
    /// far.
    pub async fn try_next(&mut self) -> Result<Option<ResponseEvent>> {
        std::future::poll_fn(|context| self.poll_event(context)).await.transpose()
    }

    /// Returns the response so far; `None` before the first event.
    pub fn snapshot(&self) -> Option<&Response> {
        self.accumulator.snapshot()
    }

    /// Returns how long the stream took to its first output and until now.
    pub fn timing(&self) -> StreamTiming {
        self.events.timing()
    }

    /// Reads the stream to its end, and returns the response.
    ///
    /// # Errors
    ///
    /// As [`try_next`](Self::try_next).
    pub async fn collect(mut self) -> Result<Response> {
        self.read_to_end().await
    }

    /// Reads the stream to its end, and returns the response and how long it took.
    ///
    /// # Errors
    ///
    /// As [`try_next`](Self::try_next).
    pub async fn collect_with_timing(mut self) -> Result<(Response, StreamTiming)> {
        let response = self.read_to_end().await?;
        Ok((response, self.timing()))
    }

    async fn read_to_end(&mut self) -> Result<Response> {
        while self.try_next().await?.is_some() {}
        let accumulator = std::mem::take(&mut self.accumulator);
        accumulator.finish().ok_or_else(|| Error::new(ErrorKind::Stream, "ended without any event"))
    }

    /// Waits until there is output: a server may accept a request, and then report that it failed.
    pub(crate) async fn begin(&mut self) -> Result<()> {
        let mut events = VecDeque::new();
        while let Some(event) = self.try_next().await? {
            let is_state = event.response().is_some();
            events.push_back(event);
            if !is_state {
                break;
            }
        }
        self.unread = events;
        Ok(())
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ResponseEvent>>> {
        if let Some(event) = self.unread.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        while !self.is_over {
            if let Some(reopening) = &mut self.reopening {
                let reopened = ready!(reopening.0.poll_unpin(context));
                let Some(reopening) = self.reopening.take() else { break };
                match reopened {
                    Ok(mut events) => {
                        if let Some(resume) = &mut self.resume {
                            resume.budget = resume.budget.saturating_sub(events.attempts().saturating_sub(1));
                        }
                        events.continue_timing(&self.events);
                        self.events = events;
                    }
                    // The first error says more than that of a server that cannot continue.
                    Err(_) => return Poll::Ready(Some(Err(self.fail(reopening.1)))),
                }
            }
            match ready!(self.events.poll_next_unpin(context)) {
                Some(Ok(event)) if self.is_new(&event) => {
                    self.accumulator.push(&event);
                    return Poll::Ready(Some(Ok(event)));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => match is_interruption(&error).then(|| self.reopen()).flatten() {
                    Some(call) => self.reopening = Some(Box::new((call, error))),
                    None => return Poll::Ready(Some(Err(self.fail(error)))),
                },
                None => self.is_over = true,
            }
        }
        Poll::Ready(None)
    }

    fn fail(&mut self, error: Error) -> Error {
        self.is_over = true;
        std::mem::take(&mut self.accumulator).attach_to(error)
    }

    /// False for an event that was returned before the interruption.
    fn is_new(&mut self, event: &ResponseEvent) -> bool {
        let (Some(resume), Some(number)) = (&mut self.resume, event.sequence_number()) else { return true };
        let is_new = resume.last.is_none_or(|last| number > last);
        if is_new {
            resume.last = Some(number);
        }
        is_new
    }

    /// The request for the rest of the stream, if there is a way to get it.
    fn reopen(&mut self) -> Option<Call<EventStream<ResponseEvent>>> {
        let response = self.accumulator.snapshot().filter(|response| !response.id.is_empty())?;
        let resume = self.resume.as_mut()?;
        let can_continue = response.background == Some(true) || response.store == Some(true);
        let last = resume.last.filter(|_| can_continue)?;
        resume.budget = resume.budget.checked_sub(1)?;
        let request = WireRequest::new(http::Method::GET, &["responses", &response.id], Body::Empty).ok()?;
        let call = Call::new(&resume.settings, Ok(request), BodyMode::Stream, ResponseEvent::open);
        let call = call.options(resume.options.clone()).max_retries(resume.budget);
        Some(call.query("stream", "true").query("starting_after", last.to_string()))
    }
}

/// True for an error of the connection, and not of the response.
fn is_interruption(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Stream | ErrorKind::Timeout) && error.api_error().is_none()
}

impl Stream for ResponseStream {
    type Item = Result<ResponseEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(context)
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseStream").field("events", &self.events).finish_non_exhaustive()
    }
}
