//! What a derived type reads, the types of this crate read, to the same value, from text, bytes and values.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openai_compatible::chat::{ChatChunk, ChatRequest, Usage};
use openai_compatible::responses::ResponseUsage;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    model: String,
    messages: Vec<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    role: Role,
    content: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    System,
    Developer,
    User,
    Assistant,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseTokens {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chunk {
    id: String,
    object: String,
    created: u64,
    model: String,
    choices: Vec<Choice>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    index: u32,
    delta: Delta,
    finish_reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delta {
    content: String,
}

/// True if a derived type reads the text.
fn compare<Derived: Serialize + DeserializeOwned, Ours: Serialize + DeserializeOwned>(text: &str) {
    let Ok(derived) = serde_json::from_str::<Derived>(text) else { return };
    let written = serde_json::to_value(&derived).expect("a derived type is written");
    let value: Value = serde_json::from_str(text).expect("what a type reads is JSON");
    // A derived struct also reads an array of its fields, which no server sends.
    if !has_shape_of(&value, &written) {
        return;
    }
    let expected = without_defaults(written);
    let read: [serde_json::Result<Ours>; 4] = [
        serde_json::from_str(text),
        serde_json::from_slice(text.as_bytes()),
        serde_json::from_reader(text.as_bytes()),
        serde_json::from_value(value),
    ];
    for ours in read {
        let ours = ours.expect("this crate reads what a derived type reads");
        let written = serde_json::to_value(&ours).expect("a type of this crate is written");
        assert_eq!(without_defaults(written), expected);
        let text = serde_json::to_string(&ours).expect("a type of this crate is written");
        assert_eq!(without_defaults(serde_json::from_str(&text).expect("what is written is JSON")), expected);
    }
}

/// True if objects are read from objects.
fn has_shape_of(text: &Value, written: &Value) -> bool {
    match (text, written) {
        (Value::Object(fields), Value::Object(written)) => {
            fields.iter().all(|(name, field)| written.get(name).is_none_or(|written| has_shape_of(field, written)))
        }
        (Value::Array(elements), Value::Array(written)) => {
            elements.iter().zip(written).all(|(element, written)| has_shape_of(element, written))
        }
        (_, Value::Object(_)) => false,
        _ => true,
    }
}

/// Without what a reader of responses cannot tell from a missing field.
fn without_defaults(value: Value) -> Value {
    let is_default = |value: &Value| value == 0 || value == "" || value.as_array().is_some_and(Vec::is_empty);
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, without_defaults(value)))
            .filter(|(_, value)| !is_default(value))
            .collect(),
        Value::Array(elements) => elements.into_iter().map(without_defaults).collect(),
        other => other,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    compare::<Request, ChatRequest>(text);
    compare::<Tokens, Usage>(text);
    compare::<ResponseTokens, ResponseUsage>(text);
    compare::<Chunk, ChatChunk>(text);
});
