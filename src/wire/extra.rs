//! Fields of a JSON object that a type has no field for.

use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Input, InvalidInput, Output, ReadOutcome, Wire, with_repair};

/// Unknown fields of a JSON object: what a vendor adds to a response, and what you add to a request with
/// `.extra(name, value)`.
///
/// The fields of a response are parsed when they are first looked at. An empty `Extra` takes one word.
#[derive(Clone, Default)]
pub struct Extra(ManuallyDrop<Option<Box<Members>>>);

/// Members as JSON text until they are looked at: most never are.
#[derive(Clone, Default)]
struct Members {
    /// `"name":value,` for each; empty once they have been edited.
    text: String,
    /// The text has a member [`ERROR`].
    has_error: bool,
    parsed: OnceLock<Map<String, Value>>,
}

/// The member that is looked for in every chunk.
const ERROR: &str = "error";

impl Members {
    fn map(&self) -> &Map<String, Value> {
        self.parsed.get_or_init(|| {
            let text = format!("{{{}}}", self.text.trim_end_matches(','));
            // Each value was read as JSON. What is left is nested too deep for a `Value`.
            with_repair(&text, |text| serde_json::from_str(text))
                .unwrap_or_else(|_| Map::from_iter([("extra".to_owned(), text.clone().into())]))
        })
    }

    fn edit<R>(&mut self, edit: impl FnOnce(&mut Map<String, Value>) -> R) -> R {
        self.map();
        let mut map = self.parsed.take().unwrap_or_default();
        let result = edit(&mut map);
        self.text = String::new();
        self.parsed = map.into();
        result
    }

    /// False when there is no such member; tells without parsing.
    fn may_have(&self, name: &str) -> bool {
        if self.parsed.get().is_some() {
            return true;
        }
        if name == ERROR {
            return self.has_error;
        }
        !is_plain(name) || memchr::memmem::find(self.text.as_bytes(), name.as_bytes()).is_some()
    }
}

/// True for names that stand in JSON text as they are.
fn is_plain(name: &str) -> bool {
    !name.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
}

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
extern "C" fn drop_members(members: Box<Members>) {
    drop(members);
}

impl Extra {
    /// Creates an empty set of fields.
    pub const fn new() -> Self {
        Extra(ManuallyDrop::new(None))
    }

    /// Returns the field of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.as_ref().filter(|members| members.may_have(name))?.map().get(name)
    }

    /// Returns the field of this name as a type of yours; `None` if it is missing, null or does not match the type.
    pub fn get_as<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        T::deserialize(self.get(name)?).ok()
    }

    /// Sets a field, and returns the previous value.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        self.0.get_or_insert_default().edit(|members| members.insert(name, value))
    }

    /// Adds a member that was read.
    pub(super) fn push(&mut self, name: &str, value: &Value) {
        self.push_text(name, &value.to_string());
    }

    /// Adds a member that was read as JSON text.
    pub(super) fn push_text(&mut self, name: &str, value: &str) {
        let members = self.0.get_or_insert_default();
        if members.parsed.get().is_some() {
            let value = with_repair(value, |value| serde_json::from_str(value)).unwrap_or_else(|_| value.into());
            return drop(members.edit(|members| members.insert(name.to_owned(), value)));
        }
        members.has_error |= name == ERROR;
        members.text.reserve(name.len() + value.len() + 4);
        if is_plain(name) {
            members.text.extend(["\"", name, "\""]);
        } else {
            // Writing to a `String` cannot fail.
            members.text.push_str(&serde_json::to_string(name).unwrap_or_default());
        }
        members.text.extend([":", value, ","]);
    }

    /// Removes a field, and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let members = self.0.as_mut().filter(|members| members.may_have(name))?;
        let member = members.edit(|members| members.remove(name));
        if members.map().is_empty() {
            *self = Extra::new();
        }
        member
    }

    /// Returns `true` if there is a field of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        match &*self.0 {
            None => false,
            Some(members) => members.may_have(name) && members.map().contains_key(name),
        }
    }

    /// Returns an iterator over the fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().flat_map(|members| members.map().iter().map(|(name, value)| (name.as_str(), value)))
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |members| members.map().len())
    }

    /// Returns `true` if there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|members| members.text.is_empty() && members.map().is_empty())
    }

    /// The length of the JSON text, where it is known.
    pub(super) fn text_len(&self) -> Option<usize> {
        self.0.as_ref().map(|members| members.text.len()).filter(|length| *length > 0)
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        match (&*self.0, &*other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => one.map() == other.map(),
            _ => self.is_empty() && other.is_empty(),
        }
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
        let members = Members { parsed: members.into(), ..Members::default() };
        Extra(ManuallyDrop::new(Some(Box::new(members)).filter(|members| !members.map().is_empty())))
    }
}

