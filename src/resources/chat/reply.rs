//! The response: [`ChatCompletion`] and its parts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use futures::FutureExt;

use super::chunk::{ChatChunk, usage_elsewhere};
use super::message::{AssistantMessage, Content, Message, Part};
use super::tool::ToolCall;
use crate::error::{ApiError, Error, Result, is_error};
use crate::reply::stream;
use crate::resources::usage::{add_extra, cached_tokens, cost, sum, write_usage};
use crate::transport::decode::BufferedResponse;
use crate::wire::{Extra, Wire};

wire_struct! {
    /// A chat completion.
    ///
    /// Only `choices` is always present: servers leave out or null everything else. See [OpenAI: Chat
    /// completion](https://platform.openai.com/docs/api-reference/chat/object).
    pub struct ChatCompletion {
        /// Id of the completion; empty on some servers.
        pub id: String,
        /// The literal `chat.completion`; do not rely on it.
        pub object: String,
        /// Creation time, in Unix seconds.
        pub created: Option<u64>,
        /// Id of the model, which may be more specific than the requested one.
        pub model: String,
        /// The choices, as many as `n` requested.
        pub choices: Vec<Choice> = always,
        /// Token usage.
        pub usage: Option<Usage>,
        /// Processing tier of the request.
        pub service_tier: Option<ServiceTier>,
        /// Fingerprint of the server's configuration.
        pub system_fingerprint: Option<String>,
        /// Result of the requested moderation.
        pub moderation: Option<Moderation>,
        /// Key-value pairs of a stored completion.
        pub metadata: BTreeMap<String, String>,
    }

    /// One of the alternatives of a completion.
    pub struct Choice {
        /// Index of the choice, starting at 0.
        pub index: u32,
        /// The message of the model.
        pub message: AssistantMessage,
        /// Log probabilities of the tokens.
        pub logprobs: Option<Logprobs>,
        /// Why the choice ends.
        pub finish_reason: Option<FinishReason>,
    }

    /// Log probabilities of the tokens of a choice. Other formats (Together) are kept in `extra`.
    pub struct Logprobs {
        /// Tokens of the content.
        pub content: Option<Vec<TokenLogprob>>,
        /// Tokens of the refusal.
        pub refusal: Option<Vec<TokenLogprob>>,
    }

    /// A token and its log probability.
    pub struct TokenLogprob {
        /// The token.
        pub token: String = always,
        /// Natural logarithm of the probability: 0 is certain; −9999 stands for very unlikely.
        pub logprob: f64,
        /// UTF-8 bytes of the token. A character may be split over several tokens.
        pub bytes: Option<Vec<u8>>,
        /// The most likely tokens at this position.
        pub top_logprobs: Vec<TopLogprob> = always,
    }

    /// An alternative token.
    pub struct TopLogprob {
        /// The token.
        pub token: String = always,
        /// Natural logarithm of the probability.
        pub logprob: f64,
        /// UTF-8 bytes of the token.
        pub bytes: Option<Vec<u8>>,
    }

    /// Token usage of a request. `Display` writes one line.
    pub struct Usage {
        /// Number of prompt tokens.
        pub prompt_tokens: u64,
        /// Number of generated tokens, including reasoning tokens on most servers.
        pub completion_tokens: u64,
        /// Total number of tokens.
        pub total_tokens: u64,
        /// Breakdown of the prompt tokens.
        pub prompt_tokens_details: Option<PromptTokensDetails>,
        /// Breakdown of the generated tokens.
        pub completion_tokens_details: Option<CompletionTokensDetails>,
    }

    /// Breakdown of the prompt tokens.
    pub struct PromptTokensDetails {
        /// Number of tokens read from the cache.
        pub cached_tokens: Option<u64>,
        /// Number of audio tokens.
        pub audio_tokens: Option<u64>,
        /// Number of tokens written to the cache.
        pub cache_write_tokens: Option<u64>,
        /// Number of text tokens.
        pub text_tokens: Option<u64>,
        /// Number of image tokens.
        pub image_tokens: Option<u64>,
    }

    /// Breakdown of the generated tokens.
    pub struct CompletionTokensDetails {
        /// Number of reasoning tokens.
        pub reasoning_tokens: Option<u64>,
        /// Number of audio tokens.
        pub audio_tokens: Option<u64>,
        /// Number of tokens of the prediction that were used.
        pub accepted_prediction_tokens: Option<u64>,
        /// Number of tokens of the prediction that were not used.
        pub rejected_prediction_tokens: Option<u64>,
        /// Number of text tokens.
        pub text_tokens: Option<u64>,
    }

    /// The results of a moderation.
    pub struct Moderation {
        /// Results for the input.
        pub input: Option<ModerationOutcome>,
        /// Results for the output.
        pub output: Option<ModerationOutcome>,
    }

    /// The results of a moderation, or its error.
    pub struct ModerationOutcome {
        /// The literal `moderation_results` or `error`.
        pub type_ as "type": String,
        /// Id of the moderation model.
        pub model: Option<String>,
        /// Results, one per text or image.
        pub results: Vec<ModerationResult>,
        /// Error code.
        pub code: Option<String>,
        /// Error message.
        pub message: Option<String>,
    }

    /// The result of a moderation for one text or image.
    pub struct ModerationResult {
        /// The literal `moderation_result`.
        pub type_ as "type": String,
        /// Id of the moderation model.
        pub model: Option<String>,
        /// `true` if any category applies.
        pub flagged: bool,
        /// The categories that apply.
        pub categories: BTreeMap<String, bool>,
        /// Scores of the categories, from 0.0 to 1.0.
        pub category_scores: BTreeMap<String, f64>,
        /// The types of input that each category was applied to.
        pub category_applied_input_types: BTreeMap<String, Vec<String>>,
    }

    /// A message of a stored conversation.
    pub struct StoredMessage {
        /// Id of the message.
        pub id: String,
        /// Content parts of the message.
        pub content_parts: Option<Vec<Part>>,
        /// Role of the author.
        pub role: Option<super::Role>,
        /// Text of the message.
        pub content: Option<super::Content>,
        /// Refusal of the model.
        pub refusal: Option<String>,
        /// Name of the author.
        pub name: Option<String>,
        /// Tool calls of the model.
        pub tool_calls: Vec<ToolCall>,
        /// Deprecated function call of the model.
        pub function_call: Option<super::FunctionCall>,
        /// Citations.
        pub annotations: Vec<super::Annotation>,
        /// Audio output.
        pub audio: Option<super::AssistantAudio>,
    }
}

