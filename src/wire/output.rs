//! Writing: [`Output`], what a wire type hands to a serializer of any format.

use std::io;

use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use super::array::Elements;
use super::map::MapSlot;
use super::{Extra, Object, Overrides, Wire};

/// A value as it is written.
pub enum Output<'a> {
    /// Null; formats without it leave the field out.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer over the range of `i64`.
    Unsigned(u64),
    /// An integer.
    Signed(i64),
    /// A number. NaN and infinities, which JSON does not have, are written as strings and read back from them.
    Float(f64),
    /// The numbers of a vector.
    Floats(&'a [f32]),
    /// A string.
    String(&'a str),
    /// Any JSON.
    Value(&'a Value),
    /// JSON that exists only for writing.
    Owned(Value),
    /// The members of an object of any shape.
    Extra(&'a Extra),
    /// An array.
    Array(&'a dyn Elements),
    /// An object whose keys are data.
    Map(&'a dyn MapSlot),
    /// A struct.
    Object(&'a dyn Object),
    /// A struct with the tag that names its kind.
    Tagged(&'a dyn Object, &'static str, &'static str),
    /// The value cannot be written, for this reason.
    Unsupported(&'static str),
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the content: it may be a prompt.
        f.write_str("Output")
    }
}

impl Serialize for Output<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Output::Null => serializer.serialize_none(),
            Output::Bool(flag) => serializer.serialize_bool(flag),
            Output::Unsigned(number) => serializer.serialize_u64(number),
            Output::Signed(number) => serializer.serialize_i64(number),
            Output::Float(number) if number.is_finite() => serializer.serialize_f64(number),
            Output::Float(number) if number.is_nan() => serializer.serialize_str("NaN"),
            Output::Float(number) => serializer.serialize_str(if number > 0.0 { "Infinity" } else { "-Infinity" }),
            Output::Floats(numbers) => numbers.serialize(serializer),
            Output::String(text) => serializer.serialize_str(text),
            Output::Value(value) => value.serialize(serializer),
            Output::Owned(ref value) => value.serialize(serializer),
            Output::Extra(members) => members.serialize(serializer),
            Output::Array(elements) => {
                let mut array = serializer.serialize_seq(Some(elements.len()))?;
                for element in (0..elements.len()).filter_map(|index| elements.get(index)) {
                    array.serialize_element(&element.output())?;
                }
                array.end()
            }
            Output::Map(members) => serializer.collect_map(members.iter().map(|(name, value)| (name, value.output()))),
            Output::Object(object) => write_object(serializer, object, None, &[]),
            Output::Tagged(object, tag, kind) => write_object(serializer, object, Some((tag, kind)), &[]),
            Output::Unsupported(reason) => Err(S::Error::custom(reason)),
        }
    }
}

/// A request together with the members that its method decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectOutput<'a> {
    pub(crate) object: &'a dyn Object,
    pub(crate) overrides: Overrides<'a>,
}

impl Serialize for ObjectOutput<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_object(serializer, self.object, None, self.overrides)
    }
}

/// The one loop over objects: the tag, the fields, `extra`, the overrides. Each name is written once: an override wins
/// over `extra`, and `extra` over a field.
fn write_object<S: Serializer>(
    serializer: S,
    object: &dyn Object,
    tag: Option<(&'static str, &'static str)>,
    overrides: Overrides<'_>,
) -> Result<S::Ok, S::Error> {
    let extra = object.extra();
    let has_only_fields = extra.is_empty() && overrides.is_empty();
    let is_overridden = |name: &str| {
        tag.is_some_and(|(tag, _)| tag == name) || overrides.iter().any(|(overriding, _)| *overriding == name)
    };
    let mut map = serializer.serialize_map(None)?;
    if let Some((tag, kind)) = tag {
        map.serialize_entry(tag, kind)?;
    }
    let mut written = Ok(());
    object.for_each_written(&mut |spec, field| {
        let is_tag = || tag.is_some_and(|(tag, _)| tag == spec.name);
        let is_written =
            if has_only_fields { !is_tag() } else { !extra.contains_key(spec.name) && !is_overridden(spec.name) };
        if written.is_ok() && is_written {
            let output = field.output();
            if spec.null_in_union && tag.is_none() && matches!(output, Output::Null) {
                return;
            }
            let entry = match output {
                Output::String(text) => map.serialize_entry(spec.name, text),
                Output::Float(number) if spec.finite && !number.is_finite() => {
                    Err(S::Error::custom(format_args!("`{}` must be a finite number", spec.name)))
                }
                _ => map.serialize_entry(spec.name, &output),
            };
            if entry.is_err() {
                written = entry;
            }
        }
    });
    written?;
    if !has_only_fields {
        for (name, value) in extra.iter().filter(|(name, _)| !is_overridden(name)) {
            map.serialize_entry(name, value)?;
        }
        for (name, value) in overrides.iter().filter(|(_, value)| !value.is_null()) {
            map.serialize_entry(name, value)?;
        }
    }
    map.end()
}

/// Returns a wire type as a value; null for what cannot be written.
pub(crate) fn to_value(value: &dyn Wire) -> Value {
    serde_json::to_value(value.output()).unwrap_or_default()
}

/// Returns the JSON text of a request.
pub(crate) fn to_vec(request: &ObjectOutput<'_>) -> serde_json::Result<Vec<u8>> {
    let mut buffer = Buffer { bytes: Vec::with_capacity(512), request: Some(request) };
    serde_json::to_writer(&mut buffer, request)?;
    Ok(buffer.bytes)
}

/// The text of a request. Short ones fit a buffer that doubles; the buffer of a long one is sized once, by an estimate,
/// because doubling allocates up to four times a long conversation.
struct Buffer<'a> {
    bytes: Vec<u8>,
    /// What is written, until its size has been estimated.
    request: Option<&'a ObjectOutput<'a>>,
}

