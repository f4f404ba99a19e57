//! The chunks of a streamed completion: [`ChatChunk`].

use std::borrow::Cow;

use futures::{Stream, TryStreamExt};
use serde_json::Value;

use super::accumulate::Accumulator;
use super::message::{Annotation, Content, Role, reasoning};
use super::reply::{ChatCompletion, FinishReason, Logprobs, Moderation, ServiceTier, Usage, choice_error};
use super::tool::CustomCall;
use crate::error::{ApiError, Result, is_failure};
use crate::reply::stream::{ChoiceTracker, EventStream, StreamItem, StreamTiming, decode_whole, is_error};
use crate::transport::RawResponse;
use crate::transport::decode::BufferedResponse;
use crate::wire::{Extra, SharedString};
use crate::wire::{Wire, one_or_many, string_or_json, to_value};

/// A stream of chat completion chunks.
pub type ChatStream = EventStream<ChatChunk>;

wire_struct! {
    /// A chunk of a streamed chat completion.
    ///
    /// See [OpenAI: Chat streaming](https://platform.openai.com/docs/api-reference/chat-streaming).
    pub struct ChatChunk {
        /// Id of the completion, the same in all chunks; empty on some servers.
        pub id: SharedString,
        /// The literal `chat.completion.chunk`; do not rely on it.
        pub object: SharedString,
        /// Creation time, in Unix seconds.
        pub created: Option<u64>,
        /// Id of the model.
        pub model: SharedString,
        /// Processing tier of the request.
        pub service_tier: Option<ServiceTier>,
        /// Fingerprint of the server's configuration.
        pub system_fingerprint: Option<SharedString>,
        /// Deltas of the choices; empty in a chunk that contains only the usage.
        pub choices: Vec<ChunkChoice> = always,
        /// Token usage so far. The last value is the total; do not sum them.
        pub usage: Option<Box<Usage>>,
        /// Random text that hides the length of the chunk.
        pub obfuscation: Option<String>,
        /// Result of the requested moderation.
        pub moderation: Option<Box<Moderation>>,
    }

    /// A chunk of one choice.
    pub struct ChunkChoice {
        /// Index of the choice, starting at 0.
        pub index: u32,
        /// The new content.
        pub delta: Delta,
        /// Log probabilities of the new tokens.
        pub logprobs: Option<Box<Logprobs>>,
        /// Why the choice ends, in its last chunk.
        pub finish_reason: Option<FinishReason>,
    }

    /// The new content of a choice.
    pub struct Delta {
        /// Role of the author; usually in the first chunk only.
        pub role: Option<Role>,
        /// New text, or new parts on some servers (Mistral).
        pub content: Option<Content>,
        /// New refusal text.
        pub refusal: Option<String>,
        /// New tool calls, or new parts of their arguments.
        pub tool_calls: Vec<ToolCallDelta> = read_by(one_or_many),
        /// New part of a deprecated function call.
        pub function_call: Option<Box<FunctionCallDelta>>,
        /// New citations.
        pub annotations: Vec<Annotation>,
        /// New part of the audio output.
        pub audio: Option<Box<AudioDelta>>,
        /// New reasoning, in the field of DeepSeek, llama.cpp, SGLang, xAI and others.
        pub reasoning_content: Option<String>,
        /// New reasoning, in the field of OpenRouter, Groq, Ollama, vLLM and others.
        pub reasoning as "reasoning": Option<String>,
    }

    /// A chunk of a tool call.
    pub struct ToolCallDelta {
        /// Index of the call. Missing, or the same for all calls, on some servers; the [`Accumulator`] handles that.
        pub index: Option<i64>,
        /// Id of the call; usually in its first chunk only.
        pub id: Option<String>,
        /// Type of the tool: `function` or `custom`.
        pub type_ as "type": Option<SharedString>,
        /// Chunk of the function call.
        pub function: Option<FunctionCallDelta>,
        /// Chunk of the custom tool call.
        pub custom: Option<Box<CustomCall>>,
    }

    /// A chunk of a function call.
    pub struct FunctionCallDelta {
        /// Name of the function; usually in the first chunk only.
        pub name: Option<String>,
        /// New part of the arguments, as JSON text.
        pub arguments: String = with(string_or_json),
    }

    /// A chunk of audio output.
    pub struct AudioDelta {
        /// Id to refer to the audio in a later request.
        pub id: Option<String>,
        /// New base64 data, to be concatenated as text.
        pub data: Option<String>,
        /// New part of the transcript.
        pub transcript: Option<String>,
        /// Expiry time of the audio on the server, in Unix seconds.
        pub expires_at: Option<u64>,
    }
}

