//! Reads a text aloud into a file: `cargo run --example speech -- "Mind the gap." gap.mp3`
//!
//! `OPENAI_BASE_URL` and `OPENAI_API_KEY` name the server, `OPENAI_MODEL` the model, `VOICE` the voice.

use openai_compatible::Client;
use openai_compatible::audio::{SpeechFormat, SpeechRequest};

mod frame;

#[tokio::main]
async fn main() -> frame::Result {
    let mut arguments = std::env::args().skip(1);
    let text = arguments.next().unwrap_or_else(|| "Mind the gap.".into());
    let path = arguments.next().map_or_else(|| frame::new_file("speech", "mp3"), Into::into);
    let voice = std::env::var("VOICE").unwrap_or_else(|_| "af_heart".into());
    let client = Client::from_env()?;

    let request = SpeechRequest::new(frame::model(frame::models::SPEECH), text, voice);
    let download = client.audio().speak(request.response_format(SpeechFormat::Mp3)).await?;
    let progress = frame::Progress::bytes("speech");
    let download = download.on_progress(move |received, total| progress.set(received, total.unwrap_or(0)));
    let length = download.save_to(&path).await?;
    println!("{}: {length} bytes", path.display());
    Ok(())
}
