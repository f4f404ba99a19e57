//! Lists what a server can run: all of it, or what has a word in its name: `cargo run --example models -- mini`.
//!
//! Any server works: set `OPENAI_BASE_URL` and, where it needs one, `OPENAI_API_KEY`.

use std::process::ExitCode;

use openai_compatible::{Client, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&std::env::args().nth(1).unwrap_or_default()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(word: &str) -> Result<()> {
    let client = Client::from_env()?;
    let all = client.models().list().await?.data;

    let mut found: Vec<_> = all.iter().filter(|model| model.id.contains(word)).collect();
    found.sort_by_key(|model| &model.id);
    let widest = found.iter().map(|model| model.id.chars().count()).max().unwrap_or(0);
    for model in &found {
        println!("{:widest$}  {}", model.id, model.owned_by);
    }
    if let [only] = found.as_slice() {
        // What vendors tell: context length, prices, capabilities.
        for (name, value) in only.extra.iter() {
            println!("  {name}: {value}");
        }
    }
    println!("\n{} of {} models at {}", found.len(), all.len(), client.base_url());
    Ok(())
}
