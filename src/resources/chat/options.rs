//! What a request holds besides the conversation: shapes of answers, searches, checks, what ends an answer.

use serde::Deserialize;
use serde_json::Value;

use super::Content;
use crate::audio::Voice;
use crate::wire::{Json, NotJson, Read, Wire, Writer};

wire! {
    /// Sound of a spoken answer.
    pub struct AudioFormat {
        /// Whose voice.
        pub voice: Voice = always,
        /// `wav`, `aac`, `mp3`, `flac`, `opus` or `pcm16`.
        pub format: String = always,
    }

    /// How the server caches the prompt.
    pub struct PromptCacheOptions {
        /// How long: `30m`.
        pub ttl: Option<String>,
        /// `implicit`, or `explicit` for breakpoints set in the messages.
        pub mode: Option<String>,
    }

    /// Checks the conversation for harmful content.
    pub struct ModerationRequest {
        /// Model that checks.
        pub model: String = always,
        /// What to do with what it finds.
        pub policy: Option<ModerationPolicy>,
    }

    /// What to do with what a moderation finds.
    pub struct ModerationPolicy {
        /// For what goes in.
        pub input: Option<ModerationRule>,
        /// For what comes out.
        pub output: Option<ModerationRule>,
    }

    /// What to do with what a moderation finds.
    pub struct ModerationRule {
        /// `score` to report, `block` to stop.
        pub mode: String = always,
    }

    /// Text that the answer will probably repeat.
    pub struct Prediction {
        /// `content`.
        pub type_ as "type": String = always,
        /// The text, or parts of text.
        pub content: Content = always,
    }

    /// What a stream brings besides the answer.
    #[doc(alias = "ChatCompletionStreamOptions")]
    pub struct StreamOptions {
        /// Asks for the token usage in a last chunk without choices.
        pub include_usage: Option<bool>,
        /// Pads chunks with random text, against listeners that measure their length.
        pub include_obfuscation: Option<bool>,
    }

    /// Lets the model search the web.
    pub struct WebSearchOptions {
        /// How much it reads: `low`, `medium` or `high`.
        pub search_context_size: Option<String>,
        /// Where the user is, roughly.
        pub user_location: Option<UserLocation>,
    }

    /// Where the user is.
    pub struct UserLocation {
        /// `approximate`.
        pub type_ as "type": String = always,
        /// The place.
        pub approximate: Location = always,
    }

    /// A place. All members are optional.
    pub struct Location {
        /// Two-letter country code (ISO 3166-1).
        pub country: Option<String>,
        /// Region.
        pub region: Option<String>,
        /// City.
        pub city: Option<String>,
        /// Time zone, such as `Europe/Oslo`.
        pub timezone: Option<String>,
    }

    /// JSON schema that an answer follows.
    pub struct JsonSchema {
        /// Name of the schema: letters, digits, `_` and `-`, at most 64.
        pub name: String = always,
        /// What the answer is for: the model reads this.
        pub description: Option<String>,
        /// The schema.
        pub schema: Option<Value>,
        /// Makes the answer follow the schema exactly.
        pub strict: Option<bool>,
    }

    /// The format `json_schema`.
    pub struct JsonSchemaFormat {
        /// The schema.
        pub json_schema: JsonSchema = always,
    }

    /// A format that needs no further members.
    pub struct PlainFormat {}
}

blank! { PromptCacheOptions, StreamOptions, WebSearchOptions, Location }

setters! { PromptCacheOptions {
    ttl: impl Into<String>,
    mode: impl Into<String>,
} }

impl ModerationRequest {
    /// Checks with this model.
    pub fn new(model: impl Into<String>) -> Self {
        ModerationRequest { model: model.into(), ..ModerationRequest::blank() }
    }

    /// Sets what to do with what it finds in the conversation: `score` to report, `block` to stop.
    pub fn input(mut self, mode: impl Into<String>) -> Self {
        self.policy_mut().input = Some(ModerationRule { mode: mode.into(), ..ModerationRule::blank() });
        self
    }

    /// Sets what to do with what it finds in the answer: `score` to report, `block` to stop.
    pub fn output(mut self, mode: impl Into<String>) -> Self {
        self.policy_mut().output = Some(ModerationRule { mode: mode.into(), ..ModerationRule::blank() });
        self
    }

