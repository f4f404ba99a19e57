//! A program without async code.
//!
//! `scripts/with-local-model cargo run --features blocking --example blocking`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL`
//! and, where the server needs one, `OPENAI_API_KEY`.

use std::io::Write;

use openai_compatible::blocking::{Block, BlockIter};
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Client, Result};

fn main() -> Result<()> {
    let client = Client::from_env()?;
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-5-mini".to_owned());
    let request = ChatRequest::new(model, [Message::user("Name three rivers.")]).max_tokens(60);

    println!("{}", client.chat().create(&request).block()?.text());

    for chunk in client.chat().stream(&request).block()?.block_iter() {
        print!("{}", chunk?.text());
        let _ = std::io::stdout().flush();
    }
    println!();
    Ok(())
}
