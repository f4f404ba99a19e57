//! A trait for what the program needs, with a model behind it, and a fake in the tests.

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

async fn greet(assistant: &dyn Assistant) -> Result<String> {
    assistant.ask("Hello").await
}

#[tokio::main]
async fn main() -> Result<()> {
    let assistant: Box<dyn Assistant> = Box::new(Model { client: Client::from_env()?, name: "gpt-6-luna".to_owned() });
    println!("{}", greet(assistant.as_ref()).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Parrot;

    impl Assistant for Parrot {
        fn ask<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
            Box::pin(async move { Ok(format!("{question}!")) })
        }
    }

    #[tokio::test]
    async fn greeting_passes_the_answer_on() {
        assert_eq!(greet(&Parrot).await.unwrap(), "Hello!");
    }
}
