//! Stops a response on Ctrl-C, and keeps what there is of it.

use std::io::{Write, stdout};

use openai_compatible::Client;
use openai_compatible::chat::{Accumulator, ChatRequest, Message};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let request = ChatRequest::new("gpt-6-luna", [Message::user("Tell a long story.")]);
    let mut chunks = Client::from_env()?.chat().stream(&request).await?;
    let mut response = Accumulator::new();
    loop {
        let chunk = tokio::select! {
            chunk = chunks.try_next() => chunk?,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(chunk) = chunk else { break };
        print!("{}", chunk.text());
        stdout().flush()?;
        response.push(chunk);
    }
    drop(chunks); // closes the connection, and the server stops
    let response = response.finish();
    println!("\n{} characters kept", response.map_or(0, |response| response.text().chars().count()));
    Ok(())
}
