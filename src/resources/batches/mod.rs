//! Batches of requests that run within a day: `client.batches()`.
//!
//! From requests to results: write them down, run them, and read what came of each.
//!
//! ```no_run
//! # async fn run() -> openai_compatible::Result<()> {
//! use openai_compatible::Client;
//! use openai_compatible::batches::BatchInput;
//! use openai_compatible::chat::{ChatCompletion, ChatRequest, Message};
//!
//! let mut input = BatchInput::new();
//! for place in ["Egypt", "Vietnam", "Peru"] {
//!     let question = Message::user(format!("Name the longest river of {place}."));
//!     input.push(place, &ChatRequest::new("gpt-4o-mini", [question]))?;
//! }
//!
//! let client = Client::from_env()?;
//! // Uploads, starts and waits; the id is what `wait(id)` goes on with after a restart.
//! let batch = client.batches().run(input)
//!     .on_progress(|batch| eprintln!("{}: {}", batch.id, batch.status))
//!     .await?;
//!
//! let mut rows = client.batches().results::<ChatCompletion>(&batch);
//! while let Some(row) = rows.try_next().await? {
//!     match row.result {
//!         Ok(reply) => println!("{}: {}", row.custom_id, reply.text()),
//!         Err(error) => println!("{}: {error}", row.custom_id),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The same by hand is [`Files::upload`](crate::files::Files::upload) of [`BatchLine`]s, [`Batches::create`],
//! [`Batches::get`] and [`Files::content`](crate::files::Files::content), whose lines are [`BatchOutput`]s.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use http::Method;

use crate::Extra;
use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::files::ExpiresAfter;
use crate::page::{ListRequest, Page};
use crate::transport::request::{Body, WireRequest};
use crate::transport::{Answer, Expect};
use crate::wire::{Json, NotJson, Read, Reply, Wire, Writer};

mod input;
mod output;
mod run;

pub use input::{BatchInput, BatchItem, BatchLine};
pub use output::{BatchOutput, BatchOutputError, BatchReply, BatchResponse, BatchResults, BatchRow, BatchRows};
pub use run::{BatchRun, BatchWait};

/// Batches of one client.
#[derive(Clone, Debug)]
pub struct Batches {
    client: Client,
}

impl Client {
    /// Batches of requests.
    pub fn batches(&self) -> Batches {
        Batches { client: self.clone() }
    }
}

impl Batches {
    /// Starts a batch of an uploaded file, whose lines are the requests: `POST /batches`. [`run`](Batches::run) does this
    /// and what stands around it.
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
        Call::new(&self.client, post(request.borrow()), Expect::Whole, |answer| Ok(answer.whole.reply::<Created>()?.0))
    }

    /// Gets a batch and how far it is: `GET /batches/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let batch = client.batches().get("batch_abc").await?;
    /// if batch.status.is_terminal() {
    ///     println!("results: {:?}, refused: {:?}", batch.output_file_id, batch.error_file_id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retrieve")]
    #[doc(alias = "batches.retrieve")]
    pub fn get(&self, id: &str) -> Call<Batch> {
        Call::get(&self.client, &["batches", id])
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
        Call::page(&self.client, &["batches"]).list_query(request.borrow())
    }

    /// Stops a batch: `POST /batches/{id}/cancel`. What has run by then is in its output file.
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
        Call::post(&self.client, &["batches", id, "cancel"])
    }
}

fn post(request: &BatchRequest) -> crate::Result<WireRequest> {
    if request.input_file_id.is_empty() {
        return Err(Error::config("the id of the input file is empty"));
    }
    if request.endpoint.is_empty() {
        return Err(Error::config("the endpoint of the batch is empty"));
    }
    WireRequest::new(Method::POST, &["batches"], Body::of(request, &[])?)
}

wire! {
    /// What to run as a batch.
    ///
    /// See [OpenAI: Create batch](https://platform.openai.com/docs/api-reference/batch/create).
    #[doc(alias = "CreateBatchRequest")]
    pub struct BatchRequest {
        /// Id of the uploaded file whose lines are the requests.
        pub input_file_id: String = always,
        /// Route that all lines go to, such as `/v1/chat/completions`.
        pub endpoint: String = always,
        /// Time that the batch may take: `24h`. *Providers*: up to `7d` on Groq.
        pub completion_window: String = always,
        /// Up to 16 notes of your own, kept with the batch.
        pub metadata: BTreeMap<String, String>,
        /// When the server removes the output and error files by itself. *Providers*: OpenAI, Azure.
        pub output_expires_after: Option<ExpiresAfter>,
    }
}

impl BatchRequest {
    /// An uploaded file and the route that its lines go to, within `24h`.
    pub fn new(input_file_id: impl Into<String>, endpoint: impl Into<String>) -> Self {
        BatchRequest {
            input_file_id: input_file_id.into(),
            endpoint: endpoint.into(),
            completion_window: "24h".to_owned(),
            ..BatchRequest::blank()
        }
    }

    /// Sets the time that the batch may take.
    pub fn completion_window(mut self, window: impl Into<String>) -> Self {
        self.completion_window = window.into();
        self
    }

    /// Adds a note of your own.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Lets the server remove the output files by itself, so many seconds after they were made: 3600 to 2592000
    /// (30 days).
    pub fn output_expires_after(mut self, seconds: u64) -> Self {
        self.output_expires_after = Some(ExpiresAfter::created(seconds));
        self
    }
}

setters! { BatchRequest {} }

