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
    read_without(object, json, "")
}

/// Reads an object of a union, which keeps the tag itself.
pub(crate) fn read_without(object: &mut dyn Object, json: &mut Json<'_>, tag: &str) -> Result<Read, NotJson> {
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
            Some(member) if (tag.is_empty() || tag != member.name) && json.is_named(member.name) => {
                (next, Cow::Borrowed(member.name))
            }
            _ => {
                let name = json.name()?;
                if name == tag && !tag.is_empty() {
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
