//! The arrays and objects of a format, behind `dyn`.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{
    ArrayInput, FieldSink, Input, InvalidInput, MemberSink, Next, ObjectInput, Result, Take, read, unreadable,
};
use crate::wire::{Extra, FieldSpec, Object, ReadOutcome, Union};

/// An array or object of a format, and why reading it failed. The error cannot pass through the `dyn` types above.
pub(super) struct Source<A, E> {
    pub(super) access: A,
    pub(super) error: Option<E>,
}

impl<A, E: Error> Source<A, E> {
    pub(super) fn into_error(self) -> E {
        self.error.unwrap_or_else(unreadable)
    }

    #[inline]
    fn check<T>(&mut self, result: std::result::Result<T, E>) -> Result<T> {
        result.map_err(|error| {
            self.error = Some(error);
            InvalidInput
        })
    }
}

impl<'de, A: SeqAccess<'de>> ArrayInput for Source<A, A::Error> {
    fn for_each(&mut self, take: Take<'_>) -> Result<()> {
        loop {
            let element = self.access.next_element_seed(Next::<Take<'_>>(take));
            if self.check(element)?.is_none() {
                return Ok(());
            }
        }
    }

    fn numbers(&mut self, numbers: &mut Vec<f64>) -> Result<Vec<Value>> {
        let mut rest = Vec::new();
        loop {
            let element = self.access.next_element::<NumberOrValue>();
            match self.check(element)? {
                Some(NumberOrValue::Number(number)) if rest.is_empty() => numbers.push(number),
                Some(NumberOrValue::Number(number)) => rest.push(number.into()),
                Some(NumberOrValue::Value(value)) => rest.push(value),
                None => return Ok(rest),
            }
        }
    }

    fn value(&mut self) -> Result<Value> {
        let value = Value::deserialize(SeqAccessDeserializer::new(&mut self.access));
        self.check(value)
    }
}

impl<'de, A: MapAccess<'de>> Source<A, A::Error> {
    /// Reads the name of the next member; an unknown name is put into `unknown`.
    #[inline]
    fn next_key(&mut self, fields: &'static [FieldSpec], next: usize, unknown: &mut String) -> Result<Option<Key>> {
        let key = self.access.next_key_seed(FindField { fields, next, unknown });
        self.check(key)
    }

    #[inline]
    fn next_value(&mut self, take: Take<'_>) -> Result<()> {
        let value = self.access.next_value_seed(Next::<Take<'_>>(take));
        self.check(value)
    }

    /// Reads the value of an unknown member, as text where that is possible.
    fn next_unknown(&mut self, name: &str, extra: &mut Extra) -> Result<()> {
        let mut take = |input: Input<'_>| {
            match input {
                // Skipped texts may have lone surrogates: those must be refused here, where they are repaired.
                Input::Text(json) if !json.contains("\\u") || serde_json::from_str::<Value>(json).is_ok() => {
                    extra.push_text(name, json);
                }
                Input::Text(_) => return Err(InvalidInput),
                other => extra.push(name, &other.value()?),
            }
            Ok(())
        };
        let value = self.access.next_value_seed(Next::<Take<'_>, true>(&mut take));
        self.check(value)
    }

    #[cold]
    fn number(&mut self) -> Result<ReadOutcome> {
        let text = self.access.next_value::<String>();
        let text = self.check(text)?;
        text.parse().map(|number| ReadOutcome::mismatched(Value::Number(number))).map_err(|_| InvalidInput)
    }
}

/// The name under which serde_json hands out numbers as objects, where any crate of the program enables its feature
/// `arbitrary_precision`.
const NUMBER: &str = "$serde_json::private::Number";

impl<'de, A: MapAccess<'de>> ObjectInput for Source<A, A::Error> {
    fn for_each(&mut self, sink: &mut dyn MemberSink) -> Result<ReadOutcome> {
        let mut name = String::new();
        while self.next_key(&[], 0, &mut name)?.is_some() {
            if name == NUMBER {
                return self.number();
            }
            sink.name(&name);
            self.next_value(&mut |input| sink.value(input))?;
        }
        Ok(ReadOutcome::Matched)
    }

