//! Lists the models of a server: all, or those with a word in their name: `cargo run --example models -- mini`.
//!
//! Any server works: set `OPENAI_BASE_URL` and, where it needs one, `OPENAI_API_KEY`.

use console::style;
use openai_compatible::Client;

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let word = frame::words("");
    let client = Client::from_env()?;
    let all = client.models().list().await?.data;

    let mut found: Vec<_> = all.iter().filter(|model| model.id.contains(&word)).collect();
    found.sort_by_key(|model| &model.id);
    let widest = found.iter().map(|model| model.id.chars().count()).max().unwrap_or(0);
    for model in &found {
        println!("{:widest$}  {}", model.id, style(&model.owned_by).dim());
    }
    if let [only] = found.as_slice() {
        // What vendors add: context length, prices, capabilities.
        for (name, value) in only.extra.iter() {
            println!("  {name}: {value}");
        }
    }
    println!("\n{}", style(format!("{} of {} models at {}", found.len(), all.len(), client.base_url())).dim());
    Ok(())
}