responses! { ChatCompletion: choices {
    fn from_events(body: &BufferedResponse) -> Option<Result<Self>> {
        // One event may be the whole completion.
        let whole = body.events().iter().find_map(|event| {
            let completion: ChatCompletion = serde_json::from_slice(&event.data).ok()?;
            completion.message().is_some_and(|message| *message != AssistantMessage::default_value()).then_some(completion)
        });
        let collect = || stream::open_buffered::<ChatChunk>(body).and_then(|chunks| chunks.collect().now_or_never().transpose());
        whole.map_or_else(|| collect().transpose(), |whole| Some(Ok(whole)))
    }

    fn complete(&mut self) {
        if self.usage.is_none() {
            self.usage = usage_elsewhere(&self.extra, self.choices.iter().map(|choice| &choice.extra));
        }
    }

    fn failure(&self) -> Option<ApiError> {
        self.choices.iter().find_map(|choice| choice_error(choice.finish_reason.as_ref(), &choice.extra))
    }

    fn attach_to(self, error: Error) -> Error {
        error.with_completion(self)
    }
} }

/// The error of a choice: gateways report the failure of their upstream there.
pub(crate) fn choice_error(finish_reason: Option<&FinishReason>, extra: &Extra) -> Option<ApiError> {
    let error = if extra.is_empty() { None } else { extra.get("error").filter(|error| is_error(error)) };
    let ends_by_error = || matches!(finish_reason, Some(FinishReason::Other(reason)) if &**reason == "error");
    let unnamed =
        || ends_by_error().then(|| ApiError { message: "finish_reason `error`".to_owned(), ..ApiError::default() });
    error.and_then(ApiError::from_value).or_else(unnamed)
}

page_items! { ChatCompletion, StoredMessage }

open_enum! {
    /// Why a choice ends. Tool calls may also end with `Stop`: check `tool_calls`.
    pub enum FinishReason {
        /// The output is complete.
        Stop = "stop",
        /// The output was truncated at the token limit.
        Length = "length",
        /// The model called tools.
        ToolCalls = "tool_calls",
        /// The output was blocked by a content filter.
        ContentFilter = "content_filter",
        /// The model called a deprecated function.
        FunctionCall = "function_call",
    }

    /// Processing tier.
    pub enum ServiceTier {
        /// The default of the project.
        Auto = "auto",
        /// Standard processing.
        Default = "default",
        /// Slower and cheaper processing.
        Flex = "flex",
        /// Reserved capacity.
        Scale = "scale",
        /// Faster and more expensive processing.
        Priority = "priority",
        /// Fast processing.
        Fast = "fast",
        /// The fastest processing.
        Ultrafast = "ultrafast",
    }
}

