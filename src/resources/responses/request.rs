//! Requests: what the model gets, and how it answers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Include, Item, Response, Tool, ToolChoice};
use crate::chat::{
    JsonSchema, ModerationRequest, PlainFormat, PromptCacheOptions, ReasoningEffort, ResponseFormat, ServiceTier,
    StreamOptions, Verbosity,
};
use crate::wire::Wire;

wire_struct! {
    /// A request for a response. Plain data: the same value serves [`Responses::create`], [`Responses::stream`],
    /// [`Responses::run`], a line of a batch, a test and the next provider. Unset fields are not sent.
    ///
    /// See [OpenAI: Responses](https://platform.openai.com/docs/api-reference/responses/create).
    ///
    /// [`Responses::create`]: super::Responses::create
    /// [`Responses::stream`]: super::Responses::stream
    /// [`Responses::run`]: super::Responses::run
    pub struct ResponseRequest {
        /// Id of the model.
        pub model: String,
        /// Input of the model: text, or items, oldest first.
        pub input: ResponseInput,
        /// Instructions, instead of a system message. Not carried over by `previous_response_id`.
        pub instructions: Option<String>,
        /// Produces the response in the background: see [`Responses::run`](super::Responses::run).
        pub background: Option<bool>,
        /// How the server shortens a context that has grown too long.
        pub context_management: Vec<ContextManagement>,
        /// Conversation that the response belongs to: its id, or `{"id": …}`.
        pub conversation: Option<Value>,
        /// Additional fields of the response.
        pub include: Vec<Include>,
        /// Maximum number of generated tokens, including reasoning tokens.
        #[doc(alias = "max_tokens")]
        pub max_output_tokens: Option<u64>,
        /// Maximum number of calls of hosted tools.
        pub max_tool_calls: Option<u64>,
        /// Up to 16 key-value pairs, stored with the response.
        pub metadata: BTreeMap<String, String>,
        /// Checks the conversation for harmful content.
        pub moderation: Option<ModerationRequest>,
        /// Access programs of a domain, and whether the request uses them.
        pub access_programs: Option<Value>,
        /// How a background response runs, such as within which time it completes.
        pub background_options: Option<Value>,
        /// Options of images.
        pub image: Option<Value>,
        /// Allows several tool calls in one response.
        pub parallel_tool_calls: Option<bool>,
        /// Id of the stored response that this one continues.
        pub previous_response_id: Option<String>,
        /// A prompt template stored on the server.
        pub prompt: Option<PromptTemplate>,
        /// Cache key for requests that share a prompt prefix.
        pub prompt_cache_key: Option<String>,
        /// How the server caches the prompt.
        pub prompt_cache_options: Option<PromptCacheOptions>,
        /// Retention of the cached prompt: `in_memory` or `24h`. Deprecated in favor of `prompt_cache_options`.
        pub prompt_cache_retention: Option<String>,
        /// Reasoning options.
        pub reasoning: Option<Reasoning>,
        /// A stable identifier for the end user, hashed, at most 64 characters, for the provider's abuse detection.
        pub safety_identifier: Option<String>,
        /// Processing tier.
        pub service_tier: Option<ServiceTier>,
        /// Stores the response on the server, so that later requests can refer to it.
        pub store: Option<bool>,
        /// Options of a streamed response.
        pub stream_options: Option<StreamOptions>,
        /// Sampling temperature, from 0.0 to 2.0. Higher values produce more varied output.
        pub temperature: Option<f64> = finite,
        /// Format and verbosity of the text.
        pub text: Option<TextOptions>,
        /// Which tool the model may or must call.
        pub tool_choice: Option<ToolChoice>,
        /// Tools that the model may call.
        pub tools: Vec<Tool>,
        /// Number of most likely tokens to return per position, from 0 to 20. Requires
        /// [`Include::OutputTextLogprobs`].
        pub top_logprobs: Option<u32>,
        /// Nucleus sampling: considers the most likely tokens up to this cumulative probability, from 0.0 to 1.0. Set
        /// this or the temperature.
        pub top_p: Option<f64> = finite,
        /// `auto` or `disabled`. Deprecated in favor of `context_management`.
        pub truncation: Option<String>,
        /// A stable identifier for the end user. Deprecated in favor of `safety_identifier` and `prompt_cache_key`.
        pub user: Option<String>,
    }

    /// A prompt template stored on the server.
    pub struct PromptTemplate {
        /// Id of the template.
        pub id: String = always,
        /// Version of the template.
        pub version: Option<String>,
        /// Values of its variables: texts, or parts such as images.
        pub variables: BTreeMap<String, Value>,
    }

    /// Reasoning options.
    pub struct Reasoning {
        /// Effort.
        pub effort: Option<ReasoningEffort>,
        /// Summary of the reasoning: `auto`, `concise` or `detailed`.
        pub summary: Option<String>,
        /// Which reasoning of earlier turns the model sees: `auto`, `current_turn` or `all_turns`.
        pub context: Option<String>,
        /// `standard` or `pro`.
        pub mode: Option<String>,
        /// Deprecated form of `summary`.
        pub generate_summary: Option<String>,
    }

    /// Format and verbosity of the text.
    pub struct TextOptions {
        /// Format: text, any JSON, or JSON that follows a schema.
        pub format: Option<TextFormat>,
        /// Verbosity.
        pub verbosity: Option<Verbosity>,
    }

    /// How the server shortens a context that has grown too long.
    pub struct ContextManagement {
        /// The literal `compaction`.
        pub type_ as "type": String = always,
        /// Number of tokens at which the context is compacted, from 1000.
        pub compact_threshold: Option<u64>,
    }
}

