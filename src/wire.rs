//! Tolerant decoding: how a reply is read that nobody promised to keep to the contract.
//!
//! [`Wire`] is what every wire type can do: be read from JSON, in any of the shapes servers use for it, and be written.
//! What does not fit is [`Read::Odd`]; then the struct that holds the field keeps the odd value in its [`Extra`] and goes
//! on. So no field can fail a reply, and nothing is lost. The `wire!` macro writes these implementations; see
//! `macros/object.rs`.
//!
//! Reader and writer are one concrete type each, and lists and objects are read and written by one loop each, over
//! `dyn`: a type adds a table of its members and little else. Made generic, they were compiled once for each of some
//! hundred types, and took longer to compile than any crate that this one depends on.
//!
//! What is read and written back is the same JSON, but for these:
//! * null is the same as a missing member, and so is empty text, an empty list and an empty object where a field may
//!   be left out; numbers and booleans are always written.
//! * A number or boolean in the place of text becomes text; numeric text in the place of a number becomes a number,
//!   and a float in the place of an integer its whole part; 0, 1, `"true"` and `"false"` become booleans.
//!
//! `proof.rs` holds every wire type to this.

use serde_json::Value;

use crate::transport::Answer;

mod extra;
pub(crate) mod halves;
pub(crate) mod json;
pub(crate) mod list;
pub(crate) mod object;
#[cfg(test)]
pub(crate) mod proof;
pub(crate) mod serde;
mod shared_string;
mod std_types;
pub(crate) mod writer;

pub use extra::Extra;
pub use shared_string::SharedString;

pub(crate) use json::{Json, NotJson};
pub(crate) use object::{Added, Member, Object, stream_member};
pub(crate) use writer::Writer;

/// What came of reading a value into its place.
#[derive(Debug)]
pub enum Read {
    /// It fits.
    Fits,
    /// It is JSON of another shape; kept for the struct around it.
    Odd(Value),
    /// A list some of whose entries do not fit: those that do are in place, and the whole list is for the struct around it.
    Part(Value),
}

impl Read {
    /// What was read goes into its place; what was not is odd.
    #[inline]
    pub(crate) fn of<T>(read: Result<T, Value>, put: impl FnOnce(T)) -> Self {
        match read {
            Ok(value) => {
                put(value);
                Read::Fits
            }
            Err(odd) => Read::Odd(odd),
        }
    }
}

/// A type that is read from whatever a server wrote, and written as JSON.
pub trait Wire {
    /// Reads one value into a place that holds the blank. What is odd leaves a blank.
    ///
    /// # Errors
    ///
    /// The input is no JSON at all.
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson>;

    /// Writes the value.
    fn write(&self, writer: &mut Writer);

    /// The value of a member that is missing or null.
    fn blank() -> Self
    where
        Self: Sized;

    /// True when there is nothing to write.
    fn is_blank(&self) -> bool {
        false
    }

    /// True when the value says nothing, such as a `finish_reason` of `""`: an `Option` reads it as `None`.
    fn is_nothing(&self) -> bool {
        false
    }

    /// JSON that this type reads with nothing left over; null where a type gives none.
    #[cfg(test)]
    fn sample() -> Value
    where
        Self: Sized,
    {
        Value::Null
    }
}

/// A type that is a whole reply.
pub trait Reply: Wire {
    /// The member that makes the reply what it is.
    fn root(&self) -> &'static str;

    /// True when the root member is missing, null or empty: then the reply may be an error in disguise.
    fn is_hollow(&self) -> bool;

    /// Members without a field of their own.
    fn extra(&self) -> &Extra;

    /// Reads the reply of an answer. No default: a function of one type alone is compiled once, in this crate; one that
    /// is made for the type would be compiled again, with all that reads the type, in every program.
    fn decode(answer: &mut Answer) -> crate::Result<Self>
    where
        Self: Sized;
}

/// Reads a value that is at hand; `None` when it does not fit.
pub(crate) fn of_value<T: Wire>(value: &Value) -> Option<T> {
    let mut read = T::blank();
    match read.read(&mut Json::new(&value.to_string())) {
        Ok(Read::Fits) => Some(read),
        _ => None,
    }
}

/// Reads text that some servers write as a JSON value of another type, such as tool-call arguments as an object.
pub(crate) fn text_of_any(place: &mut String, json: &mut Json<'_>) -> Result<Read, NotJson> {
    *place = match json.value()? {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(Read::Fits)
}

/// A value as a pair of a query writes it.
pub(crate) fn query_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
