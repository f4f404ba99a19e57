//! Structured output: schemas for strict mode, and completions parsed into Rust types.
//!
//! ```no_run
//! # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
//! use openai_compatible::chat::{ChatRequest, Message, ResponseFormat};
//! use serde_json::json;
//!
//! #[derive(serde::Deserialize)]
//! struct Recipe { title: String, minutes: u32 }
//!
//! let schema = json!({
//!     "type": "object",
//!     "properties": { "title": { "type": "string" }, "minutes": { "type": "integer" } },
//!     "required": ["title", "minutes"],
//!     "additionalProperties": false,
//! });
//! let request = ChatRequest::new("gpt-6-luna", [Message::user("A quick soup, please.")])
//!     .response_format(ResponseFormat::json_schema("recipe", schema)); // or: .json_schema::<Recipe>()
//! let recipe: Recipe = client.chat().create(&request).await?.parse()?;
//! # let _ = (recipe.title, recipe.minutes); Ok(())
//! # }
//! ```

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{AssistantMessage, ChatCompletion, Content, FinishReason, Part};
use crate::error::{Error, ErrorKind, Result};

mod check;
#[cfg(feature = "schemars")]
mod derived;
mod text;

pub use self::check::check_strict;
use self::text::WRAPPER_FIELD;
pub(crate) use self::text::read_json;

impl ChatCompletion {
    /// Parses the content of the first choice, for requests with a JSON schema or in JSON mode.
    ///
    /// Removes the object that [`strict_schema`] wraps around a root that is not an object, and a Markdown code fence
    /// around the JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the model refused, if the content was truncated or filtered, if it is missing, or if it
    /// does not match `T`. [`Error::completion`] returns the completion.
    ///
    /// ```no_run
    /// # fn run(response: openai_compatible::chat::ChatCompletion) {
    /// #[derive(serde::Deserialize)]
    /// struct Recipe { title: String, minutes: u32 }
    ///
    /// match response.parse::<Recipe>() {
    ///     Ok(recipe) => println!("{}, {} minutes", recipe.title, recipe.minutes),
    ///     Err(error) => {
    ///         let refusal = error.completion().and_then(|response| response.message()?.refusal.as_deref());
    ///         eprintln!("{error}: {}", refusal.unwrap_or("no refusal"));
    ///     }
    /// }
    /// # }
    /// ```
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        self.read_answer().map_err(|why| Error::new(ErrorKind::Decode, why).with_completion(self.clone()))
    }

    fn read_answer<T: DeserializeOwned>(&self) -> Result<T, Cow<'static, str>> {
        let message = self.message().ok_or("response has no choices")?;
        if is_refusal(message) {
            return Err("the model refused the request".into());
        }
        match self.finish_reason() {
            Some(FinishReason::Length) => {
                return Err("output was truncated at the token limit (`finish_reason` is `length`)".into());
            }
            Some(FinishReason::ContentFilter) => return Err("output was blocked by the content filter".into()),
            _ => {}
        }
        let text = message.text();
        match text.trim().is_empty() {
            true if message.tool_calls.is_empty() => Err("message content is empty".into()),
            true => Err("the model called tools instead of answering".into()),
            false => read_json(&text).map_err(|what| format!("output does not match the type: {what}").into()),
        }
    }
}

fn is_refusal(message: &AssistantMessage) -> bool {
    let in_parts = match &message.content {
        Some(Content::Parts(parts)) => parts.iter().any(|part| matches!(part, Part::Refusal(_))),
        _ => false,
    };
    in_parts || message.refusal.as_ref().is_some_and(|refusal| !refusal.is_empty())
}

/// How many times a definition is copied to where it is used; further uses are references.
const MOST_COPIES: usize = 500;

