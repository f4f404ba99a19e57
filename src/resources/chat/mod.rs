//! Chat completions: `client.chat()`.
//!
//! ```no_run
//! # async fn run() -> openai_compatible::Result<()> {
//! use openai_compatible::{Client, chat::{ChatRequest, Message}};
//!
//! let client = Client::from_env()?;
//! let request = ChatRequest::new("llama3.2", [Message::user("Name three rivers.")]).temperature(0.2);
//! println!("{}", client.chat().create(&request).await?.text());
//!
//! let mut chunks = client.chat().stream(&request).await?;
//! while let Some(chunk) = chunks.try_next().await? {
//!     print!("{}", chunk.text());
//! }
//! # Ok(())
//! # }
//! ```

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

mod accumulate;
mod chunk;
mod event;
mod message;
mod options;
mod reply;
mod schema;
mod thinking;
mod tool;
mod tool_set;

// Aliases of a type stand at its export: rustdoc drops those of an item that it inlines from a private module.
pub use self::accumulate::Accumulator;
pub(crate) use self::accumulate::{MergePolicy, merge_extra};
#[doc(alias = "CreateChatCompletionStreamResponse")]
#[doc(alias = "ChatCompletionChunk")]
pub use self::chunk::ChatChunk;
pub use self::chunk::{AudioDelta, ChatStream, ChunkChoice, Delta, FunctionCallDelta, ToolCallDelta};
pub use self::event::{ChatEvent, ChatEvents};
#[doc(alias = "ChatCompletionMessage")]
#[doc(alias = "ChatCompletionRequestAssistantMessage")]
#[doc(alias = "ChatCompletionResponseMessage")]
pub use self::message::AssistantMessage;
#[doc(alias = "ChatCompletionMessageParam")]
#[doc(alias = "ChatCompletionRequestMessage")]
pub use self::message::Message;
#[doc(alias = "ChatCompletionContentPart")]
pub use self::message::Part;
#[doc(alias = "ChatCompletionRequestSystemMessage")]
pub use self::message::SystemMessage;
#[doc(alias = "ChatCompletionRequestToolMessage")]
pub use self::message::ToolMessage;
#[doc(alias = "ChatCompletionRequestUserMessage")]
pub use self::message::UserMessage;
pub use self::message::{
    Annotation, AssistantAudio, AudioPart, Content, FileInput, FilePart, FunctionMessage, ImageDetail, ImagePart,
    ImageUrl, InputAudio, PromptCacheBreakpoint, RefusalPart, Role, TextPart, ThinkingPart, UrlCitation, VideoPart,
    VideoUrl,
};
#[doc(alias = "ChatCompletionStreamOptions")]
pub use self::options::StreamOptions;
pub use self::options::{
    AudioFormat, JsonSchema, JsonSchemaFormat, Location, Modality, ModerationPolicy, ModerationRequest, ModerationRule,
    PlainFormat, Prediction, PromptCacheOptions, ReasoningEffort, ResponseFormat, Stop, UserLocation, Verbosity,
    WebSearchOptions,
};
#[doc(alias = "CreateChatCompletionResponse")]
pub use self::reply::ChatCompletion;
#[doc(alias = "ChatCompletionTokenLogprob")]
pub use self::reply::TokenLogprob;
#[doc(alias = "CompletionUsage")]
pub use self::reply::Usage;
pub(crate) use self::reply::choice_error;
pub use self::reply::{
    Choice, CompletionTokensDetails, FinishReason, Logprobs, Moderation, ModerationOutcome, ModerationResult,
    PromptTokensDetails, ServiceTier, StoredMessage, TopLogprob,
};
pub(crate) use self::schema::read_json;
pub use self::schema::{check_strict, strict_schema};
pub use self::thinking::ThinkingTags;
#[doc(alias = "ChatCompletionTool")]
pub use self::tool::Tool;
#[doc(alias = "ChatCompletionMessageToolCall")]
pub use self::tool::ToolCall;
pub use self::tool::{
    Custom, CustomCall, CustomTool, Function, FunctionCall, FunctionTool, ToolChoice, ToolChoiceMode,
};
pub(crate) use self::tool_set::ToolPanic;
#[doc(alias = "function calling")]
#[doc(alias = "mcp")]
#[doc(alias = "agent")]
pub use self::tool_set::ToolSet;
pub use self::tool_set::{Json, ToolError, ToolOutcome, ToolOutput, ToolResult};
pub use super::structured::{Parse, Parsed, partial_json};
pub use super::tools::{
    ChatToolEvent as ToolEvent, ChatToolRun as ToolRun, Permission, ToolApi, ToolEvents, ToolRunner,
};
use crate::audio::Voice;
use crate::call::Call;
use crate::call::page::{Deleted, ListRequest, Page, SortOrder};
use crate::client::Client;
use crate::reply::stream::StreamItem;
use crate::transport::BodyMode;
use crate::transport::request::{Body, WireRequest};
use crate::wire::{Wire, stream_override};

