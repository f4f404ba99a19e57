//! The messages of the model, with their reasoning.

use std::borrow::Cow;

use super::super::tool::{FunctionCall, ToolCall};
use super::{Content, Message, Part, Role};
use crate::wire::{Extra, Wire, one_or_many};

wire_struct! {
    /// A message of the model: of a response, and of the next request that sends it back.
    ///
    /// Keeps reasoning and vendor fields, because some models need them back (Gemini its thought signature).
    pub struct AssistantMessage {
        /// Role: `assistant`.
        pub role: Option<Role>,
        /// Content; null if there are only tool calls. Some servers send a list of parts.
        pub content: Option<Content> = null_beside(tool_calls),
        /// Refusal of the model.
        pub refusal: Option<String>,
        /// Name of the author.
        pub name: Option<String>,
        /// Tool calls.
        pub tool_calls: Vec<ToolCall> = read_by(one_or_many),
        /// Call of a function, with the deprecated `functions`.
        pub function_call: Option<FunctionCall>,
        /// Citations of a web search.
        pub annotations: Vec<Annotation>,
        /// Audio output. In a request, only its id counts.
        pub audio: Option<Box<AssistantAudio>>,
        /// Reasoning, in the field of DeepSeek, llama.cpp, SGLang, xAI and others. [`reasoning`](Self::reasoning) reads
        /// all fields.
        pub reasoning_content: Option<String>,
        /// Reasoning, in the field of OpenRouter, Groq, Ollama, vLLM and others.
        pub reasoning as "reasoning": Option<String>,
    }

    /// A citation.
    pub struct Annotation {
        /// Type: `url_citation`, or a vendor's own.
        pub type_ as "type": String,
        /// The cited page.
        pub url_citation: Option<UrlCitation>,
    }

    /// A web page and the part of the text that cites it.
    pub struct UrlCitation {
        /// URL of the page.
        pub url: String,
        /// Title of the page.
        pub title: String,
        /// Index of the first character of the part, starting at 0.
        pub start_index: Option<u64>,
        /// Index after the last character of the part.
        pub end_index: Option<u64>,
    }

    /// Audio output.
    pub struct AssistantAudio {
        /// Id to refer to the audio in a later request.
        pub id: String,
        /// Base64-encoded audio, in the requested format.
        pub data: String,
        /// Expiry time on the server, in Unix seconds.
        pub expires_at: Option<u64>,
        /// Transcript.
        pub transcript: String,
    }
}

impl AssistantMessage {
    /// Creates an empty message, for conversations written by hand.
    ///
    /// ```
    /// use openai_compatible::chat::{AssistantMessage, Message, ToolCall};
    ///
    /// let call = ToolCall::function("call_1", "weather", r#"{"city": "Oslo"}"#);
    /// let message = Message::from(AssistantMessage::new().tool_calls([call]));
    /// # assert_eq!(message.text(), "");
    /// ```
    pub fn new() -> Self {
        AssistantMessage::default_value()
    }

    /// Refers to audio output by its id.
    pub fn audio(mut self, id: impl Into<String>) -> Self {
        self.audio = Some(Box::new(AssistantAudio { id: id.into(), ..AssistantAudio::default_value() }));
        self
    }

    /// Returns the text; empty if there is none.
    pub fn text(&self) -> Cow<'_, str> {
        self.content.as_ref().map(Content::text).unwrap_or_default()
    }

    /// Returns the reasoning, whichever field the server uses: `reasoning_content`, `reasoning`, thinking parts,
    /// `reasoning_details`, `thinking_blocks`.
    pub fn reasoning(&self) -> Option<Cow<'_, str>> {
        reasoning(&self.reasoning_content, &self.reasoning, self.content.as_ref(), &self.extra)
    }
}

setters! { AssistantMessage {
    content: impl Into<Content>,
    refusal: impl Into<String>,
    name: impl Into<String>,
    tool_calls: [ToolCall],
    function_call: FunctionCall,
    reasoning_content: impl Into<String>,
} }

/// Reads reasoning from messages and chunks.
pub(in crate::resources::chat) fn reasoning<'a>(
    reasoning_content: &'a Option<String>,
    reasoning: &'a Option<String>,
    content: Option<&'a Content>,
    extra: &'a Extra,
) -> Option<Cow<'a, str>> {
    // Both fields may be present, one of them empty.
    let named = [reasoning_content, reasoning].into_iter().flatten().find(|text| !text.is_empty());
    if let Some(text) = named {
        return Some(Cow::Borrowed(text));
    }
    if let Some(Content::Parts(parts)) = content {
        let thoughts: Vec<_> = parts.iter().filter_map(Part::reasoning).collect();
        if !thoughts.is_empty() {
            return Some(Cow::Owned(thoughts.concat()));
        }
    }
    if extra.is_empty() {
        return None;
    }
    let lists = ["reasoning_details", "thinking_blocks"].into_iter().filter_map(|name| extra.get(name)?.as_array());
    let texts: Vec<_> = lists
        .flatten()
        .filter_map(|item| ["text", "summary", "thinking"].iter().find_map(|name| item.get(*name)?.as_str()))
        .collect();
    (!texts.is_empty()).then(|| Cow::Owned(texts.concat()))
}

impl From<AssistantMessage> for Message {
    fn from(mut message: AssistantMessage) -> Self {
        // Written by the message itself.
        message.role = None;
        if let Some(audio) = &mut message.audio {
            // The server has the audio: a request refers to it.
            **audio = AssistantAudio { id: std::mem::take(&mut audio.id), ..AssistantAudio::default_value() };
        }
        for call in &mut message.tool_calls {
            // Mistral leaves the type out, and others require it.
            if call.type_.is_empty() && call.function.is_some() {
                call.type_ = "function".to_owned();
            }
        }
        Message::Assistant(Box::new(message))
    }
}
