//! Reading: [`Input`], what a wire type is given, whatever format it comes from: JSON text, a [`Value`], YAML, CBOR.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{FieldSpec, Object, ReadOutcome, Union, Wire, with_repair};

mod source;

use self::source::{FindField, Key, Source};

/// A scalar, or the start of an array or object.
pub enum Input<'a> {
    /// Null, and what formats call none or unit.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer from 0.
    Unsigned(u64),
    /// A negative integer.
    Signed(i64),
    /// Any other number.
    Float(f64),
    /// A string without its escapes.
    String(&'a str),
    /// A value as JSON text. Only [`Next`] with `TEXT` hands it out.
    Text(&'a str),
    /// An array whose elements are unread.
    Array(&'a mut (dyn ArrayInput + 'a)),
    /// An object whose members are unread.
    Object(&'a mut (dyn ObjectInput + 'a)),
}

/// The source is not valid in its format; the deserializer has the reason.
#[derive(Debug)]
pub struct InvalidInput;

pub(super) type Result<T> = std::result::Result<T, InvalidInput>;

/// Takes one value.
pub(super) type Take<'a> = &'a mut dyn FnMut(Input<'_>) -> Result<()>;

/// The elements of an array. Each method reads them to the end.
pub trait ArrayInput {
    /// Hands out each element.
    fn for_each(&mut self, take: Take<'_>) -> Result<()>;

    /// Reads numbers; returns what has no number, from the first such element on.
    fn numbers(&mut self, numbers: &mut Vec<f64>) -> Result<Vec<Value>>;

    /// Returns the whole array.
    fn value(&mut self) -> Result<Value>;
}

/// The members of an object. Each method reads them to the end. An object may turn out to be a number: see [`NUMBER`].
pub trait ObjectInput {
    /// Hands out each member.
    fn for_each(&mut self, sink: &mut dyn MemberSink) -> Result<ReadOutcome>;

    /// Reads members into their fields; unknown members and mismatched values go to `extra`.
    fn read(&mut self, object: &mut dyn Object) -> Result<ReadOutcome>;

    /// Reads members into the variant that the tag selects. Only members that come before the tag take a detour by values.
    fn read_tagged(&mut self, union: &mut dyn Union) -> Result<ReadOutcome>;

    /// Returns the whole object.
    fn value(&mut self) -> Result<Value>;
}

/// Takes the members of an object: each name, then its value.
pub trait MemberSink {
    /// Takes a name.
    fn name(&mut self, name: &str);

    /// Takes the value of that name.
    fn value(&mut self, input: Input<'_>) -> Result<()>;
}

impl Input<'_> {
    /// Reads to the end and returns the value as a mismatch.
    #[cold]
    pub(crate) fn mismatch(self) -> Result<ReadOutcome> {
        self.value().map(ReadOutcome::mismatched)
    }

    /// Reads to the end and returns the value.
    pub(crate) fn value(self) -> Result<Value> {
        Ok(match self {
            Input::Null => Value::Null,
            Input::Bool(flag) => flag.into(),
            Input::Unsigned(number) => number.into(),
            Input::Signed(number) => number.into(),
            Input::Float(number) => number.into(),
            Input::String(text) => text.into(),
            Input::Text(json) => with_repair(json, |json| serde_json::from_str(json)).map_err(|_| InvalidInput)?,
            Input::Array(elements) => elements.value()?,
            Input::Object(members) => members.value()?,
        })
    }
}

impl From<&Number> for Input<'_> {
    fn from(number: &Number) -> Self {
        match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Input::Unsigned(number),
            (None, Some(number)) => Input::Signed(number),
            (None, None) => Input::Float(number.as_f64().unwrap_or(f64::NAN)),
        }
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the content: it may be a prompt.
        f.write_str("Input")
    }
}

/// Reads a value from any deserializer.
pub(super) fn read<'de, D: Deserializer<'de>>(
    place: &mut dyn Wire,
    deserializer: D,
) -> std::result::Result<ReadOutcome, D::Error> {
    let mut outcome = ReadOutcome::Matched;
    let mut take = |input: Input<'_>| {
        outcome = place.read(input)?;
        Ok(())
    };
    Next::<Take<'_>>(&mut take).deserialize(deserializer)?;
    Ok(outcome)
}

/// Reads JSON text that holds one value and nothing else.
pub(crate) fn from_str(text: &str, place: &mut dyn Wire) -> serde_json::Result<ReadOutcome> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let outcome = read(place, &mut deserializer)?;
    deserializer.end()?;
    Ok(outcome)
}

/// Hands the next value of a deserializer to a sink: the one visitor of this crate's types.
///
/// With `TEXT`, the value is wanted as JSON text where the format is JSON text: a value that nobody looks at need not be
/// parsed.
pub(super) struct Next<S, const TEXT: bool = false>(pub(super) S);

