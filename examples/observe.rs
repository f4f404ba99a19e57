//! Prints what `tracing` records of a call: one line per attempt, and the span at its end:
//! `cargo run --features tracing --example observe [QUESTION]`.
//!
//! Any server works: set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where it needs one, `OPENAI_API_KEY`. The response goes to
//! the standard output, the lines to the standard error.

use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_span_events(FmtSpan::CLOSE);
    let wanted = Targets::new().with_target("openai_compatible", LevelFilter::DEBUG);
    tracing_subscriber::registry().with(lines).with(wanted).init();

    let client = Client::from_env()?;
    let question = Message::user(frame::words("Name three rivers."));
    let request = ChatRequest::new(frame::model(frame::models::CHAT), [question]).max_tokens(60).include_usage(true);
    // The span lasts as long as the stream.
    let response = client.chat().stream(request).await?.collect().await?;
    println!("{}", response.text());
    Ok(())
}
