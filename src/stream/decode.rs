//! Events, and whole bodies in their place, as items.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::item::StreamItem;
use super::reader::Reader;
use crate::Extra;
use crate::error::{ApiError, Error, ErrorKind};
use crate::transport::decode::{Whole, describe};
use crate::transport::sse::Event;
use crate::wire::Read;

/// How an event, or a whole JSON body that came in place of events, becomes an item.
#[derive(Clone, Copy)]
pub(super) struct DecodeEvent<T> {
    pub(super) event: fn(&mut Reader, &Event) -> Step<T>,
    pub(super) whole: fn(&mut Reader, &Whole) -> Step<T>,
}

/// What came of one event.
pub(super) enum Step<T> {
    Item(T),
    /// The item is delivered first, then the error.
    ItemThenError(T, Error),
    Error(Error),
    /// A vendor's event beside the reply.
    Skip,
    /// A sign that the connection is open, and none of the model: the idle timeout runs on.
    Ping,
}

/// What an event is, that was read into an item.
enum Verdict {
    Item,
    ItemThenError(Error),
    Error(Error),
    Skip,
    Ping,
}

pub(super) fn decode_item<T: StreamItem>(reader: &mut Reader, event: &Event) -> Step<T> {
    let mut item = T::blank();
    match read_item(reader, event, &mut item) {
        Verdict::Item => Step::Item(item),
        Verdict::ItemThenError(error) => Step::ItemThenError(item, error),
        Verdict::Error(error) => Step::Error(error),
        Verdict::Skip => Step::Skip,
        Verdict::Ping => Step::Ping,
    }
}

fn read_item(reader: &mut Reader, event: &Event, item: &mut dyn StreamItem) -> Verdict {
    if event.event.as_deref().is_some_and(is_ping) {
        return Verdict::Ping;
    }
    let text = event.text();
    match reader.read(&text, item) {
        Ok(Read::Fits | Read::Part(_)) => {}
        failed => {
            return match unreadable(reader, event, &text, failed.err()) {
                Some(error) => Verdict::Error(error),
                None => Verdict::Skip,
            };
        }
    }
    item.mark(&mut reader.progress);
    if item.has_error() || item.is_hollow() && is_flat_error(item.extra()) {
        let error = reader.server_error(item.api_error());
        return if item.is_hollow() { Verdict::Error(error) } else { Verdict::ItemThenError(error) };
    }
    if item.is_hollow() {
        if item.extra().get("type").and_then(Value::as_str).is_some_and(is_ping) {
            return Verdict::Ping;
        }
        if is_named(event) {
            return Verdict::Skip;
        }
    }
    Verdict::Item
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
fn unreadable(reader: &Reader, event: &Event, text: &str, error: Option<serde_json::Error>) -> Option<Error> {
    if is_named(event) {
        return None;
    }
    let what = match &error {
        Some(error) => describe(error, Some(text)),
        None => "it is no JSON object".into(),
    };
    Some(reader.error(ErrorKind::Decode, format!("event {}: {what}", reader.events)).with_body(&event.data))
}

pub(super) fn decode_whole<T: StreamItem>(reader: &mut Reader, whole: &Whole) -> Step<T> {
    match T::from_whole(whole) {
        Some(item) => {
            item.mark(&mut reader.progress);
            Step::Item(item)
        }
        None => Step::Error(whole.in_place_of("a stream")),
    }
}

pub(super) fn decode_any<T: DeserializeOwned>(reader: &mut Reader, event: &Event) -> Step<T> {
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
        Err(error) => unreadable(reader, event, &text, Some(error)).map_or(Step::Skip, Step::Error),
    }
}

#[derive(serde::Deserialize)]
struct ErrorProbe {
    #[serde(default)]
    error: Value,
}

pub(super) fn decode_any_whole<T: DeserializeOwned>(_: &mut Reader, whole: &Whole) -> Step<T> {
    Step::Error(whole.in_place_of("a stream"))
}
