//! Unions of objects, told apart by a tag.

use serde_json::{Map, Value};

use super::{Extra, FieldSpec, Input, InvalidInput, Object, ReadOutcome, Wire};

/// A union of objects, told apart by a tag such as `type`.
pub trait Union: Wire {
    /// The tag.
    fn tag(&self) -> &'static FieldSpec;

    /// Becomes the empty variant of this kind; false where there is none.
    fn select(&mut self, kind: &str) -> bool;

    /// The object of the variant; `None` for objects of an unknown kind.
    fn object_mut(&mut self) -> Option<&mut dyn Object>;

    /// Becomes an object of an unknown kind.
    fn set_other(&mut self, members: Extra);

    /// The kind of an object without a tag, by its fields.
    fn infer(&self, _members: &Map<String, Value>) -> Option<&'static str> {
        None
    }
}

/// Reads a union. A server that sends the tag first, as all do, is read without a detour by values.
pub(crate) fn read(union: &mut dyn Union, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
    match input {
        Input::Object(members) => members.read_tagged(union),
        other => other.mismatch(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::chat::{Message, Part};

    #[test]
    fn the_tag_stands_anywhere() {
        for text in [r#"{"role":"assistant","content":"a"}"#, r#"{"content":"a","role":"assistant"}"#] {
            let message: Message = serde_json::from_str(text).unwrap();
            assert_eq!(message, Message::assistant("a"), "{text}");
        }
    }

    #[test]
    fn an_unknown_kind_keeps_all_members() {
        for value in [
            json!({ "type": "zz", "text": "a" }),
            json!({ "text": "a", "type": "zz" }),
            json!({ "text": "a", "type": 7 }),
            json!({ "text": "a" }),
            json!({}),
        ] {
            let part: Part = serde_json::from_value(value.clone()).unwrap();
            assert!(matches!(part, Part::Other(_)), "{part:?}");
            assert_eq!(serde_json::to_value(&part).unwrap(), value);
        }
    }

    #[test]
    fn a_second_tag_changes_nothing() {
        let part: Part = serde_json::from_str(r#"{"type":"text","text":"a","type":"image_url"}"#).unwrap();
        assert_eq!(serde_json::to_value(&part).unwrap(), json!({ "type": "text", "text": "a" }));
    }
}
