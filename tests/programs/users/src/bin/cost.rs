//! What calls cost, by the prices of one's own contract.

use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message, Usage};

/// Dollars for a million tokens: input, input from the cache, output.
const PRICES: (f64, f64, f64) = (0.10, 0.01, 0.50);

fn dollars(usage: &Usage) -> f64 {
    // Cached tokens are part of the prompt, reasoning tokens of the completion.
    let cached = usage.cached_tokens().unwrap_or(0);
    let fresh = usage.prompt_tokens.saturating_sub(cached);
    let (input, cache, output) = PRICES;
    let computed = fresh as f64 * input + cached as f64 * cache + usage.completion_tokens as f64 * output;
    usage.cost().unwrap_or(computed / 1e6) // some servers report it
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let client = Client::from_env()?;
    let (mut total, mut paid) = (Usage::default(), 0.0);
    for river in ["Nile", "Rhine", "Loire"] {
        let question = Message::user(format!("Where is the {river}?"));
        let request = ChatRequest::new("gpt-6-luna", [question]).include_usage(true);
        let response = client.chat().stream(&request).await?.collect().await?;
        if let Some(usage) = &response.usage {
            println!("{river}: {usage}, ${:.6}", dollars(usage));
            total += usage;
            paid += dollars(usage);
        }
    }
    println!("{total}, ${paid:.6}");
    Ok(())
}
