//! Asks a model, and prints what `tracing` is told of the call: one line an attempt, and the span at its end:
//! `cargo run --features tracing --example observe [QUESTION]`.
//!
//! Any server works: set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where it needs one, `OPENAI_API_KEY`. The answer goes to
//! the standard output, the lines to the standard error.

use std::process::ExitCode;

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Client, Result};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_span_events(FmtSpan::CLOSE);
    let wanted = Targets::new().with_target("openai_compatible", LevelFilter::DEBUG);
    tracing_subscriber::registry().with(lines).with(wanted).init();

    match run(std::env::args().skip(1).collect::<Vec<_>>().join(" ")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            eprintln!(
                "No server at hand? `scripts/with-local-model cargo run --features tracing --example observe` brings a small model, no key needed."
            );
            ExitCode::FAILURE
        }
    }
}

async fn run(question: String) -> Result<()> {
    let client = Client::from_env()?;
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-4o-mini".to_owned());
    let question = if question.is_empty() { "Name three rivers.".to_owned() } else { question };
    let request = ChatRequest::new(model, [Message::user(question)]).max_tokens(60).include_usage(true);
    // The span lasts as long as the stream.
    let mut chunks = client.chat().stream(request).await?;
    while let Some(chunk) = chunks.try_next().await? {
        print!("{}", chunk.text());
    }
    println!();
    Ok(())
}
