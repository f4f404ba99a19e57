//! Responses that arrive event by event: [`EventStream`].

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::error::request_id;
use crate::transport::RawResponse;
use crate::transport::decode::BufferedResponse;
use crate::transport::http::ResponseBody;

mod decode;
mod head;
mod item;
mod reader;
mod surrogates;
mod timing;

use self::decode::{DecodeEvent, Decoded, decode_any, decode_any_body, decode_body, decode_item, last_item};
pub(crate) use self::item::{ChoiceTracker, StreamItem, decode_whole, is_error};
use self::reader::MapItem;
use self::reader::{EventReader, Received, StreamEnd};
pub use self::timing::StreamTiming;

/// A stream of server-sent events, decoded into `T`.
///
/// A [`Stream`] of results, with [`try_next`](EventStream::try_next) for plain loops. It ends with `None` once the
/// server has marked the end: `[DONE]`, a finish reason, a last event. Everything else is an error, returned after the
/// items received before it: truncation, silence longer than the idle timeout, an error reported between events, a
/// malformed event, a JSON or HTML body instead of events. After an error the stream is at its end.
///
/// The idle timeout runs while you wait for an item. Comments and pings do not reset it.
///
/// Nothing is read ahead, so backpressure reaches the server. Dropping the stream closes its connection.
pub struct EventStream<T> {
    reader: Box<EventReader>,
    decode: DecodeEvent<T>,
    /// An item that was decoded and given back.
    unread: Option<Box<T>>,
}

impl<T> EventStream<T> {
    /// Returns the headers of the response.
    pub fn headers(&self) -> &HeaderMap {
        &self.reader.response.headers
    }

    /// Returns the server's request id, if any.
    pub fn request_id(&self) -> Option<&str> {
        request_id(self.headers())
    }

    /// Returns the next item, or `None` at the end.
    pub async fn try_next(&mut self) -> Result<Option<T>> {
        std::future::poll_fn(|context| self.poll_item(context)).await
    }

    /// Returns how long the stream took to its first output and until now.
    #[doc(alias = "time to first token")]
    #[doc(alias = "ttft")]
    pub fn timing(&self) -> StreamTiming {
        self.reader.clock.timing()
    }

    /// Goes on with the clock of the stream that this one continues.
    pub(crate) fn continue_timing(&mut self, of: &Self) {
        self.reader.clock = of.reader.clock;
        self.reader.clock.resume();
    }

    /// Changes items before they are returned. The function is also asked for an item at the end, and returns `true` if there is
    /// one.
    pub(crate) fn map_items(mut self, map: MapItem) -> Self {
        self.reader.map_item = Some(map);
        self
    }

    /// The number of attempts that opening the stream took.
    pub(crate) fn attempts(&self) -> u32 {
        self.reader.attempts
    }

    /// Gives an item back, to be returned next.
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
                    if let Some(last) = (self.decode.last)(&mut self.reader) {
                        return Poll::Ready(Ok(Some(last)));
                    }
                    self.reader.trace.finish();
                    return Poll::Ready(Ok(None));
                }
                Some(Err(error)) => break error,
                Some(Ok(Received::Event(event))) => {
                    self.reader.trace.record_body(&event.data);
                    (self.decode.event)(&mut self.reader, &event)
                }
                Some(Ok(Received::Body(whole))) => {
                    self.reader.trace.record_body(&whole.body);
                    (self.decode.body)(&mut self.reader, &whole)
                }
            };
            self.reader.has_event(!matches!(step, Decoded::Ping));
            match step {
                Decoded::Item(item) => return Poll::Ready(Ok(Some(item))),
                Decoded::Items(first, second) => {
                    self.unread = Some(Box::new(second));
                    return Poll::Ready(Ok(Some(first)));
                }
                Decoded::ItemThenError(item, error) => {
                    self.reader.failed = Some(error);
                    return Poll::Ready(Ok(Some(item)));
                }
                Decoded::Error(error) => break error,
                Decoded::Skip | Decoded::Ping => {}
            }
        };
        if let Some(last) = (self.decode.last)(&mut self.reader) {
            self.reader.failed = Some(error);
            return Poll::Ready(Ok(Some(last)));
        }
        Poll::Ready(Err(self.reader.fail(error)))
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
            .field("status", &self.reader.response.status)
            .field("request_id", &self.request_id())
            .field("events", &self.reader.events)
            .field("open", &self.reader.body.is_some())
            .finish_non_exhaustive()
    }
}

/// Opens the events of a body that was read whole, where no stream was requested. It never waits.
pub(crate) fn open_buffered<T: StreamItem>(body: &BufferedResponse) -> Result<EventStream<T>> {
    T::open(&mut RawResponse {
        body_stream: Some(ResponseBody::from(body.body.clone())),
        max_event_size: body.body.len(),
        ..RawResponse::buffered(body.clone())
    })
}

/// Opens a stream of this crate's items.
pub(crate) fn open<T: StreamItem + Clone + Any + Send + Sync>(response: &mut RawResponse) -> Result<EventStream<T>> {
    open_with(response, StreamEnd::Marker)
}

/// Opens a stream of this crate's items that ends with an item of its own kind.
pub(crate) fn open_until_last<T>(response: &mut RawResponse) -> Result<EventStream<T>>
where
    T: StreamItem + Clone + Any + Send + Sync,
{
    open_with(response, StreamEnd::LastItem)
}

fn open_with<T>(response: &mut RawResponse, end: StreamEnd) -> Result<EventStream<T>>
where
    T: StreamItem + Clone + Any + Send + Sync,
{
    let decode = DecodeEvent { event: decode_item::<T>, body: decode_body::<T>, last: last_item::<T> };
    Ok(EventStream { reader: Box::new(EventReader::new(response, end)), decode, unread: None })
}

/// Opens a stream of the caller's items.
pub(crate) fn open_any<T: DeserializeOwned>(response: &mut RawResponse) -> Result<EventStream<T>> {
    let decode = DecodeEvent { event: decode_any::<T>, body: decode_any_body::<T>, last: |_| None };
    Ok(EventStream { reader: Box::new(EventReader::new(response, StreamEnd::Input)), decode, unread: None })
}
