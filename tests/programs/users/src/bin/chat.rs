//! A chat with history in the terminal, reasoning dim.

use std::io::{Write, stdin, stdout};

use openai_compatible::Client;
use openai_compatible::chat::{Accumulator, ChatRequest, Message};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let client = Client::from_env()?;
    let mut request = ChatRequest::new("gpt-6-luna", [Message::system("Answer briefly.")]);
    let mut line = String::new();
    while stdin().read_line(&mut line)? > 0 {
        request.messages.push(Message::user(line.trim()));
        line.clear();
        let mut chunks = client.chat().stream(&request).await?;
        let mut response = Accumulator::new();
        while let Some(chunk) = chunks.try_next().await? {
            if let Some(reasoning) = chunk.reasoning() {
                print!("\x1b[2m{reasoning}\x1b[0m");
            }
            print!("{}", chunk.text());
            stdout().flush()?;
            response.push(chunk);
        }
        println!();
        request.messages.extend(response.finish().map(|response| response.into_message()));
    }
    Ok(())
}
