//! Passes a chat stream on to browsers as server-sent events that end with `[DONE]`.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::{Json, Router, routing::post};
use futures::{Stream, StreamExt, stream};
use openai_compatible::Client;
use openai_compatible::chat::ChatRequest;
use serde_json::json;

type Refusal = (StatusCode, String);

async fn chat(
    State(client): State<Client>,
    Json(request): Json<ChatRequest>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let refusal = |status: StatusCode| move |error: openai_compatible::Error| (status, error.to_string());
    request.check().map_err(refusal(StatusCode::BAD_REQUEST))?;
    let chunks = client.chat().stream(request).await.map_err(refusal(StatusCode::BAD_GATEWAY))?;
    let events = chunks.map(|chunk| match chunk {
        Ok(chunk) => Event::default().json_data(chunk),
        Err(error) => Event::default().json_data(json!({ "error": { "message": error.to_string() } })),
    });
    let events = events.chain(stream::iter([Ok(Event::default().data("[DONE]"))]));
    Ok(Sse::new(events.map(|event| Ok(event.unwrap_or_default()))))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let routes = Router::new().route("/chat", post(chat)).with_state(Client::from_env()?);
    axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, routes).await?;
    Ok(())
}
