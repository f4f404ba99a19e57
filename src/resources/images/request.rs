//! What to make: requests and what goes into them.

use crate::FileSource;
use crate::wire::{Json, NotJson, Read, Wire, Writer};

wire! {
    /// An image to make. The method decides whether it streams.
    ///
    /// See [OpenAI: Images](https://platform.openai.com/docs/api-reference/images/create).
    #[doc(alias = "CreateImageRequest")]
    pub struct ImageRequest {
        /// Name of the model, as the server lists it. Set it to `None` for a server that has one only.
        pub model: Option<String>,
        /// What the image shows.
        pub prompt: String = always,
        /// What is behind the subject. `transparent` needs `png` or `webp`. *Providers*: GPT image models.
        pub background: Option<Background>,
        /// How strictly harmful content is refused: `low` or `auto`. *Providers*: GPT image models.
        pub moderation: Option<String>,
        /// How many images, 1 to 10.
        pub n: Option<u32>,
        /// Quality that `jpeg` and `webp` keep, 0 to 100 percent.
        pub output_compression: Option<u32>,
        /// Format of the file. *Providers*: GPT image models.
        pub output_format: Option<OutputFormat>,
        /// How many previews a stream brings, 0 to 3.
        pub partial_images: Option<u32>,
        /// How carefully it is made.
        pub quality: Option<Quality>,
        /// As an address or as base64. *Providers*: not for GPT image models, which send base64.
        pub response_format: Option<ResponseFormat>,
        /// Width and height in pixels, such as `1536x1024`, or `auto`.
        pub size: Option<String>,
        /// `vivid` or `natural`. *Providers*: `dall-e-3`.
        pub style: Option<String>,
        /// Your own id of the end user.
        pub user: Option<String>,
    }

    /// Images to change or to join.
    ///
    /// See [OpenAI: Image edits](https://platform.openai.com/docs/api-reference/images/createEdit).
    #[doc(alias = "CreateImageEditRequest")]
    #[doc(alias = "EditImageBodyJsonParam")]
    pub struct ImageEditRequest {
        /// Name of the model, as the server lists it. Set it to `None` for a server that has one only.
        pub model: Option<String>,
        /// The images, up to 16: all of them files, or none.
        pub images: Vec<ImageInput> = always,
        /// What the result shows.
        pub prompt: String = always,
        /// An image of the same size as the first one, transparent where that may change.
        pub mask: Option<ImageInput>,
        /// What is behind the subject. `transparent` needs `png` or `webp`.
        pub background: Option<Background>,
        /// How closely the result keeps to the images, faces above all: `high` or `low`.
        pub input_fidelity: Option<String>,
        /// How strictly harmful content is refused: `low` or `auto`. *Providers*: OpenAI takes it for images that are no
        /// files.
        pub moderation: Option<String>,
        /// How many images, 1 to 10.
        pub n: Option<u32>,
        /// Quality that `jpeg` and `webp` keep, 0 to 100 percent.
        pub output_compression: Option<u32>,
        /// Format of the file.
        pub output_format: Option<OutputFormat>,
        /// How many previews a stream brings, 0 to 3.
        pub partial_images: Option<u32>,
        /// How carefully it is made.
        pub quality: Option<Quality>,
        /// As an address or as base64. *Providers*: `dall-e-2`.
        pub response_format: Option<ResponseFormat>,
        /// Width and height in pixels, such as `1536x1024`, or `auto`.
        pub size: Option<String>,
        /// Your own id of the end user.
        pub user: Option<String>,
    }

    /// An image to make others like it.
    ///
    /// See [OpenAI: Image variations](https://platform.openai.com/docs/api-reference/images/createVariation).
    #[doc(alias = "CreateImageVariationRequest")]
    pub struct ImageVariationRequest {
        /// Name of the model, as the server lists it. Set it to `None` for a server that has one only.
        pub model: Option<String>,
        /// The image: a square PNG.
        pub image: FileSource = always,
        /// How many images, 1 to 10.
        pub n: Option<u32>,
        /// As an address or as base64.
        pub response_format: Option<ResponseFormat>,
        /// Width and height in pixels, such as `512x512`.
        pub size: Option<String>,
        /// Your own id of the end user.
        pub user: Option<String>,
    }

    /// An image that the server has or can get.
    #[doc(alias = "ImageRefParam")]
    pub struct ImageReference {
        /// Id that its upload gave.
        pub file_id: Option<String>,
        /// Its address, or a data URL.
        pub image_url: Option<String>,
    }
}

