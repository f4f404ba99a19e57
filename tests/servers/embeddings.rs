//! A real embedding model.

use openai_compatible::Client;
use openai_compatible::embeddings::{EmbeddingRequest, EncodingFormat};
use serde_json::{Value, json};

const TEXTS: [&str; 4] = [
    "query: rivers flow to the sea",
    "query: bread is baked in an oven",
    "query: rust has no null",
    "query: the cat sleeps",
];

fn client() -> Client {
    super::client("EMBEDDINGS")
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn floats_and_base64_are_the_vectors_that_the_server_wrote() {
    let client = client();
    let raw: Value = client.post("embeddings", &json!({"model": "m", "input": TEXTS})).await.unwrap();
    let request = EmbeddingRequest::new("m", TEXTS);
    let floats = client.embeddings().create(&request).await.unwrap();
    assert_eq!(floats.data.len(), TEXTS.len());
    for (embedding, raw) in floats.data.iter().zip(raw["data"].as_array().unwrap()) {
        let raw: Vec<f32> = serde_json::from_value(raw["embedding"].clone()).unwrap();
        assert_eq!(*embedding.embedding, raw[..]);
    }
    let base64 = client.embeddings().create(request.encoding_format(EncodingFormat::Base64)).await.unwrap();
    for (one, other) in floats.data.iter().zip(&base64.data) {
        assert!(one.cosine_similarity(other) > 0.9999);
    }
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn the_nearest_text_is_the_one_about_the_same() {
    let client = client();
    let known = client.embeddings().create_all(EmbeddingRequest::new("m", TEXTS)).batch_size(2).await.unwrap();
    let query = client.embeddings().create(EmbeddingRequest::new("m", "query: how do I make a loaf?")).await.unwrap();
    let nearest = known.nearest(&query.data[0], 1);
    assert_eq!(nearest[0].0.index, 1);
}
