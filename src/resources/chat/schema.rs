//! Structured output: schemas that strict mode accepts, and answers read as types of yours.
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
//! let request = ChatRequest::new("gpt-4o-mini", [Message::user("A quick soup, please.")])
//!     .response_format(ResponseFormat::json_schema("recipe", schema)); // or: .json_schema::<Recipe>()
//! let recipe: Recipe = client.chat().create(&request).await?.parse()?;
//! # let _ = (recipe.title, recipe.minutes); Ok(())
//! # }
//! ```

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{AssistantMessage, ChatCompletion, Content, FinishReason, Part};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::decode::describe;

#[cfg(feature = "schemars")]
mod derived;

impl ChatCompletion {
    /// The first answer as a type of yours, for requests with a JSON schema or in JSON mode.
    ///
    /// Takes off what [`strict_schema`] puts around a type that is no object, and the Markdown fence that some models
    /// put around JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] when the model refused, when the answer was cut at its length limit or held back by a
    /// filter, when there is none, and when it does not fit. [`Error::completion`] has the reply then.
    ///
    /// ```no_run
    /// # fn run(reply: openai_compatible::chat::ChatCompletion) {
    /// #[derive(serde::Deserialize)]
    /// struct Recipe { title: String, minutes: u32 }
    ///
    /// match reply.parse::<Recipe>() {
    ///     Ok(recipe) => println!("{}, {} minutes", recipe.title, recipe.minutes),
    ///     Err(error) => {
    ///         let refusal = error.completion().and_then(|reply| reply.message()?.refusal.as_deref());
    ///         eprintln!("{error}: {}", refusal.unwrap_or("no refusal"));
    ///     }
    /// }
    /// # }
    /// ```
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        self.read_answer().map_err(|why| Error::new(ErrorKind::Decode, why).with_completion(self.clone()))
    }

    fn read_answer<T: DeserializeOwned>(&self) -> Result<T, Cow<'static, str>> {
        let message = self.message().ok_or("it has no answer")?;
        if is_refusal(message) {
            return Err("the model refuses to answer".into());
        }
        match self.finish_reason() {
            Some(FinishReason::Length) => return Err("the answer is cut off at its length limit".into()),
            Some(FinishReason::ContentFilter) => return Err("a filter held the answer back".into()),
            _ => {}
        }
        let text = message.text();
        match text.trim().is_empty() {
            true if message.tool_calls.is_empty() => Err("the answer is empty".into()),
            true => Err("the model calls tools in place of an answer".into()),
            false => read(&text).map_err(|what| format!("the answer does not fit: {what}").into()),
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

/// Reads JSON that a model wrote. The error says what does not fit, without the content.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text = without_fence(text);
    if let Some(Ok(value)) = unwrapped(text).map(|inner| serde_json::from_str(inner.get())) {
        return Ok(value);
    }
    serde_json::from_str(text)
        // A unit has no members, and reads from `null` only.
        .or_else(|error| if text == "{}" { serde_json::from_str("null").map_err(|_| error) } else { Err(error) })
        .map_err(|error| describe(&error, Some(text)).into_owned())
}

/// What stands between the fences of a Markdown block that is the whole text.
fn without_fence(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let inner = inner.map(|rest| rest.strip_prefix("json").unwrap_or(rest).trim());
    inner.filter(|inner| !inner.is_empty()).unwrap_or(text)
}

/// The only member of the object around a value that is no object.
const WRAPPED: &str = "root_value";

fn unwrapped(text: &str) -> Option<&RawValue> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapper<'a> {
        #[serde(borrow)]
        root_value: &'a RawValue,
    }
    let is_short_of_it = !text.get(..64).unwrap_or(text).contains(WRAPPED);
    if is_short_of_it { None } else { serde_json::from_str::<Wrapper<'_>>(text).ok().map(|wrapper| wrapper.root_value) }
}

/// How many times a definition is copied to where it is used; the others are referred to.
const MOST_COPIES: usize = 500;

