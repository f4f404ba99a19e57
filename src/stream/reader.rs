//! The road from the bytes of a body to events: its end, its silences, and what came in place of events.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use tokio::time::{Instant, Sleep};

use super::item::{Progress, StreamItem};
use crate::error::{ApiError, Error, ErrorKind, Result};
use crate::transport::Answer;
use crate::transport::decode::{Whole, read_by};
use crate::transport::http::ResponseBody;
use crate::transport::sse::{Decoder, Event};
use crate::transport::trace::Trace;
use crate::wire::Read;
use crate::wire::halves::Halves;

/// The part that does not depend on the item: compiled once.
pub(super) struct Reader {
    pub(super) body: Option<ResponseBody>,
    decoder: Decoder,
    phase: Phase,
    pub(super) whole: Whole,
    pub(super) progress: Progress,
    /// Unknown routes end where their input ends.
    any_end: bool,
    pub(super) events: u64,
    halves: Halves,
    pub(super) failed: Option<Error>,
    idle_timeout: Duration,
    attempts: u32,
    turns: u32,
    /// When the wait for the next event began; the time that the caller takes does not count.
    pub(super) waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    max_size: usize,
    pub(super) trace: Trace,
}

enum Phase {
    /// No byte yet that tells events from JSON.
    Unknown,
    Events,
    /// JSON or HTML in place of events, read to its end.
    Body(BytesMut),
    /// Behind the end mark. A connection whose reply is read to its end can be used again.
    Draining,
    /// The input has ended; what is pending was taken.
    Ended,
}

/// How often others get a turn behind the end mark, so that what has arrived can be handed on. Not a moment more: a
/// server that ends its body late may close the connection right behind it (llama.cpp does), and a request that takes it
/// then fails.
const TURNS: u32 = 4;

pub(super) enum Raw {
    Event(Event),
    Whole(Whole),
}

