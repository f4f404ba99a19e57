//! The parts of messages, tool outputs and reasoning.

use std::borrow::Cow;

use crate::chat::{PromptCacheBreakpoint, RefusalPart, TextPart, TokenLogprob};
use crate::error::Result;
use crate::transport::file_source::FileSource;
use crate::wire::{Wire, join};

text_or_array! {
    /// The content of a message or a tool output: text, or an array of parts.
    pub enum Content {
        /// Texts, images and files, in order.
        Parts(Part) = |text| Part::text(text)
    }
}

impl Content {
    /// Returns the text; text parts are joined, other parts skipped.
    pub fn text(&self) -> Cow<'_, str> {
        join(self.texts())
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let (text, parts) = match self {
            Content::Text(text) => (Some(text.as_str()), &[][..]),
            Content::Parts(parts) => (None, parts.as_slice()),
        };
        text.into_iter().chain(parts.iter().filter_map(Part::as_text))
    }
}

open_union! {
    /// A part of a message, a tool output or reasoning.
    pub enum Part by "type" {
        /// Text for the model.
        InputText(TextPart) = "input_text",
        /// An image for the model.
        InputImage(InputImage) = "input_image",
        /// A file for the model.
        InputFile(InputFile) = "input_file",
        /// Text of the model.
        OutputText(OutputText) = "output_text",
        /// A refusal of the model.
        Refusal(RefusalPart) = "refusal",
        /// A summary of the model's reasoning.
        SummaryText(TextPart) = "summary_text",
        /// The model's reasoning.
        ReasoningText(TextPart) = "reasoning_text",
        /// Other text.
        Text(TextPart) = "text",
    }
}

wire_struct! {
    /// An image for the model: a URL, or the id of an uploaded file.
    pub struct InputImage {
        /// URL of the image, or a data URL.
        pub image_url: Option<String>,
        /// Id of an uploaded file.
        pub file_id: Option<String>,
        /// Level of detail: `auto`, `low`, `high` or `original`.
        pub detail: Option<String>,
        /// Marks the end of a cached prompt prefix.
        pub prompt_cache_breakpoint: Option<PromptCacheBreakpoint>,
    }

    /// A file for the model: its content, a URL, or the id of an uploaded file.
    pub struct InputFile {
        /// Id of an uploaded file.
        pub file_id: Option<String>,
        /// Name of the file.
        pub filename: Option<String>,
        /// Content of the file as a data URL.
        pub file_data: Option<String>,
        /// URL of the file.
        pub file_url: Option<String>,
        /// Level of detail: `auto`, `low` or `high`.
        pub detail: Option<String>,
        /// Marks the end of a cached prompt prefix.
        pub prompt_cache_breakpoint: Option<PromptCacheBreakpoint>,
    }

    /// Text of the model.
    pub struct OutputText {
        /// The text.
        pub text: String = always,
        /// Citations in the text.
        pub annotations: Vec<Annotation> = always,
        /// Log probabilities of the tokens, if the request includes them.
        pub logprobs: Vec<TokenLogprob>,
    }

    /// A citation in the text of the model: of a web page, a file, or a file of a container.
    pub struct Annotation {
        /// `url_citation`, `file_citation`, `container_file_citation` or `file_path`.
        pub type_ as "type": String = always,
        /// URL of the page.
        pub url: Option<String>,
        /// Title of the page.
        pub title: Option<String>,
        /// Start of the cited text, in characters.
        pub start_index: Option<u64>,
        /// End of the cited text, in characters.
        pub end_index: Option<u64>,
        /// Id of the file.
        pub file_id: Option<String>,
        /// Name of the file.
        pub filename: Option<String>,
        /// Index of the file.
        pub index: Option<u64>,
        /// Id of the container.
        pub container_id: Option<String>,
    }
}

impl Part {
    /// Creates a text part for the model.
    pub fn text(text: impl Into<String>) -> Self {
        Part::InputText(text_part(text))
    }

    /// Creates an image part from a URL or a data URL.
    pub fn image_url(url: impl Into<String>) -> Self {
        Part::InputImage(InputImage { image_url: Some(url.into()), ..InputImage::default_value() })
    }

    /// Creates an image part from a file, sent as a data URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read.
    pub async fn image_file(file: impl Into<FileSource>) -> Result<Self> {
        Ok(Part::image_url(file.into().data_url().await?))
    }

    /// Creates an image part from the id of an uploaded file.
    pub fn image_id(file_id: impl Into<String>) -> Self {
        Part::InputImage(InputImage { file_id: Some(file_id.into()), ..InputImage::default_value() })
    }

    /// Creates a file part from the id of an uploaded file.
    pub fn file_id(file_id: impl Into<String>) -> Self {
        Part::InputFile(InputFile { file_id: Some(file_id.into()), ..InputFile::default_value() })
    }

    /// Creates a file part from a URL.
    pub fn file_url(url: impl Into<String>) -> Self {
        Part::InputFile(InputFile { file_url: Some(url.into()), ..InputFile::default_value() })
    }

    /// Creates a file part from a file sent with the message, such as a PDF.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read.
    pub async fn file(file: impl Into<FileSource>) -> Result<Self> {
        let source = file.into();
        let filename = Some(source.name().to_owned());
        let file_data = Some(source.data_url().await?);
        Ok(Part::InputFile(InputFile { filename, file_data, ..InputFile::default_value() }))
    }

    /// Creates a part with text of the model, for conversations written by hand.
    pub fn output_text(text: impl Into<String>) -> Self {
        Part::OutputText(OutputText { text: text.into(), ..OutputText::default_value() })
    }

    /// Returns the text of a text part.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Part::OutputText(part) => Some(&part.text),
            Part::InputText(part) | Part::SummaryText(part) | Part::ReasoningText(part) | Part::Text(part) => {
                Some(&part.text)
            }
            Part::Refusal(_) | Part::InputImage(_) | Part::InputFile(_) | Part::Other(_) => None,
        }
    }

    /// Returns the text that deltas of this part extend.
    pub(crate) fn text_mut(&mut self) -> Option<&mut String> {
        match self {
            Part::OutputText(part) => Some(&mut part.text),
            Part::Refusal(part) => Some(&mut part.refusal),
            Part::InputText(part) | Part::SummaryText(part) | Part::ReasoningText(part) | Part::Text(part) => {
                Some(&mut part.text)
            }
            Part::InputImage(_) | Part::InputFile(_) | Part::Other(_) => None,
        }
    }
}

pub(crate) fn text_part(text: impl Into<String>) -> TextPart {
    TextPart { text: text.into(), ..TextPart::default_value() }
}
