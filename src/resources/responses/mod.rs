//! Responses: `client.responses()`. The API that succeeds [`chat`](crate::chat), on servers that have it.
//!
//! ```no_run
//! # async fn run() -> openai_compatible::Result<()> {
//! use openai_compatible::{Client, responses::ResponseRequest};
//!
//! let client = Client::from_env()?;
//! let request = ResponseRequest::new("gpt-6-luna", "Name three rivers.").instructions("Be brief.");
//! let response = client.responses().create(&request).await?;
//! println!("{}", response.text());
//!
//! // The next turn, streamed.
//! let request = request.follow_up(&response, "How long are they?");
//! let mut events = client.responses().stream(&request).await?;
//! while let Some(event) = events.try_next().await? {
//!     print!("{}", event.text_delta());
//! }
//! # Ok(())
//! # }
//! ```

use std::borrow::Borrow;

mod accumulate;
mod event;
mod reply;
mod request;
mod stream;

pub use self::accumulate::ResponseAccumulator;
#[doc(alias = "ResponseStreamEvent")]
pub use self::event::ResponseEvent;
pub use self::event::{
    AnnotationEvent, DeltaEvent, DoneEvent, ImageEvent, ItemEvent, LifecycleEvent, PartEvent, ProgressEvent,
};
#[doc(alias = "ResponseObject")]
pub use self::reply::Response;
pub use self::reply::{ConversationRef, IncompleteDetails, ResponseError, ResponseStatus};
#[doc(alias = "CreateResponse")]
pub use self::request::ResponseRequest;
pub use self::request::{ContextManagement, PromptTemplate, Reasoning, ResponseInput, TextFormat, TextOptions};
pub use self::stream::ResponseStream;
pub use super::input_tokens::InputTokens;
#[doc(alias = "InputItem")]
#[doc(alias = "OutputItem")]
#[doc(alias = "ConversationItem")]
pub use super::items::Item;
#[doc(alias = "InputContent")]
#[doc(alias = "OutputContent")]
pub use super::items::Part;
pub(crate) use super::items::include;
pub use super::items::*;
pub use super::tools::{
    Permission, ResponseToolEvent as ToolEvent, ResponseToolRun as ToolRun, ToolApi, ToolEvents, ToolRunner,
};
#[doc(alias = "BatchUsage")]
pub use super::usage::ResponseUsage;
pub use super::usage::{InputTokensDetails, OutputTokensDetails};
use futures::FutureExt;
use serde_json::Value;

use crate::call::Call;
use crate::call::job::{Job, JobState};
use crate::call::page::{Deleted, Page};
use crate::client::Client;
use crate::error::Result;
use crate::transport::request::{Body, WireRequest};
use crate::transport::{BodyMode, RawResponse};
use crate::wire::{Object, Wire};

/// The responses API of a client.
#[derive(Clone, Debug)]
pub struct Responses {
    pub(super) client: Client,
}

impl Client {
    /// Returns the responses API.
    pub fn responses(&self) -> Responses {
        Responses { client: self.clone() }
    }
}

impl Responses {
    /// Creates a response: `POST /responses`.
    ///
    /// A background response is returned at once, and not complete; [`run`](Responses::run) waits for it.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::ResponseRequest;
    ///
    /// let request = ResponseRequest::new("gpt-6-luna", "Name three rivers.");
    /// println!("{}", client.responses().create(&request).await?.text());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Api`](crate::ErrorKind::Api) also for a response that failed: [`Error::response`](crate::Error::response)
    /// returns it. A response that is incomplete is not an error: see [`Response::status`].
    #[doc(alias = "responses.create")]
    pub fn create(&self, request: impl Borrow<ResponseRequest>) -> Call<Response> {
        self.call_of(request.borrow(), false)
    }

    /// The call of a request, which may be read as a stream.
    pub(crate) fn call_of(&self, request: &ResponseRequest, stream: bool) -> Call<Response> {
        Call::new(&self.client.settings, post(request, stream), BodyMode::Buffer, decode_created)
    }

