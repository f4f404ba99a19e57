//! Image generation, edits and variations: `client.images()`.
//!
//! ```no_run
//! # async fn run() -> openai_compatible::Result<()> {
//! use openai_compatible::{Client, images::ImageRequest};
//!
//! let client = Client::from_env()?;
//! let request = ImageRequest::new("gpt-image-2", "A lighthouse in fog.").size("1024x1024");
//! let images = client.images().generate(&request).await?;
//! for (n, image) in images.data.iter().enumerate() {
//!     image.save_to(format!("lighthouse-{n}.png")).await?;
//! }
//! # Ok(())
//! # }
//! ```

use std::borrow::Borrow;
use std::sync::Arc;

mod reply;
mod request;

#[doc(alias = "ImageGenCompletedEvent")]
#[doc(alias = "ImageEditCompletedEvent")]
pub use self::reply::CompletedImage;
#[doc(alias = "ImageGenStreamEvent")]
#[doc(alias = "ImageEditStreamEvent")]
pub use self::reply::ImageEvent;
#[doc(alias = "ImageGenUsage")]
pub use self::reply::ImageUsage;
#[doc(alias = "ImageGenPartialImageEvent")]
#[doc(alias = "ImageEditPartialImageEvent")]
pub use self::reply::PartialImage;
pub(crate) use self::reply::decode;
pub use self::reply::{Image, ImageTokens, ImagesResponse, SvgUsage};
#[doc(alias = "CreateImageEditRequest")]
#[doc(alias = "EditImageBodyJsonParam")]
pub use self::request::ImageEditRequest;
#[doc(alias = "ImageRefParam")]
pub use self::request::ImageReference;
#[doc(alias = "CreateImageRequest")]
pub use self::request::ImageRequest;
#[doc(alias = "CreateImageVariationRequest")]
pub use self::request::ImageVariationRequest;
pub use self::request::{Background, ImageInput, OutputFormat, Quality, ResponseFormat, SvgOptions};
use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::reply::stream::{EventStream, StreamItem};
use crate::transport::BodyMode;
use crate::transport::form::Form;
use crate::transport::request::{Body, WireRequest};
use crate::wire::stream_override;

/// The images API of a client.
#[derive(Clone, Debug)]
pub struct Images {
    client: Client,
}

impl Client {
    /// Returns the images API.
    pub fn images(&self) -> Images {
        Images { client: self.clone() }
    }
}

impl Images {
    /// Generates images from a prompt: `POST /images/generations`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::images::ImageRequest;
    ///
    /// let images = client.images().generate(ImageRequest::new("gpt-image-2", "A lighthouse in fog.")).await?;
    /// if let Some(image) = images.data.first() {
    ///     image.save_to("lighthouse.png").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "images.generate")]
    pub fn generate(&self, request: impl Borrow<ImageRequest>) -> Call<ImagesResponse> {
        Call::send(&self.client.settings, generation(request.borrow(), false))
    }

