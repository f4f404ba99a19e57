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
use crate::client::Client;
use crate::page::{Deleted, Order, Page};
use crate::transport::Expect;
use crate::transport::form::Form;
use crate::transport::request::{Body, WireRequest};
use crate::wire::Wire;
use crate::{Download, FileSource, Result};

/// Files of one client.
#[derive(Clone, Debug)]
pub struct Files {
    client: Client,
}

impl Client {
    /// Files on the server.
    pub fn files(&self) -> Files {
        Files { client: self.clone() }
    }
}

impl Files {
    /// Uploads a file: `POST /files`. It is read in pieces while it is sent, and read again when the call is retried.
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

    /// Uploads a file with all that can be said about it: `POST /files`.
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
        Call::post_body(&self.client, &["files"], form(request.borrow()))
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
        Call::page(&self.client, &["files"])
            .maybe_query("purpose", request.purpose.as_ref())
            .maybe_query("after", request.after.as_ref())
            .maybe_query("limit", request.limit)
            .maybe_query("order", request.order.as_ref())
            .extra_query(&request.extra)
    }

    /// Gets what the server knows about a file: `GET /files/{id}`.
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
        Call::get(&self.client, &["files", id])
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
        Call::deleted(&self.client, &["files", id])
    }

    /// Downloads a file: `GET /files/{id}/content`. The reply is read as you take it: as a stream, as bytes, as text, or
    /// into a file.
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
        Call::new(&self.client, request, Expect::Open, Download::open).accept("application/binary")
    }
}

fn form(request: &FileRequest) -> Result<Body> {
    let form = Form::new().fields(request, &[], &["file"])?.file("file", request.file.clone());
    Ok(Body::Form(form.into()))
}

wire! {
    /// A file to upload, and what for.
    ///
    /// See [OpenAI: Upload file](https://platform.openai.com/docs/api-reference/files/create).
    #[doc(alias = "CreateFileRequest")]
    pub struct FileRequest {
        /// The content and its name.
        pub file: FileSource = always,
        /// What the file is for. *Providers*: some have words of their own, such as `batch-api` (Together) and `ocr`
        /// (Mistral).
        pub purpose: Purpose = always,
        /// When the server removes the file by itself. *Providers*: OpenAI, Azure.
        pub expires_after: Option<ExpiresAfter>,
    }

    /// When the server removes a file by itself.
    #[doc(alias = "FileExpirationAfter")]
    pub struct ExpiresAfter {
        /// From when on the time runs: `created_at`.
        pub anchor: String = always,
        /// How long, in seconds: from an hour (3600) to 30 days (2592000).
        pub seconds: u64,
    }

    /// Which files to list.
    pub struct FileListRequest {
        /// Those for this.
        pub purpose: Option<Purpose>,
        /// Id of the last file before those wanted.
        pub after: Option<String>,
        /// How many on a page, 1 to 10000.
        pub limit: Option<u32>,
        /// By time.
        pub order: Option<Order>,
    }
}

impl FileRequest {
    /// A file and what it is for.
    pub fn new(source: impl Into<FileSource>, purpose: impl Into<Purpose>) -> Self {
        FileRequest { file: source.into(), purpose: purpose.into(), ..FileRequest::blank() }
    }

    /// Lets the server remove the file by itself, so many seconds after it was made: 3600 to 2592000 (30 days).
    pub fn expires_after(mut self, seconds: u64) -> Self {
        self.expires_after = Some(ExpiresAfter::created(seconds));
        self
    }
}

setters! { FileRequest {} }

impl ExpiresAfter {
    /// So many seconds after the file was made.
    pub fn created(seconds: u64) -> Self {
        ExpiresAfter { anchor: "created_at".to_owned(), seconds, ..ExpiresAfter::blank() }
    }
}

impl Default for FileListRequest {
    fn default() -> Self {
        FileListRequest::blank()
    }
}

impl FileListRequest {
    /// All of them, in the server's own order and page size.
    pub fn new() -> Self {
        FileListRequest::blank()
    }
}

setters! { FileListRequest {
    purpose: impl Into<Purpose>,
    after: impl Into<String>,
    limit: u32,
    order: impl Into<Order>,
} }

wire! {
    /// A file on the server. Only its id is always there.
    ///
    /// See [OpenAI: The file object](https://platform.openai.com/docs/api-reference/files/object).
    #[doc(alias = "OpenAIFile")]
    #[doc(alias = "FileObject")]
    pub struct File {
        /// Its id.
        pub id: String = always,
        /// `file`; do not rely on it.
        pub object: String,
        /// Length in bytes.
        pub bytes: Option<u64>,
        /// Moment of the upload, in Unix seconds.
        pub created_at: Option<u64>,
        /// Moment when the server removes it, in Unix seconds.
        pub expires_at: Option<u64>,
        /// Name that it was uploaded with.
        pub filename: String,
        /// What it is for.
        pub purpose: Option<Purpose>,
        /// How far the server is with it. Deprecated by OpenAI, and missing on many servers.
        pub status: Option<FileStatus>,
        /// Why a check of the file failed. Deprecated by OpenAI.
        pub status_details: Option<String>,
    }
}

replies! { File: id }
items! { File }

open_enum! {
    /// What a file is for.
    #[doc(alias = "FilePurpose")]
    pub enum Purpose {
        /// Read by an assistant.
        Assistants = "assistants",
        /// Written by an assistant.
        AssistantsOutput = "assistants_output",
        /// Requests of a batch.
        Batch = "batch",
        /// Results of a batch.
        BatchOutput = "batch_output",
        /// Examples to train a model with.
        FineTune = "fine-tune",
        /// Results of a training.
        FineTuneResults = "fine-tune-results",
        /// Images to look at.
        Vision = "vision",
        /// Whatever the user may refer to.
        UserData = "user_data",
        /// Test data of evaluations.
        Evals = "evals",
    }

    /// How far the server is with a file.
    pub enum FileStatus {
        /// It has arrived.
        Uploaded = "uploaded",
        /// It is ready to use.
        Processed = "processed",
        /// It cannot be used.
        Error = "error",
    }
}
