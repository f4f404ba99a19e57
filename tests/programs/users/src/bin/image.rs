//! Asks about a picture.

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Client, FileSource};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let message = Message::user_with_image_file("What is this?", FileSource::path("cat.png")).await?;
    let response = Client::from_env()?.chat().create(ChatRequest::new("gpt-6-luna", [message])).await?;
    println!("{}", response.text());
    Ok(())
}
