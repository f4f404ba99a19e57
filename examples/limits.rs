//! Many concurrent calls, no faster than the server allows.
//!
//! `scripts/with-local-model cargo run --example limits`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where the server
//! needs one, `OPENAI_API_KEY`.

use futures::{StreamExt, stream};
use openai_compatible::chat::{ChatRequest, Message, Usage};
use openai_compatible::{ClientBuilder, RateLimiter};

mod frame;

const RIVERS: [&str; 8] = ["Nile", "Rhine", "Amazon", "Danube", "Volga", "Ganges", "Loire", "Tiber"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    // Learns requests and tokens per minute from the headers; known limits can be set.
    let limiter = RateLimiter::new().max_concurrency(4);
    let client = ClientBuilder::from_env().rate_limiter(limiter.clone()).retry_budget(20).build()?;
    let model = frame::model(frame::models::CHAT);

    let calls = RIVERS.map(|river| {
        let question = format!("In one sentence: where does the {river} flow?");
        client.chat().create(ChatRequest::new(&model, [Message::user(question)]).max_tokens(30))
    });
    let mut responses = stream::iter(calls).buffered(RIVERS.len());
    let (mut total, mut failed) = (Usage::default(), 0);
    while let Some(response) = responses.next().await {
        match response {
            Ok(response) => {
                println!("{}", response.text().trim());
                if let Some(usage) = &response.usage {
                    total += usage;
                }
            }
            Err(error) => {
                failed += 1;
                eprintln!("{error}");
            }
        }
    }
    println!("\n{total}; {failed} failed\n{limiter:?}");
    Ok(())
}
