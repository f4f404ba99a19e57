//! The voices of a server: `cargo run --example voices`.
//!
//! Set `OPENAI_BASE_URL` for a server that lists them: Kokoro, Speaches, LocalAI, vLLM. `speech` speaks with one.

use openai_compatible::Client;

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    for voice in Client::from_env()?.audio().voices().list().await? {
        println!("{:<24} {}", voice.id, voice.name);
    }
    Ok(())
}
