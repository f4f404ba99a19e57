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
mod tool;
mod tool_runner;
mod tool_set;

pub use self::accumulate::Accumulator;
pub(crate) use self::accumulate::{Grows, merge_extra};
pub use self::chunk::{AudioDelta, ChatChunk, ChatStream, ChunkChoice, Delta, FunctionCallDelta, ToolCallDelta};
pub use self::event::{ChatEvent, ChatEvents};
pub use self::message::{
    Annotation, AssistantMessage, AudioPart, AudioReply, Content, FileInput, FilePart, FunctionMessage, ImageDetail,
    ImagePart, ImageUrl, InputAudio, Message, Part, PromptCacheBreakpoint, RefusalPart, Role, SystemMessage, TextPart,
    ThinkingPart, ToolMessage, UrlCitation, UserMessage,
};
pub use self::options::{
    AudioFormat, JsonSchema, JsonSchemaFormat, Location, Modality, ModerationPolicy, ModerationRequest, ModerationRule,
    PlainFormat, Prediction, PromptCacheOptions, ReasoningEffort, ResponseFormat, Stop, StreamOptions, UserLocation,
    Verbosity, WebSearchOptions,
};
pub use self::reply::{
    ChatCompletion, Choice, CompletionTokensDetails, FinishReason, Logprobs, Moderation, ModerationOutcome,
    ModerationResult, PromptTokensDetails, ServiceTier, StoredMessage, TokenLogprob, TopLogprob, Usage,
};
pub use self::schema::strict_schema;
pub use self::tool::{
    Custom, CustomCall, CustomTool, Function, FunctionCall, FunctionTool, Tool, ToolCall, ToolChoice, ToolChoiceMode,
};
pub use self::tool_runner::{Permission, ToolEvent, ToolEvents, ToolRun, ToolRunner};
pub use self::tool_set::{Json, ToolOutcome, ToolOutput, ToolResult, ToolSet};
use crate::audio::Voice;
use crate::call::Call;
use crate::client::Client;
use crate::page::{Deleted, ListRequest, Order, Page};
use crate::stream::StreamItem;
use crate::transport::Expect;
use crate::transport::request::{Body, WireRequest};
use crate::wire::{Wire, stream_member};

/// Chat completions of one client.
#[derive(Clone, Debug)]
pub struct Chat {
    client: Client,
}

impl Client {
    /// Chat completions.
    pub fn chat(&self) -> Chat {
        Chat { client: self.clone() }
    }
}

impl Chat {
    /// Asks the model for the next message: `POST /chat/completions`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::chat::{ChatRequest, Message};
    ///
    /// let request = ChatRequest::new("llama3.2", [Message::user("Name three rivers.")]);
    /// let reply = client.chat().create(&request).await?;
    /// println!("{}", reply.text());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "chat.completions.create")]
    pub fn create(&self, request: impl Borrow<ChatRequest>) -> Call<ChatCompletion> {
        Call::reply(&self.client, post(request.borrow(), false))
    }

    /// Asks for the next message piece by piece: `POST /chat/completions` with `"stream": true`.
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
    pub fn stream(&self, request: impl Borrow<ChatRequest>) -> Call<ChatStream> {
        Call::new(&self.client, post(request.borrow(), true), Expect::Open, ChatChunk::open)
    }

    /// Lists stored completions, newest last: `GET /chat/completions`. Only those made with `store(true)`.
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
        let mut call = Call::page(&self.client, &["chat", "completions"])
            .maybe_query("model", request.model.as_ref())
            .maybe_query("after", request.after.as_ref())
            .maybe_query("limit", request.limit)
            .maybe_query("order", request.order.as_ref())
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
        Call::get(&self.client, &["chat", "completions", id])
    }

    /// Replaces the metadata of a stored completion: `POST /chat/completions/{id}`. An empty map removes all.
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
        Call::post_body(&self.client, &["chat", "completions", id], body)
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
        Call::deleted(&self.client, &["chat", "completions", id])
    }

    /// Lists the messages that a stored completion answered: `GET /chat/completions/{id}/messages`.
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
        Call::page(&self.client, &["chat", "completions", id, "messages"]).list_query(request.borrow())
    }
}

fn post(request: &ChatRequest, stream: bool) -> crate::Result<WireRequest> {
    let body = Body::of(request, &[stream_member(stream)]);
    WireRequest::of_model(&["chat", "completions"], Some(&request.model), body)
}

