//! Wire types for serde: whatever a program keeps them in.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::json::Token;
use super::{Json, Read, Wire, Writer, writer};
use crate::transport::decode::read;

/// `Deserialize` of a wire type: what is odd at the root is an error.
pub(crate) fn deserialize<'de, T: Wire, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let mut writer = Writer::append(Vec::with_capacity(512));
    Transcode(&mut writer).deserialize(deserializer)?;
    let text = String::from_utf8(writer.finish().map_err(D::Error::custom)?).map_err(D::Error::custom)?;
    let mut place = T::blank();
    match read(&text, &mut place) {
        Ok(Read::Fits | Read::Part(_)) => Ok(place),
        Ok(Read::Odd(_)) => Err(D::Error::custom("the JSON is of another shape than this type")),
        Err(error) => Err(D::Error::custom(error)),
    }
}

/// Writes serde's data as JSON text.
struct Transcode<'a>(&'a mut Writer);

impl<'de> DeserializeSeed<'de> for Transcode<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Transcode<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.null();
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        self.0.null();
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.0.json(&flag);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.0.json(&number);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.0.json(&number);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.0.json(&number);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.open(b'[');
        while list.next_element_seed(Transcode(self.0))?.is_some() {}
        self.0.close(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut is_first = true;
        while let Some(is_number) = map.next_key_seed(Name { writer: self.0, is_first })? {
            if is_number {
                let digits: String = map.next_value()?;
                let number: serde_json::Number = digits.parse().map_err(A::Error::custom)?;
                self.0.json(&number);
                return Ok(());
            }
            map.next_value_seed(Transcode(self.0))?;
            is_first = false;
        }
        if is_first {
            self.0.open(b'{');
        }
        self.0.close(b'}');
        Ok(())
    }
}

/// Writes the name of a member, and in front of the first one the bracket. True for what is no object but a number, as
/// serde_json gives it where any crate of the program has switched its feature `arbitrary_precision` on.
struct Name<'a> {
    writer: &'a mut Writer,
    is_first: bool,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        if self.is_first && name == "$serde_json::private::Number" {
            return Ok(true);
        }
        if self.is_first {
            self.writer.open(b'{');
        }
        self.writer.name(name);
        Ok(false)
    }
}

/// `Serialize` of a wire type.
pub(crate) fn serialize<S: Serializer>(value: &dyn Wire, serializer: S) -> Result<S::Ok, S::Error> {
    let bytes = writer::written(&|writer| value.write(writer)).map_err(S::Error::custom)?;
    let text = String::from_utf8(bytes).map_err(S::Error::custom)?;
    Text(RefCell::new(&mut Json::new(&text))).serialize(serializer)
}

/// JSON text, its members in their order, as serde's data.
struct Text<'a, 'de>(RefCell<&'a mut Json<'de>>);

impl Serialize for Text<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = &mut **self.0.borrow_mut();
        match json.token().map_err(S::Error::custom)? {
            Token::Null => serializer.serialize_unit(),
            Token::Bool(flag) => serializer.serialize_bool(flag),
            Token::Unsigned(number) => serializer.serialize_u64(number),
            Token::Signed(number) => serializer.serialize_i64(number),
            Token::Float(number) => serializer.serialize_f64(number),
            Token::Text(text) => serializer.serialize_str(&text),
            Token::List => {
                let mut list = serializer.serialize_seq(None)?;
                let mut failure = None;
                let read = json.items(|json| match list.serialize_element(&Text(RefCell::new(json))) {
                    Ok(()) => Ok(()),
                    Err(error) => Err(failed(&mut failure, error)),
                });
                failure.map_or(read.map_err(S::Error::custom), Err)?;
                list.end()
            }
            Token::Object => {
                let mut map = serializer.serialize_map(None)?;
                let mut failure = None;
                let read = json.members(|json, name| match map.serialize_entry(&*name, &Text(RefCell::new(json))) {
                    Ok(()) => Ok(()),
                    Err(error) => Err(failed(&mut failure, error)),
                });
                failure.map_or(read.map_err(S::Error::custom), Err)?;
                map.end()
            }
        }
    }
}

/// Keeps the serializer's error, and stops the reader.
fn failed<E>(failure: &mut Option<E>, error: E) -> super::NotJson {
    *failure = Some(error);
    super::NotJson
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn copied(text: &str) -> serde_json::Result<String> {
        let mut writer = Writer::append(Vec::new());
        Transcode(&mut writer).deserialize(&mut serde_json::Deserializer::from_str(text))?;
        Ok(String::from_utf8(writer.finish()?).unwrap())
    }

    #[test]
    fn what_serde_gives_is_the_text_it_was_read_from() {
        let text = r#"{"b":[1,-2,0.5,null,true,"x\n",[],{}],"a":{"c":[[{}],"y"]}}"#;
        assert_eq!(copied(text).unwrap(), text);
        let value: Value = serde_json::from_str(text).unwrap();
        let by_value: crate::Extra = serde::Deserialize::deserialize(&value).unwrap();
        assert_eq!(serde_json::to_value(&by_value).unwrap(), value);
        assert!(copied(r#"{"a":}"#).is_err());
    }

    #[test]
    fn members_are_written_in_their_order() {
        let page: crate::Page<crate::models::Model> =
            serde_json::from_value(json!({ "data": [{ "id": "m" }], "object": "list", "a": 1 })).unwrap();
        assert_eq!(serde_json::to_string(&page).unwrap(), r#"{"object":"list","data":[{"id":"m"}],"a":1}"#);
    }

    #[test]
    fn numbers_of_any_precision_are_numbers() {
        let wrapped = |digits: &str| format!(r#"{{"n":{{"$serde_json::private::Number":"{digits}"}}}}"#);
        assert_eq!(copied(&wrapped("12345678901234567")).unwrap(), r#"{"n":12345678901234567}"#);
        assert!(copied(&wrapped("1}")).is_err());
    }
}