    /// Streams a response: `POST /responses` with `"stream": true`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::ResponseRequest;
    ///
    /// let request = ResponseRequest::new("gpt-6-luna", "Name three rivers.");
    /// let mut events = client.responses().stream(&request).await?;
    /// while let Some(event) = events.try_next().await? {
    ///     print!("{}", event.text_delta());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "responses.stream")]
    pub fn stream(&self, request: impl Borrow<ResponseRequest>) -> Call<ResponseStream> {
        Call::new(&self.client.settings, post(request.borrow(), true), BodyMode::Stream, ResponseStream::open)
    }

    /// Runs a response in the background to its end: creates it with `"background": true`, and polls
    /// (`GET /responses/{id}`) until it is finished.
    ///
    /// The result is a stream of states, and a future of the end: see [`Job`]. A response that is incomplete or was
    /// cancelled is not an error.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::ResponseRequest;
    ///
    /// let request = ResponseRequest::new("o3-deep-research", "Compare the rivers of Europe.");
    /// let job = client.responses().run(&request).on_progress(|response| eprintln!("{}: {}", response.id, response.status));
    /// println!("{}", job.await?.text());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "background")]
    pub fn run(&self, request: impl Borrow<ResponseRequest>) -> Job<Response> {
        let mut request = request.borrow().clone();
        request.background.get_or_insert(true);
        let responses = self.clone();
        let start = move |options| responses.create(&request).options(options).boxed();
        Job::start(start, self.poll())
    }

    /// Waits for a background response, for example after a restart: polls `GET /responses/{id}` until it is finished.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// println!("{}", client.responses().wait("resp_abc").await?.text());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "poll")]
    pub fn wait(&self, id: impl Into<String>) -> Job<Response> {
        Job::existing(id.into(), self.poll())
    }

    fn poll(&self) -> impl Fn(&str) -> Call<Response> + Send + Sync + 'static {
        let responses = self.clone();
        move |id| responses.get(id)
    }

    /// Gets a stored response: `GET /responses/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::{Include, ResponseGetRequest};
    ///
    /// let response = client.responses().get("resp_abc").await?;
    /// println!("{}: {}", response.status, response.text());
    ///
    /// let request = ResponseGetRequest::new("resp_abc").include([Include::FileSearchResults]);
    /// let response = client.responses().get(request).await?;
    /// # let _ = response; Ok(())
    /// # }
    /// ```
    #[doc(alias = "retrieve")]
    #[doc(alias = "responses.retrieve")]
    pub fn get(&self, request: impl Into<ResponseGetRequest>) -> Call<Response> {
        let request = request.into();
        let call = Call::get(&self.client.settings, &["responses", &request.id]);
        include(call, &request.include).extra_query(&request.extra)
    }

    /// Streams a background or stored response from its start, or from after an event: `GET /responses/{id}` with
    /// `stream=true`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::ResponseGetRequest;
    ///
    /// let request = ResponseGetRequest::new("resp_abc").starting_after(41);
    /// let response = client.responses().get_stream(request).await?.collect().await?;
    /// println!("{}", response.text());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "resume")]
    pub fn get_stream(&self, request: impl Into<ResponseGetRequest>) -> Call<ResponseStream> {
        let request = request.into();
        let wire = WireRequest::new(http::Method::GET, &["responses", &request.id], Body::Empty);
        let call = Call::new(&self.client.settings, wire, BodyMode::Stream, ResponseStream::open);
        include(call, &request.include)
            .query_opt("stream", Some(true))
            .query_opt("starting_after", request.starting_after)
            .query_opt("include_obfuscation", request.include_obfuscation)
            .extra_query(&request.extra)
    }

    /// Deletes a stored response: `DELETE /responses/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// client.responses().delete("resp_abc").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "responses.delete")]
    pub fn delete(&self, id: &str) -> Call<Deleted> {
        Call::deleted(&self.client.settings, &["responses", id])
    }

    /// Cancels a background response: `POST /responses/{id}/cancel`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// println!("{}", client.responses().cancel("resp_abc").await?.status);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "responses.cancel")]
    pub fn cancel(&self, id: &str) -> Call<Response> {
        Call::post(&self.client.settings, &["responses", id, "cancel"])
    }

    /// Compacts the input of a request: `POST /responses/compact`. The items of the result replace it.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, items: Vec<openai_compatible::responses::Item>) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::ResponseRequest;
    ///
    /// let request = ResponseRequest::new("gpt-6-luna", items);
    /// let compacted = client.responses().compact(&request).await?;
    /// let request = request.input(compacted.output);
    /// # let _ = request; Ok(())
    /// # }
    /// ```
    #[doc(alias = "responses.compact")]
    pub fn compact(&self, request: impl Borrow<ResponseRequest>) -> Call<CompactedResponse> {
        let (request, left_out) = (request.borrow(), fields_except(&COMPACT_FIELDS));
        let wire = WireRequest::of_model(&["responses", "compact"], Some(&request.model), Body::of(request, &left_out));
        Call::send(&self.client.settings, wire)
    }

    /// Lists the input items of a stored response: `GET /responses/{id}/input_items`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::ItemListRequest;
    ///
    /// for item in client.responses().input_items("resp_abc", ItemListRequest::new()).await?.data {
    ///     println!("{item:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "responses.input_items.list")]
    pub fn input_items(&self, id: &str, request: impl Borrow<ItemListRequest>) -> Call<Page<Item>> {
        request.borrow().add_to(Call::page(&self.client.settings, &["responses", id, "input_items"]))
    }
}