    /// Streams an image with previews: `POST /images/generations` with `"stream": true`. `partial_images` sets the
    /// number of previews.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::images::{ImageEvent, ImageRequest};
    ///
    /// let request = ImageRequest::new("gpt-image-2", "A lighthouse in fog.").partial_images(2);
    /// let mut events = client.images().generate_stream(&request).await?;
    /// while let Some(event) = events.try_next().await? {
    ///     match event {
    ///         ImageEvent::Partial(image) => image.save_to(format!("{}.png", image.partial_image_index)).await?,
    ///         ImageEvent::Completed(image) => image.save_to("lighthouse.png").await?,
    ///         _ => continue,
    ///     };
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "images.generate")]
    pub fn generate_stream(&self, request: impl Borrow<ImageRequest>) -> Call<EventStream<ImageEvent>> {
        Call::new(&self.client.settings, generation(request.borrow(), true), BodyMode::Stream, ImageEvent::open)
    }

    /// Edits or combines images: `POST /images/edits`. Files are sent as multipart, images by id or URL as JSON.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, images::ImageEditRequest};
    ///
    /// let request = ImageEditRequest::new("gpt-image-2", "Give the cat a hat.", [FileSource::path("cat.png")]);
    /// if let Some(image) = client.images().edit(&request).await?.data.first() {
    ///     image.save_to("cat-with-hat.png").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the images are a mix of files and references.
    #[doc(alias = "images.edit")]
    pub fn edit(&self, request: impl Borrow<ImageEditRequest>) -> Call<ImagesResponse> {
        Call::send(&self.client.settings, edit(request.borrow(), false))
    }

    /// Streams an edited image with previews: `POST /images/edits` with `"stream": true`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::images::{ImageEditRequest, ImageEvent, ImageInput};
    ///
    /// let cat = ImageInput::url("https://example.com/cat.png");
    /// let request = ImageEditRequest::new("gpt-image-2", "Give the cat a hat.", [cat]).partial_images(1);
    /// let mut events = client.images().edit_stream(&request).await?;
    /// while let Some(event) = events.try_next().await? {
    ///     if let ImageEvent::Completed(image) = event {
    ///         image.save_to("cat-with-hat.png").await?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the images are a mix of files and references.
    #[doc(alias = "images.edit")]
    pub fn edit_stream(&self, request: impl Borrow<ImageEditRequest>) -> Call<EventStream<ImageEvent>> {
        Call::new(&self.client.settings, edit(request.borrow(), true), BodyMode::Stream, ImageEvent::open)
    }

    /// Creates variations of an image: `POST /images/variations`. *Providers*: older models of OpenAI; few other servers
    /// support it.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, images::ImageVariationRequest};
    ///
    /// let request = ImageVariationRequest::new("my-image-model", FileSource::path("cat.png")).n(2);
    /// for image in client.images().variation(&request).await?.data {
    ///     println!("{:?}", image.url);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "create_variation")]
    #[doc(alias = "images.create_variation")]
    pub fn variation(&self, request: impl Borrow<ImageVariationRequest>) -> Call<ImagesResponse> {
        Call::send(&self.client.settings, variation(request.borrow()))
    }
}

fn generation(request: &ImageRequest, stream: bool) -> Result<WireRequest> {
    let body = Body::of(request, &[stream_override(stream)]);
    WireRequest::of_model(&["images", "generations"], request.model.as_deref(), body)
}

fn edit(request: &ImageEditRequest, stream: bool) -> Result<WireRequest> {
    let inputs = || request.images.iter().chain(&request.mask).chain(&request.markup);
    let is_file = |input: &ImageInput| matches!(input, ImageInput::File(_));
    let body = if !inputs().any(is_file) {
        Body::of(request, &[stream_override(stream)])
    } else if inputs().all(is_file) {
        edit_form(request, stream).map(|form| Body::Form(Arc::new(form)))
    } else {
        Err(Error::config("images must be either all files or all references (ids or URLs), not a mix"))
    };
    WireRequest::of_model(&["images", "edits"], request.model.as_deref(), body)
}

fn edit_form(request: &ImageEditRequest, stream: bool) -> Result<Form> {
    let mut form = Form::new().fields(request, &[stream_override(stream)], &["images", "mask", "markup"])?;
    // A single image is sent without brackets, for servers that accept only one image.
    let part = if request.images.len() == 1 { "image" } else { "image[]" };
    let images = request.images.iter().map(|image| (part, image));
    let masks = request.mask.iter().map(|mask| ("mask", mask));
    let markups = request.markup.iter().map(|markup| ("markup", markup));
    for (part, input) in images.chain(masks).chain(markups) {
        if let ImageInput::File(file) = input {
            form = form.file(part, file.clone());
        }
    }
    Ok(form)
}

fn variation(request: &ImageVariationRequest) -> Result<WireRequest> {
    let form = Form::new().fields(request, &[], &["image"]).map(|form| form.file("image", request.image.clone()));
    WireRequest::of_model(
        &["images", "variations"],
        request.model.as_deref(),
        form.map(|form| Body::Form(Arc::new(form))),
    )
}
