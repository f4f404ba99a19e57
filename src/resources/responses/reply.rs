//! The response object, its status and its usage.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::accumulate::ResponseAccumulator;
use super::event::ResponseEvent;
use super::request::{Reasoning, TextOptions};
use super::{Content, Item, Part, ResponseUsage, Tool, ToolChoice};
use crate::call::job::JobState;
use crate::chat::{PromptCacheOptions, ServiceTier, ToolCall, read_json};
use crate::error::{ApiError, Error, ErrorKind, Result};
use crate::reply::stream;
use crate::transport::decode::BufferedResponse;
use crate::wire::join;

wire_struct! {
    /// A response of the model. Not to be confused with [`crate::Response`], which is any value together with the status
    /// and headers of its HTTP response.
    ///
    /// See [OpenAI: The response object](https://platform.openai.com/docs/api-reference/responses/object).
    pub struct Response {
        /// Id of the response.
        pub id: String,
        /// The literal `response`; do not rely on it.
        pub object: String,
        /// Creation time, in Unix seconds.
        pub created_at: Option<u64>,
        /// Status of the response.
        pub status: ResponseStatus,
        /// Whether the response is produced in the background.
        pub background: Option<bool>,
        /// Time of completion, in Unix seconds.
        pub completed_at: Option<u64>,
        /// Conversation that the response belongs to.
        pub conversation: Option<ConversationRef>,
        /// Why the response failed.
        pub error: Option<ResponseError>,
        /// Why the response is incomplete.
        pub incomplete_details: Option<IncompleteDetails>,
        /// Instructions of the request: text, or an array of items.
        pub instructions: Option<Value>,
        /// Maximum number of generated tokens.
        pub max_output_tokens: Option<u64>,
        /// Maximum number of calls of hosted tools.
        pub max_tool_calls: Option<u64>,
        /// Model that produced the response.
        pub model: String,
        /// Result of the requested moderation.
        pub moderation: Option<Value>,
        /// Access programs of the request.
        pub access_programs: Option<Value>,
        /// Options of images.
        pub image: Option<Value>,
        /// Inputs that were withheld from the model.
        pub input_transformations: Option<Value>,
        /// What the cache of prompts did.
        pub prompt_cache_diagnostics: Option<Value>,
        /// Usage of the tools that the server ran.
        pub tool_usage: Option<Value>,
        /// The items that the model produced.
        pub output: Vec<Item> = always,
        /// The text of the output. *Providers*: few send it; see [`text`](Response::text).
        pub output_text: Option<String>,
        /// Whether several tools may be called at once.
        pub parallel_tool_calls: Option<bool>,
        /// Id of the response before this one.
        pub previous_response_id: Option<String>,
        /// The prompt template of the request.
        pub prompt: Option<Value>,
        /// Cache key of the request.
        pub prompt_cache_key: Option<String>,
        /// How the server caches the prompt.
        pub prompt_cache_options: Option<PromptCacheOptions>,
        /// Retention of the cached prompt.
        pub prompt_cache_retention: Option<String>,
        /// Reasoning options of the request.
        pub reasoning: Option<Reasoning>,
        /// Identifier of the end user.
        pub safety_identifier: Option<String>,
        /// Processing tier of the request.
        pub service_tier: Option<ServiceTier>,
        /// Whether the server stores the response. *Providers*: not sent by all.
        pub store: Option<bool>,
        /// Sampling temperature.
        pub temperature: Option<f64>,
        /// Text options of the request.
        pub text: Option<TextOptions>,
        /// Tool choice of the request.
        pub tool_choice: Option<ToolChoice>,
        /// Tools of the request.
        pub tools: Vec<Tool>,
        /// Number of most likely tokens returned per position.
        pub top_logprobs: Option<u32>,
        /// Nucleus sampling probability.
        pub top_p: Option<f64>,
        /// `auto` or `disabled`.
        pub truncation: Option<String>,
        /// Token usage.
        pub usage: Option<ResponseUsage>,
        /// Identifier of the end user. Deprecated.
        pub user: Option<String>,
        /// Metadata stored with the response.
        pub metadata: BTreeMap<String, String>,
    }

    /// A reference to a conversation.
    pub struct ConversationRef {
        /// Id of the conversation.
        pub id: String = always,
    }

    /// Why a response failed.
    pub struct ResponseError {
        /// Error code, such as `server_error` or `rate_limit_exceeded`.
        pub code: String = always,
        /// Human-readable description.
        pub message: String = always,
    }

    /// Why a response is incomplete.
    pub struct IncompleteDetails {
        /// `max_output_tokens` or `content_filter`; `length` on some servers.
        pub reason: Option<String>,
    }
}

responses! { Response: id {
    fn from_events(body: &BufferedResponse) -> Option<Result<Self>> {
        let collect = async {
            let mut events = stream::open_buffered::<ResponseEvent>(body)?;
            let mut accumulator = ResponseAccumulator::new();
            loop {
                match events.try_next().await {
                    Ok(Some(event)) => accumulator.push(&event),
                    Ok(None) => return Ok(accumulator.finish()),
                    Err(error) => return Err(accumulator.attach_to(error)),
                }
            }
        };
        collect.now_or_never().and_then(Result::transpose)
    }
} }