/// Converts a JSON schema to one that strict mode accepts, by the rules of the official SDKs and a few more.
///
/// - All properties of an object become required, in their order, and no others are allowed. A property that may be
///   missing must be nullable, as an `Option` is.
/// - `oneOf` becomes `anyOf`. An `allOf` of one schema becomes that schema. A default of `null` is removed.
/// - A `$ref` with sibling keywords becomes a copy of its target, and the siblings win. Where copying would never end,
///   `{"anyOf": [{"$ref": …}]}` replaces it.
/// - A root that is not a plain object (an array, an enum, a union) becomes the property `root_value` of an object;
///   [`ChatCompletion::parse`] and [`ToolCall::arguments`](super::ToolCall::arguments) unwrap it.
///
/// Maps (`additionalProperties` with a schema), tuples (`prefixItems`) and other keywords are left as they are, because
/// some servers accept them; [`check_strict`] finds what OpenAI refuses.
///
/// ```
/// use openai_compatible::chat::strict_schema;
/// use serde_json::json;
///
/// let schema = strict_schema(json!({"type": "object", "properties": {"city": {"type": "string"}}}))?;
/// assert_eq!(schema["required"], json!(["city"]));
/// assert_eq!(schema["additionalProperties"], false);
/// # Ok::<(), openai_compatible::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::Config`] if the input is not a schema, if a part of it accepts anything (`true`, `{}`), with its path, or if a
/// `$ref` with sibling keywords cannot be resolved.
pub fn strict_schema(schema: Value) -> Result<Value> {
    check::check_types(&schema)?;
    let members = match &schema {
        Value::Object(members) => members.clone(),
        Value::Bool(_) => return Ok(wrap(schema, Map::new())),
        _ => return Err(Error::config("JSON schema must be an object or a boolean")),
    };
    let strict = Strict { root: &schema, visiting: vec!["#".to_owned()], inlined_count: 0 }.object(members)?;
    let is_union = ["anyOf", "oneOf", "allOf"].iter().any(|name| strict.contains_key(*name));
    let is_object = strict.get("type").map_or(strict.contains_key("properties"), |kind| kind == "object");
    if is_object && !is_union {
        return Ok(Value::Object(strict));
    }
    let (mut inner, mut outer) = (Map::new(), Map::new());
    for (name, value) in strict {
        match name.as_str() {
            "$schema" | "$id" | "$defs" | "definitions" => outer.insert(name, value),
            _ => inner.insert(name, value),
        };
    }
    Ok(wrap(Value::Object(inner), outer))
}

/// Wraps a root that is not an object; `outer` holds the keywords that must stay at the root.
fn wrap(inner: Value, outer: Map<String, Value>) -> Value {
    let mut wrapped = json!({
        "type": "object",
        "properties": { (WRAPPER_FIELD): inner },
        "required": [WRAPPER_FIELD],
        "additionalProperties": false,
    });
    if let Value::Object(members) = &mut wrapped {
        members.extend(outer);
    }
    move_refs(&mut wrapped);
    wrapped
}

/// Rewrites references to the former root to its new location.
fn move_refs(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" => {
                        let is_moved = |rest: &str| !rest.starts_with("/$defs/") && !rest.starts_with("/definitions/");
                        if let Some(rest) = target.strip_prefix('#').filter(|rest| is_moved(rest)) {
                            *target = format!("#/properties/{WRAPPER_FIELD}{rest}");
                        }
                    }
                    value => move_refs(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(move_refs),
        _ => {}
    }
}

struct Strict<'a> {
    root: &'a Value,
    /// The references being visited: copying one of them again would never end.
    visiting: Vec<String>,
    inlined_count: usize,
}

