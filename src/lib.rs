#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Nothing that a server or a user does may panic; tests may.
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

#[macro_use]
mod macros;

mod base64;
mod call;
mod client;
mod download;
mod error;
mod failover;
mod file_source;
mod health;
mod page;
pub mod probe;
mod provider;
mod resources;
mod stream;
pub mod testing;
pub mod tokens;
mod transport;
mod wire;

pub use call::{Call, RateLimits, Response};
pub use client::{Client, ClientBuilder};
pub use download::Download;
pub use error::{ApiError, Error, ErrorKind, Result};
pub use failover::{Answered, Failover, Target};
pub use file_source::FileSource;
pub use health::{Health, HealthState};
pub use page::{Deleted, Item, ListRequest, Order, Page};
pub use provider::{KeyUse, Provider};
pub use resources::*;
pub use stream::EventStream;
pub use transport::form::Form;
pub use transport::http::{DefaultHttp, HttpError, HttpErrorKind, HttpService, RequestBody, ResponseBody};
pub use wire::{Extra, SharedString};

/// Server-sent events: bytes in, events out. What the streams of this crate are read with.
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
        context_budget = "context-budget.md";
        design = "design.md";
        errors_and_retries = "errors-and-retries.md";
        failover = "failover.md";
        faq = "faq.md";
        files_and_batches = "files-and-batches.md";
        getting_started = "getting-started.md";
        health = "health.md";
        index = "README.md";
        migrating_from_async_openai = "migrating-from-async-openai.md";
        migrating_from_openai_python = "migrating-from-openai-python.md";
        mutants = "mutants.md";
        observability = "observability.md";
        performance = "performance.md";
        providers = "providers.md";
        security = "security.md";
        streaming = "streaming.md";
        structured_output = "structured-output.md";
        testing = "testing.md";
        timeouts = "timeouts.md";
        tools = "tools.md";
    }
}
