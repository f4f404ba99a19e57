//! The way from the bytes of a body to events: end markers, the idle timeout, and bodies sent instead of events.

use std::any::Any;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, Sleep};

use super::head::Head;
use super::item::{ChoiceTracker, StreamItem};
use super::surrogates::SurrogateJoiner;
use super::timing::StreamClock;
use crate::error::{ApiError, Error, ErrorKind, Result};
use crate::transport::RawResponse;
use crate::transport::decode::{BufferedResponse, compressed, compression};
use crate::transport::http::ResponseBody;
use crate::transport::sse::{Decoder, Event, is_cut_field, is_event_stream};
use crate::transport::trace::Trace;
use crate::wire::{ReadOutcome, from_str, read_value};

/// The part of a stream that does not depend on its item: compiled once.
pub(super) struct EventReader {
    pub(super) body: Option<ResponseBody>,
    decoder: Decoder,
    phase: Phase,
    /// The first bytes, until the first event: what they are if none comes.
    start: BytesMut,
    pub(super) response: BufferedResponse,
    pub(super) choices: ChoiceTracker,
    end: StreamEnd,
    pub(super) events: u64,
    /// What the events have in common.
    pub(super) head: Head,
    surrogates: SurrogateJoiner,
    pub(super) failed: Option<Error>,
    idle_timeout: Duration,
    pub(super) attempts: u32,
    drain_polls: u32,
    /// When the wait for the next event started; the time that the caller takes does not count.
    idle_since: Option<Instant>,
    /// When a part of an event last arrived.
    part_arrived: Option<Instant>,
    /// When anything last arrived, comments included.
    last_arrived: Option<Instant>,
    /// Something has arrived since the last wait.
    has_arrived: bool,
    timer: Option<Pin<Box<Sleep>>>,
    max_size: usize,
    pub(super) clock: StreamClock,
    pub(super) map_item: Option<MapItem>,
    pub(super) trace: Trace,
}

/// What changes items before they are returned; with `true`, it is asked for one more.
pub(crate) type MapItem = Box<dyn FnMut(&mut dyn Any, bool) -> bool + Send + Sync>;

/// What ends a stream, apart from all of its choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamEnd {
    /// `[DONE]`.
    Marker,
    /// The end of the input, or `[DONE]`: in streams of custom endpoints.
    Input,
    /// An item of its own kind, and nothing else.
    LastItem,
}

enum Phase {
    /// Content type not yet detected: no non-whitespace byte received.
    Sniffing,
    Events,
    /// JSON or HTML instead of events, read to its end.
    Body(BytesMut),
    /// After the end marker. A connection whose response is read to its end can be reused.
    Draining,
    /// The input has ended, and pending events were taken.
    Ended,
}

/// How long a stream may be silent once all of its choices have finished, before it counts as ended: some servers send no
/// end marker, and hold the connection.
const FINISHED_GRACE: Duration = Duration::from_secs(5);
/// Bytes at the start of a body that an error may quote.
const MAX_START: usize = 4096;

/// Polls after the end marker, so that a connection whose end has arrived can be reused. No more than these: a server
/// that ends its body late may close the connection right after it (llama.cpp does), and the next request on it would
/// fail.
const MAX_DRAIN_POLLS: u32 = 4;

pub(super) enum Received {
    Event(Event),
    /// A whole body instead of events.
    Body(BufferedResponse),
}

