//! The options of a request: output formats, web search, moderation, stop sequences.

use serde::Deserialize;
use serde_json::Value;

use super::Content;
use crate::audio::Voice;
use crate::wire::{Input, InvalidInput, Output, ReadOutcome, Wire};

wire_struct! {
    /// The voice and format of audio output.
    pub struct AudioFormat {
        /// Voice.
        pub voice: Voice = always,
        /// Audio format: `wav`, `aac`, `mp3`, `flac`, `opus` or `pcm16`.
        pub format: String = always,
    }

    /// How the server caches the prompt.
    pub struct PromptCacheOptions {
        /// Retention, such as `30m`.
        pub ttl: Option<String>,
        /// Cache mode: `implicit`, or `explicit` for breakpoints set in the messages.
        pub mode: Option<String>,
    }

    /// A check of the conversation for harmful content.
    pub struct ModerationRequest {
        /// Id of the moderation model.
        pub model: String = always,
        /// What to do with harmful content.
        pub policy: Option<ModerationPolicy>,
    }

    /// What to do with harmful content.
    pub struct ModerationPolicy {
        /// Rule for the input.
        pub input: Option<ModerationRule>,
        /// Rule for the output.
        pub output: Option<ModerationRule>,
    }

    /// What to do with harmful content.
    pub struct ModerationRule {
        /// Mode: `score` to report, `block` to stop.
        pub mode: String = always,
    }

    /// Predicted output.
    pub struct Prediction {
        /// The literal `content`.
        pub type_ as "type": String = always,
        /// The predicted text, or text parts.
        pub content: Content = always,
    }

    /// Options of a streamed response.
    pub struct StreamOptions {
        /// Requests token usage in a last chunk without choices.
        pub include_usage: Option<bool>,
        /// Pads chunks with random text, against observers that measure their length.
        pub include_obfuscation: Option<bool>,
    }

    /// Web search options.
    pub struct WebSearchOptions {
        /// Amount of search results to read: `low`, `medium` or `high`.
        pub search_context_size: Option<String>,
        /// Approximate location of the user.
        pub user_location: Option<UserLocation>,
    }

    /// The location of the user.
    pub struct UserLocation {
        /// The literal `approximate`.
        pub type_ as "type": String = always,
        /// The location.
        pub approximate: Location = always,
    }

    /// A location. All fields are optional.
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

    /// A JSON schema for the output.
    pub struct JsonSchema {
        /// Name of the schema: letters, digits, `_` and `-`, at most 64.
        pub name: String = always,
        /// Purpose of the output, which the model reads.
        pub description: Option<String>,
        /// The schema.
        pub schema: Option<Value>,
        /// Makes the output follow the schema exactly.
        pub strict: Option<bool>,
    }

    /// The output format `json_schema`.
    pub struct JsonSchemaFormat {
        /// The schema.
        pub json_schema: JsonSchema = always,
    }

    /// An output format without further fields.
    pub struct PlainFormat {}
}

empty_options! { PromptCacheOptions, StreamOptions, WebSearchOptions, Location }

setters! { PromptCacheOptions {
    ttl: impl Into<String>,
    mode: impl Into<String>,
} }

impl ModerationRequest {
    /// Creates a moderation with this model.
    pub fn new(model: impl Into<String>) -> Self {
        ModerationRequest { model: model.into(), ..ModerationRequest::default_value() }
    }

    /// Sets the mode for the input: `score` to report, `block` to stop.
    pub fn input(mut self, mode: impl Into<String>) -> Self {
        self.policy_mut().input = Some(ModerationRule { mode: mode.into(), ..ModerationRule::default_value() });
        self
    }

    /// Sets the mode for the output: `score` to report, `block` to stop.
    pub fn output(mut self, mode: impl Into<String>) -> Self {
        self.policy_mut().output = Some(ModerationRule { mode: mode.into(), ..ModerationRule::default_value() });
        self
    }

    fn policy_mut(&mut self) -> &mut ModerationPolicy {
        self.policy.get_or_insert_with(ModerationPolicy::default_value)
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
        UserLocation { type_: "approximate".to_owned(), approximate, ..UserLocation::default_value() }
    }
}

impl JsonSchema {
    /// Creates an empty schema. The name may contain letters, digits, `_` and `-`, at most 64.
    pub fn new(name: impl Into<String>) -> Self {
        JsonSchema { name: name.into(), ..JsonSchema::default_value() }
    }
}

setters! { JsonSchema {
    description: impl Into<String>,
    schema: impl Into<Value>,
    strict: bool,
} }

open_union! {
    /// The format of the output.
    pub enum ResponseFormat by "type" {
        /// Text.
        Text(PlainFormat) = "text",
        /// Any JSON object. The prompt must ask for JSON, too.
        JsonObject(PlainFormat) = "json_object",
        /// JSON that follows a schema.
        JsonSchema(JsonSchemaFormat) = "json_schema",
    }
}

impl ResponseFormat {
    /// Plain text.
    pub fn text() -> Self {
        ResponseFormat::Text(PlainFormat::default_value())
    }

    /// Any JSON object. The prompt must ask for JSON, too.
    #[doc(alias = "json mode")]
    pub fn json_object() -> Self {
        ResponseFormat::JsonObject(PlainFormat::default_value())
    }

    /// JSON that follows this schema strictly.
    #[doc(alias = "structured output")]
    pub fn json_schema(name: impl Into<String>, schema: Value) -> Self {
        JsonSchema::new(name).schema(schema).strict(true).into()
    }
}

impl From<JsonSchema> for ResponseFormat {
    fn from(json_schema: JsonSchema) -> Self {
        ResponseFormat::JsonSchema(JsonSchemaFormat { json_schema, ..JsonSchemaFormat::default_value() })
    }
}

open_enum! {
    /// An output type.
    pub enum Modality {
        /// Text.
        Text = "text",
        /// Audio.
        Audio = "audio",
    }

    /// The reasoning effort of a model.
    pub enum ReasoningEffort {
        /// No reasoning.
        None = "none",
        /// Minimal effort.
        Minimal = "minimal",
        /// Low effort.
        Low = "low",
        /// Medium effort.
        Medium = "medium",
        /// High effort.
        High = "high",
        /// Very high effort.
        Xhigh = "xhigh",
        /// Maximum effort.
        Max = "max",
    }

    /// The verbosity of the output.
    pub enum Verbosity {
        /// Short output.
        Low = "low",
        /// Normal output.
        Medium = "medium",
        /// Long output.
        High = "high",
    }
}

/// Stop sequences.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// One sequence.
    One(String),
    /// Several sequences.
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
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        *self = match input.value()? {
            Value::String(text) => Stop::One(text),
            value => match Vec::deserialize(&value) {
                Ok(texts) => Stop::Many(texts),
                Err(_) => return Ok(ReadOutcome::mismatched(value)),
            },
        };
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        match self {
            Stop::One(text) => Output::String(text),
            Stop::Many(texts) => texts.output(),
        }
    }

    fn default_value() -> Self {
        Stop::Many(Vec::new())
    }

    #[cfg(test)]
    fn sample() -> Value {
        serde_json::json!(["text"])
    }
}
