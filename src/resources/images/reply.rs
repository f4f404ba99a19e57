//! Responses and stream events of the images API.

use std::path::Path;

use bytes::Bytes;
use futures::stream;
use serde_json::Value;

use super::request::{Background, OutputFormat, Quality};
use crate::error::{Error, ErrorKind, Result, is_failure};
use crate::reply::stream::{ChoiceTracker, EventStream, StreamItem, decode_whole, is_error};
use crate::transport::RawResponse;
use crate::transport::decode::ApiResponse;
use crate::transport::decode::BufferedResponse;
use crate::wire::Extra;
use crate::wire::{Input, InvalidInput, Output, ReadOutcome, Wire, from_members};

wire_struct! {
    /// A response with generated images.
    pub struct ImagesResponse {
        /// Creation time, in Unix seconds.
        pub created: Option<u64>,
        /// The images, as many as requested with `n`.
        pub data: Vec<Image> = always,
        /// Background of the images.
        pub background: Option<Background>,
        /// File format of the images.
        pub output_format: Option<OutputFormat>,
        /// Width and height in pixels, such as `1024x1024`.
        pub size: Option<String>,
        /// Rendering quality of the images.
        pub quality: Option<Quality>,
        /// Token usage.
        pub usage: Option<ImageUsage>,
        /// The identifier of the end user that the server uses.
        pub safety_identifier: Option<String>,
        /// Token usage of the model that wrote an `svg`, apart from that of its rendering.
        pub svg_usage: Option<SvgUsage>,
    }

    /// The token usage of the model that wrote an SVG image.
    pub struct SvgUsage {
        /// Id of the model.
        pub model: String,
        /// Number of input tokens.
        pub input_tokens: u64,
        /// Number of output tokens.
        pub output_tokens: u64,
        /// Number of output tokens that were reasoning.
        pub reasoning_tokens: u64,
        /// Total number of tokens.
        pub total_tokens: u64,
    }

    /// An image as base64 or as a URL. If both are missing, the server withheld the image.
    pub struct Image {
        /// Base64-encoded file; decode it with [`bytes`](Self::bytes) or [`save_to`](Self::save_to).
        pub b64_json: Option<String>,
        /// URL of the image, usually valid for a short time. Download it yourself, without sending your API key. Some servers
        /// send a data URL, which [`bytes`](Self::bytes) decodes.
        pub url: Option<String>,
        /// The prompt as revised by the model.
        pub revised_prompt: Option<String>,
    }

    /// A preview of an image.
    pub struct PartialImage {
        /// `image_generation.partial_image` or `image_edit.partial_image`.
        pub type_ as "type": String,
        /// Base64-encoded file.
        pub b64_json: String,
        /// Creation time, in Unix seconds.
        pub created_at: Option<u64>,
        /// Width and height in pixels.
        pub size: Option<String>,
        /// Rendering quality of the image.
        pub quality: Option<Quality>,
        /// Background of the image.
        pub background: Option<Background>,
        /// File format of the image.
        pub output_format: Option<OutputFormat>,
        /// Index of the preview, starting at 0.
        pub partial_image_index: u32,
    }

    /// The final image of a stream.
    pub struct CompletedImage {
        /// `image_generation.completed` or `image_edit.completed`.
        pub type_ as "type": String,
        /// Base64-encoded file.
        pub b64_json: String,
        /// Creation time, in Unix seconds.
        pub created_at: Option<u64>,
        /// Width and height in pixels.
        pub size: Option<String>,
        /// Rendering quality of the image.
        pub quality: Option<Quality>,
        /// Background of the image.
        pub background: Option<Background>,
        /// File format of the image.
        pub output_format: Option<OutputFormat>,
        /// Token usage.
        pub usage: Option<ImageUsage>,
    }

    /// The token usage of an image request.
    pub struct ImageUsage {
        /// Number of input tokens.
        pub input_tokens: u64,
        /// Number of output image tokens.
        pub output_tokens: u64,
        /// Total number of tokens.
        pub total_tokens: u64,
        /// Breakdown of the input tokens.
        pub input_tokens_details: Option<ImageTokens>,
        /// Breakdown of the output tokens.
        pub output_tokens_details: Option<ImageTokens>,
    }

    /// Breakdown of the tokens of an image request.
    pub struct ImageTokens {
        /// Number of text tokens.
        pub text_tokens: u64,
        /// Number of image tokens.
        pub image_tokens: u64,
    }
}

