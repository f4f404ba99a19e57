//! Writes down a recording: `cargo run --example transcribe -- talk.mp3`
//!
//! `OPENAI_MODEL` names the model, `OPENAI_BASE_URL` and `OPENAI_API_KEY` the server.

use openai_compatible::audio::TranscriptionRequest;
use openai_compatible::{Client, FileSource};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("give the path of a recording")?;
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "whisper-1".into());
    let client = Client::from_env()?;

    let request = TranscriptionRequest::new(model, FileSource::path(path));
    let reply = client.audio().transcribe_verbose(&request).await?;
    for segment in &reply.segments {
        println!("{:>8.2} s {}", segment.start, segment.text);
    }
    // Servers that know no segments give the text alone.
    if reply.segments.is_empty() {
        println!("{}", reply.text);
    }
    Ok(())
}