impl EventReader {
    pub(super) fn new(response: &mut RawResponse, end: StreamEnd) -> Self {
        EventReader {
            body: response.body_stream.take(),
            decoder: Decoder::with_max_event_size(response.max_event_size),
            phase: Phase::Sniffing,
            start: BytesMut::new(),
            response: response.buffered.clone(),
            choices: ChoiceTracker::default(),
            end,
            events: 0,
            head: Head::default(),
            surrogates: SurrogateJoiner::default(),
            failed: None,
            idle_timeout: response.idle_timeout,
            attempts: response.attempts,
            drain_polls: 0,
            idle_since: None,
            part_arrived: None,
            last_arrived: None,
            has_arrived: false,
            timer: None,
            max_size: response.max_event_size,
            clock: StreamClock::since(response.elapsed),
            map_item: None,
            trace: std::mem::take(&mut response.trace),
        }
    }

    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, message).with_response(self.response.status, &self.response.headers)
    }

    /// Records an event for the idle timeout; keep-alives do not reset it.
    pub(super) fn has_event(&mut self, is_progress: bool) {
        self.part_arrived = None;
        if is_progress {
            self.idle_since = None;
        }
    }

    fn close(&mut self) {
        self.clock.record_end();
        self.body = None;
        self.timer = None;
    }

    /// Ends the stream with an error, and returns it as the caller sees it.
    pub(super) fn fail(&mut self, error: Error) -> Error {
        self.trace.record_error(&error);
        self.close();
        self.decoder = Decoder::new();
        error.redact(&self.response.secrets).with_attempts(self.attempts)
    }

    /// Returns the next event, or the body that was sent instead of events.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Received>>> {
        loop {
            if self.body.is_none() {
                return Poll::Ready(None);
            }
            if self.choices.is_over() && matches!(self.phase, Phase::Events) {
                self.phase = Phase::Draining;
            }
            if matches!(self.phase, Phase::Draining) {
                ready!(self.poll_drained(context));
                self.close();
                return Poll::Ready(None);
            }
            let next = if self.decoder.is_drained() { Ok(None) } else { self.decoder.next_event() };
            match next {
                Ok(Some(event)) => match self.classify(event) {
                    Some(Ok(event)) => return Poll::Ready(Some(Ok(Received::Event(event)))),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => continue,
                },
                Ok(None) => {}
                Err(too_large) => return Poll::Ready(Some(Err(self.error(ErrorKind::Stream, too_large.to_string())))),
            }
            if matches!(self.phase, Phase::Ended) {
                return Poll::Ready(self.end().map(Err));
            }
            let Some(body) = &mut self.body else { return Poll::Ready(None) };
            match Pin::new(body).poll_next(context) {
                Poll::Ready(Some(Ok(bytes))) => {
                    self.has_arrived = true;
                    if let Err(error) = self.feed(bytes) {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                // All that belongs to the response has arrived before.
                Poll::Ready(Some(Err(_))) if self.choices.is_complete() => {
                    self.close();
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(error))) => {
                    let error = self.error(ErrorKind::Stream, "connection lost").with_source(error);
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => match self.on_eof() {
                    Some(raw) => return Poll::Ready(Some(raw)),
                    None => continue,
                },
                Poll::Pending => return self.poll_idle(context),
            }
        }
    }

    /// Takes bytes of the body; the first ones decide what it is.
    fn feed(&mut self, bytes: Bytes) -> Result<()> {
        if let Phase::Sniffing = self.phase {
            if let Some(encoding) = compression(&self.response.headers, &bytes) {
                let message = format!("expected an event stream, got {}", compressed(encoding));
                return Err(self.error(ErrorKind::Decode, message));
            }
            let start = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
            match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => {}
                // No field of an event starts with one of these.
                Some(b'{' | b'[' | b'<' | b'"') => self.phase = Phase::Body(BytesMut::new()),
                Some(_) => self.phase = Phase::Events,
            }
        }
        match &mut self.phase {
            Phase::Body(body) if body.len() + bytes.len() > self.max_size => {
                Err(self.error(ErrorKind::Decode, "expected an event stream, got a body that exceeds the size limit"))
            }
            Phase::Body(body) => {
                body.extend_from_slice(&bytes);
                Ok(())
            }
            _ => {
                if self.events == 0 {
                    let room = MAX_START.saturating_sub(self.start.len());
                    self.start.extend_from_slice(bytes.get(..room).unwrap_or(&bytes));
                }
                self.decoder.push(bytes);
                Ok(())
            }
        }
    }

    /// Returns what is an event for the item's type: not the end marker, not an empty event, not an error.
    fn classify(&mut self, event: Event) -> Option<Result<Event>> {
        if event.event.is_none() && event.data.starts_with(b"{") {
            // As nearly all events are.
            self.count_event();
            return Some(Ok(event));
        }
        let data = event.data.trim_ascii();
        // Some gateways forward comments and pings as data.
        if data.is_empty() || data.starts_with(b":") || is_ping_text(data) {
            self.has_event(false);
            return None;
        }
        self.count_event();
        if data.starts_with(b"[DONE]") {
            return self.take_end_marker().map(Err);
        }
        if event.event.as_deref() == Some("error") {
            return Some(Err(self.server_error(ApiError::from_body(data))));
        }
        Some(Ok(event))
    }

    fn count_event(&mut self) {
        if self.events == 0 {
            self.start = BytesMut::new();
        }
        self.events += 1;
    }

    /// Takes the end marker; an error if it came too early.
    fn take_end_marker(&mut self) -> Option<Error> {
        match self.end {
            StreamEnd::LastItem if !self.choices.is_over() => {
                return Some(self.error(ErrorKind::Stream, "`[DONE]` arrived before the last event"));
            }
            StreamEnd::Marker if !self.choices.has_any() => {
                return Some(self.error(ErrorKind::Stream, "ended without any choice"));
            }
            _ => {}
        }
        match self.phase {
            Phase::Ended => self.close(),
            _ => self.phase = Phase::Draining,
        }
        self.timer = None;
        None
    }

    /// True while half a character waits for its other half.
    pub(super) fn has_pending_surrogates(&self) -> bool {
        !self.surrogates.is_empty()
    }

    /// Decodes an event as the caller's type. Where strict JSON refuses it, it is repaired, and characters that were cut in
    /// half between events are joined.
    pub(super) fn decode<V: DeserializeOwned>(&mut self, text: &str) -> serde_json::Result<V> {
        let decoded = self.surrogates.is_empty().then(|| serde_json::from_str(text));
        match decoded {
            Some(decoded @ Ok(_)) => decoded,
            refused => match self.surrogates.join(text) {
                Some(event) => V::deserialize(event),
                None => refused.unwrap_or_else(|| serde_json::from_str(text)),
            },
        }
    }

    /// [`decode`](Self::decode) for this crate's types.
    pub(super) fn read(&mut self, text: &str, item: &mut dyn StreamItem) -> serde_json::Result<ReadOutcome> {
        let outcome = self.surrogates.is_empty().then(|| from_str(text, item.as_wire()));
        match outcome {
            Some(outcome @ Ok(_)) => outcome,
            refused => match self.surrogates.join(text) {
                // The second read is over the first: the same members again, and more of them.
                Some(event) => Ok(read_value(event, item.as_wire())),
                None => refused.unwrap_or_else(|| from_str(text, item.as_wire())),
            },
        }
    }

    pub(super) fn server_error(&self, api: ApiError) -> Error {
        self.error(ErrorKind::Stream, "server reported an error").with_api(api)
    }

    /// Reads what has arrived after the end marker; it is ignored.
    fn poll_drained(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(body) = &mut self.body else { return Poll::Ready(()) };
        // Give up on a server that keeps sending.
        for _ in 0..64 {
            match Pin::new(&mut *body).poll_next(context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if self.drain_polls < MAX_DRAIN_POLLS => {
                    self.drain_polls += 1;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Pending => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }

    fn on_eof(&mut self) -> Option<Result<Received>> {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Body(body) => {
                self.close();
                Some(Ok(Received::Body(BufferedResponse { body: body.freeze(), ..self.response.clone() })))
            }
            _ => {
                let event = self.decoder.finish()?;
                let data = event.data.trim_ascii();
                let is_whole = data.is_empty()
                    || data.starts_with(b"[DONE]")
                    || serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok();
                if !is_whole {
                    // After the last choice, it is a part of the end marker or of what nobody needs.
                    let error = || Err(self.error(ErrorKind::Stream, "ended in the middle of an event"));
                    return (!self.choices.is_complete()).then(error);
                }
                self.classify(event).map(|event| event.map(Received::Event))
            }
        }
    }

    /// Returns the error of an input that ended too early.
    fn end(&mut self) -> Option<Error> {
        self.body.take()?;
        self.close();
        if matches!(self.end, StreamEnd::Input) && self.events > 0 || self.choices.is_complete() {
            return None;
        }
        if self.events == 0 {
            let start = BufferedResponse { body: std::mem::take(&mut self.start).freeze(), ..self.response.clone() };
            let text = start.text();
            let is_text = !is_event_stream(&text) && !is_cut_field(text.trim());
            if is_text && start.media_type().eq_ignore_ascii_case("text/event-stream") {
                let message = format!("ended without any event, after {}", start.description(&text));
                return Some(self.error(ErrorKind::Stream, message));
            }
            if is_text {
                return Some(start.unexpected_body_error("an event stream"));
            }
        }
        let message = match self.events {
            0 => "ended without any event",
            _ if self.end == StreamEnd::LastItem => "ended before the last event",
            _ => "ended before `[DONE]` or a finish reason",
        };
        Some(self.error(ErrorKind::Stream, message))
    }

    /// The timer is set once and moved when it fires, because events are many and silences are few.
    fn poll_idle<V>(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<V>>> {
        let may_end = match self.end {
            StreamEnd::Marker => self.choices.has_any(),
            StreamEnd::Input => true,
            StreamEnd::LastItem => self.choices.is_over(),
        };
        if may_end && self.decoder.has_end_marker() {
            // The end marker, and its blank line is not there yet.
            self.phase = Phase::Draining;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if std::mem::take(&mut self.has_arrived) {
            let now = Instant::now();
            self.last_arrived = Some(now);
            if matches!(self.phase, Phase::Body(_)) || self.decoder.has_partial_data() {
                self.part_arrived = Some(now);
            }
        }
        loop {
            let is_complete = self.choices.is_complete();
            let since = *self.idle_since.get_or_insert_with(Instant::now);
            let mut end = since.max(self.part_arrived.unwrap_or(since)).checked_add(self.idle_timeout);
            if is_complete {
                let last = since.max(self.last_arrived.unwrap_or(since));
                end = end.into_iter().chain(last.checked_add(FINISHED_GRACE)).min();
            }
            let Some(end) = end else { return Poll::Pending };
            if Instant::now() < end {
                let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
                // It may have been set for an earlier end, and never runs past this one.
                if timer.deadline() > end {
                    timer.as_mut().reset(end);
                }
                ready!(timer.as_mut().poll(context));
                timer.as_mut().reset(end);
                continue;
            }
            if is_complete {
                self.close();
                return Poll::Ready(None);
            }
            let limit = self.idle_timeout;
            let message = format!("no event received for {limit:?} (idle timeout)");
            return Poll::Ready(Some(Err(self.error(ErrorKind::Timeout, message))));
        }
    }
}

/// Names and types of events that keep a connection open, and what some servers send as the data of such an event.
pub(super) fn is_ping(name: &str) -> bool {
    ["ping", "keepalive", "keep-alive", "heartbeat"].contains(&name)
}

fn is_ping_text(data: &[u8]) -> bool {
    let text = data.strip_prefix(b"[").and_then(|data| data.strip_suffix(b"]")).unwrap_or(data);
    text.len() < 16 && std::str::from_utf8(text).is_ok_and(|text| is_ping(&text.to_ascii_lowercase()))
}
