//! Batches of requests that the server processes asynchronously, usually within 24 hours: `client.batches()`.
//!
//! Collect the requests in a [`BatchInput`], run the batch, and read the result of each request:
//!
//! ```no_run
//! # async fn run() -> openai_compatible::Result<()> {
//! use openai_compatible::Client;
//! use openai_compatible::batches::BatchInput;
//! use openai_compatible::chat::{ChatCompletion, ChatRequest, Message};
//!
//! let mut input = BatchInput::new();
//! for place in ["Egypt", "Vietnam", "Peru"] {
//!     let message = Message::user(format!("Name the longest river of {place}."));
//!     input.push(place, &ChatRequest::new("gpt-6-luna", [message]))?;
//! }
//!
//! let client = Client::from_env()?;
//! // Uploads the input, creates the batch and waits. After a restart, `wait(id)` resumes waiting.
//! let batch = client.batches().run(input)
//!     .on_progress(|batch| eprintln!("{}: {}", batch.id, batch.status))
//!     .await?;
//!
//! let mut rows = client.batches().results::<ChatCompletion>(&batch);
//! while let Some(row) = rows.try_next().await? {
//!     match row.result {
//!         Ok(completion) => println!("{}: {}", row.custom_id, completion.text()),
//!         Err(error) => println!("{}: {error}", row.custom_id),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! For full control, call [`Files::upload`](crate::files::Files::upload) with [`BatchLine`]s, [`Batches::create`],
//! [`Batches::get`] and [`Files::content`](crate::files::Files::content), whose lines are [`BatchOutput`]s.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use http::Method;

use crate::call::Call;
use crate::call::page::{ListRequest, Page};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::files::ExpiresAfter;
use crate::responses::ResponseUsage;
use crate::transport::decode::ApiResponse;
use crate::transport::request::{Body, WireRequest};
use crate::transport::{BodyMode, RawResponse};
use crate::wire::Extra;
use crate::wire::{Input, InvalidInput, Output, ReadOutcome, Wire};

mod input;
mod output;
mod run;

#[doc(alias = "BatchRequestInput")]
pub use input::BatchLine;
pub use input::{BatchInput, BatchableRequest};
#[doc(alias = "BatchRequestOutput")]
pub use output::BatchOutput;
pub use output::{BatchOutputError, BatchResponse, BatchResponseBody, BatchResults, BatchRow, BatchRows};

/// The batches API of a client.
#[derive(Clone, Debug)]
pub struct Batches {
    client: Client,
}

impl Client {
    /// Returns the batches API.
    pub fn batches(&self) -> Batches {
        Batches { client: self.clone() }
    }
}

impl Batches {
    /// Creates a batch from an uploaded input file: `POST /batches`. [`run`](Batches::run) also uploads the file and
    /// waits for the batch.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::batches::BatchRequest;
    ///
    /// let request = BatchRequest::new("file-abc", "/v1/chat/completions").metadata("run", "7");
    /// let batch = client.batches().create(&request).await?;
    /// println!("{}: {}", batch.id, batch.status);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "batches.create")]
    pub fn create(&self, request: impl Borrow<BatchRequest>) -> Call<Batch> {
        Call::new(&self.client.settings, post(request.borrow()), BodyMode::Buffer, |response| {
            Ok(response.buffered.decode_wire::<Created>()?.0)
        })
    }

    /// Retrieves a batch and its status: `GET /batches/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let batch = client.batches().get("batch_abc").await?;
    /// if batch.status.is_terminal() {
    ///     println!("results: {:?}, errors: {:?}", batch.output_file_id, batch.error_file_id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retrieve")]
    #[doc(alias = "batches.retrieve")]
    pub fn get(&self, id: &str) -> Call<Batch> {
        Call::get(&self.client.settings, &["batches", id])
    }

    /// Lists batches: `GET /batches`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use futures::TryStreamExt;
    /// use openai_compatible::ListRequest;
    ///
    /// let page = client.batches().list(ListRequest::new().limit(20)).await?;
    /// let batches: Vec<_> = page.into_stream().try_collect().await?;
    /// # let _ = batches; Ok(())
    /// # }
    /// ```
    #[doc(alias = "batches.list")]
    pub fn list(&self, request: impl Borrow<ListRequest>) -> Call<Page<Batch>> {
        Call::page(&self.client.settings, &["batches"]).list_query(request.borrow())
    }