fn post(request: &ResponseRequest, stream: bool) -> Result<WireRequest> {
    // Said in either case: some servers stream unless they are told not to.
    let body = Body::of(request, &[("stream", stream.into())]);
    // A prompt template may name the model.
    let model = Some(request.model.as_str()).filter(|model| !model.is_empty() || request.prompt.is_none());
    let request = WireRequest::of_model(&["responses"], model, body)?;
    Ok(WireRequest { alternative: Some("`chat()`: `POST /chat/completions`"), ..request })
}

/// Fields that the endpoints know which do not run the request.
const COMPACT_FIELDS: [&str; 8] = [
    "model",
    "input",
    "instructions",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "service_tier",
];

/// Leaves out all fields except for these.
pub(super) fn fields_except(kept: &[&str]) -> Vec<(&'static str, Value)> {
    let fields = ResponseRequest::default().fields();
    let left_out = fields.iter().filter(|field| !kept.contains(&field.name));
    left_out.map(|field| (field.name, Value::Null)).collect()
}

/// A response that failed is an error of the call that created it.
fn decode_created(response: &mut RawResponse) -> Result<Response> {
    let created: Response = response.buffered.decode_wire()?;
    match created.failure() {
        Some(error) => {
            let buffered = &response.buffered;
            Err(created.attach_to(error.with_response(buffered.status, &buffered.headers)))
        }
        None => Ok(created),
    }
}

wire_struct! {
    /// Which response to get, and with which additional fields.
    pub struct ResponseGetRequest {
        /// Id of the response.
        pub id: String,
        /// Additional fields of the response.
        pub include: Vec<Include>,
        /// Number of the event after which a stream starts.
        pub starting_after: Option<u64>,
        /// Pads the events of a stream with random text, against observers that measure their length.
        pub include_obfuscation: Option<bool>,
    }

    /// A compacted conversation.
    pub struct CompactedResponse {
        /// Id of the result.
        pub id: String,
        /// The literal `response.compaction`; do not rely on it.
        pub object: String,
        /// The items that replace the conversation.
        pub output: Vec<Item> = always,
        /// Creation time, in Unix seconds.
        pub created_at: Option<u64>,
        /// Token usage.
        pub usage: Option<ResponseUsage>,
    }
}

responses! { CompactedResponse: output }

impl ResponseGetRequest {
    /// Refers to a response by its id.
    pub fn new(id: impl Into<String>) -> Self {
        ResponseGetRequest { id: id.into(), ..ResponseGetRequest::default_value() }
    }
}

impl<T: AsRef<str> + ?Sized> From<&T> for ResponseGetRequest {
    fn from(id: &T) -> Self {
        ResponseGetRequest::new(id.as_ref())
    }
}

setters! { ResponseGetRequest {
    include: [Include],
    starting_after: u64,
    include_obfuscation: bool,
} }
