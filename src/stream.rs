//! Replies that arrive bit by bit: [`EventStream`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::call::request_id;
use crate::error::Result;
use crate::transport::Answer;

mod decode;
mod item;
mod reader;

use self::decode::{DecodeEvent, Step, decode_any, decode_any_whole, decode_item, decode_whole};
pub(crate) use self::item::{Progress, StreamItem, is_error};
use self::reader::{Raw, Reader};

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