wire! {
    /// A batch and how far it is. Only its id is always there; times that a server writes as text (Together) stay in
    /// `extra`.
    ///
    /// See [OpenAI: The batch object](https://platform.openai.com/docs/api-reference/batch/object).
    pub struct Batch {
        /// Its id.
        pub id: String = always,
        /// `batch`; do not rely on it.
        pub object: String,
        /// Route that its lines go to.
        pub endpoint: String,
        /// Model that runs it.
        pub model: Option<String>,
        /// What is wrong with the input file.
        pub errors: Option<BatchErrors>,
        /// Id of the file with the requests.
        pub input_file_id: String,
        /// Time that it may take.
        pub completion_window: String,
        /// How far it is.
        pub status: BatchStatus,
        /// Id of the file with the results, see [`BatchOutput`]; there as soon as there are any.
        pub output_file_id: Option<String>,
        /// Id of the file with the requests that failed, see [`BatchOutput`].
        pub error_file_id: Option<String>,
        /// Moment of creation, in Unix seconds.
        pub created_at: Option<u64>,
        /// Moment when it began to run, in Unix seconds.
        pub in_progress_at: Option<u64>,
        /// Moment when its time is up, in Unix seconds.
        pub expires_at: Option<u64>,
        /// Moment when the server began to write the results, in Unix seconds.
        pub finalizing_at: Option<u64>,
        /// Moment when it was done, in Unix seconds.
        pub completed_at: Option<u64>,
        /// Moment when it failed, in Unix seconds.
        pub failed_at: Option<u64>,
        /// Moment when its time was up, in Unix seconds.
        pub expired_at: Option<u64>,
        /// Moment when it was told to stop, in Unix seconds.
        pub cancelling_at: Option<u64>,
        /// Moment when it had stopped, in Unix seconds.
        pub cancelled_at: Option<u64>,
        /// How many requests are in which state.
        pub request_counts: Option<BatchRequestCounts>,
        /// Tokens used by all requests together.
        pub usage: Option<BatchUsage>,
        /// Notes kept with it.
        pub metadata: BTreeMap<String, String>,
    }

    /// What is wrong with an input file.
    pub struct BatchErrors {
        /// `list`; do not rely on it.
        pub object: String,
        /// Each fault.
        pub data: Vec<BatchError>,
    }

    /// A fault of an input file.
    pub struct BatchError {
        /// Its kind, a word of the server.
        pub code: String,
        /// What is wrong, for people.
        pub message: String,
        /// Name of the member that is wrong.
        pub param: Option<String>,
        /// Line that is wrong, from 1.
        pub line: Option<u64>,
    }

    /// How many requests of a batch are in which state.
    pub struct BatchRequestCounts {
        /// All of them.
        pub total: u64,
        /// Those that succeeded.
        pub completed: u64,
        /// Those that failed.
        pub failed: u64,
    }

    /// Tokens used by a batch.
    pub struct BatchUsage {
        /// Tokens read.
        pub input_tokens: u64,
        /// What kinds of tokens were read.
        pub input_tokens_details: Option<BatchInputDetails>,
        /// Tokens written.
        pub output_tokens: u64,
        /// What kinds of tokens were written.
        pub output_tokens_details: Option<BatchOutputDetails>,
        /// Both.
        pub total_tokens: u64,
    }

    /// What kinds of tokens a batch read.
    pub struct BatchInputDetails {
        /// Those found in the server's cache.
        pub cached_tokens: u64,
    }

    /// What kinds of tokens a batch wrote.
    pub struct BatchOutputDetails {
        /// Those of the model's thoughts.
        pub reasoning_tokens: u64,
    }
}

replies! { Batch: id }
items! { Batch }

/// A new batch, which Together puts into `{"job": …, "warning": …}`.
struct Created(Batch);

impl Wire for Created {
    fn read(&mut self, json: &mut Json<'_>) -> std::result::Result<Read, NotJson> {
        let batch = &mut self.0;
        let read = batch.read(json)?;
        if let Some(job) = batch.extra.get_as::<Batch>("job").filter(|_| batch.id.is_empty()) {
            batch.extra.remove("job");
            let around = std::mem::replace(batch, job).extra;
            batch.extra.extend(around.iter().map(|(name, value)| (name, value.clone())));
        }
        Ok(read)
    }

    fn write(&self, writer: &mut Writer) {
        self.0.write(writer);
    }

    fn blank() -> Self {
        Created(Batch::blank())
    }
}

impl Reply for Created {
    fn root(&self) -> &'static str {
        self.0.root()
    }

    fn is_hollow(&self) -> bool {
        self.0.is_hollow()
    }

    fn extra(&self) -> &Extra {
        self.0.extra()
    }

    fn decode(answer: &mut Answer) -> Result<Self> {
        answer.whole.reply()
    }
}

open_enum! {
    /// How far a batch is. Capitals (Together) are read, too.
    pub enum BatchStatus {
        /// The input file is being checked.
        Validating = "validating" | "VALIDATING",
        /// The input file is no good. Final.
        Failed = "failed" | "FAILED",
        /// It runs.
        InProgress = "in_progress" | "IN_PROGRESS",
        /// The results are being written.
        Finalizing = "finalizing" | "FINALIZING",
        /// It is done. Final.
        Completed = "completed" | "COMPLETED",
        /// Its time was up; what had run is there. Final.
        Expired = "expired" | "EXPIRED",
        /// It is being stopped.
        Cancelling = "cancelling" | "CANCELLING" | "canceling" | "CANCELING",
        /// It was stopped; what had run is there. Final.
        Cancelled = "cancelled" | "CANCELLED" | "canceled" | "CANCELED",
    }
}

impl BatchStatus {
    /// True when the batch will not change any more. Unknown words count as not final.
    pub fn is_terminal(&self) -> bool {
        use BatchStatus::{Cancelled, Completed, Expired, Failed};
        matches!(self, Completed | Failed | Expired | Cancelled)
    }
}
