//! Text, said aloud: request and events.

use bytes::Bytes;
use serde_json::Value;

use super::Voice;
use crate::error::{Error, ErrorKind, Result};
use crate::stream::{EventStream, Progress, StreamItem, is_error};
use crate::transport::Answer;
use crate::transport::http::ResponseBody;
use crate::wire::Wire;
use crate::{Download, Extra};

wire! {
    /// A text to say. The method decides whether it comes as sound or as events.
    ///
    /// See [OpenAI: Speech](https://platform.openai.com/docs/api-reference/audio/createSpeech).
    #[doc(alias = "CreateSpeechRequest")]
    pub struct SpeechRequest {
        /// Name of the model, as the server lists it.
        pub model: String = always,
        /// The text, at most 4096 characters on OpenAI.
        pub input: String = always,
        /// Whose voice: a name that the server knows, or one of your own by id.
        pub voice: Voice = always,
        /// How to say it: mood, pace, accent. Not for `tts-1` and `tts-1-hd`.
        pub instructions: Option<String>,
        /// Format of the sound.
        pub response_format: Option<SpeechFormat>,
        /// Pace, 0.25 to 4.0: 1.0 is normal.
        pub speed: Option<f64>,
    }
}

impl SpeechRequest {
    /// A text for a model, and the voice to say it.
    pub fn new(model: impl Into<String>, input: impl Into<String>, voice: impl Into<Voice>) -> Self {
        SpeechRequest { model: model.into(), input: input.into(), voice: voice.into(), ..SpeechRequest::blank() }
    }
}

setters! { SpeechRequest {
    instructions: impl Into<String>,
    response_format: impl Into<SpeechFormat>,
    speed: f64,
} }

open_enum! {
    /// Format of sound.
    pub enum SpeechFormat {
        /// MP3.
        Mp3 = "mp3",
        /// Opus, for little delay.
        Opus = "opus",
        /// AAC.
        Aac = "aac",
        /// FLAC, without loss.
        Flac = "flac",
        /// WAV, not compressed.
        Wav = "wav",
        /// Samples without a header: on OpenAI 24 kHz, 16 bit, little-endian.
        Pcm = "pcm",
    }
}

open_union! {
    /// What streamed speech brings.
    ///
    /// See [OpenAI: Speech events](https://platform.openai.com/docs/api-reference/audio/speech-audio-delta-event).
    #[doc(alias = "CreateSpeechResponseStreamEvent")]
    pub enum SpeechEvent by "type" {
        /// New sound.
        Delta(SpeechDelta) = "speech.audio.delta",
        /// The end.
        Done(SpeechDone) = "speech.audio.done",
    }
}

wire! {
    /// New sound.
    pub struct SpeechDelta {
        /// The sound as base64; read it with [`SpeechEvent::audio_bytes`].
        pub audio: String,
    }

    /// The end of speech.
    pub struct SpeechDone {
        /// Tokens used.
        pub usage: Option<SpeechUsage>,
    }

    /// Tokens used by speech.
    pub struct SpeechUsage {
        /// Of the text.
        pub input_tokens: u64,
        /// Of the sound.
        pub output_tokens: u64,
        /// All.
        pub total_tokens: u64,
    }
}

/// Where servers put base64: OpenAI, Together, Mistral.
const AUDIO: [&str; 3] = ["audio", "b64", "audio_data"];

impl SpeechEvent {
    /// New sound, decoded; empty when the event brings none. Reads the events of Together and Mistral, too.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] when it is no base64.
    pub fn audio_bytes(&self) -> Result<Bytes> {
        self.audio().map_or(Ok(Bytes::new()), decode)
    }

    fn audio(&self) -> Option<&str> {
        match self {
            SpeechEvent::Delta(event) if !event.audio.is_empty() => Some(&event.audio),
            _ => AUDIO.iter().find_map(|name| self.extra().get(name)?.as_str()),
        }
    }
}

fn decode(audio: &str) -> Result<Bytes> {
    crate::base64::decode(audio)
        .map(Bytes::from)
        .map_err(|error| Error::new(ErrorKind::Decode, "the audio is no base64").with_source(error))
}

impl StreamItem for SpeechEvent {
    fn is_hollow(&self) -> bool {
        matches!(self.kind(), "" | "error") && self.audio().is_none()
    }

    fn extra(&self) -> &Extra {
        match self {
            SpeechEvent::Delta(event) => &event.extra,
            SpeechEvent::Done(event) => &event.extra,
            SpeechEvent::Other(members) => members,
        }
    }

    fn open(answer: &mut Answer) -> Result<EventStream<Self>> {
        // A server that does not stream events sends sound all the same.
        if answer.whole.media_type().starts_with("audio/") {
            let message = "audio came in place of events: this model needs `speak`";
            return Err(answer.whole.error(ErrorKind::Decode, message));
        }
        crate::stream::open(answer)
    }

    fn mark(&self, progress: &mut Progress) {
        match self {
            SpeechEvent::Done(_) => progress.end(0),
            _ => progress.begin(0),
        }
    }

    fn has_error(&self) -> bool {
        self.kind() == "error" || is_error(self.extra())
    }
}

/// Sound as it comes, or out of the JSON that Mistral wraps it in. Any other JSON is an error.
pub(super) fn open_audio(answer: &mut Answer) -> Result<Download> {
    if answer.open.is_none() {
        let reply = serde_json::from_slice::<Value>(&answer.whole.body).unwrap_or_default();
        let audio = AUDIO.iter().find_map(|name| reply.get(name)?.as_str());
        let audio = decode(audio.ok_or_else(|| answer.whole.in_place_of("audio"))?)?;
        // It named the JSON.
        answer.whole.headers.remove(http::header::CONTENT_TYPE);
        answer.open = Some(ResponseBody::from(audio));
    }
    Download::open(answer)
}