    /// Cancels a batch: `POST /batches/{id}/cancel`. The output file contains the results of completed requests.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let batch = client.batches().cancel("batch_abc").await?;
    /// println!("{}", batch.status);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "batches.cancel")]
    pub fn cancel(&self, id: &str) -> Call<Batch> {
        Call::post(&self.client.settings, &["batches", id, "cancel"])
    }
}

fn post(request: &BatchRequest) -> crate::error::Result<WireRequest> {
    if request.input_file_id.is_empty() {
        return Err(Error::config("`input_file_id` must not be empty"));
    }
    if request.endpoint.is_empty() {
        return Err(Error::config("`endpoint` must not be empty"));
    }
    WireRequest::new(Method::POST, &["batches"], Body::of(request, &[])?)
}

wire_struct! {
    /// A request to create a batch.
    ///
    /// See [OpenAI: Create batch](https://platform.openai.com/docs/api-reference/batch/create).
    #[doc(alias = "CreateBatchRequest")]
    pub struct BatchRequest {
        /// Id of the uploaded file whose lines are the requests.
        pub input_file_id: String = always,
        /// Endpoint of all requests, such as `/v1/chat/completions`.
        pub endpoint: String = always,
        /// Time frame for processing the batch: `24h`. *Providers*: up to `7d` on Groq.
        pub completion_window: String = always,
        /// Up to 16 key-value pairs stored with the batch.
        pub metadata: BTreeMap<String, String>,
        /// Expiration of the output and error files. *Providers*: OpenAI, Azure.
        pub output_expires_after: Option<ExpiresAfter>,
    }
}

impl BatchRequest {
    /// Creates a request from the id of an uploaded file and an endpoint, with a completion window of `24h`.
    pub fn new(input_file_id: impl Into<String>, endpoint: impl Into<String>) -> Self {
        BatchRequest {
            input_file_id: input_file_id.into(),
            endpoint: endpoint.into(),
            completion_window: "24h".to_owned(),
            ..BatchRequest::default_value()
        }
    }

    /// Sets the time frame for processing the batch. Defaults to `24h`.
    pub fn completion_window(mut self, window: impl Into<String>) -> Self {
        self.completion_window = window.into();
        self
    }

    /// Adds a metadata entry.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Sets the number of seconds after which the server deletes the output files, from 3600 to 2592000 (30 days).
    pub fn output_expires_after(mut self, seconds: u64) -> Self {
        self.output_expires_after = Some(ExpiresAfter::created(seconds));
        self
    }
}

setters! { BatchRequest {} }

wire_struct! {
    /// A batch and its status. Only the id is always present; times that a server sends as strings (Together) are kept
    /// in `extra`.
    ///
    /// See [OpenAI: The batch object](https://platform.openai.com/docs/api-reference/batch/object).
    pub struct Batch {
        /// Id of the batch.
        pub id: String = always,
        /// The literal `batch`; do not rely on it.
        pub object: String,
        /// Endpoint of the requests.
        pub endpoint: String,
        /// Model that processes the requests.
        pub model: Option<String>,
        /// Errors in the input file.
        pub errors: Option<BatchErrors>,
        /// Id of the input file.
        pub input_file_id: String,
        /// Time frame for processing the batch.
        pub completion_window: String,
        /// Status of the batch.
        pub status: BatchStatus,
        /// Id of the file with the results, once there are any; see [`BatchOutput`].
        pub output_file_id: Option<String>,
        /// Id of the file with the failed requests; see [`BatchOutput`].
        pub error_file_id: Option<String>,
        /// Creation time, in Unix seconds.
        pub created_at: Option<u64>,
        /// Time at which processing started, in Unix seconds.
        pub in_progress_at: Option<u64>,
        /// Time at which the batch expires, in Unix seconds.
        pub expires_at: Option<u64>,
        /// Time at which the server started to write the results, in Unix seconds.
        pub finalizing_at: Option<u64>,
        /// Time at which the batch completed, in Unix seconds.
        pub completed_at: Option<u64>,
        /// Time at which the batch failed, in Unix seconds.
        pub failed_at: Option<u64>,
        /// Time at which the batch expired, in Unix seconds.
        pub expired_at: Option<u64>,
        /// Time at which cancellation was requested, in Unix seconds.
        pub cancelling_at: Option<u64>,
        /// Time at which the batch was cancelled, in Unix seconds.
        pub cancelled_at: Option<u64>,
        /// Number of requests by state.
        pub request_counts: Option<BatchRequestCounts>,
        /// Token usage of all requests.
        pub usage: Option<ResponseUsage>,
        /// Key-value pairs stored with the batch.
        pub metadata: BTreeMap<String, String>,
    }

    /// The errors in an input file.
    pub struct BatchErrors {
        /// The literal `list`; do not rely on it.
        pub object: String,
        /// The individual errors.
        pub data: Vec<BatchError>,
    }

    /// An error in an input file.
    pub struct BatchError {
        /// Error code of the server.
        pub code: String,
        /// Human-readable error message.
        pub message: String,
        /// Name of the invalid field.
        pub param: Option<String>,
        /// Number of the invalid line, starting at 1.
        pub line: Option<u64>,
    }

    /// The number of requests of a batch, by state.
    pub struct BatchRequestCounts {
        /// Total number of requests.
        pub total: u64,
        /// Number of completed requests.
        pub completed: u64,
        /// Number of failed requests.
        pub failed: u64,
    }
}