/// Takes one value.
pub(super) trait Sink {
    fn take(self, input: Input<'_>) -> Result<()>;
}

impl Sink for Take<'_> {
    #[inline]
    fn take(self, input: Input<'_>) -> Result<()> {
        self(input)
    }
}

/// A field of an object, and what becomes of its value. Most values are read into fields: they do without a closure.
pub(super) struct FieldSink<'a> {
    pub(super) object: &'a mut dyn Object,
    pub(super) index: usize,
    pub(super) outcome: &'a mut ReadOutcome,
}

impl Sink for FieldSink<'_> {
    #[inline]
    fn take(self, input: Input<'_>) -> Result<()> {
        *self.outcome = self.object.read_field(self.index, input)?;
        Ok(())
    }
}

/// The name under which serde_json hands out the text of a value. A format that does not know it hands out the value.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

impl<S: Sink, const TEXT: bool> Next<S, TEXT> {
    #[inline]
    fn scalar<E: Error>(self, input: Input<'_>) -> std::result::Result<(), E> {
        self.0.take(input).map_err(|InvalidInput| unreadable())
    }

    /// Takes an object whose only member may be the text of a value.
    fn object_or_text<'de, A: MapAccess<'de>>(self, mut object: A) -> std::result::Result<(), A::Error> {
        const FIELD: &[FieldSpec] = &[FieldSpec::new(RAW_VALUE)];
        let (mut members, mut name) = (Map::new(), String::new());
        while let Some(key) = object.next_key_seed(FindField { fields: FIELD, next: 0, unknown: &mut name })? {
            if matches!(key, Key::Field(_)) {
                let mut sink = Some(self.0);
                let mut take = |input: Input<'_>| {
                    let input = match input {
                        Input::String(text) => Input::Text(text),
                        other => other,
                    };
                    sink.take().map_or(Err(InvalidInput), |sink| sink.take(input))
                };
                return object.next_value_seed(Next::<Take<'_>>(&mut take));
            }
            members.insert(std::mem::take(&mut name), object.next_value()?);
        }
        Next::<_, false>(self.0).deserialize(Value::Object(members)).map_err(A::Error::custom)
    }
}

/// Only for closures that refuse a value of their own accord; a fault of the source has a reason of its own.
fn unreadable<E: Error>() -> E {
    E::custom("unsupported value")
}

impl<'de, S: Sink, const TEXT: bool> DeserializeSeed<'de> for Next<S, TEXT> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        if TEXT { deserializer.deserialize_newtype_struct(RAW_VALUE, self) } else { deserializer.deserialize_any(self) }
    }
}

impl<'de, S: Sink, const TEXT: bool> Visitor<'de> for Next<S, TEXT> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> std::result::Result<(), E> {
        self.scalar(Input::Null)
    }

    fn visit_none<E: Error>(self) -> std::result::Result<(), E> {
        self.scalar(Input::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        Next::<_, false>(self.0).deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        Next::<_, false>(self.0).deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> std::result::Result<(), E> {
        self.scalar(Input::Bool(flag))
    }

    fn visit_u64<E: Error>(self, number: u64) -> std::result::Result<(), E> {
        self.scalar(Input::Unsigned(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> std::result::Result<(), E> {
        self.scalar(u64::try_from(number).map_or(Input::Signed(number), Input::Unsigned))
    }

    fn visit_f64<E: Error>(self, number: f64) -> std::result::Result<(), E> {
        self.scalar(Input::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> std::result::Result<(), E> {
        self.scalar(Input::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> std::result::Result<(), A::Error> {
        let mut source = Source { access: array, error: None };
        self.0.take(Input::Array(&mut source)).map_err(|InvalidInput| source.into_error())
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> std::result::Result<(), A::Error> {
        if TEXT {
            return self.object_or_text(object);
        }
        let mut source = Source { access: object, error: None };
        self.0.take(Input::Object(&mut source)).map_err(|InvalidInput| source.into_error())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::chat::ChatCompletion;

    #[test]
    fn syntax_errors_keep_the_position_of_the_format() {
        let error = serde_json::from_str::<ChatCompletion>(r#"{"choices":[{"index":}]}"#).unwrap_err();
        assert_eq!((error.line(), error.column()), (1, 22));
    }

    #[test]
    fn any_deserializer_gives_the_same_value() {
        let value = json!({ "id": "c", "choices": [{ "index": 0, "zz": [1.5, -1, null] }] });
        let text: ChatCompletion = serde_json::from_str(&value.to_string()).unwrap();
        assert_eq!(serde_json::from_value::<ChatCompletion>(value).unwrap(), text);
        assert_eq!(serde_json::from_value::<ChatCompletion>(serde_json::to_value(&text).unwrap()).unwrap(), text);
    }
}
