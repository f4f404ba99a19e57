//! Finds the sentences nearest to a question: `cargo run --example embeddings -- "Which animal is fast?"`.
//!
//! Any server works that has `/embeddings`: set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where it needs one,
//! `OPENAI_API_KEY`.

use std::process::ExitCode;

use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::{Client, Result};

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
async fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let question = if words.is_empty() { "How do I bake a loaf?".to_owned() } else { words.join(" ") };
    match run(&question).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(question: &str) -> Result<()> {
    let client = Client::from_env()?;
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "text-embedding-3-small".to_owned());

    let mut inputs = SENTENCES.to_vec();
    inputs.push(question);
    let mut vectors = client.embeddings().create(EmbeddingRequest::new(model, inputs)).await?.data;
    let Some(question_vector) = vectors.pop() else { return Ok(()) };

    let mut nearest: Vec<_> =
        SENTENCES.into_iter().zip(vectors.iter().map(|vector| vector.cosine_similarity(&question_vector))).collect();
    nearest.sort_by(|(_, one), (_, other)| other.total_cmp(one));

    println!("{question}\n");
    for (sentence, likeness) in nearest {
        println!("{likeness:6.3}  {:<20}  {sentence}", "▪".repeat((likeness.max(0.0) * 20.0) as usize));
    }
    println!("\n{} dimensions, by {}", question_vector.embedding.len(), client.base_url());
    Ok(())
}
