//! Messages: what each side of a conversation says.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::tool::{FunctionCall, ToolCall};
use crate::error::Result;
use crate::wire::{Read, Seed, Wire, in_part, keep, odd_map};
use crate::{Extra, FileSource};

open_union! {
    /// One message of a conversation. Build it with [`Message::user`], [`Message::system`] and their like.
    ///
    /// See [OpenAI: Chat](https://platform.openai.com/docs/api-reference/chat/create).
    #[doc(alias = "ChatCompletionMessageParam")]
    #[doc(alias = "ChatCompletionRequestMessage")]
    pub enum Message by "role" {
        /// Instructions for newer OpenAI models; other servers know `System` only.
        Developer(SystemMessage) = "developer",
        /// Instructions that the model follows.
        System(SystemMessage) = "system",
        /// What the user says, shows or plays.
        User(UserMessage) = "user",
        /// What the model said, tool calls included.
        Assistant(Box<AssistantMessage>) = "assistant",
        /// Result of a tool call.
        Tool(ToolMessage) = "tool",
        /// Result of a call of the deprecated `functions`.
        Function(FunctionMessage) = "function",
    }
}

wire! {
    /// Instructions: a system or developer message.
    #[doc(alias = "ChatCompletionRequestSystemMessage")]
    pub struct SystemMessage {
        /// Text, or parts of text.
        pub content: Content = always,
        /// Name of the speaker.
        pub name: Option<String>,
    }

    /// What the user says.
    #[doc(alias = "ChatCompletionRequestUserMessage")]
    pub struct UserMessage {
        /// Text, or parts: text, images, audio, files.
        pub content: Content = always,
        /// Name of the speaker, where there are several.
        pub name: Option<String>,
    }

    /// Result of a tool call.
    #[doc(alias = "ChatCompletionRequestToolMessage")]
    pub struct ToolMessage {
        /// The result as text, or parts of text.
        pub content: Content = always,
        /// Id of the call that this answers.
        pub tool_call_id: String = always,
    }

    /// Result of a call of the deprecated `functions`.
    pub struct FunctionMessage {
        /// The result as text.
        pub content: Content = always,
        /// Name of the function.
        pub name: String = always,
    }

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

open_enum! {
    /// Who speaks.
    pub enum Role {
        /// Instructions, on newer OpenAI models.
        Developer = "developer",
        /// Instructions.
        System = "system",
        /// The user.
        User = "user",
        /// The model.
        Assistant = "assistant",
        /// A tool.
        Tool = "tool",
        /// A deprecated function.
        Function = "function",
    }

    /// How closely the model looks at an image.
    pub enum ImageDetail {
        /// The model decides.
        Auto = "auto",
        /// A small version: fewer tokens.
        Low = "low",
        /// The full image.
        High = "high",
    }
}

impl Message {
    /// Instructions that the model follows.
    pub fn system(content: impl Into<Content>) -> Self {
        Message::System(SystemMessage { content: content.into(), ..SystemMessage::blank() })
    }

    /// Instructions for newer OpenAI models. *Providers*: others know [`Message::system`] only.
    pub fn developer(content: impl Into<Content>) -> Self {
        Message::Developer(SystemMessage { content: content.into(), ..SystemMessage::blank() })
    }

    /// What the user says.
    ///
    /// ```
    /// use openai_compatible::chat::{Message, Part};
    ///
    /// let text = Message::user("What is in this picture?");
    /// let with_picture = Message::user([
    ///     Part::text("What is in this picture?"),
    ///     Part::image_url("https://example.org/cat.png"),
    /// ]);
    /// # let _ = (text, with_picture);
    /// ```
    pub fn user(content: impl Into<Content>) -> Self {
        Message::User(UserMessage { content: content.into(), ..UserMessage::blank() })
    }

    /// What the user says about an image, given by its address or a data URL.
    ///
    /// ```
    /// use openai_compatible::chat::Message;
    ///
    /// let message = Message::user_with_image("What is this?", "https://example.org/cat.png");
    /// # let _ = message;
    /// ```
    pub fn user_with_image(text: impl Into<String>, url: impl Into<String>) -> Self {
        Message::user([Part::text(text), Part::image_url(url)])
    }

    /// What the user says about an image in a file, which is sent with the message.
    ///
    /// ```no_run
    /// # async fn run() -> openai_compatible::Result<()> {
    /// use openai_compatible::FileSource;
    /// use openai_compatible::chat::Message;
    ///
    /// let message = Message::user_with_image_file("What is this?", FileSource::path("cat.png")).await?;
    /// # let _ = message; Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the file cannot be read.
    pub async fn user_with_image_file(text: impl Into<String>, file: impl Into<FileSource>) -> Result<Self> {
        Ok(Message::user([Part::text(text), Part::image_file(file).await?]))
    }

    /// What the model said, for conversations written by hand. A reply gives its own: `Message::from(reply)`.
    pub fn assistant(content: impl Into<Content>) -> Self {
        Message::from(AssistantMessage { content: Some(content.into()), ..AssistantMessage::blank() })
    }

    /// The result of a tool call.
    pub fn tool(tool_call_id: impl Into<String>, content: impl Into<Content>) -> Self {
        Message::Tool(ToolMessage {
            content: content.into(),
            tool_call_id: tool_call_id.into(),
            ..ToolMessage::blank()
        })
    }

    /// The result of a call of the deprecated `functions`.
    pub fn function(name: impl Into<String>, content: impl Into<Content>) -> Self {
        Message::Function(FunctionMessage { content: content.into(), name: name.into(), ..FunctionMessage::blank() })
    }

    /// Sets the name of the speaker; of a function's result, the function's name. A tool's result has none.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        match &mut self {
            Message::Developer(message) | Message::System(message) => message.name = Some(name.into()),
            Message::User(message) => message.name = Some(name.into()),
            Message::Assistant(message) => message.name = Some(name.into()),
            Message::Function(message) => message.name = name.into(),
            Message::Tool(_) | Message::Other(_) => {}
        }
        self
    }

    /// Its text; parts of text are joined.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Message::Developer(message) | Message::System(message) => message.content.text(),
            Message::User(message) => message.content.text(),
            Message::Assistant(message) => message.text(),
            Message::Tool(message) => message.content.text(),
            Message::Function(message) => message.content.text(),
            Message::Other(members) => {
                Cow::Borrowed(members.get("content").and_then(Value::as_str).unwrap_or_default())
            }
        }
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
pub(super) fn reasoning<'a>(
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