    fn policy_mut(&mut self) -> &mut ModerationPolicy {
        self.policy.get_or_insert_with(ModerationPolicy::blank)
    }
}

setters! { ModerationRequest {} }

impl From<&str> for ModerationRequest {
    fn from(model: &str) -> Self {
        ModerationRequest::new(model)
    }
}

impl From<String> for ModerationRequest {
    fn from(model: String) -> Self {
        ModerationRequest::new(model)
    }
}

setters! { StreamOptions {
    include_usage: bool,
    include_obfuscation: bool,
} }

setters! { WebSearchOptions {
    search_context_size: impl Into<String>,
    user_location: impl Into<UserLocation>,
} }

setters! { Location {
    country: impl Into<String>,
    region: impl Into<String>,
    city: impl Into<String>,
    timezone: impl Into<String>,
} }

impl From<Location> for UserLocation {
    fn from(approximate: Location) -> Self {
        UserLocation { type_: "approximate".to_owned(), approximate, ..UserLocation::blank() }
    }
}

impl JsonSchema {
    /// A schema under a name: letters, digits, `_` and `-`, at most 64.
    pub fn new(name: impl Into<String>) -> Self {
        JsonSchema { name: name.into(), ..JsonSchema::blank() }
    }
}

setters! { JsonSchema {
    description: impl Into<String>,
    schema: impl Into<Value>,
    strict: bool,
} }

open_union! {
    /// Shape of the answer.
    pub enum ResponseFormat by "type" {
        /// Text.
        Text(PlainFormat) = "text",
        /// Any JSON object. The prompt must ask for JSON, too.
        JsonObject(PlainFormat) = "json_object",
        /// JSON of a schema.
        JsonSchema(JsonSchemaFormat) = "json_schema",
    }
}

impl ResponseFormat {
    /// Text.
    pub fn text() -> Self {
        ResponseFormat::Text(PlainFormat::blank())
    }

    /// Any JSON object. The prompt must ask for JSON, too.
    pub fn json_object() -> Self {
        ResponseFormat::JsonObject(PlainFormat::blank())
    }

    /// JSON of this schema, strictly.
    pub fn json_schema(name: impl Into<String>, schema: Value) -> Self {
        JsonSchema::new(name).schema(schema).strict(true).into()
    }
}

impl From<JsonSchema> for ResponseFormat {
    fn from(json_schema: JsonSchema) -> Self {
        ResponseFormat::JsonSchema(JsonSchemaFormat { json_schema, ..JsonSchemaFormat::blank() })
    }
}

open_enum! {
    /// What an answer is made of.
    pub enum Modality {
        /// Text.
        Text = "text",
        /// Sound.
        Audio = "audio",
    }

    /// How long a model thinks.
    pub enum ReasoningEffort {
        /// Not at all.
        None = "none",
        /// As little as it can.
        Minimal = "minimal",
        /// A little.
        Low = "low",
        /// Some.
        Medium = "medium",
        /// Much.
        High = "high",
        /// More.
        Xhigh = "xhigh",
        /// As much as it can.
        Max = "max",
    }

    /// Length of an answer.
    pub enum Verbosity {
        /// Short.
        Low = "low",
        /// Normal.
        Medium = "medium",
        /// Long.
        High = "high",
    }
}

/// Texts that end an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// One text.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl From<&str> for Stop {
    fn from(text: &str) -> Self {
        Stop::One(text.to_owned())
    }
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Stop::One(text)
    }
}

impl<T: Into<String>> From<Vec<T>> for Stop {
    fn from(texts: Vec<T>) -> Self {
        Stop::Many(texts.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for Stop {
    fn from(texts: [T; N]) -> Self {
        Stop::Many(texts.into_iter().map(Into::into).collect())
    }
}

serde_of_wire! { Stop }

impl Wire for Stop {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        *self = match json.value()? {
            Value::String(text) => Stop::One(text),
            value => match Vec::deserialize(&value) {
                Ok(texts) => Stop::Many(texts),
                Err(_) => return Ok(Read::Odd(value)),
            },
        };
        Ok(Read::Fits)
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Stop::One(text) => writer.text(text),
            Stop::Many(texts) => texts.write(writer),
        }
    }

    fn blank() -> Self {
        Stop::Many(Vec::new())
    }

    #[cfg(test)]
    fn sample() -> Value {
        serde_json::json!(["text"])
    }
}
