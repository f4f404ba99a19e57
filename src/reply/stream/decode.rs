//! Events, and bodies sent instead of events, as items.

use std::any::Any;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::item::StreamItem;
use super::reader::{EventReader, is_ping};
use crate::error::{ApiError, Error, ErrorKind, is_error, is_failure};
use crate::transport::decode::{BufferedResponse, describe};
use crate::transport::sse::Event;
use crate::wire::ReadOutcome;

/// How an event, or a JSON body sent instead of events, becomes an item. `T` is only ever returned, so that streams are
/// covariant.
#[derive(Clone, Copy)]
pub(super) struct DecodeEvent<T> {
    pub(super) event: fn(&mut EventReader, &Event) -> Decoded<T>,
    pub(super) body: fn(&mut EventReader, &BufferedResponse) -> Decoded<T>,
    /// An item at the end, once.
    pub(super) last: fn(&mut EventReader) -> Option<T>,
}

/// An event after decoding.
pub(super) enum Decoded<T> {
    Item(T),
    /// Both are delivered.
    Items(T, T),
    /// The item is delivered first, then the error.
    ItemThenError(T, Error),
    Error(Error),
    /// A vendor's event that is not part of the response.
    Skip,
    /// A keep-alive: the idle timeout runs on.
    Ping,
}

/// What an event is, once it was read into an item.
enum Disposition {
    Item,
    ItemThenError(Error),
    Error(Error),
    Skip,
    Ping,
}

pub(super) fn decode_item<T>(reader: &mut EventReader, event: &Event) -> Decoded<T>
where
    T: StreamItem + Clone + Any + Send + Sync,
{
    // Pings, and events that follow half a character, are always read from their start.
    let is_plain = !event.event.as_deref().is_some_and(is_ping) && !reader.has_pending_surrogates();
    let known = if is_plain { reader.head.item::<T>(&event.data) } else { None };
    let (mut item, mut is_read) = match known {
        Some(known) => (known.clone(), true),
        None => (T::default_value(), false),
    };
    if is_read && !reader.head.read_rest(&event.data, &mut item) {
        (item, is_read) = (T::default_value(), false);
    }
    let disposition = disposition(reader, event, &mut item, is_read);
    if let (Disposition::Item | Disposition::ItemThenError(_), Some(map)) = (&disposition, &mut reader.map_item) {
        map(&mut item, false);
    }
    match disposition {
        Disposition::Item => Decoded::Item(item),
        Disposition::ItemThenError(error) => Decoded::ItemThenError(item, error),
        Disposition::Error(error) => Decoded::Error(error),
        Disposition::Skip => Decoded::Skip,
        Disposition::Ping => Decoded::Ping,
    }
}

/// The item at the end of a stream whose items are changed.
pub(super) fn last_item<T: StreamItem + Any>(reader: &mut EventReader) -> Option<T> {
    let mut map = reader.map_item.take()?;
    let mut item = T::default_value();
    map(&mut item, true).then_some(item)
}

/// Reads an event, unless it has been read, and decides what it is.
fn disposition(reader: &mut EventReader, event: &Event, item: &mut dyn StreamItem, is_read: bool) -> Disposition {
    if !is_read {
        if let Some(disposition) = read_item(reader, event, item) {
            return disposition;
        }
    }
    item.track(&mut reader.choices);
    let has_no_payload = item.has_no_payload();
    if item.has_error() || has_no_payload && is_failure(&|name| item.extra().get(name)) {
        let error = reader.server_error(item.api_error());
        return if has_no_payload { Disposition::Error(error) } else { Disposition::ItemThenError(error) };
    }
    if has_no_payload {
        if item.extra().get("type").and_then(Value::as_str).is_some_and(is_ping) {
            return Disposition::Ping;
        }
        if is_named(event) {
            return Disposition::Skip;
        }
    }
    if !reader.clock.has_output() && item.has_output() {
        reader.clock.record_output();
    }
    Disposition::Item
}

/// Reads an event from its start. Returns what it is, if it is not an item.
fn read_item(reader: &mut EventReader, event: &Event, item: &mut dyn StreamItem) -> Option<Disposition> {
    if event.event.as_deref().is_some_and(is_ping) {
        return Some(Disposition::Ping);
    }
    let text = event.text();
    match reader.read(&text, item) {
        Ok(ReadOutcome::Matched | ReadOutcome::Partial(_)) => None,
        failed => Some(match unreadable(reader, event, &text, failed.err()) {
            Some(error) => Disposition::Error(error),
            None => Disposition::Skip,
        }),
    }
}

/// True for an event with a name of its own; `message` is the default.
fn is_named(event: &Event) -> bool {
    event.event.as_deref().is_some_and(|name| name != "message")
}

/// An event without a name must be readable; a vendor's event may be anything.
fn unreadable(reader: &EventReader, event: &Event, text: &str, error: Option<serde_json::Error>) -> Option<Error> {
    if is_named(event) {
        return None;
    }
    let what = match &error {
        Some(error) => describe(error, Some(text)),
        None => "expected a JSON object".into(),
    };
    // After good events, it was damaged on its way, and not written by another kind of server.
    let kind = if reader.events > 1 { ErrorKind::Stream } else { ErrorKind::Decode };
    Some(reader.error(kind, format!("event {}: {what}", reader.events)).with_body(&event.data))
}

pub(super) fn decode_body<T: StreamItem + Any>(reader: &mut EventReader, whole: &BufferedResponse) -> Decoded<T> {
    match T::from_whole(whole) {
        Some(Ok(mut item)) => {
            if let Some(map) = &mut reader.map_item {
                map(&mut item, false);
            }
            item.track(&mut reader.choices);
            reader.clock.record_output();
            match item.before_whole() {
                Some(first) => Decoded::Items(first, item),
                None => Decoded::Item(item),
            }
        }
        Some(Err(error)) => Decoded::Error(error),
        None => Decoded::Error(whole.unexpected_body_error("an event stream")),
    }
}

pub(super) fn decode_any<T: DeserializeOwned>(reader: &mut EventReader, event: &Event) -> Decoded<T> {
    let text = event.text();
    // Looked for first, because reading every event twice would double the work.
    if memchr::memmem::find(&event.data, b"\"error\"").is_some() {
        if let Ok(ErrorProbe { error }) = serde_json::from_str(&text) {
            if is_error(&error) {
                return Decoded::Error(reader.server_error(ApiError::from_body(text.as_bytes())));
            }
        }
    }
    match reader.decode(&text) {
        Ok(item) => {
            reader.clock.record_output();
            Decoded::Item(item)
        }
        Err(error) => unreadable(reader, event, &text, Some(error)).map_or(Decoded::Skip, Decoded::Error),
    }
}

#[derive(serde::Deserialize)]
struct ErrorProbe {
    #[serde(default)]
    error: Value,
}

pub(super) fn decode_any_body<T: DeserializeOwned>(_: &mut EventReader, whole: &BufferedResponse) -> Decoded<T> {
    Decoded::Error(whole.unexpected_body_error("an event stream"))
}