responses! { Batch: id }
page_items! { Batch }

/// A newly created batch, which Together wraps in `{"job": …, "warning": …}`.
struct Created(Batch);

impl Wire for Created {
    fn read(&mut self, input: Input<'_>) -> std::result::Result<ReadOutcome, InvalidInput> {
        let batch = &mut self.0;
        let read = batch.read(input)?;
        if let Some(job) = batch.extra.get_as::<Batch>("job").filter(|_| batch.id.is_empty()) {
            batch.extra.remove("job");
            let outer = std::mem::replace(batch, job).extra;
            batch.extra.extend(outer.iter().map(|(name, value)| (name, value.clone())));
        }
        Ok(read)
    }

    fn output(&self) -> Output<'_> {
        self.0.output()
    }

    fn default_value() -> Self {
        Created(Batch::default_value())
    }
}

impl ApiResponse for Created {
    fn root_field(&self) -> &'static str {
        self.0.root_field()
    }

    fn is_root_empty(&self) -> bool {
        self.0.is_root_empty()
    }

    fn extra(&self) -> &Extra {
        self.0.extra()
    }

    fn decode(response: &mut RawResponse) -> Result<Self> {
        response.buffered.decode_wire()
    }
}

open_enum! {
    /// The status of a batch. Uppercase values (Together) are also recognized.
    pub enum BatchStatus {
        /// The input file is being validated.
        Validating = "validating" | "VALIDATING",
        /// The input file is invalid. Final.
        Failed = "failed" | "FAILED",
        /// The requests are being processed.
        InProgress = "in_progress" | "IN_PROGRESS",
        /// The results are being written.
        Finalizing = "finalizing" | "FINALIZING",
        /// The batch completed. Final.
        Completed = "completed" | "COMPLETED",
        /// The batch expired; results of completed requests are available. Final.
        Expired = "expired" | "EXPIRED",
        /// The batch is being cancelled.
        Cancelling = "cancelling" | "CANCELLING" | "canceling" | "CANCELING",
        /// The batch was cancelled; results of completed requests are available. Final.
        Cancelled = "cancelled" | "CANCELLED" | "canceled" | "CANCELED",
    }
}

impl BatchStatus {
    /// Returns `true` if the status is final. Unknown values are not considered final.
    pub fn is_terminal(&self) -> bool {
        use BatchStatus::{Cancelled, Completed, Expired, Failed};
        matches!(self, Completed | Failed | Expired | Cancelled)
    }
}

impl Error {
    /// Returns the last known state of the batch if the batch, or waiting for it, failed. Continue with its id:
    /// [`Batches::wait`].
    pub fn batch(&self) -> Option<&Batch> {
        self.last()
    }

    pub(super) fn with_batch(self, batch: Batch) -> Self {
        self.with_last(batch)
    }
}
