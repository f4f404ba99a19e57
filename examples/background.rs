//! Runs a question in the background, for work that takes minutes: `cargo run --example background -- "Why is the sky blue?"`.
//!
//! Stopping this program does not stop the response: `cargo run --example background -- --wait resp_abc` goes on with it. Needs
//! a server that has background responses, such as OpenAI or OGX: set `OPENAI_BASE_URL`, `OPENAI_MODEL` and `OPENAI_API_KEY`.

use std::io::{Write, stderr};
use std::process::ExitCode;

use openai_compatible::responses::{Response, ResponseRequest};
use openai_compatible::{Client, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()).await {
        Ok(response) => {
            println!("\n{}", response.text());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\n{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> Result<Response> {
    let responses = Client::from_env()?.responses();
    let job = match arguments {
        [flag, id] if flag == "--wait" => responses.wait(id),
        [] => responses.run(request("Compare the three longest rivers of Europe.")),
        words => responses.run(request(&words.join(" "))),
    };
    job.on_progress(show).await
}

fn request(question: &str) -> ResponseRequest {
    ResponseRequest::new(std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-5-mini".to_owned()), question)
}

/// One line that changes in place.
fn show(response: &Response) {
    let usage = response.usage.as_ref().map_or_else(String::new, |usage| format!(", {usage}"));
    eprint!("\r{}: {}{usage}\x1b[K", response.id, response.status);
    stderr().flush().ok();
}
