//! Tries several servers in order and reports which one responded: `cargo run --example failover [QUESTION]`.
//!
//! The first one is a port on which nobody listens, the second one your own: `OPENAI_BASE_URL`, `OPENAI_MODEL` and,
//! where it needs one, `OPENAI_API_KEY`.

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Client, Failover, FailoverTarget};

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let model = frame::model(frame::models::CHAT);
    let nobody = Client::builder().base_url("http://127.0.0.1:9/v1").build()?;
    let targets = Failover::new([
        FailoverTarget::new(nobody, "llama-3.3-70b").name("the first server"),
        FailoverTarget::new(Client::from_env()?, &model).name("the second server"),
    ]);
    let question = frame::words("Name three rivers.");
    let request = ChatRequest::new(model, [Message::user(question)]).max_tokens(60);

    // The first target fails and cools down, so that the second request goes to the second target at once.
    for _ in 0..2 {
        let response = targets.chat(&request).await?;
        for (target, error) in response.failures() {
            println!("{target} failed: {error}");
        }
        println!("{}: {}\n", response.target(), response.text().trim());
    }
    Ok(())
}
