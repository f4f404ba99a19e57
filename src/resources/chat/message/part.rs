//! Parts of a message: text, images, audio, files.

use std::borrow::Cow;

use super::Content;
use crate::error::Result;
use crate::transport::file_source::FileSource;
use crate::wire::{Wire, join};

open_union! {
    /// A content part.
    pub enum Part by "type" {
        /// Text.
        Text(TextPart) = "text",
        /// An image, by URL or as data.
        ImageUrl(ImagePart) = "image_url",
        /// A video, by URL or as data. *Providers*: vLLM, OpenRouter, Qwen and others; not OpenAI.
        VideoUrl(VideoPart) = "video_url",
        /// Audio, as data.
        InputAudio(AudioPart) = "input_audio",
        /// A file, by id or as data.
        File(FilePart) = "file",
        /// A refusal of the model.
        Refusal(RefusalPart) = "refusal",
        /// Reasoning of the model, as Mistral sends it.
        Thinking(ThinkingPart) = "thinking",
    }
}

wire_struct! {
    /// A text part.
    pub struct TextPart {
        /// The text.
        pub text: String = always,
        /// Marks the end of a cached prompt prefix.
        pub prompt_cache_breakpoint: Option<PromptCacheBreakpoint>,
    }

    /// An image part.
    pub struct ImagePart {
        /// The image.
        pub image_url: ImageUrl = always,
        /// Marks the end of a cached prompt prefix.
        pub prompt_cache_breakpoint: Option<PromptCacheBreakpoint>,
    }

    /// An image and its level of detail.
    pub struct ImageUrl {
        /// URL, or a data URL: `data:image/png;base64,…`.
        pub url: String = always,
        /// Level of detail.
        pub detail: Option<ImageDetail>,
    }

    /// A video part.
    pub struct VideoPart {
        /// The video.
        pub video_url: VideoUrl = always,
        /// Marks the end of a cached prompt prefix.
        pub prompt_cache_breakpoint: Option<PromptCacheBreakpoint>,
    }

    /// A video.
    pub struct VideoUrl {
        /// URL, or a data URL: `data:video/mp4;base64,…`.
        pub url: String = always,
    }

    /// An audio part.
    pub struct AudioPart {
        /// The audio.
        pub input_audio: InputAudio = always,
        /// Marks the end of a cached prompt prefix.
        pub prompt_cache_breakpoint: Option<PromptCacheBreakpoint>,
    }

    /// Audio data.
    pub struct InputAudio {
        /// Base64-encoded audio.
        pub data: String = always,
        /// Format: `wav` or `mp3`.
        pub format: String = always,
    }

    /// A file part.
    pub struct FilePart {
        /// The file.
        pub file: FileInput = always,
        /// Marks the end of a cached prompt prefix.
        pub prompt_cache_breakpoint: Option<PromptCacheBreakpoint>,
    }

    /// A file: by its id, or by name and data.
    pub struct FileInput {
        /// File name, for `file_data`.
        pub filename: Option<String>,
        /// Content as a data URL.
        pub file_data: Option<String>,
        /// Id of an uploaded file.
        pub file_id: Option<String>,
    }

    /// A refusal part.
    pub struct RefusalPart {
        /// The refusal.
        pub refusal: String = always,
    }

    /// A reasoning content part.
    pub struct ThinkingPart {
        /// The reasoning: text, or text parts.
        pub thinking: Content = always,
    }

    /// The end of a cached prompt prefix.
    pub struct PromptCacheBreakpoint {
        /// The literal `explicit`.
        pub mode: String = always,
    }
}

open_enum! {
    /// The level of detail at which a model reads an image.
    pub enum ImageDetail {
        /// The model decides.
        Auto = "auto",
        /// Low detail: fewer tokens.
        Low = "low",
        /// High detail.
        High = "high",
    }
}