impl ChatChunk {
    /// Returns the new text of the first choice; empty if there is none.
    pub fn text(&self) -> Cow<'_, str> {
        match self.first().and_then(|choice| choice.delta.content.as_ref()) {
            Some(content) => content.text(),
            None => Cow::Borrowed(""),
        }
    }

    /// Returns the new reasoning of the first choice, whichever field the server uses.
    pub fn reasoning(&self) -> Option<Cow<'_, str>> {
        let delta = &self.first()?.delta;
        reasoning(&delta.reasoning_content, &delta.reasoning, delta.content.as_ref(), &delta.extra)
    }

    /// Returns the token usage so far, also from Groq's `x_groq.usage` and from within a choice.
    pub fn usage(&self) -> Option<Cow<'_, Usage>> {
        match &self.usage {
            Some(usage) => Some(Cow::Borrowed(usage)),
            None => usage_elsewhere(&self.extra, self.choices.iter().map(|choice| &choice.extra)).map(Cow::Owned),
        }
    }

    fn choice_error(&self) -> Option<ApiError> {
        self.choices.iter().find_map(|choice| choice_error(choice.finish_reason.as_ref(), &choice.extra))
    }

    fn first(&self) -> Option<&ChunkChoice> {
        self.choices.iter().find(|choice| choice.index == 0)
    }
}

/// The usage where Groq puts it, in `x_groq`, and Kimi, in a choice.
pub(super) fn usage_elsewhere<'a>(extra: &Extra, mut choices: impl Iterator<Item = &'a Extra>) -> Option<Usage> {
    let own = if extra.is_empty() { None } else { extra.get("x_groq").and_then(|own| own.get("usage")) };
    let in_choices = || choices.find_map(|extra| if extra.is_empty() { None } else { extra.get("usage") });
    serde::Deserialize::deserialize(own.or_else(in_choices).filter(|usage| usage.is_object())?).ok()
}

impl EventStream<ChatChunk> {
    /// Returns the text deltas of the first choice as a stream of strings. Chunks without text are skipped.
    ///
    /// ```no_run
    /// # async fn run(chunks: openai_compatible::chat::ChatStream) -> openai_compatible::Result<()> {
    /// use futures::TryStreamExt;
    ///
    /// let mut texts = chunks.texts();
    /// while let Some(text) = texts.try_next().await? {
    ///     print!("{text}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "text_deltas")]
    #[doc(alias = "textStream")]
    pub fn texts(self) -> impl Stream<Item = Result<String>> + Send + Unpin + 'static {
        self.try_filter_map(|chunk| {
            let text = chunk.text();
            std::future::ready(Ok((!text.is_empty()).then(|| text.into_owned())))
        })
    }

    /// Reads the stream to its end and returns the completion.
    ///
    /// # Errors
    ///
    /// The same as those of the stream. [`Error::completion`](crate::Error::completion) returns what was received before.
    pub async fn collect(mut self) -> Result<ChatCompletion> {
        self.read_to_end().await
    }

    /// Reads the stream to its end and returns the completion and how long it took.
    ///
    /// # Errors
    ///
    /// The same as those of [`collect`](Self::collect).
    pub async fn collect_with_timing(mut self) -> Result<(ChatCompletion, StreamTiming)> {
        let completion = self.read_to_end().await?;
        Ok((completion, self.timing()))
    }

    async fn read_to_end(&mut self) -> Result<ChatCompletion> {
        let mut accumulator = Accumulator::new();
        loop {
            match self.try_next().await {
                Ok(Some(chunk)) => accumulator.push(chunk),
                Ok(None) => break,
                Err(error) => return Err(accumulator.attach_to(error)),
            }
        }
        accumulator.finish().ok_or_else(super::event::no_chunk)
    }
}

