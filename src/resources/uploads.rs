//! Uploads in parts: `client.uploads()`. For files that are larger than what one request may have.
//!
//! ```no_run
//! # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
//! use openai_compatible::{FileSource, files::Purpose};
//!
//! let upload = client.uploads().upload(FileSource::path("training.jsonl"), Purpose::FineTune)
//!     .on_progress(|sent, of| eprintln!("{sent} of {of} bytes"));
//! println!("{}", upload.await?.id);
//! # Ok(())
//! # }
//! ```

use std::borrow::Borrow;

use serde_json::json;

use crate::call::Call;
use crate::client::Client;
use crate::error::Result;
use crate::files::{ExpiresAfter, File, Purpose};
use crate::transport::file_source::FileSource;
use crate::transport::form::Form;
use crate::transport::request::Body;
use crate::wire::Wire;

mod parts;

pub use self::parts::{UploadInParts, UploadState};

/// The uploads API of a client.
#[derive(Clone, Debug)]
pub struct Uploads {
    client: Client,
}

impl Client {
    /// Returns the uploads API.
    pub fn uploads(&self) -> Uploads {
        Uploads { client: self.clone() }
    }
}

impl Uploads {
    /// Uploads a file in parts, a few at a time: `POST /uploads`, `POST /uploads/{id}/parts` for each part, and
    /// `POST /uploads/{id}/complete`.
    #[doc(alias = "upload_file_chunked")]
    pub fn upload(&self, source: impl Into<FileSource>, purpose: impl Into<Purpose>) -> UploadInParts {
        UploadInParts::new(self.clone(), source.into(), purpose.into())
    }

    /// Starts an upload: `POST /uploads`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, files::Purpose, uploads::UploadRequest};
    ///
    /// let uploads = client.uploads();
    /// let request = UploadRequest::new("rivers.jsonl", Purpose::Batch, 5, "application/jsonl");
    /// let upload = uploads.create(&request).await?;
    /// let part = uploads.add_part(&upload.id, FileSource::bytes("part", "hello")).await?;
    /// let upload = uploads.complete(&upload.id, [&part.id]).await?;
    /// println!("{:?}", upload.file);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "uploads.create")]
    pub fn create(&self, request: impl Borrow<UploadRequest>) -> Call<Upload> {
        Call::post_body(&self.client.settings, &["uploads"], Body::of(request.borrow(), &[]))
    }

    /// Adds a part of at most 64 MB: `POST /uploads/{id}/parts`. Parts may be sent at the same time.
    #[doc(alias = "uploads.parts.create")]
    pub fn add_part(&self, id: &str, data: impl Into<FileSource>) -> Call<UploadPart> {
        let form = Form::new().file("data", data.into());
        Call::post_body(&self.client.settings, &["uploads", id, "parts"], Ok(Body::Form(form.into())))
    }

    /// Completes an upload with its parts in their order: `POST /uploads/{id}/complete`.
    #[doc(alias = "uploads.complete")]
    pub fn complete(&self, id: &str, parts: impl IntoIterator<Item = impl Into<String>>) -> Call<Upload> {
        let parts: Vec<String> = parts.into_iter().map(Into::into).collect();
        let body = Body::json(&json!({ "part_ids": parts }));
        Call::post_body(&self.client.settings, &["uploads", id, "complete"], body)
    }

    /// Cancels an upload: `POST /uploads/{id}/cancel`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// client.uploads().cancel("upload_abc").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "uploads.cancel")]
    pub fn cancel(&self, id: &str) -> Call<Upload> {
        Call::post(&self.client.settings, &["uploads", id, "cancel"])
    }

    fn create_for(&self, source: &FileSource, purpose: &Purpose, bytes: u64) -> Call<Upload> {
        self.create(UploadRequest::new(source.name(), purpose.clone(), bytes, source.media_type()))
    }
}

wire_struct! {
    /// A request to start an upload.
    ///
    /// See [OpenAI: Uploads](https://platform.openai.com/docs/api-reference/uploads/create).
    #[doc(alias = "CreateUploadRequest")]
    pub struct UploadRequest {
        /// Name of the file.
        pub filename: String = always,
        /// Purpose of the file.
        pub purpose: Purpose = always,
        /// Size of the file in bytes, the sum of its parts.
        pub bytes: u64,
        /// Media type of the file.
        pub mime_type: String = always,
        /// Expiration of the file.
        pub expires_after: Option<ExpiresAfter>,
    }

    /// An upload. It expires an hour after it was created.
    pub struct Upload {
        /// Id of the upload.
        pub id: String = always,
        /// The literal `upload`; do not rely on it.
        pub object: String,
        /// Size of the file in bytes.
        pub bytes: Option<u64>,
        /// Creation time, in Unix seconds.
        pub created_at: Option<u64>,
        /// Time at which the upload expires, in Unix seconds.
        pub expires_at: Option<u64>,
        /// Name of the file.
        pub filename: String,
        /// Purpose of the file.
        pub purpose: Option<Purpose>,
        /// Status of the upload.
        pub status: UploadStatus,
        /// The file, once the upload is completed.
        pub file: Option<Box<File>>,
    }

    /// A part of an upload.
    pub struct UploadPart {
        /// Id of the part.
        pub id: String = always,
        /// The literal `upload.part`; do not rely on it.
        pub object: String,
        /// Id of the upload.
        pub upload_id: String,
        /// Creation time, in Unix seconds.
        pub created_at: Option<u64>,
    }
}

responses! { Upload: id, UploadPart: id }

open_enum! {
    /// The status of an upload.
    pub enum UploadStatus {
        /// Parts can be added.
        Pending = "pending",
        /// The file exists.
        Completed = "completed",
        /// The upload was cancelled.
        Cancelled = "cancelled",
        /// The upload was not completed in time.
        Expired = "expired",
    }
}

impl UploadRequest {
    /// Creates a request from a name, the purpose, the size in bytes and the media type.
    pub fn new(
        filename: impl Into<String>,
        purpose: impl Into<Purpose>,
        bytes: u64,
        mime_type: impl Into<String>,
    ) -> Self {
        UploadRequest {
            filename: filename.into(),
            purpose: purpose.into(),
            bytes,
            mime_type: mime_type.into(),
            ..UploadRequest::default_value()
        }
    }
}

setters! { UploadRequest {
    expires_after: impl Into<ExpiresAfter>,
} }
