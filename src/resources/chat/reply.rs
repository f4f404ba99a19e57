//! The reply: [`ChatCompletion`] and what it is made of.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use serde_json::Value;

use super::message::{AssistantMessage, Message, Part};
use super::tool::ToolCall;
use crate::wire::Wire;

wire! {
    /// A model's reply.
    ///
    /// Only `choices` is always there: servers leave out or null everything else. See
    /// [OpenAI: Chat completion](https://platform.openai.com/docs/api-reference/chat/object).
    #[doc(alias = "CreateChatCompletionResponse")]
    pub struct ChatCompletion {
        /// Id of the reply; empty on some servers.
        pub id: String,
        /// `chat.completion`; do not rely on it.
        pub object: String,
        /// Moment of creation, in Unix seconds.
        pub created: Option<u64>,
        /// Model that answered, which may be more exact than the one asked for.
        pub model: String,
        /// The answers, as many as `n` asked for.
        pub choices: Vec<Choice> = always,
        /// Tokens used.
        pub usage: Option<Usage>,
        /// Class in which the request ran.
        pub service_tier: Option<ServiceTier>,
        /// Version of the server's setup.
        pub system_fingerprint: Option<String>,
        /// Notes kept with a stored completion.
        pub metadata: BTreeMap<String, String>,
        /// What the moderation asked for found.
        pub moderation: Option<Moderation>,
    }

    /// One answer.
    pub struct Choice {
        /// Position among the answers, from 0.
        pub index: u32,
        /// The answer.
        pub message: AssistantMessage,
        /// Why it ends here.
        pub finish_reason: Option<FinishReason>,
        /// Log probabilities of its tokens.
        pub logprobs: Option<Logprobs>,
    }

    /// Log probabilities of an answer's tokens. Other shapes (Together) stay in `extra`.
    pub struct Logprobs {
        /// Of the content.
        pub content: Option<Vec<TokenLogprob>>,
        /// Of the refusal.
        pub refusal: Option<Vec<TokenLogprob>>,
    }

    /// A token and how likely it was.
    #[doc(alias = "ChatCompletionTokenLogprob")]
    pub struct TokenLogprob {
        /// The token.
        pub token: String = always,
        /// Natural logarithm of its probability: 0 is certain; −9999 stands for very unlikely.
        pub logprob: f64,
        /// Its UTF-8 bytes: one character may be spread over several tokens.
        pub bytes: Option<Vec<u8>>,
        /// The likeliest tokens in its place.
        pub top_logprobs: Vec<TopLogprob> = always,
    }

    /// A token that could have come.
    pub struct TopLogprob {
        /// The token.
        pub token: String = always,
        /// Natural logarithm of its probability.
        pub logprob: f64,
        /// Its UTF-8 bytes.
        pub bytes: Option<Vec<u8>>,
    }

    /// Tokens that a request used. `Display` gives one line of it.
    #[doc(alias = "CompletionUsage")]
    pub struct Usage {
        /// Tokens of the prompt.
        pub prompt_tokens: u64,
        /// Tokens of the answer, thoughts included on most servers.
        pub completion_tokens: u64,
        /// Both.
        pub total_tokens: u64,
        /// The prompt's tokens by kind.
        pub prompt_tokens_details: Option<PromptTokensDetails>,
        /// The answer's tokens by kind.
        pub completion_tokens_details: Option<CompletionTokensDetails>,
    }

    /// A prompt's tokens by kind.
    pub struct PromptTokensDetails {
        /// Sound.
        pub audio_tokens: Option<u64>,
        /// Read from the cache.
        pub cached_tokens: Option<u64>,
        /// Written to the cache.
        pub cache_write_tokens: Option<u64>,
        /// Text.
        pub text_tokens: Option<u64>,
        /// Images.
        pub image_tokens: Option<u64>,
    }

    /// An answer's tokens by kind.
    pub struct CompletionTokensDetails {
        /// Of the prediction, and used.
        pub accepted_prediction_tokens: Option<u64>,
        /// Of the prediction, and not used.
        pub rejected_prediction_tokens: Option<u64>,
        /// Sound.
        pub audio_tokens: Option<u64>,
        /// Thoughts.
        pub reasoning_tokens: Option<u64>,
        /// Text.
        pub text_tokens: Option<u64>,
    }

    /// What a moderation found.
    pub struct Moderation {
        /// In what went in.
        pub input: Option<ModerationOutcome>,
        /// In what came out.
        pub output: Option<ModerationOutcome>,
    }

    /// Results of a moderation, or why there are none.
    pub struct ModerationOutcome {
        /// `moderation_results` or `error`.
        pub type_ as "type": String,
        /// Model that checked.
        pub model: Option<String>,
        /// What it found.
        pub results: Vec<ModerationResult>,
        /// Short name of the error.
        pub code: Option<String>,
        /// Explanation of the error.
        pub message: Option<String>,
    }

    /// What a moderation found in one text or image.
    pub struct ModerationResult {
        /// `moderation_result`.
        pub type_ as "type": String,
        /// Model that checked.
        pub model: Option<String>,
        /// True when any category applies.
        pub flagged: bool,
        /// Which categories apply.
        pub categories: BTreeMap<String, bool>,
        /// How strongly, 0.0 to 1.0.
        pub category_scores: BTreeMap<String, f64>,
        /// To which kinds of input each category was applied.
        pub category_applied_input_types: BTreeMap<String, Vec<String>>,
    }

    /// A message of a stored conversation.
    pub struct StoredMessage {
        /// Id of the message.
        pub id: String,
        /// The parts that it was sent with.
        pub content_parts: Option<Vec<Part>>,
        /// Who spoke.
        pub role: Option<super::Role>,
        /// Its text.
        pub content: Option<super::Content>,
        /// Why the model refused.
        pub refusal: Option<String>,
        /// Name of the speaker.
        pub name: Option<String>,
        /// Tools that the model wanted called.
        pub tool_calls: Vec<ToolCall>,
        /// Function that the model wanted called.
        pub function_call: Option<super::FunctionCall>,
        /// Sources.
        pub annotations: Vec<super::Annotation>,
        /// Spoken answer.
        pub audio: Option<super::AudioReply>,
    }
}