/// What a message says: text, or a list of parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Text.
    Text(String),
    /// Text, images, audio and files in their order.
    Parts(Vec<Part>),
}

impl Content {
    /// Its text; parts of text are joined, other parts left out.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Content::Text(text) => Cow::Borrowed(text),
            Content::Parts(parts) => {
                let mut texts = parts.iter().filter_map(|part| match part {
                    Part::Text(part) => Some(part.text.as_str()),
                    _ => None,
                });
                match (texts.next(), texts.next()) {
                    (None, _) => Cow::Borrowed(""),
                    (Some(only), None) => Cow::Borrowed(only),
                    (Some(first), Some(second)) => {
                        Cow::Owned([first, second].into_iter().chain(texts).collect::<Vec<_>>().concat())
                    }
                }
            }
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Content::Text(text.to_owned())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Content::Text(text)
    }
}

impl From<&String> for Content {
    fn from(text: &String) -> Self {
        Content::Text(text.clone())
    }
}

impl From<Cow<'_, str>> for Content {
    fn from(text: Cow<'_, str>) -> Self {
        Content::Text(text.into_owned())
    }
}

impl From<Vec<Part>> for Content {
    fn from(parts: Vec<Part>) -> Self {
        Content::Parts(parts)
    }
}

impl<const N: usize> From<[Part; N]> for Content {
    fn from(parts: [Part; N]) -> Self {
        Content::Parts(parts.into())
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Content::Text(text) => serializer.serialize_str(text),
            Content::Parts(parts) => parts.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::deserialize(deserializer)
    }
}

