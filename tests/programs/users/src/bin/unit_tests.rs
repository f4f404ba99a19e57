//! Code that calls a model, and its tests without a server.

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Client, Result};

async fn summarize(client: &Client, text: &str) -> Result<String> {
    let request = ChatRequest::new("gpt-6-luna", [Message::user(format!("Summarize: {text}"))]);
    Ok(client.chat().create(&request).await?.into_text())
}

#[tokio::main]
async fn main() -> Result<()> {
    println!("{}", summarize(&Client::from_env()?, "All about rivers.").await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use openai_compatible::ErrorKind;
    use openai_compatible::testing::{self, MockService};

    #[tokio::test]
    async fn summary_is_the_text_of_the_response() {
        let mock = MockService::new([testing::chat("Rivers flow.")]);
        assert_eq!(summarize(&mock.client().unwrap(), "Rivers").await.unwrap(), "Rivers flow.");
        assert_eq!(mock.requests()[0].json()["messages"][0]["content"], "Summarize: Rivers");
    }

    #[tokio::test(start_paused = true)]
    async fn busy_server_is_tried_again() {
        let mock = MockService::new([testing::json(503, "busy"), testing::chat("Rivers flow.")]);
        assert!(summarize(&mock.client().unwrap(), "Rivers").await.is_ok());
        assert_eq!(mock.requests().len(), 2);
    }

    #[tokio::test]
    async fn wrong_key_is_reported() {
        let mock = MockService::new([testing::json(401, "no such key")]);
        let error = summarize(&mock.client().unwrap(), "Rivers").await.unwrap_err();
        assert!(error.kind() == ErrorKind::Api && error.is_auth(), "{error}");
    }
}
