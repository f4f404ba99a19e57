//! Requests of the images API and their input images.

use crate::transport::file_source::FileSource;
use serde_json::Value;

use crate::wire::{Input, InvalidInput, Output, ReadOutcome, Wire, from_members, from_value};

wire_struct! {
    /// An image generation request. The method determines whether the response is streamed.
    ///
    /// See [OpenAI: Images](https://platform.openai.com/docs/api-reference/images/create).
    pub struct ImageRequest {
        /// Name of the model, as the server lists it. Set to `None` for a server with a single model.
        pub model: Option<String>,
        /// Description of the image.
        pub prompt: String = always,
        /// Background of the image. `transparent` requires `png` or `webp`. *Providers*: GPT image models.
        pub background: Option<Background>,
        /// Strictness of content moderation: `low` or `auto`. *Providers*: GPT image models.
        pub moderation: Option<String>,
        /// Number of images, from 1 to 10.
        pub n: Option<u32>,
        /// Compression quality of `jpeg` and `webp`, from 0 to 100 percent.
        pub output_compression: Option<u32>,
        /// File format of the image. *Providers*: GPT image models.
        pub output_format: Option<OutputFormat>,
        /// Number of previews in a stream, from 0 to 3.
        pub partial_images: Option<u32>,
        /// Rendering quality of the image.
        pub quality: Option<Quality>,
        /// Delivery as URL or base64. *Providers*: not supported by GPT image models, which send base64.
        pub response_format: Option<ResponseFormat>,
        /// Width and height in pixels, such as `1536x1024`, or `auto`.
        pub size: Option<String>,
        /// `vivid` or `natural`. *Providers*: older models of OpenAI.
        pub style: Option<String>,
        /// Work spent on planning the image: `low`, `medium` or `high`.
        pub complexity: Option<String>,
        /// Number of frames of a `gif`, from 2 to 16.
        pub frame_count: Option<u32>,
        /// Time between frames of a `gif`, in milliseconds.
        pub frame_duration_ms: Option<u32>,
        /// The model that writes an `svg`, and its reasoning.
        pub svg: Option<SvgOptions>,
        /// A stable identifier for the end user, hashed, for the provider's abuse detection.
        pub safety_identifier: Option<String>,
        /// A stable identifier for the end user. Deprecated in favor of `safety_identifier`.
        pub user: Option<String>,
    }

    /// A request to edit or combine images.
    ///
    /// See [OpenAI: Image edits](https://platform.openai.com/docs/api-reference/images/createEdit).
    pub struct ImageEditRequest {
        /// Name of the model, as the server lists it. Set to `None` for a server with a single model.
        pub model: Option<String>,
        /// Input images, up to 16: either all files or all references.
        pub images: Vec<ImageInput> = always,
        /// Description of the result.
        pub prompt: String = always,
        /// Image of the same size as the first one, whose transparent areas mark what may change.
        pub mask: Option<ImageInput>,
        /// Transparent PNG over the first image that guides the edit. Not together with a mask. *Providers*: GPT Image 2.5.
        pub markup: Option<ImageInput>,
        /// Background of the image. `transparent` requires `png` or `webp`.
        pub background: Option<Background>,
        /// Fidelity of the result to the input images, especially to faces: `high` or `low`.
        pub input_fidelity: Option<String>,
        /// Strictness of content moderation: `low` or `auto`. *Providers*: OpenAI accepts it for references only.
        pub moderation: Option<String>,
        /// Number of images, from 1 to 10.
        pub n: Option<u32>,
        /// Compression quality of `jpeg` and `webp`, from 0 to 100 percent.
        pub output_compression: Option<u32>,
        /// File format of the image.
        pub output_format: Option<OutputFormat>,
        /// Number of previews in a stream, from 0 to 3.
        pub partial_images: Option<u32>,
        /// Rendering quality of the image.
        pub quality: Option<Quality>,
        /// Delivery as URL or base64. *Providers*: older models of OpenAI, and most other servers.
        pub response_format: Option<ResponseFormat>,
        /// Width and height in pixels, such as `1536x1024`, or `auto`.
        pub size: Option<String>,
        /// Work spent on planning the image: `low`, `medium` or `high`.
        pub complexity: Option<String>,
        /// Number of frames of a `gif`, from 2 to 16.
        pub frame_count: Option<u32>,
        /// Time between frames of a `gif`, in milliseconds.
        pub frame_duration_ms: Option<u32>,
        /// The model that writes an `svg`, and its reasoning.
        pub svg: Option<SvgOptions>,
        /// A stable identifier for the end user, hashed, for the provider's abuse detection.
        pub safety_identifier: Option<String>,
        /// A stable identifier for the end user. Deprecated in favor of `safety_identifier`.
        pub user: Option<String>,
    }

    /// The model that writes an SVG image.
    pub struct SvgOptions {
        /// Id of the model.
        pub model: String = always,
        /// Its reasoning: `{"effort": "low"}`.
        pub reasoning: Option<Value>,
    }

    /// A request for variations of an image.
    ///
    /// See [OpenAI: Image variations](https://platform.openai.com/docs/api-reference/images/createVariation).
    pub struct ImageVariationRequest {
        /// Name of the model, as the server lists it. Set to `None` for a server with a single model.
        pub model: Option<String>,
        /// Image to vary, a square PNG.
        pub image: FileSource = always,
        /// Number of images, from 1 to 10.
        pub n: Option<u32>,
        /// Delivery as URL or base64.
        pub response_format: Option<ResponseFormat>,
        /// Width and height in pixels, such as `512x512`.
        pub size: Option<String>,
        /// A stable identifier for the end user.
        pub user: Option<String>,
    }

    /// A reference to an image by file id or URL.
    pub struct ImageReference {
        /// Id of an uploaded file.
        pub file_id: Option<String>,
        /// URL of the image, or a data URL.
        pub image_url: Option<String>,
    }
}