/// The chat completions API of a client.
#[derive(Clone, Debug)]
pub struct Chat {
    client: Client,
}

impl Client {
    /// Returns the chat completions API.
    pub fn chat(&self) -> Chat {
        Chat { client: self.clone() }
    }
}

impl Chat {
    /// Creates a chat completion: `POST /chat/completions`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::chat::{ChatRequest, Message};
    ///
    /// let request = ChatRequest::new("llama3.2", [Message::user("Name three rivers.")]);
    /// let response = client.chat().create(&request).await?;
    /// println!("{}", response.text());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "chat.completions.create")]
    pub fn create(&self, request: impl Borrow<ChatRequest>) -> Call<ChatCompletion> {
        Call::send(&self.client.settings, post(request.borrow(), false))
    }

    /// Streams a chat completion: `POST /chat/completions` with `"stream": true`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::chat::{ChatRequest, Message};
    ///
    /// let request = ChatRequest::new("llama3.2", [Message::user("Name three rivers.")]);
    /// let mut chunks = client.chat().stream(&request).await?;
    /// while let Some(chunk) = chunks.try_next().await? {
    ///     print!("{}", chunk.text());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "chat.completions.stream")]
    #[doc(alias = "streaming")]
    #[doc(alias = "create_stream")]
    #[doc(alias = "sse")]
    pub fn stream(&self, request: impl Borrow<ChatRequest>) -> Call<ChatStream> {
        Call::new(&self.client.settings, post(request.borrow(), true), BodyMode::Stream, ChatChunk::open)
    }

    /// Lists stored completions: `GET /chat/completions`. Only completions created with `store(true)` are stored.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use futures::TryStreamExt;
    /// use openai_compatible::chat::StoredListRequest;
    ///
    /// let request = StoredListRequest::new().metadata("run", "7");
    /// let stored: Vec<_> = client.chat().list(request).await?.into_stream().try_collect().await?;
    /// println!("{} completions", stored.len());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "chat.completions.list")]
    pub fn list(&self, request: impl Borrow<StoredListRequest>) -> Call<Page<ChatCompletion>> {
        let request = request.borrow();
        let mut call = Call::page(&self.client.settings, &["chat", "completions"])
            .query_opt("model", request.model.as_ref())
            .query_opt("after", request.after.as_ref())
            .query_opt("limit", request.limit)
            .query_opt("order", request.order.as_ref())
            .extra_query(&request.extra);
        for (name, value) in &request.metadata {
            call = call.query(format!("metadata[{name}]"), value);
        }
        call
    }

    /// Gets a stored completion: `GET /chat/completions/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// println!("{}", client.chat().get("chatcmpl-abc").await?.text());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retrieve")]
    #[doc(alias = "chat.completions.retrieve")]
    pub fn get(&self, id: &str) -> Call<ChatCompletion> {
        Call::get(&self.client.settings, &["chat", "completions", id])
    }

    /// Replaces the metadata of a stored completion: `POST /chat/completions/{id}`. An empty map removes all metadata.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use std::collections::BTreeMap;
    ///
    /// let notes = BTreeMap::from([("rating".to_owned(), "good".to_owned())]);
    /// let stored = client.chat().update("chatcmpl-abc", &notes).await?;
    /// println!("{:?}", stored.metadata);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "chat.completions.update")]
    pub fn update(&self, id: &str, metadata: &BTreeMap<String, String>) -> Call<ChatCompletion> {
        let body = Body::json(&json!({ "metadata": metadata }));
        Call::post_body(&self.client.settings, &["chat", "completions", id], body)
    }

    /// Deletes a stored completion: `DELETE /chat/completions/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// assert!(client.chat().delete("chatcmpl-abc").await?.deleted);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "chat.completions.delete")]
    pub fn delete(&self, id: &str) -> Call<Deleted> {
        Call::deleted(&self.client.settings, &["chat", "completions", id])
    }

    /// Lists the prompt messages of a stored completion: `GET /chat/completions/{id}/messages`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::ListRequest;
    ///
    /// for message in client.chat().messages("chatcmpl-abc", ListRequest::new()).await?.data {
    ///     println!("{message:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "chat.completions.messages.list")]
    pub fn messages(&self, id: &str, request: impl Borrow<ListRequest>) -> Call<Page<StoredMessage>> {
        Call::page(&self.client.settings, &["chat", "completions", id, "messages"]).list_query(request.borrow())
    }
}

