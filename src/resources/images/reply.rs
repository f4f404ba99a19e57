//! What was made: images, and the events of a stream.

use std::path::Path;

use bytes::Bytes;
use futures::stream;
use serde_json::Value;

use super::request::{Background, OutputFormat, Quality};
use crate::Extra;
use crate::error::{Error, ErrorKind, Result};
use crate::stream::{EventStream, Progress, StreamItem, is_error};
use crate::transport::Answer;
use crate::transport::decode::Whole;
use crate::wire::{Json, NotJson, Read, Reply, Wire, Writer};

wire! {
    /// Images as they were made.
    #[doc(alias = "ImagesResponse")]
    pub struct Images {
        /// Moment of creation, in Unix seconds.
        pub created: Option<u64>,
        /// The images, as many as `n` asked for.
        pub data: Vec<Image> = always,
        /// What is behind the subject.
        pub background: Option<Background>,
        /// Format of the files.
        pub output_format: Option<OutputFormat>,
        /// Width and height in pixels, such as `1024x1024`.
        pub size: Option<String>,
        /// How carefully they were made.
        pub quality: Option<Quality>,
        /// Tokens used.
        pub usage: Option<ImageUsage>,
    }

    /// An image: base64 or an address. With neither, the server held it back.
    pub struct Image {
        /// The file as base64; read it with [`bytes`](Self::bytes) or [`save_to`](Self::save_to).
        pub b64_json: Option<String>,
        /// Its address, mostly for a short while. Getting it is up to you: it needs no key, and must not see yours.
        pub url: Option<String>,
        /// The description as the model rewrote it.
        pub revised_prompt: Option<String>,
    }

    /// A preview of an image.
    #[doc(alias = "ImageGenPartialImageEvent")]
    #[doc(alias = "ImageEditPartialImageEvent")]
    pub struct PartialImage {
        /// `image_generation.partial_image` or `image_edit.partial_image`.
        pub type_ as "type": String,
        /// The file as base64.
        pub b64_json: String,
        /// Moment of creation, in Unix seconds.
        pub created_at: Option<u64>,
        /// Width and height in pixels.
        pub size: Option<String>,
        /// How carefully it is made.
        pub quality: Option<Quality>,
        /// What is behind the subject.
        pub background: Option<Background>,
        /// Format of the file.
        pub output_format: Option<OutputFormat>,
        /// Position among the previews, from 0.
        pub partial_image_index: u32,
    }

    /// An image at the end of a stream.
    #[doc(alias = "ImageGenCompletedEvent")]
    #[doc(alias = "ImageEditCompletedEvent")]
    pub struct CompletedImage {
        /// `image_generation.completed` or `image_edit.completed`.
        pub type_ as "type": String,
        /// The file as base64.
        pub b64_json: String,
        /// Moment of creation, in Unix seconds.
        pub created_at: Option<u64>,
        /// Width and height in pixels.
        pub size: Option<String>,
        /// How carefully it was made.
        pub quality: Option<Quality>,
        /// What is behind the subject.
        pub background: Option<Background>,
        /// Format of the file.
        pub output_format: Option<OutputFormat>,
        /// Tokens used.
        pub usage: Option<ImageUsage>,
    }

    /// Tokens used by images.
    #[doc(alias = "ImageGenUsage")]
    pub struct ImageUsage {
        /// Of what went in.
        pub input_tokens: u64,
        /// Of the images.
        pub output_tokens: u64,
        /// All.
        pub total_tokens: u64,
        /// Of which kind those are that went in.
        pub input_tokens_details: Option<ImageTokens>,
        /// Of which kind those are that came out.
        pub output_tokens_details: Option<ImageTokens>,
    }

    /// Tokens by kind.
    pub struct ImageTokens {
        /// Of text.
        pub text_tokens: u64,
        /// Of images.
        pub image_tokens: u64,
    }
}

impl Reply for Images {
    fn root(&self) -> &'static str {
        "data"
    }

    fn is_hollow(&self) -> bool {
        // The contract asks for `created` only.
        self.data.is_empty() && (self.created.is_none() || is_error(&self.extra))
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn decode(answer: &mut Answer) -> Result<Self> {
        answer.whole.reply()
    }
}

/// What streamed images bring, whether they are made anew or edited.
///
/// See [OpenAI: Image events](https://platform.openai.com/docs/api-reference/images-streaming).
#[doc(alias = "ImageGenStreamEvent")]
#[doc(alias = "ImageEditStreamEvent")]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ImageEvent {
    /// A preview.
    Partial(PartialImage),
    /// The image: the end.
    Completed(CompletedImage),
    /// An event of any other kind, with all its members.
    Other(Extra),
}

