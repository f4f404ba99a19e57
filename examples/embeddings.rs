//! Finds the sentences nearest to a question: `cargo run --example embeddings -- "Which animal is fast?"`.
//!
//! Any server works that has `/embeddings`: set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where it needs one,
//! `OPENAI_API_KEY`.

use openai_compatible::Client;
use openai_compatible::embeddings::EmbeddingRequest;

mod frame;

const SENTENCES: [&str; 7] = [
    "The cheetah runs faster than any other animal on land.",
    "Bread needs flour, water, salt and yeast.",
    "The Danube flows through ten countries.",
    "A sloth moves so slowly that moss grows on it.",
    "Rust checks at compile time who may change a value.",
    "Let the dough rest for an hour, then put it in the oven.",
    "Rivers carry sand from the mountains to the sea.",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let question = frame::words("How do I bake a loaf?");
    let client = Client::from_env()?;
    let model = frame::model(frame::models::EMBEDDING);
    let sentences = client.embeddings().create(EmbeddingRequest::new(&model, SENTENCES)).await?;
    let query = client.embeddings().create(EmbeddingRequest::new(&model, &question)).await?;
    let Some(query) = query.data.first() else { return Err("the server returned no vector".into()) };

    println!("{question}\n");
    for (found, similarity) in sentences.nearest(query, SENTENCES.len()) {
        let bar = "▪".repeat((similarity.max(0.0) * 20.0) as usize);
        println!("{similarity:6.3}  {bar:<20}  {}", SENTENCES[found.index as usize]);
    }
    println!("\n{} dimensions, by {}", query.embedding.len(), client.base_url());
    Ok(())
}