impl ChatCompletion {
    /// Returns the text of the first choice; empty if there is none.
    pub fn text(&self) -> Cow<'_, str> {
        self.message().map(AssistantMessage::text).unwrap_or_default()
    }

    /// Returns the text of the first choice as a `String`; empty if there is none.
    pub fn into_text(mut self) -> String {
        match self.choices.first_mut().map(|choice| &mut choice.message.content) {
            Some(Some(Content::Text(text))) => std::mem::take(text),
            _ => self.text().into_owned(),
        }
    }

    /// Returns the reasoning of the first choice, whichever field the server uses.
    pub fn reasoning(&self) -> Option<Cow<'_, str>> {
        self.message()?.reasoning()
    }

    /// Returns the tool calls of the first choice.
    pub fn tool_calls(&self) -> &[ToolCall] {
        self.message().map(|message| message.tool_calls.as_slice()).unwrap_or_default()
    }

    /// Returns the message of the first choice.
    pub fn message(&self) -> Option<&AssistantMessage> {
        self.choices.first().map(|choice| &choice.message)
    }

    /// Returns why the first choice ends.
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.choices.first()?.finish_reason.as_ref()
    }

    /// Returns the message of the first choice for the next request, with tool calls, reasoning and vendor fields.
    #[doc(alias = "history")]
    #[doc(alias = "conversation")]
    pub fn into_message(self) -> Message {
        let message = self.choices.into_iter().next().map(|choice| choice.message);
        message.unwrap_or_else(AssistantMessage::default_value).into()
    }
}

impl From<ChatCompletion> for Message {
    fn from(reply: ChatCompletion) -> Self {
        reply.into_message()
    }
}

impl From<Choice> for Message {
    fn from(choice: Choice) -> Self {
        choice.message.into()
    }
}

impl Default for Usage {
    /// Returns no usage, to add to.
    fn default() -> Self {
        Usage::default_value()
    }
}

impl Usage {
    /// Returns the number of prompt tokens read from the cache, if the server reports it.
    pub fn cached_tokens(&self) -> Option<u64> {
        let details = self.prompt_tokens_details.as_ref().and_then(|details| details.cached_tokens);
        details.or_else(|| cached_tokens(&self.extra))
    }

    /// Returns the number of reasoning tokens, if the server reports it.
    pub fn reasoning_tokens(&self) -> Option<u64> {
        let details = self.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens);
        details.or_else(|| self.extra.get("reasoning_tokens")?.as_u64())
    }

    /// Returns the cost in US dollars, if the server reports it. LiteLLM reports it in a header of the response:
    /// `x-litellm-response-cost`.
    #[doc(alias = "price")]
    pub fn cost(&self) -> Option<f64> {
        cost(&self.extra)
    }
}

/// Adds the usage of another response, such as the next round of a tool run, whatever fields its vendor reports it in. The cost of
/// the sum is known if that of each part is.
impl AddAssign<&Usage> for Usage {
    fn add_assign(&mut self, other: &Usage) {
        let is_first = *self == Usage::default_value();
        let cached = sum(self.cached_tokens(), other.cached_tokens());
        let reasoning = sum(self.reasoning_tokens(), other.reasoning_tokens());
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
        self.total_tokens = self.total_tokens.saturating_add(other.total_tokens);
        if let Some(other) = &other.prompt_tokens_details {
            let details = self.prompt_tokens_details.get_or_insert_with(PromptTokensDetails::default_value);
            details.audio_tokens = sum(details.audio_tokens, other.audio_tokens);
            details.cache_write_tokens = sum(details.cache_write_tokens, other.cache_write_tokens);
            details.text_tokens = sum(details.text_tokens, other.text_tokens);
            details.image_tokens = sum(details.image_tokens, other.image_tokens);
        }
        if let Some(other) = &other.completion_tokens_details {
            let details = self.completion_tokens_details.get_or_insert_with(CompletionTokensDetails::default_value);
            details.accepted_prediction_tokens =
                sum(details.accepted_prediction_tokens, other.accepted_prediction_tokens);
            details.rejected_prediction_tokens =
                sum(details.rejected_prediction_tokens, other.rejected_prediction_tokens);
            details.audio_tokens = sum(details.audio_tokens, other.audio_tokens);
            details.text_tokens = sum(details.text_tokens, other.text_tokens);
        }
        if cached.is_some() {
            self.prompt_tokens_details.get_or_insert_with(PromptTokensDetails::default_value).cached_tokens = cached;
        }
        if reasoning.is_some() {
            self.completion_tokens_details
                .get_or_insert_with(CompletionTokensDetails::default_value)
                .reasoning_tokens = reasoning;
        }
        add_extra(&mut self.extra, &other.extra, is_first);
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prompt = (self.prompt_tokens, self.cached_tokens());
        let completion = (self.completion_tokens, self.reasoning_tokens());
        write_usage(f, ("prompt", prompt), ("completion", completion), self.total_tokens)
    }
}

impl Error {
    /// Returns what was read of the completion before the error, or what is its cause: the part of a stream that was
    /// collected, output that does not match a type ([`ChatCompletion::parse`]), a tool run without a final completion.
    pub fn completion(&self) -> Option<&ChatCompletion> {
        self.last()
    }

    pub(super) fn with_completion(self, completion: ChatCompletion) -> Self {
        self.with_last(completion)
    }
}
