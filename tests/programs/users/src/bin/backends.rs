//! A trait for what the program needs, with a real backend and a fake one.

use futures::future::BoxFuture;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Client, Result};

trait Assistant: Send + Sync {
    fn ask<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>>;
}

struct Model {
    client: Client,
    name: String,
}

impl Assistant for Model {
    fn ask<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        let request = ChatRequest::new(&self.name, [Message::user(question)]);
        Box::pin(async move { Ok(self.client.chat().create(&request).await?.into_text()) })
    }
}

struct Parrot;

impl Assistant for Parrot {
    fn ask<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move { Ok(format!("{question}!")) })
    }
}

async fn greet(assistant: &dyn Assistant) -> Result<String> {
    assistant.ask("Hello").await
}

#[tokio::main]
async fn main() -> Result<()> {
    let assistant: Box<dyn Assistant> = match Client::from_env() {
        Ok(client) => Box::new(Model { client, name: "gpt-6-luna".to_owned() }),
        Err(_) => Box::new(Parrot),
    };
    println!("{}", greet(assistant.as_ref()).await?);
    Ok(())
}

#[tokio::test]
async fn greeting_passes_the_answer_on() {
    assert_eq!(greet(&Parrot).await.unwrap(), "Hello!");
}
