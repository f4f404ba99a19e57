//! [`Json`] as serde's deserializer: values, and the insides of lists and objects.

use std::borrow::Cow;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::{Json, NotJson, Result};

impl<'de> Deserializer<'de> for &mut Json<'de> {
    type Error = NotJson;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek()? {
            b'"' => match self.string()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            b'0'..=b'9' | b'-' => self.number(visitor),
            b'n' => {
                self.word(b"null")?;
                visitor.visit_unit()
            }
            b'{' => {
                let mut inside = Inside::enter(self)?;
                let value = visitor.visit_map(&mut inside);
                if inside.leave(b'}') { value } else { Err(NotJson) }
            }
            b'[' => {
                let mut inside = Inside::enter(self)?;
                let value = visitor.visit_seq(&mut inside);
                if inside.leave(b']') { value } else { Err(NotJson) }
            }
            b't' => {
                self.word(b"true")?;
                visitor.visit_bool(true)
            }
            b'f' => {
                self.word(b"false")?;
                visitor.visit_bool(false)
            }
            _ => Err(NotJson),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek()? {
            b'n' => {
                self.word(b"null")?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let value = Value::deserialize(self)?;
        value.into_deserializer().deserialize_enum(name, variants, visitor).map_err(|_: serde_json::Error| NotJson)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The inside of a list or an object.
struct Inside<'a, 'de> {
    json: &'a mut Json<'de>,
    is_first: bool,
    is_closed: bool,
}

impl<'a, 'de> Inside<'a, 'de> {
    #[inline]
    fn enter(json: &'a mut Json<'de>) -> Result<Self> {
        json.room = json.room.checked_sub(1).ok_or(NotJson)?;
        json.at += 1;
        Ok(Inside { json, is_first: true, is_closed: false })
    }

    /// True when it was read to its closing bracket, which a visitor of a known number of items does not ask for.
    #[inline]
    fn leave(mut self, close: u8) -> bool {
        self.json.room += 1;
        self.is_closed || matches!(self.step(close), Ok(false))
    }

    #[inline]
    fn step(&mut self, close: u8) -> Result<bool> {
        if self.is_closed {
            return Ok(false);
        }
        let goes_on = self.json.step(&mut self.is_first, close)?;
        self.is_closed = !goes_on;
        Ok(goes_on)
    }
}

impl<'de> SeqAccess<'de> for &mut Inside<'_, 'de> {
    type Error = NotJson;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        match self.step(b']')? {
            true => seed.deserialize(&mut *self.json).map(Some),
            false => Ok(None),
        }
    }
}

impl<'de> MapAccess<'de> for &mut Inside<'_, 'de> {
    type Error = NotJson;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        // The bulk of all members: no blanks between them.
        let json = &mut *self.json;
        if let Some([b',', b'"']) = json.text.as_bytes().get(json.at..json.at + 2) {
            if !self.is_first && !self.is_closed {
                json.at += 1;
                return seed.deserialize(Name(json)).map(Some);
            }
        }
        match self.step(b'}')? {
            true if self.json.byte(self.json.at) == Some(b'"') => seed.deserialize(Name(self.json)).map(Some),
            true => Err(NotJson),
            false => Ok(None),
        }
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        match self.json.peek()? {
            b':' => self.json.at += 1,
            _ => return Err(NotJson),
        }
        seed.deserialize(&mut *self.json)
    }
}

/// A member's name: its quote comes next.
struct Name<'a, 'de>(&'a mut Json<'de>);

impl<'de> Deserializer<'de> for Name<'_, 'de> {
    type Error = NotJson;

    #[inline(always)]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0.string()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    #[inline(always)]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
