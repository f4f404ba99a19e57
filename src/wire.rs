//! Tolerant decoding: how a reply is read that nobody promised to keep to the contract.
//!
//! [`Wire`] is the reading half of every wire type. It answers with [`Read::Value`] when the JSON fits,
//! in any of the shapes servers use for it, and with [`Read::Odd`] when it does not; then the struct that
//! holds the field keeps the odd value in its [`Extra`] and goes on. So no field can fail a reply, and
//! nothing is lost. The `wire!` macro writes these implementations; see `macros/object.rs`.
//!
//! What is read and written back is the same JSON, but for these:
//! * null is the same as a missing member, and so is empty text, an empty list and an empty object where a field may
//!   be left out; numbers and booleans are always written.
//! * A number or boolean in the place of text becomes text; numeric text in the place of a number becomes a number,
//!   and a float in the place of an integer its whole part; 0, 1, `"true"` and `"false"` become booleans.
//!
//! `proof.rs` holds every wire type to this.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::transport::Answer;

mod extra;
pub(crate) mod halves;
pub(crate) mod json;
#[cfg(test)]
pub(crate) mod proof;
mod shared_string;
mod std_types;

pub use extra::Extra;
pub use shared_string::SharedString;
pub(crate) use std_types::{in_part, keep};

/// What came of reading a value as a `T`.
#[derive(Debug)]
pub enum Read<T> {
    /// It fits.
    Value(T),
    /// It is JSON of another shape; kept for the struct around it.
    Odd(Value),
    /// A list some of whose entries do not fit: those that do, and the whole list for the struct around it.
    Part(T, Value),
}

impl<T> Read<T> {
    #[inline]
    pub(crate) fn map<U>(self, convert: impl FnOnce(T) -> U) -> Read<U> {
        match self {
            Read::Value(value) => Read::Value(convert(value)),
            Read::Odd(value) => Read::Odd(value),
            Read::Part(value, whole) => Read::Part(convert(value), whole),
        }
    }

    /// Puts what fits into the field; gives back what the struct keeps beside it.
    #[inline]
    pub(crate) fn put(self, field: &mut T) -> Option<Value> {
        self.map(|value| *field = value).beside()
    }
}

impl Read<()> {
    /// What the struct keeps beside the field.
    #[inline]
    pub(crate) fn beside(self) -> Option<Value> {
        match self {
            Read::Value(()) => None,
            Read::Odd(odd) | Read::Part((), odd) => Some(odd),
        }
    }
}

/// A type that reads itself from whatever a server wrote.
///
/// Implementations fail only where the input is no JSON at all.
pub trait Wire: Sized {
    /// Reads one value.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error>;

    /// Reads one value into a place that holds the blank: large structs are not moved then.
    #[inline]
    fn read_into<'de, D: Deserializer<'de>>(place: &mut Self, deserializer: D) -> Result<Read<()>, D::Error> {
        Ok(Self::read(deserializer)?.map(|value| *place = value))
    }

    /// The value of a member that is missing or null.
    fn blank() -> Self;

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
    fn sample() -> Value {
        Value::Null
    }
}

/// A type that is a whole reply.
pub trait Reply: Wire {
    /// The member that makes the reply what it is.
    const ROOT: &'static str;

    /// True when the root member is missing, null or empty: then the reply may be an error in disguise.
    fn is_hollow(&self) -> bool;

    /// Members without a field of their own.
    fn extra(&self) -> &Extra;

    /// Reads the reply of an answer. No default: a function of one type alone is compiled once, in this crate; one that
    /// is made for the type would be compiled again, with all that reads the type, in every program.
    fn decode(answer: &mut Answer) -> crate::Result<Self>;
}

/// The members of a JSON object, written into an object that may have more of them.
pub(crate) trait Fields {
    /// Writes all members but those in `without`.
    fn write<M: SerializeMap>(&self, map: &mut M, without: Added<'_>) -> Result<(), M::Error>;

    /// Drops from `extra` what stands in the way of a field that has a value.
    fn uncover(&mut self) {}
}

/// Reads a [`Wire`] type inside a sequence or a map.
pub(crate) struct Seed<T>(PhantomData<T>);

impl<T> Seed<T> {
    pub(crate) const fn new() -> Self {
        Seed(PhantomData)
    }
}

impl<'de, T: Wire> DeserializeSeed<'de> for Seed<T> {
    type Value = Read<T>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read<T>, D::Error> {
        T::read(deserializer)
    }
}

/// Reads a [`Wire`] type into its field.
pub(crate) struct Field<'a, T>(pub(crate) &'a mut T);

impl<'de, T: Wire> DeserializeSeed<'de> for Field<'_, T> {
    type Value = Read<()>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read<()>, D::Error> {
        T::read_into(self.0, deserializer)
    }
}

/// Reads a [`Wire`] type into a new entry of a list.
struct Push<'a, T>(&'a mut Vec<T>);

