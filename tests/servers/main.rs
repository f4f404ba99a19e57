//! Real servers from packages, started by `scripts/with-servers cargo test --test servers -- --ignored`. Each is asked for what it
//! has, by the types of this crate and by a raw call beside them, and has to say the same.

use openai_compatible::Client;

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