impl Chat {
    /// The call of a request, which may be read as a stream.
    pub(crate) fn call_of(&self, request: &ChatRequest, stream: bool) -> Call<ChatCompletion> {
        Call::send(&self.client.settings, post(request, stream))
    }
}

fn post(request: &ChatRequest, stream: bool) -> crate::error::Result<WireRequest> {
    let body = Body::of(request, &[stream_override(stream)]);
    WireRequest::of_model(&["chat", "completions"], Some(&request.model), body)
}

wire_struct! {
    /// A chat completion request. Plain data: the same value serves [`Chat::create`], [`Chat::stream`], a line of a
    /// batch, a test and the next provider. Unset fields are not sent.
    ///
    /// ```
    /// use openai_compatible::chat::{ChatRequest, Message};
    ///
    /// let request = ChatRequest::new("llama3.2", [Message::system("Be brief."), Message::user("Name three rivers.")])
    ///     .temperature(0.2)
    ///     .max_tokens(80)
    ///     .extra("top_k", 40); // a parameter of this server
    /// assert_eq!(serde_json::to_value(&request)?["top_k"], 40);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// See [OpenAI: Chat](https://platform.openai.com/docs/api-reference/chat/create).
    #[doc(alias = "CreateChatCompletionRequest")]
    #[doc(alias = "ChatCompletionRequest")]
    #[doc(alias = "prompt")]
    pub struct ChatRequest {
        /// Id of the model.
        pub model: String = always,
        /// Messages of the conversation so far, oldest first.
        pub messages: Vec<Message> = always,
        /// Voice and format of the audio output. Requires `modalities(["text", "audio"])`.
        pub audio: Option<AudioFormat>,
        /// Penalizes tokens by how often they have already appeared, from −2.0 to 2.0.
        pub frequency_penalty: Option<f64> = finite,
        /// Deprecated form of `tool_choice`: `none`, `auto`, or `{"name": …}`.
        pub function_call: Option<Value>,
        /// Deprecated form of `tools`.
        pub functions: Vec<Function>,
        /// Bias of tokens by their id, from −100 (never) to 100 (always).
        pub logit_bias: BTreeMap<String, i64>,
        /// Returns the log probability of each output token.
        pub logprobs: Option<bool>,
        /// Maximum number of generated tokens, including reasoning tokens.
        pub max_completion_tokens: Option<u64>,
        /// Maximum number of generated tokens. Deprecated by OpenAI in favor of `max_completion_tokens`. *Providers*:
        /// the only supported name on many servers.
        pub max_tokens: Option<u64>,
        /// Up to 16 key-value pairs, stored with a completion.
        pub metadata: BTreeMap<String, String>,
        /// Output types: `text`, `audio`.
        pub modalities: Vec<Modality>,
        /// Checks the conversation for harmful content.
        pub moderation: Option<ModerationRequest>,
        /// Number of choices to generate, from 1 to 128. *Providers*: Groq and Ollama support 1.
        pub n: Option<u32>,
        /// Allows several tool calls in one response.
        pub parallel_tool_calls: Option<bool>,
        /// Predicted output, such as the file being edited. Speeds up the response where it matches.
        pub prediction: Option<Prediction>,
        /// Penalizes tokens that have already appeared, from −2.0 to 2.0.
        pub presence_penalty: Option<f64> = finite,
        /// Cache key for requests that share a prompt prefix.
        pub prompt_cache_key: Option<String>,
        /// How the server caches the prompt.
        pub prompt_cache_options: Option<PromptCacheOptions>,
        /// Retention of the cached prompt: `in_memory` or `24h`. Deprecated in favor of `prompt_cache_options`.
        pub prompt_cache_retention: Option<String>,
        /// Reasoning effort. *Providers*: `default` on Groq, further values elsewhere.
        pub reasoning_effort: Option<ReasoningEffort>,
        /// Format of the output: text, any JSON, or JSON that follows a schema.
        pub response_format: Option<ResponseFormat>,
        /// A stable identifier for the end user, hashed, at most 64 characters, for the provider's abuse detection.
        pub safety_identifier: Option<String>,
        /// Seed for best-effort deterministic sampling. *Providers*: `random_seed` on Mistral.
        pub seed: Option<i64>,
        /// Processing tier.
        pub service_tier: Option<ServiceTier>,
        /// Up to four stop sequences.
        pub stop: Option<Stop>,
        /// Stores the completion on the server.
        pub store: Option<bool>,
        /// Options of a streamed response.
        pub stream_options: Option<StreamOptions>,
        /// Sampling temperature, from 0.0 to 2.0. Higher values produce more varied output.
        pub temperature: Option<f64> = finite,
        /// Which tool the model may or must call.
        pub tool_choice: Option<ToolChoice>,
        /// Tools that the model may call.
        pub tools: Vec<Tool>,
        /// Number of most likely tokens to return per position, from 0 to 20. Requires `logprobs(true)`.
        pub top_logprobs: Option<u32>,
        /// Nucleus sampling: considers the most likely tokens up to this cumulative probability, from 0.0 to 1.0. Set
        /// this or the temperature.
        pub top_p: Option<f64> = finite,
        /// A stable identifier for the end user. Deprecated in favor of `safety_identifier` and `prompt_cache_key`.
        pub user: Option<String>,
        /// Verbosity of the output.
        pub verbosity: Option<Verbosity>,
        /// Web search options.
        pub web_search_options: Option<WebSearchOptions>,
    }
}

