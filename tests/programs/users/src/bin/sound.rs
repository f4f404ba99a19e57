//! Transcribes a recording, and reads the text aloud.

use openai_compatible::audio::{SpeechRequest, TranscriptionRequest};
use openai_compatible::{Client, FileSource};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let audio = Client::from_env()?.audio();
    let request = TranscriptionRequest::new("gpt-transcribe", FileSource::path("talk.mp3"));
    let text = audio.transcribe(&request).await?.text;
    audio.speak(SpeechRequest::new("kokoro", text, "af_heart")).await?.save_to("again.mp3").await?;
    Ok(())
}
