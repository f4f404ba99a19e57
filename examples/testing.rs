//! Tests of your own code without a network, with a mock. Needs no model.
//!
//! `cargo run --example testing`, and the same lines work in a `#[tokio::test(start_paused = true)]`.

use std::time::Duration;

use futures::TryStreamExt;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::testing::{self, MockService};
use openai_compatible::{Client, ErrorKind, HttpErrorKind, Result};

mod frame;

/// The code under test.
async fn summarize(client: &Client, text: &str) -> Result<String> {
    let question = format!("Summarize in one sentence: {text}");
    let request = ChatRequest::new("llama3.2", [Message::user(question)]);
    Ok(client.chat().create(&request).await?.into_text())
}

/// More code under test.
async fn stream(client: &Client) -> Result<String> {
    let request = ChatRequest::new("llama3.2", [Message::user("Name a river.")]);
    client.chat().stream(&request).await?.texts().try_collect().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    // A busy server, a connection that fails, then a response: the client retries.
    let mock = MockService::new([
        testing::json(503, "busy").header("retry-after-ms", "10"),
        testing::http_error(HttpErrorKind::Connect),
        testing::chat("Rivers flow.").delay(Duration::from_millis(20)),
    ]);
    let client = mock.client()?;
    println!("summary: {}", summarize(&client, "All about rivers").await?);
    for request in mock.requests() {
        println!("- sent {request:?}, retry {}", request.header("x-stainless-retry-count").unwrap_or_default());
    }

    // A stream, and one that is interrupted.
    mock.push(testing::chat_stream(["The ", "Nile."]));
    mock.push(testing::chat_stream(["The ", "Ni"]).interrupted());
    println!("stream: {}", stream(&client).await?);
    println!("interrupted stream: {:?}", stream(&client).await.map_err(|error| error.to_string()));

    // An error as the server words it.
    mock.push(testing::json(401, serde_json::json!({"error": {"message": "no such key"}})));
    match summarize(&client, "…").await {
        Err(error) if error.kind() == ErrorKind::Api => println!("rejected: {error}"),
        other => println!("not what was expected: {other:?}"),
    }
    Ok(())
}
