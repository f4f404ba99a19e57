//! A conversation over the Responses API, streamed: `cargo run --example responses -- "Name three rivers." "How long are they?"`,
//! or your own questions without arguments.
//!
//! Set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where the server needs one, `OPENAI_API_KEY`. Servers that store nothing work, too.

use std::io::{BufRead, Write, stdin, stdout};

use console::style;
use openai_compatible::Client;
use openai_compatible::responses::{ResponseInput, ResponseRequest};

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let client = Client::from_env()?;
    let mut request = ResponseRequest::new(frame::model(frame::models::CHAT), ResponseInput::Items(Vec::new()));
    let questions: Vec<_> = std::env::args().skip(1).collect();
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

/// Prints the response as it arrives, and returns the request of the next turn without its question.
async fn answer(client: &Client, request: ResponseRequest, question: String) -> frame::Result<ResponseRequest> {
    let request = request.item(question);
    let mut events = client.responses().stream(&request).await?;
    while let Some(event) = events.try_next().await? {
        print!("{}{}", style(event.reasoning_delta()).dim(), event.text_delta());
        stdout().flush().ok();
    }
    let response = events.collect().await?;
    let usage = response.usage.as_ref().map_or_else(|| "usage not reported".to_owned(), ToString::to_string);
    println!("\n\n{}", style(format!("{usage}; {}", response.status)).dim());
    Ok(request.follow_up(&response, ResponseInput::Items(Vec::new())))
}

fn read_line() -> Option<String> {
    print!("\n> ");
    stdout().flush().ok();
    let mut line = String::new();
    stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}
