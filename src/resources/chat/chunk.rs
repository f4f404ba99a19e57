//! The pieces of a streamed reply: [`ChatChunk`].

use std::borrow::Cow;

use futures::{Stream, TryStreamExt};
use serde_json::Value;

use super::accumulate::Accumulator;
use super::message::{Annotation, Content, Role, reasoning};
use super::reply::{ChatCompletion, FinishReason, Logprobs, Moderation, ServiceTier, Usage};
use super::tool::CustomCall;
use crate::error::{ApiError, Result};
use crate::stream::{EventStream, Progress, StreamItem, is_error};
use crate::transport::Answer;
use crate::transport::decode::Whole;
use crate::wire::{Wire, Writer, text_of_any};
use crate::{Extra, SharedString};

/// A chat reply that arrives chunk by chunk.
pub type ChatStream = EventStream<ChatChunk>;

wire! {
    /// One piece of a streamed reply.
    ///
    /// See [OpenAI: Chat streaming](https://platform.openai.com/docs/api-reference/chat-streaming).
    #[doc(alias = "CreateChatCompletionStreamResponse")]
    #[doc(alias = "ChatCompletionChunk")]
    pub struct ChatChunk {
        /// Id of the reply, the same in all chunks; empty on some servers.
        pub id: SharedString,
        /// `chat.completion.chunk`; do not rely on it.
        pub object: SharedString,
        /// Moment of creation, in Unix seconds.
        pub created: Option<u64>,
        /// Model that answers.
        pub model: SharedString,
        /// What is new; empty in a chunk that brings the usage only.
        pub choices: Vec<ChunkChoice> = always,
        /// Tokens used so far. The last one counts; do not add them up.
        pub usage: Option<Box<Usage>>,
        /// Class in which the request runs.
        pub service_tier: Option<ServiceTier>,
        /// Version of the server's setup.
        pub system_fingerprint: Option<SharedString>,
        /// Random text that hides the length of the chunk.
        pub obfuscation: Option<String>,
        /// What the moderation asked for found.
        pub moderation: Option<Box<Moderation>>,
    }

    /// What is new in one answer.
    pub struct ChunkChoice {
        /// Position of the answer, from 0.
        pub index: u32,
        /// The new piece.
        pub delta: Delta,
        /// Why the answer ends here.
        pub finish_reason: Option<FinishReason>,
        /// Log probabilities of the new tokens.
        pub logprobs: Option<Box<Logprobs>>,
    }

    /// A new piece of an answer.
    pub struct Delta {
        /// Who speaks; mostly in the first chunk only.
        pub role: Option<Role>,
        /// New text, or new parts on some servers (Mistral).
        pub content: Option<Content>,
        /// New text of a refusal.
        pub refusal: Option<String>,
        /// New pieces of tool calls.
        pub tool_calls: Vec<ToolCallDelta>,
        /// New piece of a deprecated function call.
        pub function_call: Option<Box<FunctionCallDelta>>,
        /// New sources.
        pub annotations: Vec<Annotation>,
        /// New piece of a spoken answer.
        pub audio: Option<Box<AudioDelta>>,
        /// New reasoning, as DeepSeek, llama.cpp, SGLang, xAI and others name it.
        pub reasoning_content: Option<String>,
        /// New reasoning, as OpenRouter, Groq, Ollama, vLLM and others name it.
        pub reasoning as "reasoning": Option<String>,
    }

    /// A new piece of a tool call.
    pub struct ToolCallDelta {
        /// Position of the call; missing or the same for all calls on some servers. The [`Accumulator`] sorts it out.
        pub index: Option<i64>,
        /// Id of the call; mostly in its first piece only.
        pub id: Option<String>,
        /// `function` or `custom`.
        pub type_ as "type": Option<SharedString>,
        /// New piece of the function call.
        pub function: Option<FunctionCallDelta>,
        /// New piece of the custom tool's call.
        pub custom: Option<Box<CustomCall>>,
    }

    /// A new piece of a function call.
    pub struct FunctionCallDelta {
        /// Name of the function; mostly in the first piece only.
        pub name: Option<String>,
        /// New piece of the arguments' JSON text.
        pub arguments: String = by(text_of_any),
    }

    /// A new piece of a spoken answer.
    pub struct AudioDelta {
        /// Id, to refer to the audio in the next request.
        pub id: Option<String>,
        /// New base64, to be joined as text.
        pub data: Option<String>,
        /// New text of what is said.
        pub transcript: Option<String>,
        /// Moment when the server forgets the audio, in Unix seconds.
        pub expires_at: Option<u64>,
    }
}

