//! Tolerant decoding: how a reply is read that nobody promised to keep to the contract.
//!
//! [`Wire`] is the reading half of every wire type. It answers with [`Read::Value`] when the JSON fits,
//! in any of the shapes servers use for it, and with [`Read::Odd`] when it does not; then the struct that
//! holds the field keeps the odd value in its [`Extra`] and goes on. So no field can fail a reply, and
//! nothing is lost. The `wire!` macro writes these implementations; see `macros.rs`.
//!
//! What is read and written back is the same JSON, but for these:
//! * null is the same as a missing member, and so is empty text, an empty list and an empty object where a field may
//!   be left out; numbers and booleans are always written.
//! * A number or boolean in the place of text becomes text; numeric text in the place of a number becomes a number,
//!   and a float in the place of an integer its whole part; 0, 1, `"true"` and `"false"` become booleans.
//!
//! `proof.rs` holds every wire type to this.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod extra;
pub(crate) mod halves;
pub(crate) mod json;
#[cfg(test)]
pub(crate) mod proof;
mod shared_string;

pub use extra::Extra;
pub use shared_string::SharedString;

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
    pub(crate) fn map<U>(self, convert: impl FnOnce(T) -> U) -> Read<U> {
        match self {
            Read::Value(value) => Read::Value(convert(value)),
            Read::Odd(value) => Read::Odd(value),
            Read::Part(value, whole) => Read::Part(convert(value), whole),
        }
    }

    /// Puts what fits into the field; gives back what the struct keeps beside it.
    pub(crate) fn put(self, field: &mut T) -> Option<Value> {
        self.map(|value| *field = value).beside()
    }
}

impl Read<()> {
    /// What the struct keeps beside the field.
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

    #[inline]
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

impl Wire for String {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        visit_json! { String:
            visit_str(v: &str) => Read::Value(v.to_owned());
            visit_string(v: String) => Read::Value(v);
            // Identifiers and codes come as numbers from some servers.
            visit_u64(v: u64) => Read::Value(v.to_string());
            visit_i64(v: i64) => Read::Value(v.to_string());
            visit_f64(v: f64) => Read::Value(Value::from(v).to_string());
            visit_bool(v: bool) => Read::Value(v.to_string());
        }
        deserializer.deserialize_any(Json)
    }

    fn blank() -> Self {
        String::new()
    }

    fn is_blank(&self) -> bool {
        self.is_empty()
    }

    #[cfg(test)]
    fn sample() -> Value {
        Value::from("text")
    }
}

/// Counters and timestamps: integers, floats (their whole part) and numeric strings.
macro_rules! wire_integer {
    ($($name:ident)*) => {$(
        impl Wire for $name {
            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
                fn from_float(v: f64) -> Read<$name> {
                    // The cast saturates, so that what is out of range does not come back the same.
                    let number = v.trunc() as $name;
                    if number as f64 == v.trunc() { Read::Value(number) } else { Read::Odd(Value::from(v)) }
                }
                visit_json! { $name:
                    visit_u64(v: u64) => $name::try_from(v).map_or_else(|_| Read::Odd(Value::from(v)), Read::Value);
                    visit_i64(v: i64) => $name::try_from(v).map_or_else(|_| Read::Odd(Value::from(v)), Read::Value);
                    visit_f64(v: f64) => from_float(v);
                    visit_bool(v: bool) => Read::Odd(Value::from(v));
                    visit_str(v: &str) => match v.trim().parse::<$name>() {
                        Ok(number) => Read::Value(number),
                        Err(_) => match v.trim().parse::<f64>() {
                            Ok(number) => match from_float(number) {
                                Read::Odd(_) => Read::Odd(Value::from(v)),
                                read => read,
                            },
                            Err(_) => Read::Odd(Value::from(v)),
                        },
                    };
                }
                deserializer.deserialize_any(Json)
            }

            fn blank() -> Self {
                0
            }

            #[cfg(test)]
            fn sample() -> Value {
                Value::from(7)
            }
        }
    )*};
}
wire_integer!(u8 u16 u32 u64 i32 i64);

impl Wire for f64 {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        visit_json! { f64:
            visit_f64(v: f64) => Read::Value(v);
            visit_u64(v: u64) => Read::Value(v as f64);
            visit_i64(v: i64) => Read::Value(v as f64);
            visit_bool(v: bool) => Read::Odd(Value::from(v));
            visit_str(v: &str) => match v.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Read::Value(number),
                _ => Read::Odd(Value::from(v)),
            };
        }
        deserializer.deserialize_any(Json)
    }

    fn blank() -> Self {
        0.0
    }

    #[cfg(test)]
    fn sample() -> Value {
        Value::from(0.5)
    }
}

impl Wire for bool {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        visit_json! { bool:
            visit_bool(v: bool) => Read::Value(v);
            visit_u64(v: u64) => match v { 0 => Read::Value(false), 1 => Read::Value(true), _ => Read::Odd(Value::from(v)) };
            visit_i64(v: i64) => Read::Odd(Value::from(v));
            visit_f64(v: f64) => Read::Odd(Value::from(v));
            visit_str(v: &str) => match v { "true" => Read::Value(true), "false" => Read::Value(false), _ => Read::Odd(Value::from(v)) };
        }
        deserializer.deserialize_any(Json)
    }

    fn blank() -> Self {
        false
    }

    #[cfg(test)]
    fn sample() -> Value {
        Value::from(true)
    }
}

impl Wire for Value {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        Value::deserialize(deserializer).map(Read::Value)
    }

    fn blank() -> Self {
        Value::Null
    }

    fn is_blank(&self) -> bool {
        self.is_null()
    }

    #[cfg(test)]
    fn sample() -> Value {
        serde_json::json!({ "any": [1, null] })
    }
}