wire! {
    /// What to ask a model. Plain data: the same value serves [`Chat::create`], [`Chat::stream`], a line of a batch, a
    /// test and the next provider. What is not set is not sent.
    ///
    /// See [OpenAI: Chat](https://platform.openai.com/docs/api-reference/chat/create).
    #[doc(alias = "CreateChatCompletionRequest")]
    pub struct ChatRequest {
        /// Name of the model, as the server lists it.
        pub model: String = always,
        /// The conversation so far, oldest message first.
        pub messages: Vec<Message> = always,
        /// Sound of a spoken answer; goes with `modalities(["text", "audio"])`.
        pub audio: Option<AudioFormat>,
        /// Lowers the chance of tokens by how often they came already, −2.0 to 2.0.
        pub frequency_penalty: Option<f64>,
        /// Deprecated form of `tool_choice`: `none`, `auto`, or `{"name": …}`.
        pub function_call: Option<Value>,
        /// Deprecated form of `tools`.
        pub functions: Vec<Function>,
        /// Changes the chance of tokens by their id, −100 (never) to 100 (always).
        pub logit_bias: BTreeMap<String, i64>,
        /// Asks for the log probability of each token of the answer.
        pub logprobs: Option<bool>,
        /// Most tokens of the answer, thoughts included.
        pub max_completion_tokens: Option<u64>,
        /// Most tokens of the answer. Deprecated by OpenAI for `max_completion_tokens`. *Providers*: many servers know this
        /// name only.
        pub max_tokens: Option<u64>,
        /// Up to 16 notes of your own, kept with a stored completion.
        pub metadata: BTreeMap<String, String>,
        /// What to answer with: `text`, `audio`.
        pub modalities: Vec<Modality>,
        /// Checks the conversation for harmful content along the way.
        pub moderation: Option<ModerationRequest>,
        /// How many answers, 1 to 128. *Providers*: Groq and Ollama give one.
        pub n: Option<u32>,
        /// Lets the model call several tools in one answer.
        pub parallel_tool_calls: Option<bool>,
        /// Text that the answer will probably repeat, such as a file being edited: makes it faster.
        pub prediction: Option<Prediction>,
        /// Lowers the chance of tokens that came already, −2.0 to 2.0.
        pub presence_penalty: Option<f64>,
        /// Groups requests that share a beginning, for the server's cache.
        pub prompt_cache_key: Option<String>,
        /// How the server caches the prompt.
        pub prompt_cache_options: Option<PromptCacheOptions>,
        /// How long the cached prompt is kept: `in_memory` or `24h`. Deprecated for `prompt_cache_options`.
        pub prompt_cache_retention: Option<String>,
        /// How long the model thinks. *Providers*: `default` on Groq, more words elsewhere.
        pub reasoning_effort: Option<ReasoningEffort>,
        /// Shape of the answer: text, any JSON, or JSON of a schema.
        pub response_format: Option<ResponseFormat>,
        /// Your own id of the end user, hashed, at most 64 characters: for the server's abuse checks.
        pub safety_identifier: Option<String>,
        /// Makes answers repeat, as far as the server can. *Providers*: `random_seed` on Mistral.
        pub seed: Option<i64>,
        /// Speed and price class.
        pub service_tier: Option<ServiceTier>,
        /// Texts that end the answer, up to 4.
        pub stop: Option<Stop>,
        /// Keeps the completion on the server.
        pub store: Option<bool>,
        /// What a stream brings besides the answer.
        pub stream_options: Option<StreamOptions>,
        /// Randomness, 0.0 to 2.0: higher is more varied.
        pub temperature: Option<f64>,
        /// Which of the tools the model may or must call.
        pub tool_choice: Option<ToolChoice>,
        /// What the model may call.
        pub tools: Vec<Tool>,
        /// How many alternatives each token's log probabilities list, 0 to 20. Goes with `logprobs(true)`.
        pub top_logprobs: Option<u32>,
        /// Takes the likeliest tokens up to this sum of chances, 0.0 to 1.0. Set this or the temperature.
        pub top_p: Option<f64>,
        /// Your own id of the end user. Deprecated for `safety_identifier` and `prompt_cache_key`.
        pub user: Option<String>,
        /// Length of the answer.
        pub verbosity: Option<Verbosity>,
        /// Lets the model search the web.
        pub web_search_options: Option<WebSearchOptions>,
    }
}

impl ChatRequest {
    /// A conversation for a model.
    pub fn new(model: impl Into<String>, messages: impl IntoIterator<Item = Message>) -> Self {
        ChatRequest { model: model.into(), messages: messages.into_iter().collect(), ..ChatRequest::blank() }
    }

    /// Adds a message to the conversation.
    pub fn message(mut self, message: impl Into<Message>) -> Self {
        self.messages.push(message.into());
        self
    }

    /// Asks for the token usage at the end of a stream: `stream_options.include_usage`.
    pub fn include_usage(mut self, include: bool) -> Self {
        self.stream_options.get_or_insert_with(StreamOptions::blank).include_usage = Some(include);
        self
    }

    /// Adds a note of your own, kept with a stored completion.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Changes the chance of a token by its id, −100 (never) to 100 (always).
    pub fn logit_bias(mut self, token: impl ToString, bias: i64) -> Self {
        self.logit_bias.insert(token.to_string(), bias);
        self
    }

    /// Answers with speech too, in this voice and format: sets `audio` and `modalities`.
    pub fn audio(mut self, voice: impl Into<Voice>, format: impl Into<String>) -> Self {
        self.audio = Some(AudioFormat { voice: voice.into(), format: format.into(), ..AudioFormat::blank() });
        self.modalities([Modality::Text, Modality::Audio])
    }

    /// Sets the text that the answer will probably repeat.
    pub fn prediction(mut self, content: impl Into<Content>) -> Self {
        self.prediction =
            Some(Prediction { type_: "content".to_owned(), content: content.into(), ..Prediction::blank() });
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

wire! {
    /// Which stored completions to list.
    pub struct StoredListRequest {
        /// Those of this model.
        pub model: Option<String>,
        /// Those with these notes.
        pub metadata: BTreeMap<String, String>,
        /// Id of the last one before those wanted.
        pub after: Option<String>,
        /// How many on a page.
        pub limit: Option<u32>,
        /// By time.
        pub order: Option<Order>,
    }
}

impl Default for StoredListRequest {
    fn default() -> Self {
        StoredListRequest::blank()
    }
}

impl StoredListRequest {
    /// All of them.
    pub fn new() -> Self {
        StoredListRequest::blank()
    }

    /// Those with this note.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }
}

setters! { StoredListRequest {
    model: impl Into<String>,
    after: impl Into<String>,
    limit: u32,
    order: impl Into<Order>,
} }
