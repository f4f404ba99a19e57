//! Real servers from packages, started by `scripts/with-servers cargo test --test servers -- --ignored`. Each is asked for what it
//! has, by the types of this crate and by a raw call beside them, and has to say the same.

use std::time::Duration;

use openai_compatible::Client;
use serde_json::Value;

mod aimock;
mod embeddings;
mod litellm;
mod ogx;
mod sound;

/// A variable that `scripts/with-servers` sets.
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this under scripts/with-servers"))
}

/// A client of a server, without retries: its errors are looked at.
fn client(server: &str) -> Client {
    let builder = Client::builder().base_url(variable(&format!("{server}_BASE_URL")));
    builder.api_key(variable(&format!("{server}_API_KEY"))).max_retries(0).build().unwrap()
}

/// Waits until the local model behind the servers is idle, and fails if it stays busy. llama.cpp shows its slots beside `/v1`.
async fn expect_idle_model() {
    let root = variable("OPENAI_BASE_URL").trim_end_matches("/v1").to_owned();
    let model = Client::builder().base_url(root).api_key(variable("OPENAI_API_KEY")).build().unwrap();
    let idle = async {
        loop {
            let slots: Vec<Value> = model.get("slots").await.unwrap();
            if slots.iter().all(|slot| slot["is_processing"] != true) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    // The response would take longer than that.
    tokio::time::timeout(Duration::from_secs(5), idle).await.expect("the model is still busy");
}