/// Requests over this size are estimated.
const SHORT: usize = 4 * 1024;

impl Buffer<'_> {
    #[cold]
    fn grow(&mut self, more: usize) {
        match self.request {
            Some(request) if self.bytes.len() + more > SHORT => {
                self.request = None;
                let size = size_of_object(request.object);
                // Escapes take some more.
                let size = size + size / 16;
                self.bytes.reserve_exact(size.saturating_sub(self.bytes.len()).max(more));
            }
            _ => self.bytes.reserve(more),
        }
    }
}

impl io::Write for Buffer<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.write_all(part).map(|()| part.len())
    }

    #[inline]
    fn write_all(&mut self, part: &[u8]) -> io::Result<()> {
        if part.len() > self.bytes.capacity() - self.bytes.len() {
            self.grow(part.len());
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Estimates the JSON text of a value in bytes, without escapes.
fn size_of(output: &Output<'_>) -> usize {
    match output {
        Output::String(text) => text.len() + 2,
        Output::Floats(numbers) => numbers.len() * 12,
        Output::Value(value) => size_of_value(value),
        Output::Owned(value) => size_of_value(value),
        Output::Extra(members) => members.iter().map(|(name, value)| name.len() + 4 + size_of_value(value)).sum(),
        Output::Array(elements) => size_of_array(*elements),
        Output::Map(members) => members.iter().map(|(name, value)| name.len() + 4 + size_of(&value.output())).sum(),
        Output::Object(object) => size_of_object(*object),
        Output::Tagged(object, tag, kind) => size_of_object(*object) + tag.len() + kind.len() + 6,
        _ => 8,
    }
}

fn size_of_object(object: &dyn Object) -> usize {
    let mut fields = 0;
    object.for_each_written(&mut |spec, field| fields += spec.name.len() + 4 + size_of(&field.output()));
    2 + fields + object.extra().text_len().unwrap_or_else(|| size_of(&Output::Extra(object.extra())))
}

/// Of many elements, some sixty are measured; an odd step meets both sides of a conversation.
fn size_of_array(elements: &dyn Elements) -> usize {
    let length = elements.len();
    let step = (length / 64) | 1;
    let measured = (0..length).step_by(step).filter_map(|index| elements.get(index));
    2 + step * measured.map(|element| 1 + size_of(&element.output())).sum::<usize>()
}

fn size_of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(elements) => 2 + elements.iter().map(|element| 1 + size_of_value(element)).sum::<usize>(),
        Value::Object(members) => {
            2 + members.iter().map(|(name, value)| name.len() + 4 + size_of_value(value)).sum::<usize>()
        }
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{ChatRequest, Message, Tool};

    fn written(request: &ChatRequest) -> Vec<u8> {
        let json = to_vec(&ObjectOutput { object: request, overrides: &[] }).unwrap();
        assert_eq!(json, serde_json::to_vec(request).unwrap());
        json
    }

    #[test]
    fn the_buffer_of_a_long_request_fits() {
        let text = "The quick brown fox jumps over the lazy dog, 0123456789 times.\n";
        let schema = serde_json::json!({ "type": "object", "properties": { "a": { "enum": vec![text; 100] } } });
        let short = || (0..2000).map(|n| Message::user(text.repeat(n % 5 + 1)));
        for request in [
            ChatRequest::new("m", [Message::user(text.repeat(10_000))]),
            ChatRequest::new("m", short()),
            ChatRequest::new("m", short().take(50)).tools([Tool::with_schema("f", "d", schema)]),
        ] {
            let json = written(&request);
            assert!(json.capacity() < json.len() + json.len() / 8, "{} of {}", json.len(), json.capacity());
        }
    }

    #[test]
    fn a_wrong_estimate_costs_memory_only() {
        written(&ChatRequest::new("m", [Message::user("\u{1}".repeat(100_000))]));
        let one_is_long = (0..200).map(|n| Message::user("a".repeat(if n == 1 { 1_000_000 } else { 1 })));
        written(&ChatRequest::new("m", one_is_long));
    }
}
