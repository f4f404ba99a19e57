//! Items of streams, and what distinguishes a complete response from a truncated one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::EventStream;
use crate::error::{self, ApiError, ErrorKind, Result};
use crate::transport::RawResponse;
use crate::transport::decode::{ApiResponse, BufferedResponse};
use crate::wire::Extra;
use crate::wire::Wire;

/// An item of a stream of this crate's types.
pub(crate) trait StreamItem: Wire {
    /// True if the fields that make it an item are missing or empty.
    fn has_no_payload(&self) -> bool;

    fn extra(&self) -> &Extra;

    /// True if the item contains a part of what was asked for, and not only that it is coming.
    fn has_output(&self) -> bool {
        true
    }

    /// Records which choices have started and which have finished.
    fn track(&self, choices: &mut ChoiceTracker);

    /// The field `choices`, which is new in each event while the others repeat.
    fn new_field(&mut self) -> Option<&mut dyn Wire> {
        None
    }

    /// The name of the member that is new in each event, as JSON, while those before it repeat.
    fn new_member() -> &'static str
    where
        Self: Sized,
    {
        "\"choices\""
    }

    /// Where the rest of an event is read that starts like an earlier one; `None` where it must be read from its start.
    fn rest_mut(&mut self, _rest: &str) -> Option<&mut dyn Wire> {
        Some(self.as_wire())
    }

    /// Opens a stream of these items. No default, for the reason given at
    /// [`ApiResponse::decode`](crate::transport::decode::ApiResponse::decode).
    fn open(response: &mut RawResponse) -> Result<EventStream<Self>>
    where
        Self: Sized;

    /// True if the item contains an error of the server.
    fn has_error(&self) -> bool {
        is_error(self.extra())
    }

    /// The error that the item contains.
    fn api_error(&self) -> ApiError {
        let members = Value::Object(self.extra().clone().into());
        ApiError::from_value(&members).unwrap_or_default()
    }

    /// What a stream would have sent before this item, which stands for a complete response.
    fn before_whole(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// The item for a complete response that was sent instead of a stream, or the error that it reports.
    fn from_whole(_reply: &BufferedResponse) -> Option<Result<Self>>
    where
        Self: Sized,
    {
        None
    }
}

/// Decodes a complete response that was sent instead of a stream; `None` for any other body.
pub(crate) fn decode_whole<T: ApiResponse>(body: &BufferedResponse) -> Option<Result<T>> {
    match body.decode_wire() {
        Err(error) if error.kind() != ErrorKind::Api => None,
        decoded => Some(decoded),
    }
}

/// True for an `error` member that reports one.
pub(crate) fn is_error(extra: &Extra) -> bool {
    !extra.is_empty() && extra.get("error").is_some_and(error::is_error)
}

/// Which choices have started and which have finished: a stream may end when all that started have finished.
#[derive(Debug, Default)]
pub(crate) struct ChoiceTracker {
    /// A bit for each of the first choices.
    begun: u64,
    ended: u64,
    /// The state of the others: whether they have finished.
    others: BTreeMap<u64, bool>,
    /// The last item has arrived.
    is_over: bool,
}

impl ChoiceTracker {
    pub(crate) fn start(&mut self, index: u64) {
        match bit(index) {
            Some(bit) => self.begun |= bit,
            None => drop(self.others.entry(index).or_insert(false)),
        }
    }

    pub(crate) fn finish(&mut self, index: u64) {
        match bit(index) {
            Some(bit) => self.ended |= bit,
            None => drop(self.others.insert(index, true)),
        }
    }

    /// Records the last item: nothing that belongs to the response follows.
    pub(crate) fn end(&mut self) {
        self.is_over = true;
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// True if a choice has arrived, or its end.
    pub(super) fn has_any(&self) -> bool {
        self.is_over || self.begun | self.ended != 0 || !self.others.is_empty()
    }

    pub(super) fn is_complete(&self) -> bool {
        let is_finished = self.begun & !self.ended == 0 && self.others.values().all(|is_finished| *is_finished);
        self.is_over || is_finished && (self.ended != 0 || !self.others.is_empty())
    }
}

/// The bit of one of the first 64 choices: nearly all streams have no other.
fn bit(index: u64) -> Option<u64> {
    1_u64.checked_shl(u32::try_from(index).ok()?)
}