impl ApiResponse for ImagesResponse {
    fn root_field(&self) -> &'static str {
        "data"
    }

    fn is_root_empty(&self) -> bool {
        // The OpenAI schema requires only `created`.
        self.data.is_empty() && (self.created.is_none() || is_failure(&|name| self.extra.get(name)))
    }

    /// Open WebUI sends the array alone.
    fn read_root(&mut self, body: &Value) -> bool {
        self.data = images_of(body);
        !self.data.is_empty()
    }

    /// SiliconFlow and others name the array otherwise, or send one image alone.
    fn complete(&mut self) {
        if self.data.is_empty() {
            if let Some(name) = ["images", "image", "output", "data"]
                .into_iter()
                .find(|name| !self.extra.get(name).map(images_of).unwrap_or_default().is_empty())
            {
                self.data = self.extra.remove(name).as_ref().map(images_of).unwrap_or_default();
            }
        }
        if self.data.is_empty() {
            let members = ["b64_json", "url"].into_iter().filter_map(|name| Some((name, self.extra.remove(name)?)));
            self.data = images_of(&Value::Object(members.map(|(name, value)| (name.to_owned(), value)).collect()));
        }
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn decode(response: &mut RawResponse) -> Result<Self> {
        response.buffered.decode_wire()
    }
}

/// The images in a value: objects, or URLs and base64 alone.
fn images_of(value: &Value) -> Vec<Image> {
    match value {
        Value::Array(items) => items.iter().flat_map(images_of).collect(),
        Value::Object(members) => {
            let image: Image = from_members(members.clone());
            Some(image).filter(|image| image.url.is_some() || image.b64_json.is_some()).into_iter().collect()
        }
        Value::String(text) if !text.is_empty() => {
            let is_url = ["http://", "https://", "data:", "/"].iter().any(|start| text.starts_with(start))
                && (text.len() < 4096 || !text.starts_with('/'));
            let (url, b64_json) = if is_url { (Some(text.clone()), None) } else { (None, Some(text.clone())) };
            vec![Image { url, b64_json, ..Image::default_value() }]
        }
        _ => Vec::new(),
    }
}

/// An event of a streamed generation or edit.
///
/// See [OpenAI: Image events](https://platform.openai.com/docs/api-reference/images-streaming).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ImageEvent {
    /// A preview of the image.
    Partial(PartialImage),
    /// The final image, at the end of the stream.
    Completed(CompletedImage),
    /// An event of any other type, with all its fields.
    Other(Extra),
}

impl ImageEvent {
    /// Returns the value of the field `type`.
    pub fn kind(&self) -> &str {
        match self {
            ImageEvent::Partial(image) => &image.type_,
            ImageEvent::Completed(image) => &image.type_,
            ImageEvent::Other(members) => members.get("type").and_then(Value::as_str).unwrap_or_default(),
        }
    }
}

serde_of_wire! { ImageEvent }

impl Wire for ImageEvent {
    fn read(&mut self, input: Input<'_>) -> std::result::Result<ReadOutcome, InvalidInput> {
        let members = match input.value()? {
            Value::Object(members) => members,
            odd => return Ok(ReadOutcome::mismatched(odd)),
        };
        *self = match members.get("type").and_then(Value::as_str) {
            Some("image_generation.partial_image" | "image_edit.partial_image") => {
                ImageEvent::Partial(from_members(members))
            }
            Some("image_generation.completed" | "image_edit.completed") => ImageEvent::Completed(from_members(members)),
            _ => ImageEvent::Other(members.into()),
        };
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        match self {
            ImageEvent::Partial(image) => image.output(),
            ImageEvent::Completed(image) => image.output(),
            ImageEvent::Other(members) => members.output(),
        }
    }

