//! Clients from a client: one for each tenant, over the same connections.
//!
//! `scripts/with-local-model cargo run --example tenants`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where the server
//! needs one, `OPENAI_API_KEY`.

use std::time::Duration;

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{CallOptions, Client};

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let shared = Client::from_env()?;
    let model = frame::model(frame::models::CHAT);
    let request = ChatRequest::new(model, [Message::user("Name a river.")]).max_tokens(20);

    for tenant in ["acme", "globex"] {
        // A key of its own would be `.api_key(…)`.
        let client = shared.with(|settings| settings.header("x-tenant", tenant).timeout(Duration::from_secs(60)))?;
        // The same options serve a call, a tool run, a batch and the other helpers.
        let options = CallOptions::new().header("x-request", "1").max_retries(4);
        let response = client.chat().create(&request).options(options).with_response().await?;
        println!("{tenant}: {} ({:.1?})", response.text().trim(), response.elapsed());
    }
    Ok(())
}