impl StreamItem for ChatChunk {
    fn has_no_payload(&self) -> bool {
        self.choices.is_empty()
            && self.id.is_empty()
            && self.usage.is_none()
            && self.created.is_none()
            && self.model.is_empty()
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn has_output(&self) -> bool {
        self.choices.iter().any(|choice| {
            let delta = &choice.delta;
            let has_text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
            delta.content.as_ref().is_some_and(|content| !content.text().is_empty())
                || [&delta.refusal, &delta.reasoning_content, &delta.reasoning].into_iter().any(has_text)
                || !delta.tool_calls.is_empty()
                || delta.function_call.is_some()
                || delta.audio.is_some()
                || !delta.extra.is_empty()
        })
    }

    fn open(response: &mut RawResponse) -> Result<EventStream<Self>> {
        crate::reply::stream::open(response)
    }

    fn new_field(&mut self) -> Option<&mut dyn Wire> {
        Some(&mut self.choices)
    }

    fn track(&self, choices: &mut ChoiceTracker) {
        for choice in &self.choices {
            choices.start(u64::from(choice.index));
            if choice.finish_reason.is_some() {
                choices.finish(u64::from(choice.index));
            }
        }
    }

    fn has_error(&self) -> bool {
        // Groq puts its error into a field of its own.
        let has_own = || self.extra.get("x_groq").and_then(|own| own.get("error")).is_some_and(crate::error::is_error);
        let is_failure = || self.choices.is_empty() && is_failure(&|name| self.extra.get(name));
        !self.extra.is_empty() && (is_error(&self.extra) || has_own() || is_failure()) || self.choice_error().is_some()
    }

    fn api_error(&self) -> ApiError {
        let own = self.extra.get("x_groq").and_then(|own| own.get("error"));
        let members = Value::Object(self.extra.clone().into());
        let of_chunk = ApiError::from_value(own.filter(|_| !is_error(&self.extra)).unwrap_or(&members));
        // Gateways repeat the error of the chunk as the finish reason of its choice.
        let of_choice = self.choice_error();
        let is_named = is_error(&self.extra) || own.is_some() || of_choice.is_none();
        of_chunk.filter(|_| is_named).or(of_choice).unwrap_or_default()
    }

    /// A complete response instead of a stream becomes one chunk.
    fn from_whole(reply: &BufferedResponse) -> Option<Result<Self>> {
        let completion: ChatCompletion = match decode_whole(reply)? {
            Ok(completion) => completion,
            Err(error) => return Some(Err(error)),
        };
        if completion.choices.is_empty() {
            return None;
        }
        let choices = completion.choices.into_iter().map(|choice| {
            let mut message = choice.message;
            if let Some(name) = message.name {
                message.extra.insert("name", name);
            }
            let tool_calls = message.tool_calls.into_iter().zip(0..).map(|(call, index)| ToolCallDelta {
                index: Some(index),
                id: Some(call.id),
                type_: Some(call.type_.into()),
                function: call.function.map(|function| FunctionCallDelta {
                    name: Some(function.name),
                    arguments: function.arguments,
                    extra: function.extra,
                }),
                custom: call.custom.map(Box::new),
                extra: call.extra,
            });
            ChunkChoice {
                index: choice.index,
                delta: Delta {
                    role: message.role,
                    content: message.content,
                    refusal: message.refusal,
                    tool_calls: tool_calls.collect(),
                    function_call: message.function_call.map(|call| {
                        Box::new(FunctionCallDelta {
                            name: Some(call.name),
                            arguments: call.arguments,
                            extra: call.extra,
                        })
                    }),
                    annotations: message.annotations,
                    audio: message.audio.map(|audio| {
                        Box::new(AudioDelta {
                            id: Some(audio.id),
                            data: Some(audio.data),
                            transcript: Some(audio.transcript),
                            expires_at: audio.expires_at,
                            extra: audio.extra,
                        })
                    }),
                    reasoning_content: message.reasoning_content,
                    reasoning: message.reasoning,
                    extra: message.extra,
                },
                // A complete response has finished, with or without a finish reason.
                finish_reason: choice.finish_reason.or(Some(FinishReason::Stop)),
                logprobs: choice.logprobs.map(Box::new),
                extra: choice.extra,
            }
        });
        let mut extra = completion.extra;
        if !completion.metadata.is_empty() {
            extra.insert("metadata", to_value(&completion.metadata));
        }
        Some(Ok(ChatChunk {
            id: completion.id.into(),
            object: completion.object.into(),
            created: completion.created,
            model: completion.model.into(),
            choices: choices.collect(),
            usage: completion.usage.map(Box::new),
            service_tier: completion.service_tier,
            system_fingerprint: completion.system_fingerprint.map(Into::into),
            moderation: completion.moderation.map(Box::new),
            extra,
            ..ChatChunk::default_value()
        }))
    }
}
