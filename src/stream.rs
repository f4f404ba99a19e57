//! Replies that arrive bit by bit: [`EventStream`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, Sleep};

use crate::Extra;
use crate::call::request_id;
use crate::error::{ApiError, Error, ErrorKind, Result};
use crate::transport::Answer;
use crate::transport::decode::{Whole, describe, read};
use crate::transport::http::ResponseBody;
use crate::transport::sse::{Decoder, Event};
use crate::transport::trace::Trace;
use crate::wire::halves::Halves;
use crate::wire::{Read, Wire};

/// A reply that arrives event by event.
///
/// A [`Stream`] of results, and [`try_next`](EventStream::try_next) where that is all you need. It ends well when the
/// server marks the end (`[DONE]`, a finish reason, a last event). Everything else is an error, after what came before
/// was delivered: an input that stops early, silence longer than the idle timeout, an error that the server reports in
/// its midst, an event that cannot be read, a JSON or HTML body in place of events. After an error or the end it gives
/// `None`.
///
/// The idle timeout runs while you wait for an item. Comments and pings are silence, too.
///
/// Nothing is read ahead: the server is held back at your pace. Dropping the stream closes its connection.
pub struct EventStream<T> {
    reader: Box<Reader>,
    decode: DecodeEvent<T>,
    /// An item that was read and not yet given.
    unread: Option<Box<T>>,
}

/// How an event, or a whole JSON body that came in place of events, becomes an item.
#[derive(Clone, Copy)]
pub(crate) struct DecodeEvent<T> {
    event: fn(&mut Reader, &Event) -> Step<T>,
    whole: fn(&mut Reader, &Whole) -> Step<T>,
}

/// What came of one event.
pub(crate) enum Step<T> {
    Item(T),
    /// The item is delivered first, then the error.
    ItemThenError(T, Error),
    Error(Error),
    /// A vendor's event beside the reply.
    Skip,
    /// A sign that the connection is open, and none of the model: the idle timeout runs on.
    Ping,
}

/// An item of a stream of this crate's types.
pub(crate) trait StreamItem: Wire {
    /// True when the members that make it an item are missing or empty.
    fn is_hollow(&self) -> bool;

    fn extra(&self) -> &Extra;

    /// Tells what has begun and what has ended.
    fn mark(&self, progress: &mut Progress);

    /// True when the item carries an error of the server.
    fn has_error(&self) -> bool {
        is_error(self.extra())
    }

    /// The error that the item carries.
    fn api_error(&self) -> ApiError {
        let members = Value::Object(self.extra().clone().into());
        ApiError::from_value(&members).unwrap_or_default()
    }

    /// The item for a whole reply that came in place of a stream.
    fn from_whole(_reply: &Whole) -> Option<Self> {
        None
    }
}

/// An `error` member that says something.
pub(crate) fn is_error(extra: &Extra) -> bool {
    !extra.is_empty() && extra.get("error").is_some_and(|error| !matches!(error, Value::Null | Value::Bool(false)))
}

/// Which parts of a reply have begun and which have ended: a stream may end when all that began have ended.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    begun: u64,
    ended: u64,
}

impl Progress {
    pub(crate) fn begin(&mut self, index: u64) {
        self.begun |= 1 << index.min(63);
    }

    pub(crate) fn end(&mut self, index: u64) {
        self.ended |= 1 << index.min(63);
    }

    fn is_finished(&self) -> bool {
        self.ended != 0 && self.begun & !self.ended == 0
    }
}

/// The part that does not depend on the item: compiled once.
pub(crate) struct Reader {
    body: Option<ResponseBody>,
    decoder: Decoder,
    phase: Phase,
    whole: Whole,
    pub(crate) progress: Progress,
    /// Unknown routes end where their input ends.
    any_end: bool,
    events: u64,
    halves: Halves,
    failed: Option<Error>,
    idle_timeout: Duration,
    attempts: u32,
    turns: u32,
    /// When the wait for the next event began; the time that the caller takes does not count.
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    max_size: usize,
    trace: Trace,
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

enum Raw {
    Event(Event),
    Whole(Whole),
}

impl Reader {
    fn new(answer: &mut Answer, any_end: bool) -> Self {
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

    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, message).with_response(self.whole.status, &self.whole.headers)
    }

    fn close(&mut self) {
        self.body = None;
        self.timer = None;
    }

    /// The next event, or the whole body that came in place of events.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Raw>>> {
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
    fn decode<V>(&mut self, text: &str, decode: impl Fn(&str) -> serde_json::Result<V>) -> serde_json::Result<V> {
        if self.halves.is_empty() {
            match decode(text) {
                Err(error) if error.is_syntax() => {}
                decoded => return decoded,
            }
        }
        match self.halves.mend(text) {
            Some(mended) => decode(&mended),
            None => decode(text),
        }
    }

