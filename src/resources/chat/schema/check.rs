//! What strict mode refuses: [`check_strict`].

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Keywords that strict mode does not know.
const UNKNOWN: [&str; 18] = [
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "prefixItems",
    "contains",
    "minContains",
    "maxContains",
    "minProperties",
    "maxProperties",
];

/// Keywords that say nothing of a value.
const ANNOTATIONS: [&str; 8] =
    ["title", "description", "default", "examples", "deprecated", "$comment", "$schema", "$id"];

/// Checks that OpenAI's strict mode accepts a schema, before it is sent. Other servers accept more: maps, tuples, or any
/// value.
///
/// # Errors
///
/// [`ErrorKind::Config`](crate::ErrorKind::Config) with everything that it refuses, each with its path.
///
/// ```
/// use openai_compatible::chat::check_strict;
/// use serde_json::json;
///
/// let schema = json!({"type": "object", "properties": {"ages": {"type": "object", "additionalProperties": {"type": "integer"}}}});
/// let error = check_strict(&schema).unwrap_err().to_string();
/// assert!(error.contains("#/properties/ages: a map has no fixed properties"), "{error}");
/// ```
pub fn check_strict(schema: &Value) -> Result<()> {
    let mut found = Vec::new();
    let is_object = schema.get("type").is_some_and(|kind| kind == "object") && schema.get("anyOf").is_none();
    if !is_object {
        found.push("#: the root must be an object".to_owned());
    }
    check(schema, "#", true, &mut found);
    as_error(found)
}

/// Refuses schemas that accept anything, wherever they are. Strict mode can make nothing of them, and nor can a model.
pub(super) fn check_types(schema: &Value) -> Result<()> {
    let mut found = Vec::new();
    check(schema, "#", false, &mut found);
    as_error(found)
}

fn as_error(found: Vec<String>) -> Result<()> {
    match found.is_empty() {
        true => Ok(()),
        false => Err(Error::config(format!("not a strict schema: {}", found.join("; ")))),
    }
}

fn check(schema: &Value, path: &str, all: bool, found: &mut Vec<String>) {
    let members = match schema {
        Value::Object(members) => members,
        Value::Bool(true) => return found.push(format!("{path}: `true` accepts anything; give it a type")),
        other => {
            return if all {
                found.push(format!("{path}: `{other}` is not an object"))
            };
        }
    };
    if members.keys().all(|name| ANNOTATIONS.contains(&name.as_str())) {
        return found.push(format!("{path}: without a type it accepts anything"));
    }
    if all {
        check_keywords(members, path, found);
    }
    for (name, value) in members {
        let at = |key: &str| format!("{path}/{name}/{}", key.replace('~', "~0").replace('/', "~1"));
        match (name.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(schemas)) => {
                schemas.iter().for_each(|(key, schema)| check(schema, &at(key), all, found));
            }
            ("items", schema) => check(schema, &format!("{path}/items"), all, found),
            ("anyOf" | "oneOf" | "allOf", Value::Array(schemas)) => {
                schemas.iter().enumerate().for_each(|(n, schema)| check(schema, &at(&n.to_string()), all, found));
            }
            _ => {}
        }
    }
}

fn check_keywords(members: &Map<String, Value>, path: &str, found: &mut Vec<String>) {
    let unknown = UNKNOWN.iter().filter(|name| members.contains_key(**name));
    found.extend(unknown.map(|name| format!("{path}: `{name}` is not supported")));
    let is_object = members.get("type").is_some_and(|kind| match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "object"),
        kind => kind == "object",
    });
    let properties = members.get("properties").and_then(Value::as_object);
    match members.get("additionalProperties") {
        _ if !is_object => {}
        Some(Value::Bool(false)) => {}
        _ if properties.is_none_or(Map::is_empty) => found.push(format!("{path}: a map has no fixed properties")),
        _ => found.push(format!("{path}: `additionalProperties` must be false")),
    }
    let required = members.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|required| required.iter().any(|known| known == name));
    let names = properties.into_iter().flat_map(Map::keys).filter(|name| is_object && !is_required(name));
    found.extend(names.map(|name| format!("{path}/properties/{name}: must be required, or nullable and required")));
}
