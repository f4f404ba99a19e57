//! Speech by Piper, and what Whisper understands of it.

use openai_compatible::FileSource;
use openai_compatible::audio::{SpeechRequest, TranscriptionRequest, TranslationRequest};
use serde_json::{Value, json};

const SENTENCE: &str = "The quick brown fox jumps over the lazy dog.";

async fn spoken() -> Vec<u8> {
    let request = SpeechRequest::new("tts-1", SENTENCE, "alloy").response_format("wav");
    super::client("SPEECH").audio().speak(&request).await.unwrap().bytes().await.unwrap().to_vec()
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn speech_is_a_sound_file_and_errors_are_errors() {
    let client = super::client("SPEECH");
    let sound = spoken().await;
    assert_eq!((&sound[..4], &sound[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    let body = json!({"model": "tts-1", "input": SENTENCE, "voice": "alloy", "response_format": "wav"});
    let error = client.post::<Value>("audio/speech", &body).await.unwrap_err();
    assert!(
        error.to_string().contains("bytes of `audio/"),
        "a sound is no JSON, and the error says what came: {error}"
    );
    assert!(client.models().list().await.unwrap().data.iter().any(|model| model.id == "tts-1"));
    // A page of its own in place of what it does not have.
    let error = client.audio().voices().list().await.unwrap_err();
    assert!(error.to_string().contains("got HTML"), "{error}");
    let stranger = client.with(|settings| settings.api_key("wrong-key-123")).unwrap();
    let error = stranger.audio().speak(SpeechRequest::new("tts-1", "Hi.", "alloy")).await.unwrap_err();
    assert!(error.is_auth(), "{error:#?}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn what_was_spoken_is_transcribed_whole_with_segments_and_in_the_loop_for_streams() {
    let audio = super::client("WHISPER").audio();
    let file = FileSource::bytes("fox.wav", spoken().await);
    let request = TranscriptionRequest::new("whisper-1", file.clone());
    let text = audio.transcribe(&request).await.unwrap().text;
    assert!(text.to_lowercase().contains("quick brown fox"), "{text}");
    let verbose = audio.transcribe_verbose(&request).await.unwrap();
    assert_eq!(verbose.text, text);
    assert!(verbose.duration > Some(1.0) && !verbose.segments.is_empty(), "{verbose:?}");

    // It does not stream.
    let mut events = audio.transcribe_stream(&request).await.unwrap();
    let mut printed = String::new();
    while let Some(event) = events.try_next().await.unwrap() {
        printed += event.delta();
    }
    assert_eq!(printed, text);

    let translated = audio.translate(TranslationRequest::new("whisper-1", file)).await.unwrap().text;
    assert!(translated.to_lowercase().contains("fox"), "{translated}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn a_file_that_is_no_sound_is_an_error_of_the_server() {
    let audio = super::client("WHISPER").audio();
    let error = audio.transcribe(TranscriptionRequest::new("whisper-1", FileSource::bytes("a.wav", "no sound"))).await;
    assert!(error.unwrap_err().status().is_some_and(|status| !status.is_success()));
}
