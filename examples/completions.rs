//! Continues a text, word by word: `cargo run --example completions -- "Once upon a time"`.
//!
//! Any server works that has `/completions`: set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where it needs one,
//! `OPENAI_API_KEY`.

use std::io::{Write, stdout};
use std::process::ExitCode;

use openai_compatible::completions::CompletionRequest;
use openai_compatible::{Client, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let beginning = if words.is_empty() { "Once upon a time, a small crab".to_owned() } else { words.join(" ") };
    match run(beginning).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(beginning: String) -> Result<()> {
    let client = Client::from_env()?;
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-3.5-turbo-instruct".to_owned());
    let request = CompletionRequest::new(model, &beginning).max_tokens(80).temperature(0.7).include_usage(true);

    let mut pieces = client.completions().stream(&request).await?;
    print!("{beginning}");
    let (mut reason, mut usage) = (None, None);
    while let Some(piece) = pieces.try_next().await? {
        print!("{}", piece.text());
        stdout().flush().ok();
        reason = piece.finish_reason().or(reason);
        usage = piece.usage.or(usage);
    }

    println!("\n\nIt ends with `{}`.", reason.map_or_else(String::new, |reason| reason.to_string()));
    if let Some(usage) = usage {
        println!("{usage}");
    }
    Ok(())
}