impl ImageRequest {
    /// Creates a request from a model and a prompt.
    pub fn new(model: impl Into<String>, prompt: impl Into<String>) -> Self {
        ImageRequest { model: Some(model.into()), prompt: prompt.into(), ..ImageRequest::default_value() }
    }
}

setters! { ImageRequest {
    background: impl Into<Background>,
    moderation: impl Into<String>,
    n: u32,
    output_compression: u32,
    output_format: impl Into<OutputFormat>,
    partial_images: u32,
    quality: impl Into<Quality>,
    response_format: impl Into<ResponseFormat>,
    size: impl Into<String>,
    style: impl Into<String>,
    complexity: impl Into<String>,
    frame_count: u32,
    frame_duration_ms: u32,
    svg: impl Into<SvgOptions>,
    safety_identifier: impl Into<String>,
    user: impl Into<String>,
} }

impl SvgOptions {
    /// Names the model that writes the image.
    pub fn new(model: impl Into<String>) -> Self {
        SvgOptions { model: model.into(), ..SvgOptions::default_value() }
    }
}

setters! { SvgOptions {
    reasoning: impl Into<Value>,
} }

impl ImageEditRequest {
    /// Creates a request from a model, a prompt and the input images.
    pub fn new(
        model: impl Into<String>,
        prompt: impl Into<String>,
        images: impl IntoIterator<Item = impl Into<ImageInput>>,
    ) -> Self {
        ImageEditRequest {
            model: Some(model.into()),
            prompt: prompt.into(),
            images: images.into_iter().map(Into::into).collect(),
            ..ImageEditRequest::default_value()
        }
    }
}

setters! { ImageEditRequest {
    mask: impl Into<ImageInput>,
    background: impl Into<Background>,
    input_fidelity: impl Into<String>,
    moderation: impl Into<String>,
    n: u32,
    output_compression: u32,
    output_format: impl Into<OutputFormat>,
    partial_images: u32,
    quality: impl Into<Quality>,
    response_format: impl Into<ResponseFormat>,
    size: impl Into<String>,
    markup: impl Into<ImageInput>,
    complexity: impl Into<String>,
    frame_count: u32,
    frame_duration_ms: u32,
    svg: impl Into<SvgOptions>,
    safety_identifier: impl Into<String>,
    user: impl Into<String>,
} }

impl ImageVariationRequest {
    /// Creates a request from a model and an image.
    pub fn new(model: impl Into<String>, image: impl Into<FileSource>) -> Self {
        ImageVariationRequest {
            model: Some(model.into()),
            image: image.into(),
            ..ImageVariationRequest::default_value()
        }
    }
}

setters! { ImageVariationRequest {
    n: u32,
    response_format: impl Into<ResponseFormat>,
    size: impl Into<String>,
    user: impl Into<String>,
} }

open_enum! {
    /// The background of an image.
    pub enum Background {
        /// A transparent background.
        Transparent = "transparent",
        /// An opaque background.
        Opaque = "opaque",
        /// The model decides.
        Auto = "auto",
    }

    /// The rendering quality of an image.
    pub enum Quality {
        /// Low quality.
        Low = "low",
        /// Medium quality.
        Medium = "medium",
        /// High quality.
        High = "high",
        /// Very high quality.
        Xhigh = "xhigh",
        /// The highest quality.
        Max = "max",
        /// The model decides.
        Auto = "auto",
        /// Standard quality, on older models.
        Standard = "standard",
        /// High quality, on older models.
        Hd = "hd",
    }

    /// The format of an image file.
    pub enum OutputFormat {
        /// PNG.
        Png = "png",
        /// JPEG.
        Jpeg = "jpeg",
        /// WebP.
        Webp = "webp",
        /// An animation.
        Gif = "gif",
        /// Vector graphics.
        Svg = "svg",
    }

    /// The delivery of an image.
    pub enum ResponseFormat {
        /// A URL, valid for about an hour.
        Url = "url",
        /// Base64-encoded data.
        B64Json = "b64_json",
    }
}

/// An input image: a file, or a reference by file id or URL.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ImageInput {
    /// A file to upload.
    File(FileSource),
    /// A reference by file id or URL.
    Reference(ImageReference),
}

impl ImageInput {
    /// Creates an input from the id of an uploaded file.
    pub fn file_id(id: impl Into<String>) -> Self {
        ImageInput::Reference(ImageReference { file_id: Some(id.into()), ..ImageReference::default_value() })
    }

    /// Creates an input from a URL or a data URL.
    pub fn url(url: impl Into<String>) -> Self {
        ImageInput::Reference(ImageReference { image_url: Some(url.into()), ..ImageReference::default_value() })
    }
}

impl<T: Into<FileSource>> From<T> for ImageInput {
    fn from(file: T) -> Self {
        ImageInput::File(file.into())
    }
}

serde_of_wire! { ImageInput }

impl Wire for ImageInput {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        let value = input.value()?;
        *self = match (from_value(&value), value) {
            (Some(file), _) => ImageInput::File(file),
            (None, Value::Object(members)) => ImageInput::Reference(from_members(members)),
            (None, Value::Null) => ImageInput::default_value(),
            (None, odd) => return Ok(ReadOutcome::mismatched(odd)),
        };
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        match self {
            ImageInput::File(file) => file.output(),
            ImageInput::Reference(reference) => reference.output(),
        }
    }

    fn default_value() -> Self {
        ImageInput::Reference(ImageReference::default_value())
    }
}