impl Wire for Content {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        struct TextOrParts;
        impl<'de> Visitor<'de> for TextOrParts {
            type Value = Read<Content>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a list of parts")
            }

            fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Read::Value(Content::Text(v.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Read::Value(Content::blank()))
            }

            fn visit_bool<E>(self, v: bool) -> Result<Self::Value, E> {
                Ok(Read::Value(Content::Text(v.to_string())))
            }

            fn visit_u64<E>(self, v: u64) -> Result<Self::Value, E> {
                Ok(Read::Value(Content::Text(v.to_string())))
            }

            fn visit_i64<E>(self, v: i64) -> Result<Self::Value, E> {
                Ok(Read::Value(Content::Text(v.to_string())))
            }

            fn visit_f64<E>(self, v: f64) -> Result<Self::Value, E> {
                Ok(Read::Value(Content::Text(Value::from(v).to_string())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                let mut whole = None;
                while let Some(part) = seq.next_element_seed(Seed::<Part>::new())? {
                    let part = match part {
                        Read::Odd(Value::String(text)) => Read::Part(Part::text(text.as_str()), Value::String(text)),
                        part => part,
                    };
                    keep(&mut parts, &mut whole, part)?;
                }
                Ok(in_part(parts, whole).map(Content::Parts))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                odd_map(map)
            }
        }
        deserializer.deserialize_any(TextOrParts)
    }

    fn blank() -> Self {
        Content::Text(String::new())
    }

    #[cfg(test)]
    fn sample() -> Value {
        Value::from("text")
    }
}

open_union! {
    /// One part of a message.
    #[doc(alias = "ChatCompletionContentPart")]
    pub enum Part by "type" {
        /// Text.
        Text(TextPart) = "text",
        /// An image, by address or as data.
        ImageUrl(ImagePart) = "image_url",
        /// Audio, as data.
        InputAudio(AudioPart) = "input_audio",
        /// A file, by id or as data.
        File(FilePart) = "file",
        /// Why the model refuses, in its own words.
        Refusal(RefusalPart) = "refusal",
        /// What the model thought, as Mistral sends it.
        Thinking(ThinkingPart) = "thinking",
    }
}

wire! {
    /// Text as a part.
    pub struct TextPart {
        /// The text.
        pub text: String = always,
        /// Ends the part of the prompt that the server caches.
        pub prompt_cache_breakpoint: Option<PromptCacheBreakpoint>,
    }

    /// An image as a part.
    pub struct ImagePart {
        /// Where the image is.
        pub image_url: ImageUrl = always,
        /// Ends the part of the prompt that the server caches.
        pub prompt_cache_breakpoint: Option<PromptCacheBreakpoint>,
    }

    /// Where an image is, and how closely to look at it.
    pub struct ImageUrl {
        /// Address, or a data URL: `data:image/png;base64,…`.
        pub url: String = always,
        /// How closely the model looks.
        pub detail: Option<ImageDetail>,
    }

    /// Audio as a part.
    pub struct AudioPart {
        /// The audio.
        pub input_audio: InputAudio = always,
        /// Ends the part of the prompt that the server caches.
        pub prompt_cache_breakpoint: Option<PromptCacheBreakpoint>,
    }

    /// Audio as data.
    pub struct InputAudio {
        /// The audio in base64.
        pub data: String = always,
        /// `wav` or `mp3`.
        pub format: String = always,
    }

    /// A file as a part.
    pub struct FilePart {
        /// The file.
        pub file: FileInput = always,
        /// Ends the part of the prompt that the server caches.
        pub prompt_cache_breakpoint: Option<PromptCacheBreakpoint>,
    }

    /// A file: by its id, or by name and data.
    pub struct FileInput {
        /// Name, beside `file_data`.
        pub filename: Option<String>,
        /// Content as a data URL.
        pub file_data: Option<String>,
        /// Id of an uploaded file.
        pub file_id: Option<String>,
    }

    /// A refusal as a part.
    pub struct RefusalPart {
        /// Why the model refuses.
        pub refusal: String = always,
    }

    /// Thoughts as a part.
    pub struct ThinkingPart {
        /// The thoughts: text, or parts of text.
        pub thinking: Content = always,
    }

    /// Ends the part of the prompt that the server caches.
    pub struct PromptCacheBreakpoint {
        /// `explicit`.
        pub mode: String = always,
    }
}

