//! Transcribes a recording: `cargo run --example transcribe -- talk.mp3`
//!
//! `OPENAI_BASE_URL` and `OPENAI_API_KEY` name the server, `OPENAI_MODEL` the model.

use openai_compatible::audio::TranscriptionRequest;
use openai_compatible::{Client, FileSource};

mod frame;

#[tokio::main]
async fn main() -> frame::Result {
    let path = std::env::args().nth(1).ok_or("usage: cargo run --example transcribe -- RECORDING")?;
    let client = Client::from_env()?;
    let progress = frame::Progress::bytes("upload");
    let recording = FileSource::path(path).on_progress(move |sent, total| progress.set(sent, total.unwrap_or(0)));

    let request = TranscriptionRequest::new(frame::model(frame::models::TRANSCRIPTION), recording);
    println!("{}", client.audio().transcribe(&request).await?.text.trim());
    Ok(())
}
