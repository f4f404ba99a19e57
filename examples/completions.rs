//! Continues a text, word by word: `cargo run --example completions -- "Once upon a time"`.
//!
//! Any server works that has `/completions`: set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where it needs one,
//! `OPENAI_API_KEY`.

use std::io::{Write, stdout};

use console::style;
use openai_compatible::Client;
use openai_compatible::completions::CompletionRequest;

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let beginning = frame::words("Once upon a time, a small crab");
    let client = Client::from_env()?;
    let model = frame::model(frame::models::COMPLETION);
    let request = CompletionRequest::new(model, &beginning).max_tokens(80).temperature(0.7).include_usage(true);

    let mut chunks = client.completions().stream(&request).await?;
    print!("{}", style(&beginning).dim());
    let (mut reason, mut usage) = (None, None);
    while let Some(chunk) = chunks.try_next().await? {
        print!("{}", chunk.text());
        stdout().flush().ok();
        reason = chunk.finish_reason().or(reason);
        usage = chunk.usage.or(usage);
    }
    let reason = reason.map_or_else(|| "not reported".to_owned(), |reason| reason.to_string());
    println!("\n\n{}", style(format!("{}; finish reason {reason}", usage.unwrap_or_default())).dim());
    Ok(())
}