impl<'de, T: Wire> DeserializeSeed<'de> for Push<'_, T> {
    type Value = Read<()>;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read<()>, D::Error> {
        self.0.push(T::blank());
        match self.0.last_mut() {
            Some(place) => T::read_into(place, deserializer),
            None => Ok(Read::Value(())),
        }
    }
}

/// Reads a value by a function, for a field with a reading of its own.
pub(crate) struct SeedWith<F>(pub(crate) F);

impl<'de, F, T> DeserializeSeed<'de> for SeedWith<F>
where
    F: FnOnce(Value) -> Read<T>,
{
    type Value = Read<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read<T>, D::Error> {
        Ok((self.0)(Value::deserialize(deserializer)?))
    }
}

/// Reads a value, then gives it to a function: for a list that has an order to be kept.
pub(crate) struct SeedThen<T>(pub(crate) fn(T) -> T);

impl<'de, T: Wire> DeserializeSeed<'de> for SeedThen<T> {
    type Value = Read<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read<T>, D::Error> {
        Ok(T::read(deserializer)?.map(self.0))
    }
}

/// A member's name, borrowed from the input where it can be.
pub(crate) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    #[inline(always)]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(v.to_owned()))
    }
}

pub(crate) fn odd_seq<'de, T, A: SeqAccess<'de>>(seq: A) -> Result<Read<T>, A::Error> {
    Value::deserialize(SeqAccessDeserializer::new(seq)).map(Read::Odd)
}

pub(crate) fn odd_map<'de, T, A: MapAccess<'de>>(map: A) -> Result<Read<T>, A::Error> {
    Value::deserialize(MapAccessDeserializer::new(map)).map(Read::Odd)
}

/// The visitor of `open_enum!`: text, or what can be read as text.
pub(crate) struct Text<T>(pub(crate) fn(&str) -> T);

impl<'de, T: Wire> Visitor<'de> for Text<T> {
    type Value = Read<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Read::Value((self.0)(v)))
    }

    odd_scalars!(u64 i64 f64 bool);

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Read::Value(T::blank()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        odd_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        odd_map(map)
    }
}

/// Reads a type by its own `Deserialize`; what that refuses is odd.
pub(crate) fn read_by_deserialize<'de, T, D>(deserializer: D) -> Result<Read<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    let value = Value::deserialize(deserializer)?;
    Ok(match T::deserialize(&value) {
        Ok(read) => Read::Value(read),
        Err(_) => Read::Odd(value),
    })
}

/// Reads a struct out of members that are at hand.
pub(crate) fn read_members<T: Wire>(members: serde_json::Map<String, Value>) -> T {
    // A struct takes any object, so that nothing else can come of it.
    match T::read(Value::Object(members)) {
        Ok(Read::Value(value)) => value,
        _ => T::blank(),
    }
}

/// `Deserialize` of a wire type: what is odd at the root is an error.
pub(crate) fn deserialize<'de, T: Wire, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    match T::read(deserializer)? {
        Read::Value(value) | Read::Part(value, _) => Ok(value),
        Read::Odd(_) => Err(serde::de::Error::custom("the JSON is of another shape than this type")),
    }
}

/// Text that some servers write as a JSON value of another type, such as tool-call arguments as an object.
pub(crate) fn text_of_any(value: Value) -> Read<String> {
    Read::Value(match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// A value as a pair of a query writes it.
pub(crate) fn query_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A request's members and those that the method adds, such as `stream`.
///
/// What the user put into `extra` wins over a typed field; the method wins over both. An added null is left out.
pub(crate) struct With<'a, R> {
    pub(crate) request: &'a R,
    pub(crate) added: Added<'a>,
}

/// Members that the method decides.
pub(crate) type Added<'a> = &'a [(&'static str, Value)];

/// The member `stream`: left out where the reply comes whole.
pub(crate) fn stream_member(stream: bool) -> (&'static str, Value) {
    ("stream", if stream { Value::Bool(true) } else { Value::Null })
}

pub(crate) fn is_added(added: Added<'_>, name: &str) -> bool {
    added.iter().any(|(key, _)| *key == name)
}

impl<R: Fields> Fields for With<'_, R> {
    fn write<M: SerializeMap>(&self, map: &mut M, without: Added<'_>) -> Result<(), M::Error> {
        let both: Vec<_>;
        let left_out = match without {
            [] => self.added,
            _ => {
                both = self.added.iter().chain(without).cloned().collect();
                &both
            }
        };
        self.request.write(map, left_out)?;
        for (key, value) in self.added.iter().filter(|(key, value)| !value.is_null() && !is_added(without, key)) {
            map.serialize_entry(key, value)?;
        }
        Ok(())
    }
}

impl<R: Fields> Serialize for With<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write(&mut map, &[])?;
        map.end()
    }
}
