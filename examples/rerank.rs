//! Documents sorted by relevance: `cargo run --example rerank -- "Which animal is fast?"`.
//!
//! Not part of OpenAI's API: set `OPENAI_BASE_URL` and `OPENAI_MODEL` for vLLM, llama.cpp, Jina, Cohere, Voyage, …

use openai_compatible::Client;
use openai_compatible::rerank::RerankRequest;

mod frame;

const DOCUMENTS: [&str; 4] = [
    "The cheetah runs faster than any other animal on land.",
    "Bread needs flour, water, salt and yeast.",
    "A sloth moves so slowly that moss grows on it.",
    "The Danube flows through ten countries.",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let question = frame::words("Which animal is fast?");
    let model = frame::model(frame::models::RERANK);
    let request = RerankRequest::new(model, question, DOCUMENTS).top_n(3);
    for result in Client::from_env()?.rerank().create(&request).await?.results {
        println!("{:7.3}  {}", result.relevance_score, result.text());
    }
    Ok(())
}
