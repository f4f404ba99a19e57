//! Says a text and saves it as a file: `cargo run --example speech -- "Mind the gap." gap.mp3`
//!
//! `OPENAI_MODEL` names the model, `OPENAI_BASE_URL` and `OPENAI_API_KEY` the server, `VOICE` the voice.

use openai_compatible::Client;
use openai_compatible::audio::{SpeechFormat, SpeechRequest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let text = arguments.next().unwrap_or_else(|| "Mind the gap.".into());
    let path = arguments.next().unwrap_or_else(|| "speech.mp3".into());
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "tts-1".into());
    let voice = std::env::var("VOICE").unwrap_or_else(|_| "alloy".into());
    let client = Client::from_env()?;

    let request = SpeechRequest::new(model, text, voice).response_format(SpeechFormat::Mp3);
    let download = client.audio().speak(&request).await?.on_progress(|received, _| eprint!("\r{received} bytes"));
    let length = download.save_to(&path).await?;
    println!("\r{path}: {length} bytes");
    Ok(())
}
