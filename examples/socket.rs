//! A server on a Unix socket: `cargo run --example socket -- unix:///run/llama.sock:/v1`.
//!
//! vLLM listens on one with `--uds`, llama.cpp with `--host /run/llama.sock`. Every other example takes the same address
//! in `OPENAI_BASE_URL`.

use openai_compatible::Client;

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let address = std::env::args().nth(1).ok_or("usage: cargo run --example socket -- unix:///run/llama.sock:/v1")?;
    for model in Client::builder().base_url(address).build()?.models().list().await?.data {
        println!("{}", model.id);
    }
    Ok(())
}
