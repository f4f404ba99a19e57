//! Talks to a model: `cargo run --example chat -- "Why is the sky blue?"`, or a conversation without a question.
//!
//! Any server works: set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where it needs one, `OPENAI_API_KEY`.

use std::io::{BufRead, Write, stdin, stdout};
use std::process::ExitCode;
use std::time::Instant;

use openai_compatible::chat::{Accumulator, ChatRequest, Message};
use openai_compatible::{Client, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect::<Vec<_>>().join(" ")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\nA small model without a key: scripts/with-local-model cargo run --example chat");
            ExitCode::FAILURE
        }
    }
}

async fn run(question: String) -> Result<()> {
    let client = Client::from_env()?;
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-4o-mini".to_owned());
    let mut request = ChatRequest::new(model, []).include_usage(true);
    if !question.is_empty() {
        return answer(&client, &mut request, question).await;
    }
    println!("Ask {} at {}. An empty line ends the conversation.", request.model, client.base_url());
    loop {
        print!("\n> ");
        stdout().flush().ok();
        let mut line = String::new();
        if stdin().lock().read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            return Ok(());
        }
        answer(&client, &mut request, line.trim().to_owned()).await?;
    }
}

async fn answer(client: &Client, request: &mut ChatRequest, question: String) -> Result<()> {
    request.messages.push(Message::user(question));
    let (asked, mut first_token, mut reply) = (Instant::now(), None, Accumulator::new());
    let mut chunks = client.chat().stream(&*request).await?;
    while let Some(chunk) = chunks.try_next().await? {
        if !chunk.text().is_empty() {
            first_token.get_or_insert(asked.elapsed());
        }
        print!("{}", chunk.text());
        stdout().flush().ok();
        reply.push(chunk);
    }
    let Some(reply) = reply.finish() else { return Ok(()) };
    let usage = reply.usage.as_ref().map_or_else(|| "usage not reported".to_owned(), ToString::to_string);
    println!("\n\n[{usage}; first token after {:.2} s]", first_token.unwrap_or_default().as_secs_f64());
    request.messages.push(reply.into_message());
    Ok(())
}