open_enum! {
    /// Status of a response.
    pub enum ResponseStatus {
        /// The response waits to be produced.
        Queued = "queued",
        /// The response is being produced.
        InProgress = "in_progress",
        /// The response is complete. Final.
        Completed = "completed",
        /// The response was truncated: see [`Response::incomplete_details`]. Final.
        Incomplete = "incomplete",
        /// The response failed: see [`Response::error`]. Final.
        Failed = "failed",
        /// The response was cancelled. Final.
        Cancelled = "cancelled",
    }
}

impl ResponseStatus {
    /// Returns `true` if the status will not change any more. Unknown values count as not final.
    pub fn is_terminal(&self) -> bool {
        use ResponseStatus::{Cancelled, Completed, Failed, Incomplete};
        matches!(self, Completed | Incomplete | Failed | Cancelled)
    }
}

impl Response {
    /// Returns the text of the model: all text parts of all its messages, joined.
    #[doc(alias = "output_text")]
    pub fn text(&self) -> Cow<'_, str> {
        match join(self.contents().flat_map(Content::texts)) {
            text if text.is_empty() => Cow::Borrowed(self.output_text.as_deref().unwrap_or_default()),
            text => text,
        }
    }

    /// Returns the reasoning, or a summary of it where the server returns no more.
    pub fn reasoning(&self) -> Option<Cow<'_, str>> {
        let texts = self.output.iter().filter_map(|item| match item {
            Item::Reasoning(item) if item.content.is_empty() => Some(&item.summary),
            Item::Reasoning(item) => Some(&item.content),
            _ => None,
        });
        Some(join(texts.flatten().filter_map(Part::as_text))).filter(|text| !text.is_empty())
    }

    /// Returns the refusal, if the model refused.
    pub fn refusal(&self) -> Option<&str> {
        let parts = self.contents().flat_map(|content| match content {
            Content::Parts(parts) => parts.as_slice(),
            Content::Text(_) => &[],
        });
        parts.into_iter().find_map(|part| match part {
            Part::Refusal(part) => Some(part.refusal.as_str()),
            _ => None,
        })
    }

    /// Returns the calls of functions and custom tools, in their order.
    pub fn tool_calls(&self) -> impl Iterator<Item = ToolCall> {
        self.output.iter().filter_map(Item::tool_call)
    }

    fn contents(&self) -> impl Iterator<Item = &Content> {
        self.output.iter().filter_map(|item| match item {
            Item::Message(message) => Some(&message.content),
            _ => None,
        })
    }

    /// Parses the text, for requests with a JSON schema or in JSON mode. As [`ChatCompletion::parse`], it removes a
    /// Markdown code fence and the object around a root that is not an object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the model refused, if the response is incomplete or has no text, or if the text does not
    /// match `T`. [`Error::response`] returns the response.
    ///
    /// [`ChatCompletion::parse`]: crate::chat::ChatCompletion::parse
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        self.read_text().map_err(|why| Error::new(ErrorKind::Decode, why).with_last(self.clone()))
    }

    fn read_text<T: DeserializeOwned>(&self) -> Result<T, Cow<'static, str>> {
        if self.refusal().is_some() {
            return Err("the model refused the request".into());
        }
        if self.status == ResponseStatus::Incomplete {
            let reason = self.incomplete_details.as_ref().and_then(|details| details.reason.as_deref());
            return Err(format!("output was truncated (`{}`)", reason.unwrap_or("incomplete")).into());
        }
        let text = self.text();
        match text.trim().is_empty() {
            true if self.tool_calls().next().is_some() => Err("the model called tools instead of answering".into()),
            true => Err("response contains no text".into()),
            false => read_json(&text).map_err(|what| format!("output does not match the type: {what}").into()),
        }
    }

    /// The error of a response that failed.
    pub(super) fn to_error(&self) -> Error {
        let error = Error::new(ErrorKind::Api, format!("response `{}` failed", self.id));
        match &self.error {
            Some(reason) => error.with_api(reason.to_api_error()),
            None => error,
        }
    }
}

impl JobState for Response {
    const NAME: &'static str = "response";
    const POLL_INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

    fn id(&self) -> &str {
        &self.id
    }

    fn is_finished(&self) -> bool {
        self.status.is_terminal()
    }

    fn failure(&self) -> Option<Error> {
        (self.status == ResponseStatus::Failed).then(|| self.to_error())
    }

    fn attach_to(self, error: Error) -> Error {
        error.with_last(self)
    }
}

impl ResponseError {
    pub(super) fn to_api_error(&self) -> ApiError {
        let code = Some(self.code.clone()).filter(|code| !code.is_empty());
        ApiError { message: self.message.clone(), code, ..ApiError::default() }
    }
}

impl Error {
    /// Returns the response, or the part of it that was received, if it failed, was interrupted, or could not be parsed.
    pub fn response(&self) -> Option<&Response> {
        self.last()
    }
}
