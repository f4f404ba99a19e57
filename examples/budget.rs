//! A conversation that stays within the model's context window, however long it gets.
//!
//! `scripts/with-local-model cargo run --features tokens --example budget`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL` and,
//! where the server needs one, `OPENAI_API_KEY`.

use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::tokens::{count, trim_to_budget};

mod frame;

/// Tokens for the prompt: what the model can take, less what its answer needs.
const BUDGET: usize = 220;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let client = Client::from_env()?;
    let model = frame::model(frame::models::CHAT);
    let mut request = ChatRequest::new(&model, [Message::system("You are brief.")]).max_tokens(40);

    for river in ["Nile", "Rhine", "Amazon", "Danube", "Volga", "Ganges", "Loire", "Tiber"] {
        request.messages.push(Message::user(format!("Tell me about the river {river}.")));
        let before = request.messages.len();
        let tokens = trim_to_budget(&mut request.messages, BUDGET, |messages| count(messages, &model));
        let removed = before - request.messages.len();

        let response = client.chat().create(&request).await?;
        let real = response.usage.as_ref().map_or("?".to_owned(), |usage| usage.prompt_tokens.to_string());
        println!("{river}: {tokens} tokens counted, {real} by the server; {removed} messages removed");
        request.messages.push(response.into_message());
    }
    Ok(())
}