impl Strict<'_> {
    fn schema(&mut self, schema: Value) -> Result<Value> {
        match schema {
            Value::Object(members) => self.object(members).map(Value::Object),
            other => Ok(other),
        }
    }

    fn object(&mut self, members: Map<String, Value>) -> Result<Map<String, Value>> {
        // A nullable object is one, too.
        let is_object = members.get("type").is_some_and(|kind| match kind {
            Value::Array(kinds) => kinds.iter().any(|kind| kind == "object"),
            kind => kind == "object",
        });
        let has_any_of = members.contains_key("anyOf");
        let mut strict = Map::new();
        let mut required = None;
        for (name, value) in members {
            let (name, value) = match (name.as_str(), value) {
                ("default", Value::Null) => continue,
                ("$defs" | "definitions", Value::Object(mut schemas)) => {
                    for (key, schema) in &mut schemas {
                        self.visiting.push(format!("#/{name}/{key}"));
                        *schema = self.schema(schema.take())?;
                        self.visiting.pop();
                    }
                    (name, Value::Object(schemas))
                }
                ("properties", Value::Object(mut schemas)) => {
                    required = Some(schemas.keys().cloned().map(Value::String).collect());
                    for schema in schemas.values_mut() {
                        *schema = self.schema(schema.take())?;
                    }
                    (name, Value::Object(schemas))
                }
                ("items", schema) => (name, self.schema(schema)?),
                ("anyOf" | "allOf" | "oneOf", Value::Array(mut schemas)) => {
                    for schema in &mut schemas {
                        *schema = self.schema(schema.take())?;
                    }
                    let is_any_of = name == "oneOf" && !has_any_of;
                    (if is_any_of { "anyOf".to_owned() } else { name }, Value::Array(schemas))
                }
                (_, value) => (name, value),
            };
            strict.insert(name, value);
        }
        if is_object && !strict.contains_key("additionalProperties") {
            strict.insert("additionalProperties".to_owned(), json!(false));
        }
        if let Some(required) = required {
            strict.insert("required".to_owned(), Value::Array(required));
        }
        self.inline(fold_all_of(strict))
    }

    /// Copies the target of a reference that has sibling keywords.
    fn inline(&mut self, mut members: Map<String, Value>) -> Result<Map<String, Value>> {
        let target = match members.get("$ref") {
            Some(Value::String(target)) if members.len() > 1 => target.clone(),
            _ => return Ok(members),
        };
        let found = self.resolve(&target)?;
        members.retain(|name, _| name != "$ref");
        if self.visiting.contains(&target) || self.inlined_count >= MOST_COPIES {
            let reference = json!({ "$ref": target });
            if members.contains_key("anyOf") {
                members = Map::new();
                members.insert("$ref".to_owned(), Value::String(target));
            } else {
                members.insert("anyOf".to_owned(), Value::Array(vec![reference]));
            }
            return Ok(members);
        }
        for (name, value) in found {
            let stays_there = matches!(name.as_str(), "$defs" | "definitions" | "$schema" | "$id");
            if !stays_there && !members.contains_key(name) {
                members.insert(name.clone(), value.clone());
            }
        }
        self.inlined_count += 1;
        self.visiting.push(target);
        let strict = self.object(members);
        self.visiting.pop();
        strict
    }

    fn resolve(&self, target: &str) -> Result<&Map<String, Value>> {
        let pointer = target.strip_prefix('#').unwrap_or_default();
        let found = if pointer.is_empty() && target != "#" {
            None
        } else {
            let decoded = percent_decode_str(pointer).decode_utf8_lossy();
            self.root.pointer(pointer).or_else(|| self.root.pointer(&decoded))
        };
        found
            .and_then(Value::as_object)
            .ok_or_else(|| Error::config(format!("unresolved `$ref` `{}` in JSON schema", target.escape_debug())))
    }
}

/// An `allOf` of one schema means the same as that schema.
fn fold_all_of(mut members: Map<String, Value>) -> Map<String, Value> {
    let only = match members.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([Value::Object(only)]) => only.clone(),
        _ => return members,
    };
    let says_more = |(name, value): (&String, &Value)| match name.as_str() {
        "allOf" | "$defs" | "definitions" | "$schema" | "$id" | "title" | "description" | "default" | "examples" => {
            false
        }
        name => only.contains_key("$ref") || only.get(name).is_some_and(|other| other != value),
    };
    if members.iter().any(says_more) {
        return members;
    }
    members.retain(|name, _| name != "allOf");
    members.extend(only);
    members
}
