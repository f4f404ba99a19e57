//! The guides: how to use each part of the crate, and why it is as it is.
//!
//! This module exists in the documentation only. In a clone of the repository, the same pages are in `docs/`.

/// A page per guide. Its links are `[text][page.md]`: the definitions added here lead to the pages of the documentation, and
/// those at the end of each file to the other files, because the first definition of a label counts.
macro_rules! guides {
    ($($name:ident = $path:literal;)+) => {
        macro_rules! links {
            () => { concat!($( "[", $path, "]: crate::guide::", stringify!($name), "\n", )+ "\n") };
        }
        $(
            #[doc = concat!(links!(), include_str!(concat!("../docs/", $path)))]
            pub mod $name {}
        )+
    };
}

guides! {
    index = "README.md";
    getting_started = "getting-started.md";
    chat = "chat.md";
    streaming = "streaming.md";
    providers = "providers.md";
    tools = "tools.md";
    structured_output = "structured-output.md";
    context_budget = "context-budget.md";
    responses = "responses.md";
    embeddings = "embeddings.md";
    files = "files.md";
    batches = "batches.md";
    audio = "audio.md";
    images = "images.md";
    custom_endpoints = "custom-endpoints.md";
    configuration = "configuration.md";
    conversations = "conversations.md";
    errors_and_retries = "errors-and-retries.md";
    many_calls = "many-calls.md";
    connections = "connections.md";
    failover = "failover.md";
    observability = "observability.md";
    testing = "testing.md";
    security = "security.md";
    performance = "performance.md";
    migrating_from_async_openai = "migrating-from-async-openai.md";
    migrating_from_openai_python = "migrating-from-openai-python.md";
    peers = "peers.md";
    faq = "faq.md";
    architecture = "architecture.md";
    design = "design.md";
    mutants = "mutants.md";
}

/// The README, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