impl Part {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Part::Text(TextPart { text: text.into(), ..TextPart::blank() })
    }

    /// An image by its address, or by a data URL.
    pub fn image_url(url: impl Into<String>) -> Self {
        let image_url = ImageUrl { url: url.into(), ..ImageUrl::blank() };
        Part::ImageUrl(ImagePart { image_url, ..ImagePart::blank() })
    }

    /// An image out of a file: sent as a data URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the file cannot be read.
    pub async fn image_file(file: impl Into<FileSource>) -> Result<Self> {
        Ok(Part::image_url(file.into().data_url().await?))
    }

    /// Audio out of a file: sent as base64, its format told by the name's ending.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the file cannot be read.
    pub async fn audio_file(file: impl Into<FileSource>) -> Result<Self> {
        let file = file.into();
        let format = file.name().rsplit_once('.').map_or("wav", |(_, ending)| ending).to_ascii_lowercase();
        Ok(Part::audio(file.read().await?, format))
    }

    /// Audio as bytes, and its format: `wav` or `mp3`.
    pub fn audio(audio: impl AsRef<[u8]>, format: impl Into<String>) -> Self {
        let data = crate::base64::encode(audio.as_ref());
        let input_audio = InputAudio { data, format: format.into(), ..InputAudio::blank() };
        Part::InputAudio(AudioPart { input_audio, ..AudioPart::blank() })
    }

    /// A file by the id that its upload gave.
    pub fn file_id(id: impl Into<String>) -> Self {
        let file = FileInput { file_id: Some(id.into()), ..FileInput::blank() };
        Part::File(FilePart { file, ..FilePart::blank() })
    }

    /// A file sent with the message, such as a PDF.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the file cannot be read.
    pub async fn file(file: impl Into<FileSource>) -> Result<Self> {
        let source = file.into();
        let file = FileInput {
            filename: Some(source.name().to_owned()),
            file_data: Some(source.data_url().await?),
            ..FileInput::blank()
        };
        Ok(Part::File(FilePart { file, ..FilePart::blank() }))
    }

    /// Why the model refused, in its own words, for conversations written by hand.
    pub fn refusal(refusal: impl Into<String>) -> Self {
        Part::Refusal(RefusalPart { refusal: refusal.into(), ..RefusalPart::blank() })
    }

    /// Ends the part of the prompt that the server caches here; goes with a cache mode of `explicit` (see
    /// [`PromptCacheOptions`](super::PromptCacheOptions)). Refusals and thoughts stay as they are.
    pub fn cache_breakpoint(mut self) -> Self {
        let end = PromptCacheBreakpoint { mode: "explicit".to_owned(), ..PromptCacheBreakpoint::blank() };
        match &mut self {
            Part::Text(part) => part.prompt_cache_breakpoint = Some(end),
            Part::ImageUrl(part) => part.prompt_cache_breakpoint = Some(end),
            Part::InputAudio(part) => part.prompt_cache_breakpoint = Some(end),
            Part::File(part) => part.prompt_cache_breakpoint = Some(end),
            Part::Refusal(_) | Part::Thinking(_) | Part::Other(_) => {}
        }
        self
    }

    /// Sets how closely the model looks at an image; other parts stay as they are.
    pub fn detail(mut self, detail: impl Into<ImageDetail>) -> Self {
        if let Part::ImageUrl(part) = &mut self {
            part.image_url.detail = Some(detail.into());
        }
        self
    }
}
