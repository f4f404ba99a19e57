//! Unknown fields of consecutive chunks.

use serde_json::{Map, Value};

use crate::wire::Extra;

/// How unknown fields of consecutive chunks are merged.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum MergePolicy {
    Replace,
    /// New elements of arrays, such as `token_ids`, are appended.
    AppendArrays,
    /// New elements of arrays and new text, such as reasoning in another field, are appended.
    AppendAll,
}

/// Merges unknown fields. Objects are merged recursively, and null changes nothing.
pub(crate) fn merge_extra(known: &mut Extra, new: Extra, grows: MergePolicy) {
    if new.is_empty() {
        return;
    }
    for (name, value) in Map::from(new) {
        let value = match known.remove(&name) {
            None => value,
            Some(old) => merged(old, value, grows),
        };
        known.insert(name, value);
    }
}

fn merged(old: Value, new: Value, grows: MergePolicy) -> Value {
    match (old, new) {
        (old, Value::Null) => old,
        (Value::String(old), Value::String(new)) if grows == MergePolicy::AppendAll => Value::String(old + &new),
        (Value::Array(mut old), Value::Array(new)) if grows != MergePolicy::Replace => {
            for item in new {
                match old.last_mut() {
                    Some(last) if is_continuation(last, &item) => *last = merge_detail(last.take(), item),
                    _ => old.push(item),
                }
            }
            Value::Array(old)
        }
        (Value::Object(mut old), Value::Object(new)) => {
            // Strings inside, such as ids and signatures, are sent whole.
            let grows = if grows == MergePolicy::AppendAll { MergePolicy::AppendArrays } else { grows };
            for (name, value) in new {
                let value = match old.remove(&name) {
                    None => value,
                    Some(old) => merged(old, value, grows),
                };
                old.insert(name, value);
            }
            Value::Object(old)
        }
        (_, new) => new,
    }
}

/// Chunks of one entry of `reasoning_details` (OpenRouter) have the same type and index, one after the other.
fn is_continuation(last: &Value, item: &Value) -> bool {
    let is_reasoning = item.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("reasoning."));
    is_reasoning && ["type", "index"].iter().all(|name| last.get(name) == item.get(name))
}

fn merge_detail(last: Value, item: Value) -> Value {
    let (Value::Object(mut last), Value::Object(item)) = (last, item) else { return Value::Null };
    for (name, value) in item {
        let grows = ["text", "summary", "data"].contains(&name.as_str());
        let value = match last.remove(&name) {
            Some(known) if grows => merged(known, value, MergePolicy::AppendAll),
            Some(known) if value.is_null() => known,
            _ => value,
        };
        last.insert(name, value);
    }
    Value::Object(last)
}