impl ChatChunk {
    /// New text of the first answer; empty when this chunk brings none.
    pub fn text(&self) -> Cow<'_, str> {
        match self.first().and_then(|choice| choice.delta.content.as_ref()) {
            Some(content) => content.text(),
            None => Cow::Borrowed(""),
        }
    }

    /// New reasoning of the first answer, under whichever name the server sends it.
    pub fn reasoning(&self) -> Option<Cow<'_, str>> {
        let delta = &self.first()?.delta;
        reasoning(&delta.reasoning_content, &delta.reasoning, delta.content.as_ref(), &delta.extra)
    }

    /// Tokens used so far, also where Groq puts them: `x_groq.usage`.
    pub fn usage(&self) -> Option<Cow<'_, Usage>> {
        match &self.usage {
            Some(usage) => Some(Cow::Borrowed(usage)),
            None if self.extra.is_empty() => None,
            None => usage_in(&self.extra).map(Cow::Owned),
        }
    }

    fn first(&self) -> Option<&ChunkChoice> {
        self.choices.iter().find(|choice| choice.index == 0)
    }
}

/// Usage where Groq puts it.
pub(super) fn usage_in(extra: &Extra) -> Option<Usage> {
    serde::Deserialize::deserialize(extra.get("x_groq")?.get("usage").filter(|usage| usage.is_object())?).ok()
}

impl EventStream<ChatChunk> {
    /// The new texts of the first answer alone, as a stream of strings; chunks without text are left out.
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

    /// Reads the stream to its end and gives the reply as if it had not been streamed.
    ///
    /// # Errors
    ///
    /// Those of the stream. To keep what came before an error, feed an [`Accumulator`] yourself.
    pub async fn collect(mut self) -> Result<ChatCompletion> {
        let mut accumulator = Accumulator::new();
        while let Some(chunk) = self.try_next().await? {
            accumulator.add(chunk);
        }
        accumulator.finish().ok_or_else(super::event::no_chunk)
    }
}

impl StreamItem for ChatChunk {
    fn is_hollow(&self) -> bool {
        self.choices.is_empty()
            && self.id.is_empty()
            && self.usage.is_none()
            && self.created.is_none()
            && self.model.is_empty()
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn open(answer: &mut Answer) -> Result<EventStream<Self>> {
        crate::stream::open(answer)
    }

    fn mark(&self, progress: &mut Progress) {
        for choice in &self.choices {
            progress.begin(u64::from(choice.index));
            if choice.finish_reason.is_some() {
                progress.end(u64::from(choice.index));
            }
        }
    }

    fn has_error(&self) -> bool {
        // Groq hides it in its own member.
        is_error(&self.extra)
            || !self.extra.is_empty()
                && self.extra.get("x_groq").and_then(|own| own.get("error")).is_some_and(|error| !error.is_null())
    }

    fn api_error(&self) -> ApiError {
        let own = self.extra.get("x_groq").and_then(|own| own.get("error")).filter(|_| !is_error(&self.extra));
        let members = own.cloned().unwrap_or_else(|| Value::Object(self.extra.clone().into()));
        ApiError::from_value(&members).unwrap_or_default()
    }

    /// A whole completion in place of a stream becomes one chunk.
    fn from_whole(reply: &Whole) -> Option<Self> {
        let completion: ChatCompletion =
            reply.reply().ok().filter(|reply: &ChatCompletion| !reply.choices.is_empty())?;
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
                // A whole reply has ended, whether it says why or not.
                finish_reason: choice.finish_reason.or(Some(FinishReason::Stop)),
                logprobs: choice.logprobs.map(Box::new),
                extra: choice.extra,
            }
        });
        let mut extra = completion.extra;
        if !completion.metadata.is_empty() {
            extra.insert("metadata", Writer::value_of(&completion.metadata));
        }
        Some(ChatChunk {
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
            ..ChatChunk::blank()
        })
    }
}
