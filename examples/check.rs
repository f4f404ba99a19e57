//! A request in a configuration file, checked before it is sent: `cargo run --example check [FILE.json]`. Needs no server.

use openai_compatible::chat::ChatRequest;

mod frame;

const WITH_MISTAKES: &str = r#"{
    "model": "llama3.2",
    "temprature": 0.2,
    "max_tokens": "many",
    "top_k": 40,
    "messages": [{ "role": "usr", "content": "Name three rivers." }]
}"#;

fn main() -> frame::Result {
    let text = match std::env::args().nth(1) {
        Some(file) => std::fs::read_to_string(file)?,
        None => WITH_MISTAKES.to_owned(),
    };
    let request: ChatRequest = serde_json::from_str(&text)?;
    match request.check() {
        Ok(()) => println!("{} messages for {}: no mistakes", request.messages.len(), request.model),
        // All of them at once, each with its place.
        Err(error) => error.to_string().split("; ").for_each(|mistake| println!("{mistake}")),
    }
    Ok(())
}
