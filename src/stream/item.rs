//! The items of streams: what tells them from errors, and a finished reply from one that was cut.

use serde_json::Value;

use super::EventStream;
use crate::Extra;
use crate::error::{ApiError, Result};
use crate::transport::Answer;
use crate::transport::decode::Whole;
use crate::wire::Wire;

/// An item of a stream of this crate's types.
pub(crate) trait StreamItem: Wire {
    /// True when the members that make it an item are missing or empty.
    fn is_hollow(&self) -> bool;

    fn extra(&self) -> &Extra;

    /// Tells what has begun and what has ended.
    fn mark(&self, progress: &mut Progress);

    /// Opens a stream of these items. No default, for the reason of [`Reply::decode`](crate::wire::Reply::decode).
    fn open(answer: &mut Answer) -> Result<EventStream<Self>>
    where
        Self: Sized;

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
    fn from_whole(_reply: &Whole) -> Option<Self>
    where
        Self: Sized,
    {
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

    pub(super) fn is_finished(&self) -> bool {
        self.ended != 0 && self.begun & !self.ended == 0
    }
}
