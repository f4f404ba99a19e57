//! Two providers with keys of one's own, and which of them responded.

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Client, Failover, FailoverTarget, Provider, Result};

fn provider(provider: Provider, key: &str) -> Result<Client> {
    Client::builder().provider(provider).api_key(key).build()
}

#[tokio::main]
async fn main() -> Result<()> {
    let targets = Failover::new([
        FailoverTarget::new(provider(Provider::Groq, "key-from-vault-1")?, "llama-3.3-70b-versatile"),
        FailoverTarget::new(provider(Provider::OpenRouter, "key-from-vault-2")?, "meta-llama/llama-3.3-70b-instruct"),
    ]);
    let request = ChatRequest::new("", [Message::user("Name three rivers.")]);
    let response = targets.chat(&request).await?;
    for (target, error) in response.failures() {
        eprintln!("{target} failed: {error}");
    }
    println!("{}: {}", response.target(), response.text());
    Ok(())
}