    fn read(&mut self, object: &mut dyn Object) -> Result<ReadOutcome> {
        let fields = object.fields();
        let (mut next, mut name) = (0, String::new());
        while let Some(key) = self.next_key(fields, next, &mut name)? {
            let Key::Field(index) = key else {
                if name == NUMBER {
                    return self.number();
                }
                self.next_unknown(&name, object.extra_mut())?;
                continue;
            };
            next = index + 1;
            let mut outcome = ReadOutcome::Matched;
            let field = FieldSink { object: &mut *object, index, outcome: &mut outcome };
            let value = self.access.next_value_seed(Next::<_>(field));
            self.check(value)?;
            if let ReadOutcome::Mismatched(value) | ReadOutcome::Partial(value) = outcome {
                let name = fields.get(index).map_or("", |field| field.name);
                object.extra_mut().push(name, &value);
            }
        }
        Ok(ReadOutcome::Matched)
    }

    fn read_tagged(&mut self, union: &mut dyn Union) -> Result<ReadOutcome> {
        let tag = union.tag();
        let (mut before, mut name) = (Map::new(), String::new());
        while let Some(key) = self.next_key(std::slice::from_ref(tag), 0, &mut name)? {
            let mut value = Value::Null;
            match key {
                Key::Unknown if name == NUMBER => return self.number(),
                Key::Unknown => {
                    self.next_value(&mut |input| {
                        value = input.value()?;
                        Ok(())
                    })?;
                    before.insert(std::mem::take(&mut name), value);
                }
                Key::Field(_) => {
                    let mut is_known = false;
                    self.next_value(&mut |input| {
                        match input {
                            Input::String(kind) if union.select(kind) => is_known = true,
                            other => value = other.value()?,
                        }
                        Ok(())
                    })?;
                    match union.object_mut() {
                        Some(object) if is_known => {
                            if !before.is_empty() {
                                drop(read(object.as_wire(), Value::Object(before)));
                            }
                            return self.read(object);
                        }
                        _ => drop(before.insert(tag.name.to_owned(), value)),
                    }
                }
            }
        }
        let has_tag = before.contains_key(tag.name);
        let inferred = if has_tag { None } else { union.infer(&before) };
        if inferred.is_some_and(|kind| union.select(kind)) {
            if let Some(object) = union.object_mut() {
                return read(object.as_wire(), Value::Object(before)).map_err(|_| InvalidInput);
            }
        }
        union.set_other(before.into());
        Ok(ReadOutcome::Matched)
    }

    fn value(&mut self) -> Result<Value> {
        let value = Value::deserialize(MapAccessDeserializer::new(&mut self.access));
        self.check(value)
    }
}

/// Reads the name of a member and looks it up. Servers write fields in a fixed order, so the next table entry is tried
/// first.
pub(super) struct FindField<'a> {
    pub(super) fields: &'static [FieldSpec],
    pub(super) next: usize,
    pub(super) unknown: &'a mut String,
}

/// The name of a member.
pub(super) enum Key {
    /// The position of its field in the table.
    Field(usize),
    Unknown,
}

impl<'de> DeserializeSeed<'de> for FindField<'_> {
    type Value = Key;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for FindField<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    #[inline]
    fn visit_str<E: Error>(self, name: &str) -> std::result::Result<Key, E> {
        if self.fields.get(self.next).is_some_and(|field| field.name == name) {
            return Ok(Key::Field(self.next));
        }
        let known = self.fields.iter().position(|field| field.name == name);
        Ok(known.map_or_else(
            || {
                name.clone_into(self.unknown);
                Key::Unknown
            },
            Key::Field,
        ))
    }
}

/// An element of an array of numbers. Read without `dyn`, because embeddings have a thousand of them each.
enum NumberOrValue {
    Number(f64),
    Value(Value),
}

impl<'de> Deserialize<'de> for NumberOrValue {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = NumberOrValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    /// Encoders write null for numbers that JSON does not have.
    fn visit_unit<E: Error>(self) -> std::result::Result<NumberOrValue, E> {
        Ok(NumberOrValue::Number(f64::NAN))
    }

    fn visit_none<E: Error>(self) -> std::result::Result<NumberOrValue, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<NumberOrValue, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_f64<E: Error>(self, number: f64) -> std::result::Result<NumberOrValue, E> {
        Ok(NumberOrValue::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> std::result::Result<NumberOrValue, E> {
        Ok(NumberOrValue::Number(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> std::result::Result<NumberOrValue, E> {
        Ok(NumberOrValue::Number(number as f64))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> std::result::Result<NumberOrValue, E> {
        Ok(NumberOrValue::Value(flag.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> std::result::Result<NumberOrValue, E> {
        Ok(NumberOrValue::Value(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> std::result::Result<NumberOrValue, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(array)).map(NumberOrValue::Value)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> std::result::Result<NumberOrValue, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(object)).map(NumberOrValue::Value)
    }
}
