//! A conversation with a real server, recorded to a file and replayed without it.
//!
//! `scripts/with-local-model cargo run --example record`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where the server
//! needs one, `OPENAI_API_KEY`.

use openai_compatible::ClientBuilder;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::testing::Recorder;

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let file = std::env::temp_dir().join(format!("rivers-{}.json", std::process::id()));
    let model = frame::model(frame::models::CHAT);
    let request = ChatRequest::new(model, [Message::user("Name a river.")]).max_tokens(20);

    for _ in 0..2 {
        // The first time, there is no such file. In a test, it is a file of the repository.
        let recorder = Recorder::new(&file)?;
        let client = ClientBuilder::from_env().http_service(recorder.clone()).build()?;
        let response = client.chat().stream(&request).await?.collect().await?;
        println!("{}: {}", if recorder.is_replaying() { "replayed" } else { "recorded" }, response.text().trim());
    }
    println!(
        "\n{}",
        std::fs::read_to_string(&file).unwrap_or_default().lines().take(20).collect::<Vec<_>>().join("\n")
    );
    let _ = std::fs::remove_file(file);
    Ok(())
}
