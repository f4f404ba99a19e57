//! Testing your own code without a network: ready-made replies in place of a server. Needs no model.
//!
//! `cargo run --example testing`, and the same lines work in a `#[tokio::test(start_paused = true)]`.

use std::time::Duration;

use futures::TryStreamExt;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::testing::{self, MockService};
use openai_compatible::{Client, ErrorKind, HttpErrorKind, Result};

mod frame;

/// The code under test.
async fn summarise(client: &Client, text: &str) -> Result<String> {
    let question = format!("Summarise in one sentence: {text}");
    let request = ChatRequest::new("llama3.2", [Message::user(question)]);
    Ok(client.chat().create(&request).await?.text().into_owned())
}

/// More code under test.
async fn stream(client: &Client) -> Result<String> {
    let request = ChatRequest::new("llama3.2", [Message::user("Name a river.")]);
    client.chat().stream(&request).await?.texts().try_collect().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    // A busy server, a connection that fails, then an answer: the client tries again by itself.
    let replies = MockService::new([
        testing::json(503, "busy").header("retry-after-ms", "10"),
        testing::http_error(HttpErrorKind::Connect),
        testing::chat("Rivers flow.").delay(Duration::from_millis(20)),
    ]);
    let client = replies.client()?;
    println!("summary: {}", summarise(&client, "All about rivers").await?);
    for request in replies.requests() {
        println!("- sent {request:?}, retry {}", request.header("x-stainless-retry-count").unwrap_or_default());
    }

    // A stream, and one that breaks off before its end.
    replies.push(testing::chat_stream(["The ", "Nile."]));
    replies.push(testing::chat_stream(["The ", "Ni"]).interrupted());
    println!("stream: {}", stream(&client).await?);
    println!("cut stream: {:?}", stream(&client).await.map_err(|error| error.to_string()));

    // An error as the server words it.
    replies.push(testing::json(401, serde_json::json!({"error": {"message": "no such key"}})));
    match summarise(&client, "…").await {
        Err(error) if error.kind() == ErrorKind::Api => println!("refused: {error}"),
        other => println!("not what was expected: {other:?}"),
    }
    Ok(())
}
