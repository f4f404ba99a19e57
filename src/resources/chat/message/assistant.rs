//! What the model said, its reasoning included.

use std::borrow::Cow;

use super::super::tool::{FunctionCall, ToolCall};
use super::{Content, Message, Part, Role};
use crate::Extra;
use crate::wire::Wire;

wire! {
    /// What the model said: the message of a reply, and the same message on its way back in the next request.
    ///
    /// Vendor members and reasoning stay in it, since some models want them back (Gemini its thought signature).
    #[doc(alias = "ChatCompletionMessage")]
    #[doc(alias = "ChatCompletionRequestAssistantMessage")]
    #[doc(alias = "ChatCompletionResponseMessage")]
    pub struct AssistantMessage {
        /// Who speaks: `assistant`.
        pub role: Option<Role>,
        /// The answer; missing when there are only tool calls. Some servers send a list of parts.
        pub content: Option<Content>,
        /// Why the model refuses, in its own words.
        pub refusal: Option<String>,
        /// Name of the speaker.
        pub name: Option<String>,
        /// Tools that the model wants called.
        pub tool_calls: Vec<ToolCall>,
        /// Function that the model wants called, by the deprecated `functions`.
        pub function_call: Option<FunctionCall>,
        /// Sources, where the model searched the web.
        pub annotations: Vec<Annotation>,
        /// Spoken answer, where audio was asked for. On the way back its id alone counts.
        pub audio: Option<Box<AudioReply>>,
        /// Reasoning, as DeepSeek, llama.cpp, SGLang, xAI and others name it. [`reasoning`](Self::reasoning) reads all names.
        pub reasoning_content: Option<String>,
        /// Reasoning, as OpenRouter, Groq, Ollama, vLLM and others name it.
        pub reasoning as "reasoning": Option<String>,
    }

    /// A source that the model cites.
    pub struct Annotation {
        /// `url_citation`, or a vendor's kind.
        pub type_ as "type": String,
        /// The page cited.
        pub url_citation: Option<UrlCitation>,
    }

    /// A web page and the part of the answer that rests on it.
    pub struct UrlCitation {
        /// Address of the page.
        pub url: String,
        /// Title of the page.
        pub title: String,
        /// First character of the part, counted from 0.
        pub start_index: Option<u64>,
        /// Character behind the part.
        pub end_index: Option<u64>,
    }

    /// A spoken answer.
    pub struct AudioReply {
        /// Id, to refer to the audio in the next request.
        pub id: String,
        /// The audio in base64, in the format asked for.
        pub data: String,
        /// Moment when the server forgets it, in Unix seconds.
        pub expires_at: Option<u64>,
        /// What is said.
        pub transcript: String,
    }
}

impl AssistantMessage {
    /// Nothing said yet, for conversations written by hand.
    ///
    /// ```
    /// use openai_compatible::chat::{AssistantMessage, Message, ToolCall};
    ///
    /// let call = ToolCall::function("call_1", "weather", r#"{"city": "Oslo"}"#);
    /// let message = Message::from(AssistantMessage::new().tool_calls([call]));
    /// # assert_eq!(message.text(), "");
    /// ```
    pub fn new() -> Self {
        AssistantMessage::blank()
    }

    /// Refers to a spoken answer by the id that the server gave it.
    pub fn audio(mut self, id: impl Into<String>) -> Self {
        self.audio = Some(Box::new(AudioReply { id: id.into(), ..AudioReply::blank() }));
        self
    }

    /// The answer's text; empty when there is none.
    pub fn text(&self) -> Cow<'_, str> {
        self.content.as_ref().map(Content::text).unwrap_or_default()
    }

    /// What the model thought, under whichever name the server sends it: `reasoning_content`, `reasoning`, thinking
    /// parts, `reasoning_details`, `thinking_blocks`.
    pub fn reasoning(&self) -> Option<Cow<'_, str>> {
        reasoning(&self.reasoning_content, &self.reasoning, self.content.as_ref(), &self.extra)
    }
}

impl Default for AssistantMessage {
    fn default() -> Self {
        AssistantMessage::blank()
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

/// One reading of reasoning for messages and chunks.
pub(in crate::resources::chat) fn reasoning<'a>(
    reasoning_content: &'a Option<String>,
    reasoning: &'a Option<String>,
    content: Option<&'a Content>,
    extra: &'a Extra,
) -> Option<Cow<'a, str>> {
    // Both names may come at once, one of them empty.
    let named = [reasoning_content, reasoning].into_iter().flatten().find(|text| !text.is_empty());
    if let Some(text) = named {
        return Some(Cow::Borrowed(text));
    }
    if let Some(Content::Parts(parts)) = content {
        let thoughts: Vec<_> = parts
            .iter()
            .filter_map(|part| match part {
                Part::Thinking(thinking) => Some(thinking.thinking.text()),
                _ => None,
            })
            .collect();
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
        if let Some(audio) = &mut message.audio {
            // The server has the audio: a request refers to it.
            **audio = AudioReply { id: std::mem::take(&mut audio.id), ..AudioReply::blank() };
        }
        for call in &mut message.tool_calls {
            // Mistral leaves the type out, and others ask for it.
            if call.type_.is_empty() && call.function.is_some() {
                call.type_ = "function".to_owned();
            }
        }
        Message::Assistant(Box::new(message))
    }
}
