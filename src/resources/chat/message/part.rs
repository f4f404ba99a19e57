//! Parts of a message: text, images, audio, files.

use super::Content;
use crate::FileSource;
use crate::error::Result;
use crate::wire::Wire;

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

open_enum! {
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
    /// [`PromptCacheOptions`](crate::chat::PromptCacheOptions)). Refusals and thoughts stay as they are.
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
