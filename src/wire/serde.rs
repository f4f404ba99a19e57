//! Wire types for serde: whatever a program keeps them in.

use std::cell::RefCell;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use super::json::Token;
use super::{Json, Read, Wire, writer};
use crate::transport::decode::read;

/// `Deserialize` of a wire type: what is odd at the root is an error.
pub(crate) fn deserialize<'de, T: Wire, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let text = Value::deserialize(deserializer)?.to_string();
    let mut place = T::blank();
    match read(&text, &mut place) {
        Ok(Read::Fits | Read::Part(_)) => Ok(place),
        Ok(Read::Odd(_)) => Err(D::Error::custom("the JSON is of another shape than this type")),
        Err(error) => Err(D::Error::custom(error)),
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
