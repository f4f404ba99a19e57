//! Messages: what each side of a conversation says.

use std::borrow::Cow;

use serde_json::Value;

use crate::FileSource;
use crate::error::Result;
use crate::wire::Wire;

mod assistant;
mod content;
mod part;

pub(super) use self::assistant::reasoning;
pub use self::assistant::{Annotation, AssistantMessage, AudioReply, UrlCitation};
pub use self::content::Content;
pub use self::part::{
    AudioPart, FileInput, FilePart, ImageDetail, ImagePart, ImageUrl, InputAudio, Part, PromptCacheBreakpoint,
    RefusalPart, TextPart, ThinkingPart,
};

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
