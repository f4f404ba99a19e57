//! An async, strongly typed client for the OpenAI API and every server that implements it: OpenAI, Azure OpenAI, Groq,
//! OpenRouter, Ollama, vLLM, llama.cpp, LM Studio, LiteLLM and many more. Change the base URL to switch providers; your code
//! stays the same.
//!
//! The [guides](guide) explain each part; start with [Getting started](guide::getting_started).
//!
//! # Quick start
//!
//! ```no_run
//! use openai_compatible::Client;
//! use openai_compatible::chat::{ChatRequest, Message};
//!
//! # async fn run() -> openai_compatible::Result<()> {
//! let client = Client::from_env()?; // OPENAI_API_KEY, OPENAI_BASE_URL
//! let request = ChatRequest::new("llama3.2", [Message::user("Name three rivers.")]);
//!
//! let response = client.chat().create(&request).await?;
//! println!("{}", response.text());
//!
//! let mut chunks = client.chat().stream(&request).await?;
//! while let Some(chunk) = chunks.try_next().await? {
//!     print!("{}", chunk.text());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Switching providers
//!
//! ```no_run
//! use openai_compatible::{Client, Provider};
//!
//! # fn main() -> openai_compatible::Result<()> {
//! let groq = Client::for_provider(Provider::Groq)?; // GROQ_API_KEY
//! let ollama = Client::for_provider(Provider::Ollama)?; // OLLAMA_HOST, or localhost
//! let other = Client::builder().base_url("http://gpu-7:8000/v1").build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! * Endpoints: [`chat`], [`responses`], [`conversations`], [`completions`], [`embeddings`], [`models`], [`files`], [`uploads`],
//!   [`batches`], [`audio`], [`images`], [`rerank`], [`moderations`]. For any other, see [`Client::post`].
//! * A client and its settings: [`Client`], [`ClientBuilder`], [`Provider`]. Options of one call: [`Call`], [`CallOptions`].
//! * What can go wrong: [`Error`], [`ErrorKind`], and [Errors, retries and timeouts](guide::errors_and_retries).
//! * More than one call: [`Failover`], [`RateLimiter`], [tool runs](chat::ToolSet), [batches](batches::BatchInput).
//! * Tests of your own code: [`testing`]. What a server supports: [`probe`](mod@probe).
//!
//! # Features
//!
//! `rustls` (default), `rustls-ring` or `native-tls` for TLS; `schemars`, `tokens`, `blocking`, `webhooks` and `tracing` for what
//! their names say. Features are additive, and all endpoints are always available.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Nothing that a server or a user does may panic; tests may.
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

#[macro_use]
mod macros;

// The layers, lowest first: each imports from those above it in this list only; see docs/architecture.md.
mod wire;

mod error;

mod transport;

mod reply;

mod call;

mod client;

mod resources;

mod helpers;

pub use call::job::{Job, JobState};
pub use call::page::{Deleted, ListRequest, Page, PageItem, SortOrder};
pub use call::{Call, Response};
#[doc(alias = "OpenAI")]
#[doc(alias = "AsyncOpenAI")]
pub use client::Client;
#[doc(alias = "OpenAIConfig")]
pub use client::ClientBuilder;
pub use client::provider::{AuthScheme, Provider};
pub use error::{ApiError, Error, ErrorKind, Result};
#[doc(alias = "fallback")]
#[doc(alias = "load balancing")]
pub use helpers::failover::Failover;
pub use helpers::failover::{FailoverResponse, FailoverTarget};
pub use helpers::health::{Health, HealthState};
pub use helpers::{probe, testing, tokens};
/// The `http` crate, whose types services and responses use.
pub use http;
pub use reply::download::Download;
pub use reply::stream::{EventStream, StreamTiming};
pub use resources::*;
pub use transport::file_source::FileSource;
pub use transport::form::Form;
pub use transport::http::{DefaultHttp, HttpError, HttpErrorKind, HttpService, RequestBody, ResponseBody};
pub use transport::options::CallOptions;
#[doc(alias = "rate limit")]
#[doc(alias = "throttle")]
#[doc(alias = "rpm")]
#[doc(alias = "tpm")]
pub use transport::rate_limiter::RateLimiter;
pub use transport::rate_limits::RateLimits;
pub use wire::{Extra, Integer, SecretString, SharedString};

#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub use call::blocking;

/// Server-sent events: bytes in, events out. The decoder of this crate's streams.
pub mod sse {
    pub use crate::transport::sse::{Decoder, Event, EventTooLarge};
}

#[cfg(any(doc, doctest))]
mod guides;
#[cfg(any(doc, doctest))]
pub use guides::guide;
