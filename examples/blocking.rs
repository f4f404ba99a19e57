//! A program without async code.
//!
//! `scripts/with-local-model cargo run --features blocking --example blocking`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL`
//! and, where the server needs one, `OPENAI_API_KEY`.

use std::io::Write;

use openai_compatible::Client;
use openai_compatible::blocking::{Block, BlockIter};
use openai_compatible::chat::{ChatRequest, Message};

mod frame;

fn main() -> frame::Result {
    let client = Client::from_env()?;
    let model = frame::model(frame::models::CHAT);
    let request = ChatRequest::new(model, [Message::user("Name three rivers.")]).max_tokens(60);

    println!("{}", client.chat().create(&request).block()?.text());

    for chunk in client.chat().stream(&request).block()?.block_iter() {
        print!("{}", chunk?.text());
        let _ = std::io::stdout().flush();
    }
    println!();
    Ok(())
}