impl ChatRequest {
    /// Creates a request with a model and messages.
    pub fn new(model: impl Into<String>, messages: impl IntoIterator<Item = Message>) -> Self {
        ChatRequest { model: model.into(), messages: messages.into_iter().collect(), ..ChatRequest::default_value() }
    }

    /// Adds a message to the conversation.
    pub fn message(mut self, message: impl Into<Message>) -> Self {
        self.messages.push(message.into());
        self
    }

    /// Requests token usage at the end of a stream: `stream_options.include_usage`.
    pub fn include_usage(mut self, include: bool) -> Self {
        self.stream_options.get_or_insert_with(StreamOptions::default_value).include_usage = Some(include);
        self
    }

    /// Adds a key-value pair, stored with the completion.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Sets the bias of a token by its id, from −100 (never) to 100 (always).
    pub fn logit_bias(mut self, token: impl ToString, bias: i64) -> Self {
        self.logit_bias.insert(token.to_string(), bias);
        self
    }

    /// Requests audio output in this voice and format: sets `audio` and `modalities`.
    pub fn audio(mut self, voice: impl Into<Voice>, format: impl Into<String>) -> Self {
        self.audio = Some(AudioFormat { voice: voice.into(), format: format.into(), ..AudioFormat::default_value() });
        self.modalities([Modality::Text, Modality::Audio])
    }

    /// Sets the predicted output.
    pub fn prediction(mut self, content: impl Into<Content>) -> Self {
        self.prediction =
            Some(Prediction { type_: "content".to_owned(), content: content.into(), ..Prediction::default_value() });
        self
    }
}

setters! { ChatRequest {
    frequency_penalty: f64,
    function_call: impl Into<Value>,
    functions: [Function],
    logprobs: bool,
    max_completion_tokens: u64,
    max_tokens: u64,
    modalities: [Modality],
    moderation: impl Into<ModerationRequest>,
    n: u32,
    parallel_tool_calls: bool,
    presence_penalty: f64,
    prompt_cache_key: impl Into<String>,
    prompt_cache_options: PromptCacheOptions,
    prompt_cache_retention: impl Into<String>,
    reasoning_effort: impl Into<ReasoningEffort>,
    response_format: impl Into<ResponseFormat>,
    safety_identifier: impl Into<String>,
    seed: i64,
    service_tier: impl Into<ServiceTier>,
    stop: impl Into<Stop>,
    store: bool,
    stream_options: StreamOptions,
    temperature: f64,
    tool_choice: impl Into<ToolChoice>,
    tools: [Tool],
    top_logprobs: u32,
    top_p: f64,
    user: impl Into<String>,
    verbosity: impl Into<Verbosity>,
    web_search_options: WebSearchOptions,
} }

wire_struct! {
    /// A request for a list of stored completions.
    pub struct StoredListRequest {
        /// Only completions of this model.
        pub model: Option<String>,
        /// Only completions with these key-value pairs in their metadata.
        pub metadata: BTreeMap<String, String>,
        /// Id of the completion before the first one to return.
        pub after: Option<String>,
        /// Maximum number of completions per page.
        pub limit: Option<u32>,
        /// Order by creation time.
        pub order: Option<SortOrder>,
    }
}

impl StoredListRequest {
    /// Creates a request for all stored completions.
    pub fn new() -> Self {
        StoredListRequest::default_value()
    }

    /// Restricts the list to completions with this key-value pair in their metadata.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }
}

setters! { StoredListRequest {
    model: impl Into<String>,
    after: impl Into<String>,
    limit: u32,
    order: impl Into<SortOrder>,
} }
