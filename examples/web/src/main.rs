//! A page to chat with a model: `scripts/with-local-model cargo run --manifest-path examples/web/Cargo.toml`.
//!
//! The key stays on the server: the browser sends messages, and receives the chunks of the stream as they arrive. Reads
//! `OPENAI_BASE_URL`, `OPENAI_API_KEY` and `OPENAI_MODEL`; listens on port 3000, or that in `PORT`.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{StreamExt, stream};
use openai_compatible::chat::{ChatRequest, Message, ThinkingTags};
use openai_compatible::{Client, Error};
use serde_json::json;

#[derive(Clone)]
struct App {
    client: Client,
    model: String,
}

/// Passes the chunks on, then `[DONE]`. If the browser goes away, the stream is dropped, and the model stops, too.
async fn chat(State(app): State<App>, Json(messages): Json<Vec<Message>>) -> Response {
    let request = ChatRequest::new(app.model, messages).include_usage(true);
    let chunks = match app.client.chat().stream(request).await {
        Ok(chunks) => chunks.split_thinking(ThinkingTags::default()),
        Err(error) => return (StatusCode::BAD_GATEWAY, Json(as_json(&error))).into_response(),
    };
    let events = chunks.map(|chunk| match chunk {
        Ok(chunk) => Event::default().json_data(chunk),
        Err(error) => Event::default().json_data(as_json(&error)),
    });
    let done = stream::iter([Ok(Event::default().data("[DONE]"))]);
    let events = events.chain(done).map(|event| Ok::<_, Infallible>(event.unwrap_or_default()));
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// One sentence, which never contains the key.
fn as_json(error: &Error) -> serde_json::Value {
    json!({ "error": { "message": error.to_string() } })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-6-luna".to_owned());
    let app = App { client: Client::from_env()?, model };
    let routes = Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/chat", post(chat))
        .with_state(app);
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(3000);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}
