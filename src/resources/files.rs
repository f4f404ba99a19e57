//! Files on the server: `client.files()`.
//!
//! ```no_run
//! # async fn run() -> openai_compatible::Result<()> {
//! use openai_compatible::{Client, FileSource, files::Purpose};
//!
//! let client = Client::from_env()?;
//! let file = client.files().upload(FileSource::path("in.jsonl"), Purpose::Batch).await?;
//! client.files().content(&file.id).await?.save_to("copy.jsonl").await?;
//! client.files().delete(&file.id).await?;
//! # Ok(())
//! # }
//! ```

use std::borrow::Borrow;

use http::Method;

use crate::call::Call;
use crate::call::page::{Deleted, Page, SortOrder};
use crate::client::Client;
use crate::error::Result;
use crate::reply::download::Download;
use crate::transport::BodyMode;
use crate::transport::file_source::FileSource;
use crate::transport::form::Form;
use crate::transport::request::{Body, WireRequest};
use crate::wire::Wire;

/// The files API of a client.
#[derive(Clone, Debug)]
pub struct Files {
    client: Client,
}

impl Client {
    /// Returns the files API.
    pub fn files(&self) -> Files {
        Files { client: self.clone() }
    }
}

impl Files {
    /// Uploads a file: `POST /files`. The content is streamed from its source, and read again if the call is retried.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, files::Purpose};
    ///
    /// let source = FileSource::path("in.jsonl").on_progress(|sent, of| println!("{sent} of {of:?} bytes"));
    /// let file = client.files().upload(source, Purpose::Batch).await?;
    /// println!("{}", file.id);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "files.create")]
    pub fn upload(&self, source: impl Into<FileSource>, purpose: impl Into<Purpose>) -> Call<File> {
        self.create(FileRequest::new(source, purpose))
    }

    /// Uploads a file with additional options: `POST /files`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, files::{FileRequest, Purpose}};
    ///
    /// let notes = FileSource::bytes("notes.txt", "The Nile is long.");
    /// let file = client.files().create(FileRequest::new(notes, Purpose::UserData).expires_after(3600)).await?;
    /// # let _ = file; Ok(())
    /// # }
    /// ```
    #[doc(alias = "files.create")]
    pub fn create(&self, request: impl Borrow<FileRequest>) -> Call<File> {
        Call::post_body(&self.client.settings, &["files"], form(request.borrow()))
    }

    /// Lists files: `GET /files`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use futures::TryStreamExt;
    /// use openai_compatible::files::{FileListRequest, Purpose};
    ///
    /// let request = FileListRequest::new().purpose(Purpose::Batch);
    /// let files: Vec<_> = client.files().list(request).await?.into_stream().try_collect().await?;
    /// # let _ = files; Ok(())
    /// # }
    /// ```
    #[doc(alias = "files.list")]
    pub fn list(&self, request: impl Borrow<FileListRequest>) -> Call<Page<File>> {
        let request = request.borrow();
        Call::page(&self.client.settings, &["files"])
            .query_opt("purpose", request.purpose.as_ref())
            .query_opt("after", request.after.as_ref())
            .query_opt("limit", request.limit)
            .query_opt("order", request.order.as_ref())
            .extra_query(&request.extra)
    }

    /// Retrieves the metadata of a file: `GET /files/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let file = client.files().get("file-abc").await?;
    /// println!("{}: {:?} bytes", file.filename, file.bytes);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retrieve")]
    #[doc(alias = "files.retrieve")]
    pub fn get(&self, id: &str) -> Call<File> {
        Call::get(&self.client.settings, &["files", id])
    }

    /// Deletes a file: `DELETE /files/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// assert!(client.files().delete("file-abc").await?.deleted);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "files.delete")]
    pub fn delete(&self, id: &str) -> Call<Deleted> {
        Call::deleted(&self.client.settings, &["files", id])
    }

    /// Downloads a file: `GET /files/{id}/content`. Consume the download as a byte stream, as bytes, as text, or save
    /// it to disk.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let bytes = client.files().content("file-abc").await?.save_to("out.jsonl").await?;
    /// println!("{bytes} bytes");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retrieve_content")]
    #[doc(alias = "download")]
    #[doc(alias = "files.content")]
    pub fn content(&self, id: &str) -> Call<Download> {
        let request = WireRequest::new(Method::GET, &["files", id, "content"], Body::Empty);
        Call::new(&self.client.settings, request, BodyMode::Stream, Download::open).accept("application/binary")
    }
}

