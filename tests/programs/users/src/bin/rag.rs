//! Answers a question from the lines of a file, found by embeddings.

use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::embeddings::EmbeddingRequest;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let client = Client::from_env()?;
    let question = std::env::args().nth(1).unwrap_or_else(|| "Which river is long?".to_owned());
    let text = std::fs::read_to_string("facts.txt")?;
    let facts: Vec<&str> = text.lines().collect();

    let embed = |texts| EmbeddingRequest::new("text-embedding-3-small", texts);
    let progress = |done, total| eprintln!("{done} of {total}");
    let known = client.embeddings().create_all(embed(facts.clone())).on_progress(progress).await?;
    let query = client.embeddings().create(embed(vec![&question])).await?;

    let found = known.nearest(&query.data[0], 5);
    let context: Vec<_> = found.iter().map(|(item, _)| facts[item.index as usize]).collect();
    let prompt = format!("{}\n\nFrom these facts only: {question}", context.join("\n"));
    let response = client.chat().create(ChatRequest::new("gpt-6-luna", [Message::user(prompt)])).await?;
    println!("{}", response.text());
    Ok(())
}