impl<T: Wire> Wire for Option<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        struct Maybe<T>(PhantomData<T>);
        impl<'de, T: Wire> Visitor<'de> for Maybe<T> {
            type Value = Read<Option<T>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or null")
            }

            fn visit_none<E>(self) -> Result<Self::Value, E> {
                Ok(Read::Value(None))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Read::Value(None))
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                Ok(T::read(deserializer)?.map(|value| if value.is_nothing() { None } else { Some(value) }))
            }
        }
        deserializer.deserialize_option(Maybe(PhantomData))
    }

    fn blank() -> Self {
        None
    }

    fn is_blank(&self) -> bool {
        self.is_none()
    }

    #[cfg(test)]
    fn sample() -> Value {
        T::sample()
    }
}

impl<T: Wire> Wire for Box<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        Ok(T::read(deserializer)?.map(Box::new))
    }

    fn blank() -> Self {
        Box::new(T::blank())
    }

    fn is_blank(&self) -> bool {
        T::is_blank(self)
    }

    #[cfg(test)]
    fn sample() -> Value {
        T::sample()
    }
}

impl<T: Fields> Fields for Box<T> {
    fn write<M: SerializeMap>(&self, map: &mut M, without: Added<'_>) -> Result<(), M::Error> {
        T::write(self, map, without)
    }

    fn uncover(&mut self) {
        T::uncover(self);
    }
}

impl<T: Wire + Serialize> Wire for Vec<T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        struct Items<T>(PhantomData<T>);
        impl<'de, T: Wire + Serialize> Visitor<'de> for Items<T> {
            type Value = Read<Vec<T>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Read::Value(Vec::new()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                let mut whole = None;
                while let Some(read) = seq.next_element_seed(Push(&mut items))? {
                    if whole.is_none() && matches!(read, Read::Value(())) {
                        continue;
                    }
                    if let Some(item) = items.pop() {
                        keep(&mut items, &mut whole, read.map(|()| item))?;
                    }
                }
                Ok(in_part(items, whole))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                odd_map(map)
            }

            fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Read::Odd(Value::from(v)))
            }

            fn visit_bool<E>(self, v: bool) -> Result<Self::Value, E> {
                Ok(Read::Odd(Value::from(v)))
            }

            fn visit_u64<E>(self, v: u64) -> Result<Self::Value, E> {
                Ok(Read::Odd(Value::from(v)))
            }

            fn visit_i64<E>(self, v: i64) -> Result<Self::Value, E> {
                Ok(Read::Odd(Value::from(v)))
            }

            fn visit_f64<E>(self, v: f64) -> Result<Self::Value, E> {
                Ok(Read::Odd(Value::from(v)))
            }
        }
        deserializer.deserialize_any(Items(PhantomData))
    }

    fn blank() -> Self {
        Vec::new()
    }

    fn is_blank(&self) -> bool {
        self.is_empty()
    }

    #[cfg(test)]
    fn sample() -> Value {
        match T::sample() {
            Value::Null => Value::Null,
            item => Value::Array(vec![item]),
        }
    }
}

/// Takes an entry of a list: into the items, and into the whole list once there is one entry that does not fit.
pub(crate) fn keep<T, E>(items: &mut Vec<T>, whole: &mut Option<Vec<Value>>, item: Read<T>) -> Result<(), E>
where
    T: Serialize,
    E: serde::de::Error,
{
    if whole.is_none() {
        if let Read::Value(item) = item {
            items.push(item);
            return Ok(());
        }
        let before = items.iter().map(serde_json::to_value).collect::<Result<_, _>>();
        *whole = Some(before.map_err(E::custom)?);
    }
    let original = match item {
        Read::Odd(odd) => odd,
        Read::Value(item) => {
            let original = serde_json::to_value(&item).map_err(E::custom)?;
            items.push(item);
            original
        }
        Read::Part(item, original) => {
            items.push(item);
            original
        }
    };
    whole.get_or_insert_default().push(original);
    Ok(())
}

pub(crate) fn in_part<T>(items: Vec<T>, whole: Option<Vec<Value>>) -> Read<Vec<T>> {
    match whole {
        None => Read::Value(items),
        Some(whole) => Read::Part(items, Value::Array(whole)),
    }
}

impl<T: Wire> Wire for BTreeMap<String, T> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        // Rare and small (metadata, scores): one buffered value keeps the code short.
        let value = Value::deserialize(deserializer)?;
        let Value::Object(members) = value else {
            return Ok(if value.is_null() { Read::Value(BTreeMap::new()) } else { Read::Odd(value) });
        };
        let mut read = BTreeMap::new();
        for (key, value) in &members {
            match T::read(value.clone()) {
                Ok(Read::Value(value)) => read.insert(key.clone(), value),
                _ => return Ok(Read::Odd(Value::Object(members))),
            };
        }
        Ok(Read::Value(read))
    }

    fn blank() -> Self {
        BTreeMap::new()
    }

    fn is_blank(&self) -> bool {
        self.is_empty()
    }

    #[cfg(test)]
    fn sample() -> Value {
        proof::object(|| vec![("name", T::sample())])
    }
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

    fn visit_u64<E>(self, v: u64) -> Result<Self::Value, E> {
        Ok(Read::Odd(Value::from(v)))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Self::Value, E> {
        Ok(Read::Odd(Value::from(v)))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Self::Value, E> {
        Ok(Read::Odd(Value::from(v)))
    }

    fn visit_bool<E>(self, v: bool) -> Result<Self::Value, E> {
        Ok(Read::Odd(Value::from(v)))
    }

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
