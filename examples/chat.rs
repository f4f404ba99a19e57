//! Talks to a model: `cargo run --example chat -- "Why is the sky blue?"`, or a conversation without a question.
//!
//! Any server works: set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where it needs one, `OPENAI_API_KEY`.

use std::io::{BufRead, Write, stdin, stdout};

use console::style;
use openai_compatible::Client;
use openai_compatible::chat::{Accumulator, ChatRequest, Message};

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let client = Client::from_env()?;
    let mut request = ChatRequest::new(frame::model(frame::models::CHAT), []).include_usage(true);
    let question = frame::words("");
    if !question.is_empty() {
        return answer(&client, &mut request, question).await;
    }
    println!("Ask {} at {}. An empty line ends the conversation.", request.model, client.base_url());
    loop {
        print!("\n> ");
        stdout().flush().ok();
        let mut line = String::new();
        if stdin().lock().read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(());
        }
        answer(&client, &mut request, line.trim().to_owned()).await?;
    }
}

/// Prints the reasoning dim and the text as they arrive, and adds the message to the conversation.
async fn answer(client: &Client, request: &mut ChatRequest, question: String) -> frame::Result {
    request.messages.push(Message::user(question));
    let mut chunks = client.chat().stream(&*request).await?;
    let (mut response, mut is_reasoning) = (Accumulator::new(), false);
    while let Some(chunk) = chunks.try_next().await? {
        if let Some(reasoning) = chunk.reasoning() {
            print!("{}", style(reasoning).dim());
            is_reasoning = true;
        }
        if !chunk.text().is_empty() && std::mem::take(&mut is_reasoning) {
            print!("\n\n");
        }
        print!("{}", chunk.text());
        stdout().flush().ok();
        response.push(chunk);
    }
    let first = chunks.timing().time_to_first_output.unwrap_or_default();
    let Some(response) = response.finish() else { return Ok(()) };
    let usage = response.usage.as_ref().map_or_else(|| "usage not reported".to_owned(), ToString::to_string);
    println!("\n\n{}", style(format!("{usage}; first token after {first:.2?}")).dim());
    request.messages.push(response.into_message());
    Ok(())
}