    fn default_value() -> Self {
        ImageEvent::Other(Extra::new())
    }
}

impl StreamItem for ImageEvent {
    fn has_no_payload(&self) -> bool {
        matches!(self.kind(), "" | "error")
    }

    fn extra(&self) -> &Extra {
        match self {
            ImageEvent::Partial(image) => &image.extra,
            ImageEvent::Completed(image) => &image.extra,
            ImageEvent::Other(members) => members,
        }
    }

    fn open(response: &mut RawResponse) -> Result<EventStream<Self>> {
        crate::reply::stream::open(response)
    }

    fn track(&self, choices: &mut ChoiceTracker) {
        match self {
            ImageEvent::Completed(_) => choices.finish(0),
            _ => choices.start(0),
        }
    }

    fn has_error(&self) -> bool {
        self.kind() == "error" || is_error(self.extra())
    }

    /// Converts the JSON response of a server that does not support streaming.
    fn from_whole(response: &BufferedResponse) -> Option<Result<Self>> {
        let mut images: ImagesResponse = match decode_whole(response)? {
            Ok(images) => images,
            Err(error) => return Some(Err(error)),
        };
        let image = images.data.pop().filter(|_| images.data.is_empty())?;
        let mut extra = image.extra;
        extra.extend(image.url.map(|url| ("url", url)));
        extra.extend(image.revised_prompt.map(|prompt| ("revised_prompt", prompt)));
        Some(Ok(ImageEvent::Completed(CompletedImage {
            b64_json: image.b64_json.unwrap_or_default(),
            created_at: images.created,
            size: images.size,
            quality: images.quality,
            background: images.background,
            output_format: images.output_format,
            usage: images.usage,
            extra,
            ..CompletedImage::default_value()
        })))
    }
}

/// The methods that decode the base64 file.
macro_rules! image_files {
    ($($name:ident($this:ident) => $base64:expr;)*) => {$(
        impl $name {
            /// Returns the decoded file.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Decode`] if the base64 data is missing or invalid.
            pub fn bytes(&self) -> Result<Bytes> {
                let $this = self;
                decode($base64)
            }

            /// Saves the file to disk and returns its size in bytes. Writes to a temporary file in the same directory
            /// and renames it once it is complete.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Decode`] as for [`bytes`](Self::bytes), [`ErrorKind::Io`] if the file cannot be
            /// written.
            pub async fn save_to(&self, path: impl AsRef<Path>) -> Result<u64> {
                let bytes = self.bytes()?;
                crate::reply::download::save(path.as_ref(), stream::iter([Ok(bytes)])).await
            }
        }
    )*};
}

image_files! {
    // A data URL holds the image itself.
    Image(image) => image.b64_json.as_deref().filter(|data| !data.is_empty())
        .or_else(|| image.url.as_deref().filter(|url| url.starts_with("data:"))).unwrap_or_default();
    PartialImage(image) => &image.b64_json;
    CompletedImage(image) => &image.b64_json;
}

pub(crate) fn decode(base64: &str) -> Result<Bytes> {
    // Some servers send a data URL.
    let data = match base64.strip_prefix("data:") {
        Some(url) => url.split_once(',').map_or(url, |(_, data)| data),
        None => base64,
    };
    if data.is_empty() {
        return Err(Error::new(ErrorKind::Decode, "image has no base64 data; check its `url` field"));
    }
    crate::wire::base64::decode(data)
        .map(Bytes::from)
        .map_err(|error| Error::new(ErrorKind::Decode, "image data is not valid base64").with_source(error))
}
