//! Asks several servers in order and says who answered: `cargo run --example failover [QUESTION]`.
//!
//! The first one is a port on which nobody listens, the second one your own: `OPENAI_BASE_URL`, `OPENAI_MODEL` and,
//! where it needs one, `OPENAI_API_KEY`.

use std::process::ExitCode;

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Client, Failover, FailoverTarget, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect::<Vec<_>>().join(" ")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(question: String) -> Result<()> {
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-4o-mini".to_owned());
    let nobody = Client::builder().base_url("http://127.0.0.1:9/v1").build()?;
    let targets = Failover::new([
        FailoverTarget::new(nobody, "llama-3.3-70b").name("the first server"),
        FailoverTarget::new(Client::from_env()?, &model).name("the second server"),
    ]);
    let question = if question.is_empty() { "Name three rivers.".to_owned() } else { question };
    let request = ChatRequest::new(model, [Message::user(question)]).max_tokens(60);

    // The first target fails and rests; the second question goes to the second target at once.
    for _ in 0..2 {
        let answer = targets.chat(&request).await?;
        for (target, error) in answer.failures() {
            println!("{target} did not answer: {error}");
        }
        println!("{} answers: {}\n", answer.target(), answer.text().trim());
    }
    Ok(())
}
