//! Texts, classified as harmful or not: `cargo run --example moderate -- "A text" "Another one"`.
//!
//! Set `OPENAI_API_KEY`, or `OPENAI_BASE_URL` for another server that has `/moderations`.

use openai_compatible::Client;
use openai_compatible::moderations::ModerationRequest;

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let mut texts: Vec<String> = std::env::args().skip(1).collect();
    if texts.is_empty() {
        texts = vec!["The Nile is long.".to_owned()];
    }
    let mut request = ModerationRequest::new(texts.clone());
    request.model = std::env::var("OPENAI_MODEL").ok();
    let results = Client::from_env()?.moderations().create(&request).await?.results;
    for (text, result) in texts.iter().zip(&results) {
        let categories: Vec<_> = result.flagged_categories().collect();
        println!("{:<8} {text} {}", if result.flagged { "flagged" } else { "fine" }, categories.join(", "));
    }
    Ok(())
}
