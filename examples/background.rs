//! Runs a question in the background, for work that takes minutes: `cargo run --example background -- "Why is the sky blue?"`.
//!
//! Stopping this program does not stop the response: `cargo run --example background -- --wait resp_abc` resumes waiting. Needs
//! a server with background responses, such as OpenAI or OGX: set `OPENAI_BASE_URL`, `OPENAI_MODEL` and `OPENAI_API_KEY`.

use console::style;
use openai_compatible::Client;
use openai_compatible::responses::{Response, ResponseRequest};

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let responses = Client::from_env()?.responses();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let job = match arguments.as_slice() {
        [flag, id] if flag == "--wait" => responses.wait(id),
        _ => {
            let question = frame::words("Compare the three longest rivers of Europe.");
            responses.run(ResponseRequest::new(frame::model(frame::models::CHAT), question))
        }
    };
    println!("{}", job.on_progress(show).await?.text());
    Ok(())
}

fn show(response: &Response) {
    let usage = response.usage.as_ref().map_or_else(String::new, |usage| format!(", {usage}"));
    eprintln!("{}", style(format!("{}: {}{usage}", response.id, response.status)).dim());
}