impl ImageEvent {
    /// The member `type`, as it stands on the wire.
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
    fn read(&mut self, json: &mut Json<'_>) -> std::result::Result<Read, NotJson> {
        if json.peek()? != b'{' {
            return json.value().map(Read::Odd);
        }
        match &*json.tag("type")? {
            "image_generation.partial_image" | "image_edit.partial_image" => {
                let mut image = PartialImage::blank();
                let read = image.read(json)?;
                *self = ImageEvent::Partial(image);
                Ok(read)
            }
            "image_generation.completed" | "image_edit.completed" => {
                let mut image = CompletedImage::blank();
                let read = image.read(json)?;
                *self = ImageEvent::Completed(image);
                Ok(read)
            }
            _ => {
                let mut members = Extra::new();
                let read = members.read(json)?;
                *self = ImageEvent::Other(members);
                Ok(read)
            }
        }
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            ImageEvent::Partial(image) => image.write(writer),
            ImageEvent::Completed(image) => image.write(writer),
            ImageEvent::Other(members) => members.write(writer),
        }
    }

    fn blank() -> Self {
        ImageEvent::Other(Extra::new())
    }
}

impl StreamItem for ImageEvent {
    fn is_hollow(&self) -> bool {
        matches!(self.kind(), "" | "error")
    }

    fn extra(&self) -> &Extra {
        match self {
            ImageEvent::Partial(image) => &image.extra,
            ImageEvent::Completed(image) => &image.extra,
            ImageEvent::Other(members) => members,
        }
    }

    fn open(answer: &mut Answer) -> Result<EventStream<Self>> {
        crate::stream::open(answer)
    }

    fn mark(&self, progress: &mut Progress) {
        match self {
            ImageEvent::Completed(_) => progress.end(0),
            _ => progress.begin(0),
        }
    }

    fn has_error(&self) -> bool {
        self.kind() == "error" || is_error(self.extra())
    }

    /// The image of a server that does not stream.
    fn from_whole(reply: &Whole) -> Option<Self> {
        let mut images: Images = reply.reply().ok()?;
        let image = images.data.pop().filter(|_| images.data.is_empty())?;
        let mut extra = image.extra;
        extra.extend(image.url.map(|url| ("url", url)));
        extra.extend(image.revised_prompt.map(|prompt| ("revised_prompt", prompt)));
        Some(ImageEvent::Completed(CompletedImage {
            b64_json: image.b64_json.unwrap_or_default(),
            created_at: images.created,
            size: images.size,
            quality: images.quality,
            background: images.background,
            output_format: images.output_format,
            usage: images.usage,
            extra,
            ..CompletedImage::blank()
        }))
    }
}

/// Reading the file out of base64.
macro_rules! image_files {
    ($($name:ident($this:ident) => $base64:expr;)*) => {$(
        impl $name {
            /// The file, decoded.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Decode`] when there is no base64 or what there is is none.
            pub fn bytes(&self) -> Result<Bytes> {
                let $this = self;
                decode($base64)
            }

            /// Writes the file, and gives its length in bytes. It is written beside its place under another name and
            /// renamed when it is whole.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Decode`] as by [`bytes`](Self::bytes), [`ErrorKind::Config`] when the file cannot be written.
            pub async fn save_to(&self, path: impl AsRef<Path>) -> Result<u64> {
                let bytes = self.bytes()?;
                crate::download::save(path.as_ref(), stream::iter([Ok(bytes)])).await
            }
        }
    )*};
}

image_files! {
    Image(image) => image.b64_json.as_deref().unwrap_or_default();
    PartialImage(image) => &image.b64_json;
    CompletedImage(image) => &image.b64_json;
}

fn decode(base64: &str) -> Result<Bytes> {
    // Some servers write a data URL.
    let data = match base64.strip_prefix("data:") {
        Some(url) => url.split_once(',').map_or(url, |(_, data)| data),
        None => base64,
    };
    if data.is_empty() {
        return Err(Error::new(ErrorKind::Decode, "the image has no base64: it may have a `url`"));
    }
    crate::base64::decode(data)
        .map(Bytes::from)
        .map_err(|error| Error::new(ErrorKind::Decode, "the image is no base64").with_source(error))
}
