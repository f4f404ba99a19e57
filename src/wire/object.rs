//! Structs as JSON objects.

use std::borrow::Cow;

use serde_json::Value;

use super::{Extra, Json, NotJson, Read, Wire, Writer};

/// A struct whose fields are the members of a JSON object.
pub trait Object: Wire {
    /// The members that have a field, in the order in which they are written.
    fn members(&self) -> &'static [Member];

    /// The field of a member, by its place among them.
    fn field(&self, index: usize) -> &dyn Wire;

    /// Reads the field of a member; behind the last of them, what has no field is odd.
    fn read_field(&mut self, index: usize, json: &mut Json<'_>) -> Result<Read, NotJson>;

    /// Members without a field.
    fn extra(&self) -> &Extra;

    /// Members without a field.
    fn extra_mut(&mut self) -> &mut Extra;
}

impl<T: Object> Object for Box<T> {
    fn members(&self) -> &'static [Member] {
        T::members(self)
    }

    fn field(&self, index: usize) -> &dyn Wire {
        T::field(self, index)
    }

    fn read_field(&mut self, index: usize, json: &mut Json<'_>) -> Result<Read, NotJson> {
        T::read_field(self, index, json)
    }

    fn extra(&self) -> &Extra {
        T::extra(self)
    }

    fn extra_mut(&mut self) -> &mut Extra {
        T::extra_mut(self)
    }
}

/// A member that has a field.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub(crate) name: &'static str,
    /// Written even when it is blank.
    pub(crate) always: bool,
}

/// Members that the method decides, such as `stream`: they win over what the user put into `extra`, and that wins over a
/// field. One that is null is left out.
pub(crate) type Added<'a> = &'a [(&'static str, Value)];

/// The member `stream`: left out where the reply comes whole.
pub(crate) fn stream_member(stream: bool) -> (&'static str, Value) {
    ("stream", if stream { Value::Bool(true) } else { Value::Null })
}

/// Reads an object; of null, nothing.
pub(crate) fn read(object: &mut dyn Object, json: &mut Json<'_>) -> Result<Read, NotJson> {
    read_without(object, json, None)
}

/// Reads an object of a union, which keeps the tag itself.
pub(crate) fn read_without(object: &mut dyn Object, json: &mut Json<'_>, tag: Option<&str>) -> Result<Read, NotJson> {
    match json.peek()? {
        b'{' => {}
        b'n' => return json.null().map(|()| Read::Fits),
        _ => return json.value().map(Read::Odd),
    }
    let members = object.members();
    let mut next = 0;
    json.fields(|json| {
        // Servers write members in one order: mostly, the next one is the next one.
        let (index, name) = match members.get(next) {
            Some(member) if tag != Some(member.name) && json.is_named(member.name) => {
                (next, Cow::Borrowed(member.name))
            }
            _ => {
                let name = json.name()?;
                if tag == Some(&*name) {
                    return json.skip();
                }
                (members.iter().position(|member| member.name == name).unwrap_or(members.len()), name)
            }
        };
        if index < members.len() {
            next = index + 1;
        }
        match object.read_field(index, json)? {
            Read::Fits => {}
            Read::Odd(value) | Read::Part(value) => object.extra_mut().put(name.into_owned(), value),
        }
        Ok(())
    })?;
    Ok(Read::Fits)
}

/// Drops from `extra` what stands in the way of a field that has a value.
pub(crate) fn uncover(object: &mut dyn Object) {
    for (index, member) in object.members().iter().enumerate() {
        if !object.field(index).is_blank() {
            object.extra_mut().remove(member.name);
        }
    }
}

/// Writes an object with members in front of its own and behind them.
pub(crate) fn write(object: &dyn Object, writer: &mut Writer, first: Added<'_>, last: Added<'_>) {
    let is_added = |name: &str| first.iter().chain(last).any(|(added, _)| *added == name);
    let extra = object.extra();
    writer.open(b'{');
    first.iter().filter(|(_, value)| !value.is_null()).for_each(|(name, value)| writer.member(name, value));
    for (index, member) in object.members().iter().enumerate() {
        let field = object.field(index);
        if (member.always || !field.is_blank()) && !extra.contains_key(member.name) && !is_added(member.name) {
            writer.member(member.name, field);
        }
    }
    for (name, value) in extra.iter().filter(|(name, _)| !is_added(name)) {
        writer.member(name, value);
    }
    last.iter().filter(|(_, value)| !value.is_null()).for_each(|(name, value)| writer.member(name, value));
    writer.close(b'}');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::chat::{Function, Message};
    use crate::models::Model;
    use crate::wire::{Wire, Writer, object};

    fn model(text: &str) -> Model {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn members_may_come_in_any_order_and_be_written_in_any_way() {
        let [in_order, other_way] = [
            r#"{"id":"m","object":"model","created":7,"owned_by":"me","zz":1}"#,
            "{ \"zz\" : 1,\n\"owned_by\":\"me\" , \"\\u0063reated\": 7, \"object\" :\"model\",\"id\":\"m\" }",
        ]
        .map(model);
        assert_eq!(in_order, other_way);
        assert_eq!((in_order.id.as_str(), in_order.extra.len()), ("m", 1));
    }

    #[test]
    fn a_member_whose_name_begins_like_another_is_another() {
        let model = model(r#"{"id_":1,"i":2,"id\"":3,"id":"m"}"#);
        assert_eq!(model.id, "m");
        assert!(["i", "id\"", "id_"].iter().all(|name| model.extra.contains_key(name)), "{model:?}");
    }

    #[test]
    fn the_later_of_two_members_counts() {
        assert_eq!(model(r#"{"id":"a","id":"b"}"#).id, "b");
        assert_eq!(model(r#"{"id":7,"id":{},"zz":1,"zz":2}"#).extra.get("zz"), Some(&json!(2)));
    }

    #[test]
    fn the_tag_of_a_union_stands_where_it_likes() {
        for text in [r#"{"role":"assistant","content":"a"}"#, r#"{"content":"a","role":"assistant"}"#] {
            let message: Message = serde_json::from_str(text).unwrap();
            assert_eq!(message, Message::assistant("a"), "{text}");
        }
    }

    #[test]
    fn what_the_method_adds_wins_over_extra_and_extra_over_fields() {
        let mut function = Function::blank();
        function.name = "field".to_owned();
        function.description = Some("field".to_owned());
        function.strict = Some(true);
        function.extra.extend([("description", "extra"), ("strict", "extra"), ("zz", "extra")]);
        let (first, last) = ([("type", "first".into())], [("strict", "last".into()), ("zz", json!(null))]);
        let mut writer = Writer::append(Vec::new());
        object::write(&function, &mut writer, &first, &last);
        let text = String::from_utf8(writer.finish().unwrap()).unwrap();
        assert_eq!(text, r#"{"type":"first","name":"field","description":"extra","strict":"last"}"#);
        object::uncover(&mut function);
        assert_eq!(function.extra.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["zz"]);
    }
}
