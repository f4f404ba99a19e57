//! Two hundred calls at once, as fast as the server allows.

use futures::{StreamExt, stream};
use openai_compatible::chat::{ChatRequest, Message, Usage};
use openai_compatible::{ClientBuilder, RateLimiter};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let limiter = RateLimiter::new().max_concurrency(50);
    let client = ClientBuilder::from_env().rate_limiter(limiter).max_retries(5).build()?;
    let calls = (0..200).map(|n| {
        let request = ChatRequest::new("gpt-6-luna", [Message::user(format!("Is {n} a prime number?"))]);
        client.chat().create(request)
    });
    let mut responses = stream::iter(calls).buffered(200).enumerate();
    let (mut usage, mut failed) = (Usage::default(), 0);
    while let Some((n, response)) = responses.next().await {
        match response {
            Ok(response) => {
                println!("{n}: {}", response.text());
                if let Some(tokens) = &response.usage {
                    usage += tokens;
                }
            }
            Err(error) => {
                eprintln!("{n}: {error}");
                failed += 1;
            }
        }
    }
    println!("{usage}; {failed} failed");
    Ok(())
}
