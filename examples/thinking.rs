//! Reasoning that a model writes between tags, dim; the time to the first token and the speed.
//!
//! `scripts/with-local-model cargo run --example thinking -- "Is 91 a prime?"`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL`
//! and, where the server needs one, `OPENAI_API_KEY`. Servers that separate reasoning themselves look the same.

use std::io::Write;

use console::style;
use openai_compatible::Client;
use openai_compatible::chat::{Accumulator, ChatRequest, Message, ThinkingTags};

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let question = frame::words("Is 91 a prime number?");
    let client = Client::from_env()?;
    let model = frame::model(frame::models::CHAT);
    let request = ChatRequest::new(model, [Message::user(question)]).max_tokens(200).include_usage(true);

    let mut chunks = client.chat().stream(&request).await?.split_thinking(ThinkingTags::default());
    let mut response = Accumulator::new();
    while let Some(chunk) = chunks.try_next().await? {
        if let Some(reasoning) = chunk.reasoning() {
            print!("{}", style(reasoning).dim());
        }
        print!("{}", chunk.text());
        let _ = std::io::stdout().flush();
        response.push(chunk);
    }
    let timing = chunks.timing();
    let tokens = response.finish().and_then(|response| response.usage).map_or(0, |usage| usage.completion_tokens);
    println!("\n");
    if let (Some(first), Some(speed)) = (timing.time_to_first_output, timing.tokens_per_second(tokens)) {
        println!("first token after {first:.2?}, then {speed:.0} tokens/s");
    }
    Ok(())
}