open_union! {
    /// The format of the text.
    pub enum TextFormat by "type" {
        /// Text.
        Text(PlainFormat) = "text",
        /// Any JSON object. The prompt must ask for JSON, too.
        JsonObject(PlainFormat) = "json_object",
        /// JSON that follows a schema.
        JsonSchema(JsonSchema) = "json_schema",
    }
}

text_or_array! {
    /// The input of the model: text, or items, oldest first.
    pub enum ResponseInput {
        /// Items.
        Items(Item) = |text| Item::user(text)
    }
}

impl ResponseInput {
    /// Returns the items; text is a message of the user.
    pub fn into_items(self) -> Vec<Item> {
        match self {
            ResponseInput::Text(text) => vec![Item::user(text)],
            ResponseInput::Items(items) => items,
        }
    }
}

impl From<Item> for ResponseInput {
    fn from(item: Item) -> Self {
        ResponseInput::Items(vec![item])
    }
}

impl ResponseRequest {
    /// Creates a request from a model and its input: text, an item, or items.
    pub fn new(model: impl Into<String>, input: impl Into<ResponseInput>) -> Self {
        ResponseRequest { model: model.into(), input: input.into(), ..ResponseRequest::default_value() }
    }

    /// Sets the input.
    pub fn input(mut self, input: impl Into<ResponseInput>) -> Self {
        self.input = input.into();
        self
    }

    /// Adds an item to the input; text is a message of the user.
    pub fn item(mut self, item: impl Into<Item>) -> Self {
        let mut items = std::mem::replace(&mut self.input, ResponseInput::default_value()).into_items();
        items.push(item.into());
        self.input(items)
    }

    /// Creates the request for the next turn of the conversation: the same options, and new input.
    ///
    /// A server that stores the response gets its id (`previous_response_id`), or has it in the conversation. Otherwise the
    /// request carries all items so far, without their ids, which a server does not know that stores nothing. For models
    /// that reason, see [`stateless`](Self::stateless).
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::ResponseRequest;
    ///
    /// let request = ResponseRequest::new("gpt-6-luna", "Name three rivers.");
    /// let response = client.responses().create(&request).await?;
    /// let request = request.follow_up(&response, "How long are they?");
    /// println!("{}", client.responses().create(&request).await?.text());
    /// # Ok(())
    /// # }
    /// ```
    pub fn follow_up(&self, response: &Response, input: impl Into<ResponseInput>) -> Self {
        let mut next = self.clone();
        let input = input.into();
        if next.conversation.is_some() {
            return next.input(input);
        }
        let is_stored = response.store == Some(true) || self.previous_response_id.is_some();
        if is_stored && self.store != Some(false) && !response.id.is_empty() {
            next.previous_response_id = Some(response.id.clone());
            return next.input(input);
        }
        let mut items = std::mem::replace(&mut next.input, ResponseInput::default_value()).into_items();
        items.extend(response.output.iter().filter(|item| can_be_sent_back(item)).cloned().map(Item::without_id));
        items.extend(input.into_items());
        next.input(items)
    }

    /// Stores nothing on the server, and includes the encrypted reasoning, so that [`follow_up`](Self::follow_up) can carry
    /// it: sets `store` and `include`.
    pub fn stateless(mut self) -> Self {
        if !self.include.contains(&Include::ReasoningEncryptedContent) {
            self.include.push(Include::ReasoningEncryptedContent);
        }
        self.store(false)
    }

    /// Sets the conversation that the response belongs to, by its id.
    pub fn conversation(mut self, id: impl Into<String>) -> Self {
        self.conversation = Some(Value::String(id.into()));
        self
    }

