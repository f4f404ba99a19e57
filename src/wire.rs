//! Lenient decoding of responses that deviate from the OpenAI schema, and the encoding that mirrors it.
//!
//! Every wire type implements [`Wire`]: it is read from an [`Input`] and written as an [`Output`]. A value whose JSON type
//! does not fit is a [`ReadOutcome::Mismatched`]: the struct around it keeps the value in its [`Extra`] and goes on. So no
//! field can fail a response, and nothing is lost. The macros write these implementations; see `macros/wire_struct.rs`.
//!
//! serde is the only way in and out, and serde_json the only tokenizer. serde's generics are compiled once per *format*
//! and not once per type, because they know the types as `dyn` only: one loop each reads and writes objects, arrays and
//! maps, and a type adds a table of its fields and little else.
//!
//! What was read is written back as the same JSON, except that:
//! * null equals a missing field, and so do an empty string, array and object where a field may be left out; numbers and
//!   booleans are always written;
//! * a number or boolean in place of a string becomes a string; a numeric string in place of a number becomes a number,
//!   and a float in place of an integer its whole part; 0, 1, `"true"` and `"false"` become booleans.
//!
//! `conformance.rs` checks every wire type against these rules, in every format.

use std::borrow::Cow;

use serde_json::{Map, Value};

pub(crate) mod array;
pub(crate) mod base64;
mod check;
#[cfg(test)]
pub(crate) mod conformance;
mod extra;
mod input;
mod integer;
mod map;
pub(crate) mod object;
mod output;
mod path;
pub(crate) mod repair;
pub(crate) mod scalar;
mod secret;
pub(crate) mod serde;
mod shared_string;
pub(crate) mod union;

pub(crate) use array::one_or_many;
pub(crate) use check::mistakes;
pub use extra::Extra;
pub(crate) use input::{Input, InvalidInput, from_str};
pub use integer::Integer;
pub(crate) use integer::set_integer;
pub(crate) use object::{FieldSpec, Object, Overrides, stream_override};
pub(crate) use output::{ObjectOutput, Output, to_value, to_vec};
pub(crate) use path::path_at;
pub(crate) use repair::with_repair;
pub use secret::SecretString;
pub use shared_string::SharedString;
pub(crate) use union::Union;

/// The result of reading a value into its place.
#[derive(Debug)]
pub enum ReadOutcome {
    /// The value fits.
    Matched,
    /// The value has another JSON type; kept by the struct around it. Boxed, so that an outcome is returned in registers.
    Mismatched(Box<Value>),
    /// An array with elements that do not fit: those that do are in place, and the struct around it keeps the whole array.
    Partial(Box<Value>),
}

impl ReadOutcome {
    pub(crate) fn mismatched(value: Value) -> Self {
        ReadOutcome::Mismatched(Box::new(value))
    }
}

/// The way from the traits above [`Wire`] to it, which the compiler finds by itself from Rust 1.86 on.
pub trait AsWire {
    /// Returns the same value.
    fn as_wire(&mut self) -> &mut dyn Wire;
}

impl<T: Wire> AsWire for T {
    fn as_wire(&mut self) -> &mut dyn Wire {
        self
    }
}

/// A type that is read from whatever a server sent.
pub trait Wire: AsWire {
    /// Reads a value into a place that holds the default. A mismatch leaves the default.
    ///
    /// # Errors
    ///
    /// The source is not valid in its format.
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput>;

    /// The value as it is written.
    fn output(&self) -> Output<'_>;

    /// The value of a field that is missing or null. Not [`Default`], which is a promise to users.
    fn default_value() -> Self
    where
        Self: Sized;

    /// True for values that are left out where a field may be missing.
    fn is_default_value(&self) -> bool {
        false
    }

    /// True for values that an `Option` reads as `None`, such as a `finish_reason` of `""`.
    fn reads_as_none(&self) -> bool {
        false
    }

    /// JSON that sets every field of this type; null for types without a sample.
    #[cfg(test)]
    fn sample() -> Value
    where
        Self: Sized,
    {
        Value::Null
    }
}

/// Reads JSON text into a place that holds the default, and once more after the repair where it is refused.
pub(crate) fn read_text(text: &str, place: &mut dyn Wire) -> serde_json::Result<ReadOutcome> {
    // The second read is over the first: the same members again, and more of them.
    with_repair(text, |text| from_str(text, place))
}

/// Returns JSON of any kind, after the repair where it is refused.
pub(crate) fn parse(text: &str) -> serde_json::Result<Value> {
    with_repair(text, |text| serde_json::from_str(text))
}

/// Returns a value as it stands in a query.
pub(crate) fn query_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Reads a value; `None` when it does not fit.
pub(crate) fn from_value<T: Wire>(value: &Value) -> Option<T> {
    let mut place = T::default_value();
    matches!(input::read(&mut place, value), Ok(ReadOutcome::Matched)).then_some(place)
}

/// Reads a value that is at hand: it holds nothing that cannot be read.
pub(crate) fn read_value(value: Value, place: &mut dyn Wire) -> ReadOutcome {
    input::read(place, value).unwrap_or(ReadOutcome::Matched)
}

/// Reads the fields of an object.
pub(crate) fn from_members<T: Object>(members: Map<String, Value>) -> T {
    let mut object = T::default_value();
    read_value(Value::Object(members), &mut object);
    object
}

/// Joins texts; a single one is not copied.
pub(crate) fn join<'a>(mut texts: impl Iterator<Item = &'a str>) -> Cow<'a, str> {
    match (texts.next(), texts.next()) {
        (None, _) => Cow::Borrowed(""),
        (Some(only), None) => Cow::Borrowed(only),
        (Some(first), Some(second)) => {
            Cow::Owned([first, second].into_iter().chain(texts).collect::<Vec<_>>().concat())
        }
    }
}

/// Reads a string that some servers send as JSON of another type, such as tool-call arguments as an object.
pub(crate) fn string_or_json(place: &mut String, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
    *place = match input {
        Input::String(text) => text.to_owned(),
        other => match other.value()? {
            Value::Null => String::new(),
            other => other.to_string(),
        },
    };
    Ok(ReadOutcome::Matched)
}