    pub(crate) fn server_error(&self, api: ApiError) -> Error {
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

impl<T> EventStream<T> {
    /// Headers of the reply.
    pub fn headers(&self) -> &HeaderMap {
        &self.reader.whole.headers
    }

    /// Id that the server gave the request.
    pub fn request_id(&self) -> Option<&str> {
        request_id(self.headers())
    }

    /// The next item; `None` at the end.
    pub async fn try_next(&mut self) -> Result<Option<T>> {
        std::future::poll_fn(|context| self.poll_item(context)).await
    }

    /// Gives an item back, to be read next.
    pub(crate) fn push_back(&mut self, item: T) {
        self.unread = Some(Box::new(item));
    }

    fn poll_item(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<T>>> {
        if let Some(item) = self.unread.take() {
            return Poll::Ready(Ok(Some(*item)));
        }
        let error = loop {
            if let Some(error) = self.reader.failed.take() {
                break error;
            }
            let step = match ready!(self.reader.poll(context)) {
                None => {
                    self.reader.trace.end();
                    return Poll::Ready(Ok(None));
                }
                Some(Err(error)) => break error,
                Some(Ok(Raw::Event(event))) => {
                    self.reader.trace.read(&event.data);
                    (self.decode.event)(&mut self.reader, &event)
                }
                Some(Ok(Raw::Whole(whole))) => {
                    self.reader.trace.read(&whole.body);
                    (self.decode.whole)(&mut self.reader, &whole)
                }
            };
            if !matches!(step, Step::Ping) {
                self.reader.waiting_since = None;
            }
            match step {
                Step::Item(item) => return Poll::Ready(Ok(Some(item))),
                Step::ItemThenError(item, error) => {
                    self.reader.failed = Some(error);
                    return Poll::Ready(Ok(Some(item)));
                }
                Step::Error(error) => break error,
                Step::Skip | Step::Ping => {}
            }
        };
        self.reader.trace.fail(&error);
        self.reader.close();
        self.reader.decoder = Decoder::new();
        let error = error.redact(&self.reader.whole.secrets).with_attempts(self.reader.attempts);
        Poll::Ready(Err(error))
    }
}

impl<T> Stream for EventStream<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(context).map(Result::transpose)
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("status", &self.reader.whole.status)
            .field("request_id", &self.request_id())
            .field("events", &self.reader.events)
            .field("open", &self.reader.body.is_some())
            .finish_non_exhaustive()
    }
}

/// Opens a stream of this crate's items.
pub(crate) fn open<T: StreamItem>(answer: &mut Answer) -> Result<EventStream<T>> {
    let decode = DecodeEvent { event: decode_item::<T>, whole: decode_whole::<T> };
    Ok(EventStream { reader: Box::new(Reader::new(answer, false)), decode, unread: None })
}

/// Opens a stream of the caller's items.
pub(crate) fn open_any<T: DeserializeOwned>(answer: &mut Answer) -> Result<EventStream<T>> {
    let decode = DecodeEvent { event: decode_any::<T>, whole: decode_any_whole::<T> };
    Ok(EventStream { reader: Box::new(Reader::new(answer, true)), decode, unread: None })
}

fn decode_item<T: StreamItem>(reader: &mut Reader, event: &Event) -> Step<T> {
    if event.event.as_deref().is_some_and(is_ping) {
        return Step::Ping;
    }
    let text = event.text();
    let item = match reader.decode(&text, read::<T>) {
        Ok(Read::Value(item) | Read::Part(item, _)) => item,
        failed => return unreadable(reader, event, &text, failed.err()),
    };
    item.mark(&mut reader.progress);
    if item.has_error() || item.is_hollow() && is_flat_error(item.extra()) {
        let error = reader.server_error(item.api_error());
        return if item.is_hollow() { Step::Error(error) } else { Step::ItemThenError(item, error) };
    }
    if item.is_hollow() {
        if item.extra().get("type").and_then(Value::as_str).is_some_and(is_ping) {
            return Step::Ping;
        }
        if is_named(event) {
            return Step::Skip;
        }
    }
    Step::Item(item)
}

/// Names and types of events that keep a connection open.
fn is_ping(name: &str) -> bool {
    ["ping", "keepalive", "keep-alive", "heartbeat"].contains(&name)
}

/// `{"object":"error","message":…}`, `{"detail":…}`: errors that servers write without the key `error`.
fn is_flat_error(extra: &Extra) -> bool {
    extra.contains_key("detail") || extra.contains_key("message") || extra.contains_key("errors")
}

/// True when the event has a name of its own: `message` is what no name means.
fn is_named(event: &Event) -> bool {
    event.event.as_deref().is_some_and(|name| name != "message")
}

/// An unnamed event must be readable; one with a vendor's name may be anything.
fn unreadable<T>(reader: &Reader, event: &Event, text: &str, error: Option<serde_json::Error>) -> Step<T> {
    if is_named(event) {
        return Step::Skip;
    }
    let what = match &error {
        Some(error) => describe(error, Some(text)),
        None => "it is no JSON object".into(),
    };
    Step::Error(reader.error(ErrorKind::Decode, format!("event {}: {what}", reader.events)).with_body(&event.data))
}

fn decode_whole<T: StreamItem>(reader: &mut Reader, whole: &Whole) -> Step<T> {
    match T::from_whole(whole) {
        Some(item) => {
            item.mark(&mut reader.progress);
            Step::Item(item)
        }
        None => Step::Error(whole.in_place_of("a stream")),
    }
}

fn decode_any<T: DeserializeOwned>(reader: &mut Reader, event: &Event) -> Step<T> {
    let text = event.text();
    // Looked for first: reading every event twice would cost as much as reading it.
    if memchr::memmem::find(&event.data, b"\"error\"").is_some() {
        if let Ok(ErrorProbe { error }) = serde_json::from_str(&text) {
            if !matches!(error, Value::Null | Value::Bool(false)) {
                return Step::Error(reader.server_error(ApiError::from_body(text.as_bytes())));
            }
        }
    }
    match reader.decode(&text, |text| serde_json::from_str(text)) {
        Ok(item) => Step::Item(item),
        Err(error) => unreadable(reader, event, &text, Some(error)),
    }
}

#[derive(serde::Deserialize)]
struct ErrorProbe {
    #[serde(default)]
    error: Value,
}

fn decode_any_whole<T: DeserializeOwned>(_: &mut Reader, whole: &Whole) -> Step<T> {
    Step::Error(whole.in_place_of("a stream"))
}