impl ImageRequest {
    /// A description for a model.
    pub fn new(model: impl Into<String>, prompt: impl Into<String>) -> Self {
        ImageRequest { model: Some(model.into()), prompt: prompt.into(), ..ImageRequest::blank() }
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
    user: impl Into<String>,
} }

impl ImageEditRequest {
    /// Images, and what a model is to make of them.
    pub fn new(
        model: impl Into<String>,
        prompt: impl Into<String>,
        images: impl IntoIterator<Item = impl Into<ImageInput>>,
    ) -> Self {
        ImageEditRequest {
            model: Some(model.into()),
            prompt: prompt.into(),
            images: images.into_iter().map(Into::into).collect(),
            ..ImageEditRequest::blank()
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
    user: impl Into<String>,
} }

impl ImageVariationRequest {
    /// An image for a model.
    pub fn new(model: impl Into<String>, image: impl Into<FileSource>) -> Self {
        ImageVariationRequest { model: Some(model.into()), image: image.into(), ..ImageVariationRequest::blank() }
    }
}

setters! { ImageVariationRequest {
    n: u32,
    response_format: impl Into<ResponseFormat>,
    size: impl Into<String>,
    user: impl Into<String>,
} }

open_enum! {
    /// What is behind the subject of an image.
    pub enum Background {
        /// Nothing.
        Transparent = "transparent",
        /// Something.
        Opaque = "opaque",
        /// As the model likes.
        Auto = "auto",
    }

    /// How carefully an image is made.
    pub enum Quality {
        /// Roughly.
        Low = "low",
        /// Well.
        Medium = "medium",
        /// Carefully.
        High = "high",
        /// As the model likes.
        Auto = "auto",
        /// Well: `dall-e-2` and `dall-e-3`.
        Standard = "standard",
        /// Carefully: `dall-e-3`.
        Hd = "hd",
    }

    /// Format of an image file.
    pub enum OutputFormat {
        /// PNG.
        Png = "png",
        /// JPEG.
        Jpeg = "jpeg",
        /// WebP.
        Webp = "webp",
    }

    /// How an image comes.
    pub enum ResponseFormat {
        /// As an address, for an hour or so.
        Url = "url",
        /// As base64.
        B64Json = "b64_json",
    }
}

/// An image to change: a file, or one that the server has or can get.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ImageInput {
    /// A file to send.
    File(FileSource),
    /// An image by its id or address.
    Reference(ImageReference),
}

impl ImageInput {
    /// An image by the id that its upload gave.
    pub fn file_id(id: impl Into<String>) -> Self {
        ImageInput::Reference(ImageReference { file_id: Some(id.into()), ..ImageReference::blank() })
    }

    /// An image by its address, or by a data URL.
    pub fn url(url: impl Into<String>) -> Self {
        ImageInput::Reference(ImageReference { image_url: Some(url.into()), ..ImageReference::blank() })
    }
}

impl<T: Into<FileSource>> From<T> for ImageInput {
    fn from(file: T) -> Self {
        ImageInput::File(file.into())
    }
}

serde_of_wire! { ImageInput }

impl Wire for ImageInput {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        let start = json.clone();
        let mut file = FileSource::blank();
        if let Read::Fits = Wire::read(&mut file, json)? {
            *self = ImageInput::File(file);
            return Ok(Read::Fits);
        }
        *json = start;
        let mut reference = ImageReference::blank();
        let read = reference.read(json)?;
        *self = ImageInput::Reference(reference);
        Ok(read)
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            ImageInput::File(file) => file.write(writer),
            ImageInput::Reference(reference) => reference.write(writer),
        }
    }

    fn blank() -> Self {
        ImageInput::Reference(ImageReference::blank())
    }
}
