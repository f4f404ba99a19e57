//! The guides as pages of the documentation.

/// A module per guide, in reading order. Their links are `[text][page.md]`: the definitions added here lead to the modules, and
/// those at the end of each file to the other files, because the first definition of a label counts.
macro_rules! guides {
    ($($name:ident = $path:literal $(, aliases $($alias:literal),+)?;)+) => {
        macro_rules! links {
            () => { concat!(
                $( "[", $path, "]: crate::guide::", stringify!($name), "\n", )+
                "[web.png]: https://docs.rs/crate/openai-compatible/latest/source/docs/web.png\n\n",
            ) };
        }

        #[doc = concat!(links!(), include_str!("../docs/README.md"))]
        pub mod guide {
            $(
                #[doc = concat!(links!(), include_str!(concat!("../docs/", $path)))]
                $($( #[doc(alias = $alias)] )+)?
                pub mod $name {}
            )+
        }
    };
}

guides! {
    getting_started = "getting-started.md", aliases "install", "tutorial";
    chat = "chat.md";
    streaming = "streaming.md", aliases "think", "token by token";
    providers = "providers.md", aliases "preset";
    tools = "tools.md", aliases "function calling", "mcp", "agent";
    structured_output = "structured-output.md", aliases "json schema", "json mode";
    context_budget = "context-budget.md", aliases "context window", "tiktoken", "trim";
    responses = "responses.md";
    embeddings = "embeddings.md", aliases "rag", "vectors";
    files = "files.md";
    batches = "batches.md";
    audio = "audio.md", aliases "whisper", "tts";
    images = "images.md";
    custom_endpoints = "custom-endpoints.md", aliases "extra_body";
    configuration = "configuration.md", aliases "yaml", "toml";
    conversations = "conversations.md", aliases "sqlite", "history";
    errors_and_retries = "errors-and-retries.md", aliases "backoff", "timeout";
    many_calls = "many-calls.md", aliases "rate limit", "cost", "tenant", "concurrency";
    connections = "connections.md", aliases "proxy", "certificate", "mtls", "http2", "sync";
    failover = "failover.md", aliases "health", "fallback";
    observability = "observability.md", aliases "opentelemetry", "logging", "metrics";
    testing = "testing.md", aliases "mock", "record";
    security = "security.md";
    performance = "performance.md", aliases "benchmark";
    migrating_from_async_openai = "migrating-from-async-openai.md";
    migrating_from_openai_python = "migrating-from-openai-python.md";
    peers = "peers.md", aliases "comparison";
    faq = "faq.md", aliases "troubleshooting";
    architecture = "architecture.md";
    design = "design.md";
    mutants = "mutants.md";
}

/// The README, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
