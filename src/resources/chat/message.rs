//! The messages of a conversation.

use std::borrow::Cow;

use serde_json::Value;

use crate::error::Result;
use crate::transport::file_source::FileSource;
use crate::wire::Wire;

mod assistant;
mod content;
mod part;

pub(super) use self::assistant::reasoning;
pub use self::assistant::{Annotation, AssistantAudio, AssistantMessage, UrlCitation};
pub use self::content::Content;
pub use self::part::{
    AudioPart, FileInput, FilePart, ImageDetail, ImagePart, ImageUrl, InputAudio, Part, PromptCacheBreakpoint,
    RefusalPart, TextPart, ThinkingPart, VideoPart, VideoUrl,
};

open_union! {
    /// A message of a conversation. Create it with [`Message::user`], [`Message::system`] and similar functions.
    ///
    /// See [OpenAI: Chat](https://platform.openai.com/docs/api-reference/chat/create).
    pub enum Message by "role" {
        /// Instructions for newer OpenAI models; other servers support `System` only.
        Developer(SystemMessage) = "developer",
        /// Instructions for the model.
        System(SystemMessage) = "system",
        /// A message of the user.
        User(UserMessage) = "user",
        /// A message of the model, with its tool calls.
        Assistant(Box<AssistantMessage>) = "assistant",
        /// The result of a tool call.
        Tool(ToolMessage) = "tool",
        /// The result of a call of the deprecated `functions`.
        Function(FunctionMessage) = "function",
    }
}

wire_struct! {
    /// A system or developer message.
    pub struct SystemMessage {
        /// Text, or text parts.
        pub content: Content = always,
        /// Name of the author.
        pub name: Option<String>,
    }

    /// A user message.
    pub struct UserMessage {
        /// Text, or parts: text, images, audio, files.
        pub content: Content = always,
        /// Name of the author, to distinguish several.
        pub name: Option<String>,
    }

    /// The result of a tool call.
    pub struct ToolMessage {
        /// The result as text, or text parts.
        pub content: Content = always,
        /// Id of the call.
        pub tool_call_id: String = always,
    }

    /// The result of a call of the deprecated `functions`.
    pub struct FunctionMessage {
        /// The result as text.
        pub content: Content = always,
        /// Name of the function.
        pub name: String = always,
    }
}

open_enum! {
    /// The author of a message.
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
        /// A critic, in the items of conversations.
        Critic = "critic",
        /// A discriminator, in the items of conversations.
        Discriminator = "discriminator",
        /// An author that the server does not name.
        Unknown = "unknown",
    }
}

impl Message {
    /// Creates a system message.
    pub fn system(content: impl Into<Content>) -> Self {
        Message::System(SystemMessage { content: content.into(), ..SystemMessage::default_value() })
    }

    /// Creates a developer message, for newer OpenAI models. *Providers*: others support [`Message::system`] only.
    pub fn developer(content: impl Into<Content>) -> Self {
        Message::Developer(SystemMessage { content: content.into(), ..SystemMessage::default_value() })
    }

    /// Creates a user message.
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
        Message::User(UserMessage { content: content.into(), ..UserMessage::default_value() })
    }

    /// Creates a user message with an image, given by its URL or a data URL.
    ///
    /// ```
    /// use openai_compatible::chat::Message;
    ///
    /// let message = Message::user_with_image("What is this?", "https://example.org/cat.png");
    /// # let _ = message;
    /// ```
    #[doc(alias = "vision")]
    #[doc(alias = "multimodal")]
    pub fn user_with_image(text: impl Into<String>, url: impl Into<String>) -> Self {
        Message::user([Part::text(text), Part::image_url(url)])
    }

    /// Creates a user message with an image from a file, which is sent with the message.
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
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read.
    pub async fn user_with_image_file(text: impl Into<String>, file: impl Into<FileSource>) -> Result<Self> {
        Ok(Message::user([Part::text(text), Part::image_file(file).await?]))
    }

    /// Creates an assistant message, for conversations written by hand. For the message of a response, use
    /// [`ChatCompletion::into_message`](crate::chat::ChatCompletion::into_message).
    pub fn assistant(content: impl Into<Content>) -> Self {
        Message::from(AssistantMessage { content: Some(content.into()), ..AssistantMessage::default_value() })
    }

    /// Creates the result of a tool call.
    pub fn tool(tool_call_id: impl Into<String>, content: impl Into<Content>) -> Self {
        Message::Tool(ToolMessage {
            content: content.into(),
            tool_call_id: tool_call_id.into(),
            ..ToolMessage::default_value()
        })
    }

    /// Creates the result of a call of the deprecated `functions`.
    pub fn function(name: impl Into<String>, content: impl Into<Content>) -> Self {
        Message::Function(FunctionMessage {
            content: content.into(),
            name: name.into(),
            ..FunctionMessage::default_value()
        })
    }

    /// Sets the name of the author; for the result of a function, the name of the function. Ignored for the result of a
    /// tool.
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

    /// Returns the text; text parts are joined.
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
