//! Structs as JSON objects.

use serde_json::Value;

use super::{Extra, Input, InvalidInput, Output, ReadOutcome, Wire};

/// A struct whose fields are the members of a JSON object.
pub trait Object: Wire {
    /// The table of its fields, in the order in which they are written.
    fn fields(&self) -> &'static [FieldSpec];

    /// Hands out the fields that are written, in their order.
    fn for_each_written<'a>(&'a self, take: &mut dyn FnMut(&'static FieldSpec, &'a dyn Wire));

    /// Reads the field at this position; past the end of the table, every value is a mismatch.
    fn read_field(&mut self, index: usize, input: Input<'_>) -> Result<ReadOutcome, InvalidInput>;

    /// Unknown and mismatched members.
    fn extra(&self) -> &Extra;

    /// Unknown and mismatched members.
    fn extra_mut(&mut self) -> &mut Extra;
}

impl<T: Object> Object for Box<T> {
    fn fields(&self) -> &'static [FieldSpec] {
        T::fields(self)
    }

    fn for_each_written<'a>(&'a self, take: &mut dyn FnMut(&'static FieldSpec, &'a dyn Wire)) {
        T::for_each_written(self, take);
    }

    fn read_field(&mut self, index: usize, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        T::read_field(self, index, input)
    }

    fn extra(&self) -> &Extra {
        T::extra(self)
    }

    fn extra_mut(&mut self) -> &mut Extra {
        T::extra_mut(self)
    }
}

impl std::fmt::Debug for dyn Object + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Object")
    }
}

/// A row of the table of fields.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// The name on the wire.
    pub(crate) name: &'static str,
    /// Written even when the value is the default.
    pub(crate) always: bool,
    /// NaN and infinities are an error: a request sends what was set, and JSON has no such numbers.
    pub(crate) finite: bool,
    /// Null is written only where the object is a member of a union.
    pub(crate) null_in_union: bool,
}

impl FieldSpec {
    /// A field of this name, left out when its value is the default.
    pub(crate) const fn new(name: &'static str) -> Self {
        FieldSpec { name, always: false, finite: false, null_in_union: false }
    }

    /// The same, written even when its value is the default.
    pub(crate) const fn always(self) -> Self {
        FieldSpec { always: true, ..self }
    }

    /// The same, written as null beside another field, where the object is a member of a union.
    pub(crate) const fn null_beside(self) -> Self {
        FieldSpec { null_in_union: true, ..self }
    }

    /// The same, read by a function of its own.
    pub(crate) const fn read_by(self) -> Self {
        self
    }

    /// The same, read by a function of its own and always written.
    pub(crate) const fn with(self) -> Self {
        self.always()
    }

    /// The same, refusing NaN and infinities.
    pub(crate) const fn finite(self) -> Self {
        FieldSpec { finite: true, ..self }
    }
}

/// Members that a method decides, such as `stream`: they win over `extra`, which wins over fields. Null leaves a member out.
pub(crate) type Overrides<'a> = &'a [(&'static str, Value)];

/// The member `stream`, left out where the response does not stream.
pub(crate) fn stream_override(stream: bool) -> (&'static str, Value) {
    ("stream", if stream { Value::Bool(true) } else { Value::Null })
}

/// The text in a field.
pub(crate) fn text_field<'a>(object: &'a dyn Object, name: &str) -> Option<&'a str> {
    let mut text = None;
    object.for_each_written(&mut |spec, field| match field.output() {
        Output::String(found) if spec.name == name => text = Some(found),
        _ => {}
    });
    text
}

/// Reads an object; null leaves the default.
pub(crate) fn read(object: &mut dyn Object, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
    match input {
        Input::Object(members) => members.read(object),
        Input::Null => Ok(ReadOutcome::Matched),
        other => other.mismatch(),
    }
}

/// Removes `extra` entries that would shadow a field with a value when the object is written.
pub(crate) fn drop_shadowing_extra(object: &mut dyn Object) {
    let mut names = Vec::new();
    object.for_each_written(&mut |spec, field| {
        if !field.is_default_value() {
            names.push(spec.name);
        }
    });
    names.into_iter().for_each(|name| drop(object.extra_mut().remove(name)));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::chat::{Function, Message};
    use crate::models::Model;
    use crate::wire::{ObjectOutput, Wire, object};

    fn model(text: &str) -> Model {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn members_are_read_in_any_order_and_spelling() {
        let [in_order, other_way] = [
            r#"{"id":"m","object":"model","created":7,"owned_by":"me","zz":1}"#,
            "{ \"zz\" : 1,\n\"owned_by\":\"me\" , \"\\u0063reated\": 7, \"object\" :\"model\",\"id\":\"m\" }",
        ]
        .map(model);
        assert_eq!(in_order, other_way);
        assert_eq!((in_order.id.as_str(), in_order.extra.len()), ("m", 1));
    }

    #[test]
    fn members_with_a_common_prefix_are_different() {
        let model = model(r#"{"id_":1,"i":2,"id\"":3,"id":"m"}"#);
        assert_eq!(model.id, "m");
        assert!(["i", "id\"", "id_"].iter().all(|name| model.extra.contains_key(name)), "{model:?}");
    }

    #[test]
    fn the_last_of_duplicate_members_wins() {
        assert_eq!(model(r#"{"id":"a","id":"b"}"#).id, "b");
        assert_eq!(model(r#"{"id":7,"id":{},"zz":1,"zz":2}"#).extra.get("zz"), Some(&json!(2)));
    }

    #[test]
    fn overrides_win_over_extra_and_extra_over_fields() {
        let mut function = Function::default_value();
        function.name = "field".to_owned();
        function.description = Some("field".to_owned());
        function.strict = Some(true);
        function.extra.extend([("description", "extra"), ("strict", "extra"), ("zz", "extra")]);
        let overrides = [("strict", "override".into()), ("zz", json!(null))];
        let text = serde_json::to_string(&ObjectOutput { object: &function, overrides: &overrides }).unwrap();
        assert_eq!(text, r#"{"name":"field","description":"extra","strict":"override"}"#);
        object::drop_shadowing_extra(&mut function);
        assert_eq!(function.extra.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["zz"]);
    }

    #[test]
    fn the_tag_of_a_message_wins_over_extra() {
        let mut message = Message::assistant("a");
        if let Message::Assistant(message) = &mut message {
            message.extra.insert("role", "extra");
        }
        assert_eq!(serde_json::to_string(&message).unwrap(), r#"{"role":"assistant","content":"a"}"#);
    }
}