impl Part {
    /// Returns the text of a text part.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Part::Text(part) => Some(&part.text),
            _ => None,
        }
    }

    /// Returns the reasoning of a part: of Mistral's thinking, or of a `reasoning` part (Databricks).
    pub(super) fn reasoning(&self) -> Option<Cow<'_, str>> {
        match self {
            Part::Thinking(part) => Some(part.thinking.text()),
            Part::Other(members) if members.get("type")?.as_str()? == "reasoning" => {
                let lists =
                    ["summary", "content"].into_iter().filter_map(|name| members.get(name)?.as_array()).flatten();
                let texts = lists.filter_map(|item| item.get("text")?.as_str());
                let own = ["text", "reasoning"].into_iter().filter_map(|name| members.get(name)?.as_str());
                Some(join(own.chain(texts)))
            }
            _ => None,
        }
    }

    /// Creates a text part.
    pub fn text(text: impl Into<String>) -> Self {
        Part::Text(TextPart { text: text.into(), ..TextPart::default_value() })
    }

    /// Creates an image part from a URL or a data URL.
    pub fn image_url(url: impl Into<String>) -> Self {
        let image_url = ImageUrl { url: url.into(), ..ImageUrl::default_value() };
        Part::ImageUrl(ImagePart { image_url, ..ImagePart::default_value() })
    }

    /// Creates an image part from a file, sent as a data URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read.
    pub async fn image_file(file: impl Into<FileSource>) -> Result<Self> {
        Ok(Part::image_url(file.into().data_url().await?))
    }

    /// Creates a video part from a URL or a data URL. *Providers*: vLLM, OpenRouter, Qwen and others; not OpenAI.
    pub fn video_url(url: impl Into<String>) -> Self {
        let video_url = VideoUrl { url: url.into(), ..VideoUrl::default_value() };
        Part::VideoUrl(VideoPart { video_url, ..VideoPart::default_value() })
    }

    /// Creates a video part from a file, sent as a data URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read.
    pub async fn video_file(file: impl Into<FileSource>) -> Result<Self> {
        Ok(Part::video_url(file.into().data_url().await?))
    }

    /// Creates an audio part from a file, sent as base64. The extension of its name is the format.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read.
    pub async fn audio_file(file: impl Into<FileSource>) -> Result<Self> {
        let file = file.into();
        let format = file.name().rsplit_once('.').map_or("wav", |(_, ending)| ending).to_ascii_lowercase();
        Ok(Part::audio(file.read().await?, format))
    }

    /// Creates an audio part from bytes and their format: `wav` or `mp3`.
    pub fn audio(audio: impl AsRef<[u8]>, format: impl Into<String>) -> Self {
        let data = crate::wire::base64::encode(audio.as_ref());
        let input_audio = InputAudio { data, format: format.into(), ..InputAudio::default_value() };
        Part::InputAudio(AudioPart { input_audio, ..AudioPart::default_value() })
    }

    /// Creates a file part from the id of an uploaded file.
    pub fn file_id(id: impl Into<String>) -> Self {
        let file = FileInput { file_id: Some(id.into()), ..FileInput::default_value() };
        Part::File(FilePart { file, ..FilePart::default_value() })
    }

    /// Creates a file part from a file sent with the message, such as a PDF.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read.
    pub async fn file(file: impl Into<FileSource>) -> Result<Self> {
        let source = file.into();
        let file = FileInput {
            filename: Some(source.name().to_owned()),
            file_data: Some(source.data_url().await?),
            ..FileInput::default_value()
        };
        Ok(Part::File(FilePart { file, ..FilePart::default_value() }))
    }

    /// Creates a refusal part, for conversations written by hand.
    pub fn refusal(refusal: impl Into<String>) -> Self {
        Part::Refusal(RefusalPart { refusal: refusal.into(), ..RefusalPart::default_value() })
    }

    /// Marks the end of a cached prompt prefix. Requires the cache mode `explicit`; see
    /// [`PromptCacheOptions`](crate::chat::PromptCacheOptions). Refusal and reasoning parts are not changed.
    pub fn cache_breakpoint(mut self) -> Self {
        let end = PromptCacheBreakpoint { mode: "explicit".to_owned(), ..PromptCacheBreakpoint::default_value() };
        match &mut self {
            Part::Text(part) => part.prompt_cache_breakpoint = Some(end),
            Part::ImageUrl(part) => part.prompt_cache_breakpoint = Some(end),
            Part::VideoUrl(part) => part.prompt_cache_breakpoint = Some(end),
            Part::InputAudio(part) => part.prompt_cache_breakpoint = Some(end),
            Part::File(part) => part.prompt_cache_breakpoint = Some(end),
            Part::Refusal(_) | Part::Thinking(_) | Part::Other(_) => {}
        }
        self
    }

    /// Sets the level of detail of an image; other parts are not changed.
    pub fn detail(mut self, detail: impl Into<ImageDetail>) -> Self {
        if let Part::ImageUrl(part) = &mut self {
            part.image_url.detail = Some(detail.into());
        }
        self
    }
}
