//! Azure: the v1 paths with a key, the classic ones with a token of Entra.

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Client, Result};

/// A real program asks Azure's identity library, which caches the token.
async fn entra_token() -> std::io::Result<String> {
    std::fs::read_to_string("/var/run/secrets/entra-token")
}

#[tokio::main]
async fn main() -> Result<()> {
    let resource = "https://my-resource.openai.azure.com";
    let with_key = Client::builder().azure(resource).api_key("key").build()?;
    let with_token = Client::builder()
        .azure_classic(resource, "2024-10-21")
        .entra_token_provider(|| async { Ok(entra_token().await?) })
        .build()?;
    // The model is the name of the deployment.
    let request = ChatRequest::new("my-deployment", [Message::user("Name a river.")]);
    for client in [with_key, with_token] {
        println!("{}", client.chat().create(&request).await?.text());
    }
    Ok(())
}
