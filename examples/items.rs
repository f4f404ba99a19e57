//! The items of an array, each as soon as it is complete.
//!
//! `scripts/with-local-model cargo run --example items`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where the server
//! needs one, `OPENAI_API_KEY`.

use futures::TryStreamExt;
use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message, ResponseFormat, strict_schema};
use serde::Deserialize;
use serde_json::json;

mod frame;

#[derive(Deserialize)]
struct River {
    name: String,
    continent: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let client = Client::from_env()?;
    let model = frame::model(frame::models::CHAT);
    let text = json!({"type": "string", "minLength": 3, "maxLength": 20});
    let river = json!({"type": "object", "properties": {"name": text, "continent": text}});
    // At the root, strict mode wants an object: the array becomes its only member, and is found there.
    let schema = strict_schema(json!({"type": "array", "items": river, "minItems": 3, "maxItems": 5}))?;
    let request = ChatRequest::new(model, [Message::user("List five rivers, each with its continent.")])
        .response_format(ResponseFormat::json_schema("rivers", schema))
        .max_tokens(300);

    let mut rivers = client.chat().stream(&request).await?.items::<River>();
    while let Some(river) = rivers.try_next().await? {
        println!("{:<20} {}", river.name, river.continent);
    }
    Ok(())
}
