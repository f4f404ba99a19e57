//! Tokens counted by the server, exactly for its model, and a conversation that stays within the context window.
//!
//! `scripts/with-local-model cargo run --example count`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where the server
//! needs one, `OPENAI_API_KEY`.

use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::tokens::TokenCounter;

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let client = Client::from_env()?;
    let model = frame::model(frame::models::CHAT);
    let models = client.models().list().await?;
    let context = models.data.iter().find(|known| known.id == model).and_then(|model| model.context_window());
    println!("context window: {}", context.map_or("unknown".to_owned(), |tokens| tokens.to_string()));

    let counter = TokenCounter::new(&client);
    let mut request = ChatRequest::new(model, [Message::system("You are brief.")]);
    for river in ["Nile", "Rhine", "Amazon", "Danube", "Volga", "Ganges", "Loire", "Tiber"] {
        request.messages.push(Message::user(format!("Tell me about the river {river}.")));
        request.messages.push(Message::assistant(format!("The {river} is long.")));
    }
    request.messages.push(Message::user("Which is the longest?"));
    println!("{} tokens in {} messages", counter.count(&request).await?, request.messages.len());
    let left = counter.trim_to_budget(&mut request, 120).await?;
    println!("{left} tokens in {} messages, within 120", request.messages.len());
    Ok(())
}
