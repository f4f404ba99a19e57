#![doc = include_str!("../README.md")]
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
pub use client::provider::{AuthScheme, Provider};
pub use client::{Client, ClientBuilder};
pub use error::{ApiError, Error, ErrorKind, Result};
pub use helpers::failover::{Failover, FailoverResponse, FailoverTarget};
pub use helpers::health::{Health, HealthState};
pub use helpers::{probe, testing, tokens};
pub use reply::download::Download;
pub use reply::stream::{EventStream, StreamTiming};
pub use resources::*;
pub use transport::file_source::FileSource;
pub use transport::form::Form;
pub use transport::http::{DefaultHttp, HttpError, HttpErrorKind, HttpService, RequestBody, ResponseBody};
pub use transport::options::CallOptions;
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

/// The guides, so that their code is compiled.
#[cfg(doctest)]
mod guides {
    macro_rules! guides {
        ($($name:ident = $path:literal;)+) => {$(
            #[doc = include_str!(concat!("../docs/", $path))]
            mod $name {}
        )+};
    }
    guides! {
        architecture = "architecture.md";
        audio_and_images = "audio-and-images.md";
        connections = "connections.md";
        context_budget = "context-budget.md";
        design = "design.md";
        errors_and_retries = "errors-and-retries.md";
        failover = "failover.md";
        faq = "faq.md";
        files_and_batches = "files-and-batches.md";
        getting_started = "getting-started.md";
        health = "health.md";
        index = "README.md";
        many_calls = "many-calls.md";
        migrating_from_async_openai = "migrating-from-async-openai.md";
        migrating_from_openai_python = "migrating-from-openai-python.md";
        mutants = "mutants.md";
        observability = "observability.md";
        performance = "performance.md";
        providers = "providers.md";
        responses = "responses.md";
        security = "security.md";
        streaming = "streaming.md";
        structured_output = "structured-output.md";
        testing = "testing.md";
        timeouts = "timeouts.md";
        tools = "tools.md";
    }
}
