//! Members of a JSON object that have no field of their own.

use std::fmt;
use std::mem::ManuallyDrop;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Json, NotJson, Read, Wire, Writer};

/// Members of a JSON object that have no field of their own: what a vendor adds to a reply, and what you add to a
/// request with `.extra(name, value)`. Takes one word when it is empty.
#[derive(Clone, Default, PartialEq)]
pub struct Extra(ManuallyDrop<Option<Box<Map<String, Value>>>>);

impl Drop for Extra {
    #[inline]
    fn drop(&mut self) {
        if let Some(members) = std::mem::take(&mut *self.0) {
            drop_members(members);
        }
    }
}

/// All structs of this crate hold an [`Extra`]. A function of C does not unwind, so that none of them needs code that cleans
/// up when this fails: that was 4 % of the machine code.
#[cold]
extern "C" fn drop_members(members: Box<Map<String, Value>>) {
    drop(members);
}

impl Extra {
    /// No members.
    pub const fn new() -> Self {
        Extra(ManuallyDrop::new(None))
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.as_ref()?.get(name)
    }

    /// The member of this name as a type of yours; `None` when it is missing, null or of another shape.
    pub fn get_as<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        T::deserialize(self.get(name)?).ok()
    }

    /// Sets a member, and returns the one it replaces.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        self.0.get_or_insert_default().insert(name.into(), value.into())
    }

    pub(super) fn put(&mut self, name: String, value: Value) {
        self.0.get_or_insert_default().insert(name, value);
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let members = self.0.as_mut()?;
        let member = members.remove(name);
        if members.is_empty() {
            *self = Extra::new();
        }
        member
    }

    /// True when there is a member of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        match &*self.0 {
            None => false,
            Some(members) => members.contains_key(name),
        }
    }

    /// All members.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().flat_map(|members| members.iter().map(|(name, value)| (name.as_str(), value)))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |members| members.len())
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Extra {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(members: I) -> Self {
        let mut extra = Extra::new();
        extra.extend(members);
        extra
    }
}

impl<N: Into<String>, V: Into<Value>> Extend<(N, V)> for Extra {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, members: I) {
        for (name, value) in members {
            self.insert(name, value);
        }
    }
}

impl From<Map<String, Value>> for Extra {
    fn from(members: Map<String, Value>) -> Self {
        Extra(ManuallyDrop::new(if members.is_empty() { None } else { Some(Box::new(members)) }))
    }
}

impl From<Extra> for Map<String, Value> {
    fn from(mut extra: Extra) -> Self {
        std::mem::take(&mut *extra.0).map_or_else(Map::new, |members| *members)
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Extra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Extra::from)
    }
}

impl Wire for Extra {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        *self = match json.value()? {
            Value::Object(members) => Extra::from(members),
            Value::Null => Extra::new(),
            other => return Ok(Read::Odd(other)),
        };
        Ok(Read::Fits)
    }

    fn write(&self, writer: &mut Writer) {
        writer.json(self);
    }

    fn blank() -> Self {
        Extra::new()
    }

    #[cfg(test)]
    fn sample() -> Value {
        serde_json::json!({ "member": [1, null] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_shown_and_written_as_they_are() {
        let text = r#"{"a":1,"b":[true]}"#;
        let extra: Extra = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&extra).unwrap(), text);
        assert_eq!(format!("{extra:?}"), r#"{"a": Number(1), "b": Array [Bool(true)]}"#);
        assert_eq!((extra.get_as::<u8>("a"), extra.get_as::<u8>("b")), (Some(1), None));
    }
}