replies! { ChatCompletion: choices }
items! { ChatCompletion, StoredMessage }

open_enum! {
    /// Why an answer ends. Tool calls may come with `Stop`, too: look at the calls.
    pub enum FinishReason {
        /// It is complete.
        Stop = "stop",
        /// It is as long as allowed.
        Length = "length",
        /// The model wants tools called.
        ToolCalls = "tool_calls",
        /// A filter held content back.
        ContentFilter = "content_filter",
        /// The model wants a deprecated function called.
        FunctionCall = "function_call",
    }

    /// Speed and price class.
    pub enum ServiceTier {
        /// The project's setting.
        Auto = "auto",
        /// Standard.
        Default = "default",
        /// Slower and cheaper.
        Flex = "flex",
        /// Bought in advance.
        Scale = "scale",
        /// Faster and dearer.
        Priority = "priority",
        /// Fastest.
        Fast = "fast",
    }
}

impl ChatCompletion {
    /// The first answer's text; empty when there is none.
    pub fn text(&self) -> Cow<'_, str> {
        self.message().map(AssistantMessage::text).unwrap_or_default()
    }

    /// What the model thought before its first answer, under whichever name the server sends it.
    pub fn reasoning(&self) -> Option<Cow<'_, str>> {
        self.message()?.reasoning()
    }

    /// Tools that the first answer wants called; empty when there are none.
    pub fn tool_calls(&self) -> &[ToolCall] {
        self.message().map(|message| message.tool_calls.as_slice()).unwrap_or_default()
    }

    /// The first answer.
    pub fn message(&self) -> Option<&AssistantMessage> {
        self.choices.first().map(|choice| &choice.message)
    }

    /// Why the first answer ends.
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.choices.first()?.finish_reason.as_ref()
    }

    /// The first answer as a message for the next request, with tool calls, reasoning and vendor members.
    pub fn into_message(self) -> Message {
        let message = self.choices.into_iter().next().map(|choice| choice.message);
        message.unwrap_or_else(AssistantMessage::blank).into()
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

/// Adds the tokens of another reply, such as the next round of a run of tools. Vendors' numbers (costs) add up, too.
impl AddAssign<&Usage> for Usage {
    fn add_assign(&mut self, other: &Usage) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
        self.total_tokens = self.total_tokens.saturating_add(other.total_tokens);
        if let Some(other) = &other.prompt_tokens_details {
            let sum = self.prompt_tokens_details.get_or_insert_with(PromptTokensDetails::blank);
            add(&mut sum.audio_tokens, other.audio_tokens);
            add(&mut sum.cached_tokens, other.cached_tokens);
            add(&mut sum.cache_write_tokens, other.cache_write_tokens);
            add(&mut sum.text_tokens, other.text_tokens);
            add(&mut sum.image_tokens, other.image_tokens);
        }
        if let Some(other) = &other.completion_tokens_details {
            let sum = self.completion_tokens_details.get_or_insert_with(CompletionTokensDetails::blank);
            add(&mut sum.accepted_prediction_tokens, other.accepted_prediction_tokens);
            add(&mut sum.rejected_prediction_tokens, other.rejected_prediction_tokens);
            add(&mut sum.audio_tokens, other.audio_tokens);
            add(&mut sum.reasoning_tokens, other.reasoning_tokens);
            add(&mut sum.text_tokens, other.text_tokens);
        }
        for (name, value) in other.extra.iter() {
            let sum = self.extra.get(name).and_then(|sum| match (sum.as_u64(), value.as_u64()) {
                (Some(one), Some(two)) => Some(Value::from(one.saturating_add(two))),
                _ => Some(Value::from(sum.as_f64()? + value.as_f64()?)),
            });
            self.extra.insert(name, sum.unwrap_or_else(|| value.clone()));
        }
    }
}

fn add(sum: &mut Option<u64>, other: Option<u64>) {
    if let Some(other) = other {
        *sum = Some(sum.unwrap_or_default().saturating_add(other));
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} prompt", self.prompt_tokens)?;
        if let Some(cached) = self.prompt_tokens_details.as_ref().and_then(|details| details.cached_tokens) {
            if cached > 0 {
                write!(f, " ({cached} cached)")?;
            }
        }
        write!(f, " + {} completion", self.completion_tokens)?;
        if let Some(thought) = self.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens) {
            if thought > 0 {
                write!(f, " ({thought} reasoning)")?;
            }
        }
        write!(f, " = {} tokens", self.total_tokens)
    }
}