impl From<Extra> for Map<String, Value> {
    fn from(mut extra: Extra) -> Self {
        std::mem::take(&mut *extra.0).map_or_else(Map::new, |mut members| members.edit(std::mem::take))
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
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        *self = match input.value()? {
            Value::Object(members) => Extra::from(members),
            Value::Null => Extra::new(),
            other => return Ok(ReadOutcome::mismatched(other)),
        };
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        Output::Extra(self)
    }

    fn default_value() -> Self {
        Extra::new()
    }

    #[cfg(test)]
    fn sample() -> Value {
        serde_json::json!({ "member": [1, null] })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::models::Model;

    fn read(json: &str) -> Extra {
        serde_json::from_str::<Model>(json).unwrap().extra
    }

    #[test]
    fn fields_are_equal_by_name_and_value_in_any_order() {
        assert_eq!(read(r#"{"a":1,"b":[true]}"#), read(r#"{"b":[true],"a":1}"#));
        assert_ne!(read(r#"{"a":1}"#), read(r#"{"a":2}"#));
        assert_ne!(read(r#"{"a":1}"#), read("{}"));
    }

    #[test]
    fn lone_surrogates_of_unknown_fields_are_replaced() {
        let mut model = Model::default_value();
        crate::wire::read_text(r#"{"id":"m","zz":["a\ud83d"]}"#, &mut model).unwrap();
        assert_eq!(serde_json::to_value(&model).unwrap()["zz"], json!(["a\u{FFFD}"]));
    }

    #[test]
    fn error_is_found_beside_other_fields() {
        for text in [r#"{"error":1,"a":2}"#, r#"{"a":2,"error":1}"#] {
            assert_eq!(read(text).get("error"), Some(&json!(1)), "{text}");
        }
    }

    #[test]
    fn members_are_read_shown_and_written_unchanged() {
        let text = r#"{"a":1,"b":[true]}"#;
        for extra in [serde_json::from_str::<Extra>(text).unwrap(), read(text)] {
            assert_eq!(serde_json::to_string(&extra).unwrap(), text);
            assert_eq!(format!("{extra:?}"), r#"{"a": Number(1), "b": Array [Bool(true)]}"#);
            assert_eq!((extra.get_as::<u8>("a"), extra.get_as::<u8>("b")), (Some(1), None));
        }
    }

    #[test]
    fn members_are_edited_before_and_after_they_are_parsed() {
        let text = r#"{"a":1,"b":2,"a":3}"#;
        let mut extra = read(text);
        assert!(
            !extra.is_empty() && !extra.contains_key("c") && extra.get("c").is_none() && extra.remove("c").is_none()
        );
        assert_eq!((extra.clone().insert("b", 4), extra.insert("b", 5)), (Some(json!(2)), Some(json!(2))));
        assert_eq!((extra.remove("a"), extra.remove("a"), extra.len()), (Some(json!(3)), None, 1));
        assert_eq!(extra, Extra::from_iter([("b", 5)]));
        assert_eq!((extra.remove("b"), extra.is_empty()), (Some(json!(5)), true));
        assert_eq!(extra, Extra::new());
        assert_eq!(Map::from(read(text)), Map::from_iter([("a".to_owned(), json!(3)), ("b".to_owned(), json!(2))]));
    }

    #[test]
    fn names_of_any_characters_are_found() {
        let extra = read(r#"{"q\"\\":1,"\u00e9\n":2,"":3}"#);
        assert_eq!(["q\"\\", "é\n", ""].map(|name| extra.get_as::<u8>(name)), [Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn numbers_and_depths_that_a_value_cannot_hold_are_kept() {
        // With `arbitrary_precision`, a `Value` holds the numbers.
        if serde_json::from_str::<Value>("1e400").is_err() {
            let expected = Extra::from_iter([("a", json!("1e400")), ("b", json!(["-1e999"]))]);
            assert_eq!(read(r#"{"a":1e400,"b":[-1e999]}"#), expected);
        }
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        assert!(format!("{:?}", read(&format!(r#"{{"a":{deep}}}"#))).contains(&deep));
    }
}
