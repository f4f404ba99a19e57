//! A conversation over the Responses API, streamed: `cargo run --example responses -- "Name three rivers." "How long are they?"`,
//! or your own questions without arguments.
//!
//! Set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where the server needs one, `OPENAI_API_KEY`. Servers that store nothing work, too.

use std::io::{BufRead, Write, stdin, stdout};

use openai_compatible::responses::{ResponseInput, ResponseRequest};
use openai_compatible::{Client, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    match run(std::env::args().skip(1).collect()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\nA small model without a key: scripts/with-local-model cargo run --example responses");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(questions: Vec<String>) -> Result<()> {
    let client = Client::from_env()?;
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-5-mini".to_owned());
    let mut request = ResponseRequest::new(model, ResponseInput::Items(Vec::new()));
    if questions.is_empty() {
        println!("Ask {} at {}. An empty line ends the conversation.", request.model, client.base_url());
        while let Some(question) = read_line() {
            request = answer(&client, request, question).await?;
        }
    }
    for question in questions {
        println!("\n> {question}");
        request = answer(&client, request, question).await?;
    }
    Ok(())
}

/// Prints the answer as it arrives, and returns the request of the next turn without its question.
async fn answer(client: &Client, request: ResponseRequest, question: String) -> Result<ResponseRequest> {
    let request = request.item(question);
    let mut events = client.responses().stream(&request).await?;
    while let Some(event) = events.try_next().await? {
        print!("{}", event.text_delta());
        stdout().flush().ok();
    }
    let response = events.collect().await?;
    let usage = response.usage.as_ref().map_or_else(|| "usage not reported".to_owned(), ToString::to_string);
    println!("\n\n[{usage}; {}]", response.status);
    Ok(request.follow_up(&response, ResponseInput::Items(Vec::new())))
}

fn read_line() -> Option<String> {
    print!("\n> ");
    stdout().flush().ok();
    let mut line = String::new();
    stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}