    /// Adds a key-value pair, stored with the response.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Sets the format of the text: a [`JsonSchema`], or a [`ResponseFormat`].
    #[doc(alias = "response_format")]
    pub fn format(mut self, format: impl Into<TextFormat>) -> Self {
        self.text.get_or_insert_with(TextOptions::default_value).format = Some(format.into());
        self
    }

    /// Sets the verbosity of the text.
    pub fn verbosity(mut self, verbosity: impl Into<Verbosity>) -> Self {
        self.text.get_or_insert_with(TextOptions::default_value).verbosity = Some(verbosity.into());
        self
    }

    /// Sets the effort of the reasoning.
    pub fn reasoning_effort(mut self, effort: impl Into<ReasoningEffort>) -> Self {
        self.reasoning.get_or_insert_with(Reasoning::default_value).effort = Some(effort.into());
        self
    }

    /// Makes the text follow the schema of a type strictly. Read it with [`Response::parse`]. *Feature* `schemars`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::ResponseRequest;
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Recipe { title: String, minutes: u32 }
    ///
    /// let request = ResponseRequest::new("gpt-6-luna", "A quick soup, please.");
    /// let recipe: Recipe = client.responses().create(request.json_schema::<Recipe>()).await?.parse()?;
    /// println!("{}, {} minutes", recipe.title, recipe.minutes);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "schemars")]
    pub fn json_schema<T: schemars::JsonSchema>(self) -> Self {
        self.format(JsonSchema::of::<T>())
    }
}

/// Reasoning that is neither readable nor encrypted means nothing to a server that did not store it.
fn can_be_sent_back(item: &Item) -> bool {
    match item {
        Item::Reasoning(item) => item.encrypted_content.is_some() || !item.content.is_empty(),
        _ => true,
    }
}

setters! { ResponseRequest {
    instructions: impl Into<String>,
    background: bool,
    context_management: [ContextManagement],
    include: [Include],
    max_output_tokens: u64,
    max_tool_calls: u64,
    moderation: impl Into<ModerationRequest>,
    access_programs: impl Into<Value>,
    background_options: impl Into<Value>,
    image: impl Into<Value>,
    parallel_tool_calls: bool,
    previous_response_id: impl Into<String>,
    prompt: impl Into<PromptTemplate>,
    prompt_cache_key: impl Into<String>,
    prompt_cache_options: impl Into<PromptCacheOptions>,
    prompt_cache_retention: impl Into<String>,
    reasoning: impl Into<Reasoning>,
    safety_identifier: impl Into<String>,
    service_tier: impl Into<ServiceTier>,
    store: bool,
    stream_options: impl Into<StreamOptions>,
    temperature: f64,
    text: impl Into<TextOptions>,
    tool_choice: impl Into<ToolChoice>,
    tools: [Tool],
    top_logprobs: u32,
    top_p: f64,
    truncation: impl Into<String>,
    user: impl Into<String>,
} }

empty_options! { Reasoning, TextOptions }

setters! { Reasoning {
    effort: impl Into<ReasoningEffort>,
    summary: impl Into<String>,
    context: impl Into<String>,
    mode: impl Into<String>,
    generate_summary: impl Into<String>,
} }

setters! { TextOptions {
    format: impl Into<TextFormat>,
    verbosity: impl Into<Verbosity>,
} }

impl PromptTemplate {
    /// Refers to a template by its id.
    pub fn new(id: impl Into<String>) -> Self {
        PromptTemplate { id: id.into(), ..PromptTemplate::default_value() }
    }

    /// Sets the value of a variable: text, or a part as JSON.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }
}

setters! { PromptTemplate {
    version: impl Into<String>,
} }

impl ContextManagement {
    /// Compacts a context of more tokens than this.
    pub fn compaction(threshold: u64) -> Self {
        ContextManagement {
            type_: "compaction".to_owned(),
            compact_threshold: Some(threshold),
            ..ContextManagement::default_value()
        }
    }
}

impl From<JsonSchema> for TextFormat {
    fn from(schema: JsonSchema) -> Self {
        TextFormat::JsonSchema(schema)
    }
}

impl From<ResponseFormat> for TextFormat {
    fn from(format: ResponseFormat) -> Self {
        match format {
            ResponseFormat::Text(format) => TextFormat::Text(format),
            ResponseFormat::JsonObject(format) => TextFormat::JsonObject(format),
            ResponseFormat::JsonSchema(format) => TextFormat::JsonSchema(format.json_schema),
            ResponseFormat::Other(fields) => TextFormat::Other(fields),
        }
    }
}