impl Reader {
    pub(super) fn new(answer: &mut Answer, any_end: bool) -> Self {
        Reader {
            body: answer.open.take(),
            decoder: Decoder::with_max_event_size(answer.max_event_size),
            phase: Phase::Unknown,
            whole: answer.whole.clone(),
            progress: Progress::default(),
            any_end,
            events: 0,
            halves: Halves::default(),
            failed: None,
            idle_timeout: answer.idle_timeout,
            attempts: answer.attempts,
            turns: 0,
            waiting_since: None,
            timer: None,
            max_size: answer.max_event_size,
            trace: std::mem::take(&mut answer.trace),
        }
    }

    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, message).with_response(self.whole.status, &self.whole.headers)
    }

    fn close(&mut self) {
        self.body = None;
        self.timer = None;
    }

    /// Ends the reading with an error; gives it as the caller sees it.
    pub(super) fn fail(&mut self, error: Error) -> Error {
        self.trace.fail(&error);
        self.close();
        self.decoder = Decoder::new();
        error.redact(&self.whole.secrets).with_attempts(self.attempts)
    }

    /// The next event, or the whole body that came in place of events.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Raw>>> {
        loop {
            if self.body.is_none() {
                return Poll::Ready(None);
            }
            if matches!(self.phase, Phase::Draining) {
                ready!(self.poll_drained(context));
                self.close();
                return Poll::Ready(None);
            }
            let next = if self.decoder.is_drained() { Ok(None) } else { self.decoder.next_event() };
            match next {
                Ok(Some(event)) => match self.admit(event) {
                    Some(Ok(event)) => return Poll::Ready(Some(Ok(Raw::Event(event)))),
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
                    if let Err(error) = self.take(bytes) {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let error = self.error(ErrorKind::Stream, "the connection broke off").with_source(error);
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => match self.input_ended() {
                    Some(raw) => return Poll::Ready(Some(raw)),
                    None => continue,
                },
                Poll::Pending => return self.poll_idle(context),
            }
        }
    }

    /// Takes bytes of the body; the first ones tell what it is.
    fn take(&mut self, bytes: Bytes) -> Result<()> {
        if let Phase::Unknown = self.phase {
            let start = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
            match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => {}
                // No field of an event begins like this.
                Some(b'{' | b'[' | b'<' | b'"') => self.phase = Phase::Body(BytesMut::new()),
                Some(_) => self.phase = Phase::Events,
            }
        }
        match &mut self.phase {
            Phase::Body(body) if body.len() + bytes.len() > self.max_size => {
                Err(self.error(ErrorKind::Decode, "a body came in place of a stream, and it is too large to read"))
            }
            Phase::Body(body) => {
                body.extend_from_slice(&bytes);
                Ok(())
            }
            _ => {
                self.decoder.push(bytes);
                Ok(())
            }
        }
    }

    /// What is an event for the item's type: not the end mark, not an empty one, not an error by name.
    fn admit(&mut self, event: Event) -> Option<Result<Event>> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return None;
        }
        self.events += 1;
        if data.starts_with(b"[DONE]") {
            match self.phase {
                Phase::Ended => self.close(),
                _ => self.phase = Phase::Draining,
            }
            self.timer = None;
            return None;
        }
        if event.event.as_deref() == Some("error") {
            return Some(Err(self.server_error(ApiError::from_body(data))));
        }
        Some(Ok(event))
    }

    /// Decodes an event; where characters cut in half stand in the way, once more without them.
    pub(super) fn decode<V>(
        &mut self,
        text: &str,
        decode: impl Fn(&str) -> serde_json::Result<V>,
    ) -> serde_json::Result<V> {
        if self.halves.is_empty() {
            let decoded = decode(text);
            if decoded.is_ok() {
                return decoded;
            }
        }
        match self.halves.mend(text) {
            Some(mended) => decode(&mended),
            None => decode(text),
        }
    }

    /// [`decode`](Self::decode) for this crate's types.
    pub(super) fn read(&mut self, text: &str, item: &mut dyn StreamItem) -> serde_json::Result<Read> {
        if self.halves.is_empty() {
            let came = read_by(text, &mut |json| item.read(json));
            if came.is_ok() {
                return came;
            }
        }
        let mended = self.halves.mend(text);
        // Over what was read: the same members again, and more of them.
        read_by(mended.as_deref().unwrap_or(text), &mut |json| item.read(json))
    }

    pub(super) fn server_error(&self, api: ApiError) -> Error {
        self.error(ErrorKind::Stream, "the server reports an error").with_api(api)
    }

    /// Reads on through what has arrived; what stands behind the end mark does not count.
    fn poll_drained(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(body) = &mut self.body else { return Poll::Ready(()) };
        // A server that goes on and on is left.
        for _ in 0..64 {
            match Pin::new(&mut *body).poll_next(context) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if self.turns < TURNS => {
                    self.turns += 1;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Pending => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }

    fn input_ended(&mut self) -> Option<Result<Raw>> {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Body(body) => {
                self.close();
                Some(Ok(Raw::Whole(Whole { body: body.freeze(), ..self.whole.clone() })))
            }
            _ => {
                let event = self.decoder.finish()?;
                let data = event.data.trim_ascii();
                let is_whole = data.is_empty()
                    || data.starts_with(b"[DONE]")
                    || serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok();
                if !is_whole {
                    return Some(Err(self.error(ErrorKind::Stream, "it was cut off inside an event")));
                }
                self.admit(event).map(|event| event.map(Raw::Event))
            }
        }
    }

    /// The input has ended: well, or too early.
    fn end(&mut self) -> Option<Error> {
        self.body.take()?;
        self.close();
        if self.any_end && self.events > 0 || self.progress.is_finished() {
            return None;
        }
        let message = match self.events {
            0 => "it ended without a single event",
            _ => "it ended before the reply was finished",
        };
        Some(self.error(ErrorKind::Stream, message))
    }

    /// The timer is set once and moved when it rings: events are many, silences are few.
    fn poll_idle<V>(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<V>>> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let Some(deadline) = since.checked_add(self.idle_timeout) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            ready!(timer.as_mut().poll(context));
            if Instant::now() >= deadline {
                let limit = self.idle_timeout;
                let message = format!("the stream was silent for {limit:?}");
                return Poll::Ready(Some(Err(self.error(ErrorKind::Timeout, message))));
            }
            timer.as_mut().reset(deadline);
        }
    }
}