fn form(request: &FileRequest) -> Result<Body> {
    let form = Form::new().fields(request, &[], &["file"])?.file("file", request.file.clone());
    Ok(Body::Form(form.into()))
}

wire_struct! {
    /// A request to upload a file.
    ///
    /// See [OpenAI: Upload file](https://platform.openai.com/docs/api-reference/files/create).
    #[doc(alias = "CreateFileRequest")]
    pub struct FileRequest {
        /// Content and name of the file.
        pub file: FileSource = always,
        /// Purpose of the file. *Providers*: some use their own values, such as `batch-api` (Together) and `ocr`
        /// (Mistral).
        pub purpose: Purpose = always,
        /// Expiration of the file. *Providers*: OpenAI, Azure.
        pub expires_after: Option<ExpiresAfter>,
    }

    /// The time after which the server deletes a file.
    #[doc(alias = "FileExpirationAfter")]
    pub struct ExpiresAfter {
        /// Timestamp from which the time is counted: `created_at`.
        pub anchor: String = always,
        /// Number of seconds, from 3600 (one hour) to 2592000 (30 days).
        pub seconds: u64,
    }

    /// A request to list files.
    pub struct FileListRequest {
        /// Purpose of the files to list.
        pub purpose: Option<Purpose>,
        /// Id of the file before the first one to return.
        pub after: Option<String>,
        /// Maximum number of files per page, from 1 to 10000.
        pub limit: Option<u32>,
        /// Sort order by creation time.
        pub order: Option<SortOrder>,
    }
}

impl FileRequest {
    /// Creates a request from a file and its purpose.
    pub fn new(source: impl Into<FileSource>, purpose: impl Into<Purpose>) -> Self {
        FileRequest { file: source.into(), purpose: purpose.into(), ..FileRequest::default_value() }
    }

    /// Sets the number of seconds after which the server deletes the file, from 3600 to 2592000 (30 days).
    pub fn expires_after(mut self, seconds: u64) -> Self {
        self.expires_after = Some(ExpiresAfter::created(seconds));
        self
    }
}

setters! { FileRequest {} }

impl ExpiresAfter {
    /// Creates an expiration in seconds after the creation of the file.
    pub fn created(seconds: u64) -> Self {
        ExpiresAfter { anchor: "created_at".to_owned(), seconds, ..ExpiresAfter::default_value() }
    }
}

impl FileListRequest {
    /// Creates a request for all files, in the server's order and page size.
    pub fn new() -> Self {
        FileListRequest::default_value()
    }
}

setters! { FileListRequest {
    purpose: impl Into<Purpose>,
    after: impl Into<String>,
    limit: u32,
    order: impl Into<SortOrder>,
} }

wire_struct! {
    /// A file on the server. Only the id is always present.
    ///
    /// See [OpenAI: The file object](https://platform.openai.com/docs/api-reference/files/object).
    #[doc(alias = "OpenAIFile")]
    #[doc(alias = "FileObject")]
    pub struct File {
        /// Id of the file.
        pub id: String = always,
        /// The literal `file`; do not rely on it.
        pub object: String,
        /// Size in bytes.
        pub bytes: Option<u64>,
        /// Creation time, in Unix seconds.
        pub created_at: Option<u64>,
        /// Time at which the file expires, in Unix seconds.
        pub expires_at: Option<u64>,
        /// Name of the file.
        pub filename: String,
        /// Purpose of the file.
        pub purpose: Option<Purpose>,
        /// Processing status. Deprecated by OpenAI, and missing on many servers.
        pub status: Option<FileStatus>,
        /// Details of a failed validation. Deprecated by OpenAI.
        pub status_details: Option<String>,
    }
}

responses! { File: id }
page_items! { File }

open_enum! {
    /// The purpose of a file.
    #[doc(alias = "FilePurpose")]
    pub enum Purpose {
        /// Input of an assistant.
        Assistants = "assistants",
        /// Output of an assistant.
        AssistantsOutput = "assistants_output",
        /// Input of a batch.
        Batch = "batch",
        /// Results of a batch.
        BatchOutput = "batch_output",
        /// Training data for fine-tuning.
        FineTune = "fine-tune",
        /// Results of fine-tuning.
        FineTuneResults = "fine-tune-results",
        /// Images for vision input.
        Vision = "vision",
        /// User data for any purpose.
        UserData = "user_data",
        /// Data for evaluations.
        Evals = "evals",
    }

    /// The processing status of a file.
    pub enum FileStatus {
        /// The file was uploaded.
        Uploaded = "uploaded",
        /// The file is ready to use.
        Processed = "processed",
        /// The file cannot be used.
        Error = "error",
    }
}