/// Makes a JSON schema one that strict mode accepts, by the rules of the official SDKs and a few more.
///
/// - All properties of an object are required, in their order, and no others are allowed. What may be missing must be
///   allowed to be `null`, as an `Option` is.
/// - `oneOf` becomes `anyOf`. An `allOf` of one schema becomes that schema. A default of `null` goes.
/// - A `$ref` beside other keywords becomes a copy of what it refers to, and the other keywords win. Where that would
///   never end, `{"anyOf": [{"$ref": …}]}` takes its place.
/// - A root that is no plain object (a list, an enum, a union) becomes the member `root_value` of an object;
///   [`ChatCompletion::parse`] and [`ToolCall::arguments`](super::ToolCall::arguments) take it out again.
///
/// Maps (`additionalProperties` with a schema), tuples (`prefixItems`) and other keywords stay as they are: some
/// servers accept them.
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
/// [`ErrorKind::Config`] for what is no schema, and for a `$ref` beside other keywords that leads nowhere.
pub fn strict_schema(schema: Value) -> Result<Value> {
    let members = match &schema {
        Value::Object(members) => members.clone(),
        Value::Bool(_) => return Ok(wrap(schema, Map::new())),
        _ => return Err(Error::config("a JSON schema is an object or a bool")),
    };
    let strict = Strict { root: &schema, open: vec!["#".to_owned()], copies: 0 }.object(members)?;
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

/// Puts a root that is no object into one; `outer` has the members that must stay at the root.
fn wrap(inner: Value, outer: Map<String, Value>) -> Value {
    let mut wrapped = json!({
        "type": "object",
        "properties": { (WRAPPED): inner },
        "required": [WRAPPED],
        "additionalProperties": false,
    });
    if let Value::Object(members) = &mut wrapped {
        members.extend(outer);
    }
    move_refs(&mut wrapped);
    wrapped
}

/// Makes references to the former root lead to where it is now.
fn move_refs(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" => {
                        let is_moved = |rest: &str| !rest.starts_with("/$defs/") && !rest.starts_with("/definitions/");
                        if let Some(rest) = target.strip_prefix('#').filter(|rest| is_moved(rest)) {
                            *target = format!("#/properties/{WRAPPED}{rest}");
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
    /// References to what is being visited: copying one of these again would never end.
    open: Vec<String>,
    copies: usize,
}

impl Strict<'_> {
    fn schema(&mut self, schema: Value) -> Result<Value> {
        match schema {
            Value::Object(members) => self.object(members).map(Value::Object),
            other => Ok(other),
        }
    }

    fn object(&mut self, members: Map<String, Value>) -> Result<Map<String, Value>> {
        let is_object = members.get("type").is_some_and(|kind| kind == "object");
        let has_any_of = members.contains_key("anyOf");
        let mut strict = Map::new();
        let mut required = None;
        for (name, value) in members {
            let (name, value) = match (name.as_str(), value) {
                ("default", Value::Null) => continue,
                ("$defs" | "definitions", Value::Object(mut schemas)) => {
                    for (key, schema) in &mut schemas {
                        self.open.push(format!("#/{name}/{key}"));
                        *schema = self.schema(schema.take())?;
                        self.open.pop();
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

    /// Copies what a reference leads to, when other keywords stand beside it.
    fn inline(&mut self, mut members: Map<String, Value>) -> Result<Map<String, Value>> {
        let target = match members.get("$ref") {
            Some(Value::String(target)) if members.len() > 1 => target.clone(),
            _ => return Ok(members),
        };
        let found = self.resolve(&target)?;
        members.retain(|name, _| name != "$ref");
        if self.open.contains(&target) || self.copies >= MOST_COPIES {
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
        self.copies += 1;
        self.open.push(target);
        let strict = self.object(members);
        self.open.pop();
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
        found.and_then(Value::as_object).ok_or_else(|| {
            Error::config(format!("the schema refers to `{}`, which it does not define", target.escape_debug()))
        })
    }
}

/// An `allOf` of one schema says what that schema says.
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
