//! Speech synthesis: request and events.

use bytes::Bytes;
use serde_json::Value;

use super::Voice;
use crate::error::{Error, ErrorKind, Result};
use crate::reply::download::Download;
use crate::reply::stream::{ChoiceTracker, EventStream, StreamItem, is_error};
use crate::transport::RawResponse;
use crate::transport::http::ResponseBody;
use crate::wire::Extra;
use crate::wire::Wire;

wire_struct! {
    /// A speech synthesis request. The method determines whether the response is an audio file or a stream of events.
    ///
    /// See [OpenAI: Speech](https://platform.openai.com/docs/api-reference/audio/createSpeech).
    pub struct SpeechRequest {
        /// Name of the model, as the server lists it.
        pub model: String = always,
        /// Text to synthesize, at most 4096 characters on OpenAI.
        pub input: String = always,
        /// Voice to use: a built-in voice by name, or a custom voice by id.
        pub voice: Voice = always,
        /// Instructions for tone, pace or accent. Ignored by models that do not support them.
        pub instructions: Option<String>,
        /// Audio format of the response.
        pub response_format: Option<SpeechFormat>,
        /// Speed of the speech, from 0.25 to 4.0; 1.0 is normal speed.
        pub speed: Option<f64> = finite,
    }
}

impl SpeechRequest {
    /// Creates a request from a model, a text and a voice.
    pub fn new(model: impl Into<String>, input: impl Into<String>, voice: impl Into<Voice>) -> Self {
        SpeechRequest {
            model: model.into(),
            input: input.into(),
            voice: voice.into(),
            ..SpeechRequest::default_value()
        }
    }
}

setters! { SpeechRequest {
    instructions: impl Into<String>,
    response_format: impl Into<SpeechFormat>,
    speed: f64,
} }

open_enum! {
    /// Audio format of synthesized speech.
    pub enum SpeechFormat {
        /// MP3.
        Mp3 = "mp3",
        /// Opus, for low latency.
        Opus = "opus",
        /// AAC.
        Aac = "aac",
        /// FLAC, lossless.
        Flac = "flac",
        /// WAV, uncompressed.
        Wav = "wav",
        /// Raw samples without a header; on OpenAI 24 kHz, 16-bit, little-endian.
        Pcm = "pcm",
    }
}

open_union! {
    /// An event of streamed speech.
    ///
    /// See [OpenAI: Speech events](https://platform.openai.com/docs/api-reference/audio/speech-audio-delta-event).
    pub enum SpeechEvent by "type" {
        /// New audio data.
        Delta(SpeechDelta) = "speech.audio.delta",
        /// The end of the speech.
        Done(SpeechDone) = "speech.audio.done",
    }
}

wire_struct! {
    /// New audio data of streamed speech.
    pub struct SpeechDelta {
        /// Base64-encoded audio; decode it with [`SpeechEvent::audio_bytes`].
        pub audio: String,
    }

    /// The end of streamed speech.
    pub struct SpeechDone {
        /// Token usage.
        pub usage: Option<SpeechUsage>,
    }

    /// Token usage of a speech request.
    pub struct SpeechUsage {
        /// Number of input text tokens.
        pub input_tokens: u64,
        /// Number of output audio tokens.
        pub output_tokens: u64,
        /// Total number of tokens.
        pub total_tokens: u64,
    }
}

/// Fields that contain the base64 audio: OpenAI, Together, Mistral.
const AUDIO: [&str; 3] = ["audio", "b64", "audio_data"];

impl SpeechEvent {
    /// Returns the decoded audio of the event, or an empty buffer if there is none.
    ///
    /// Also supports the events of Together and Mistral.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the audio is not valid base64.
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
    crate::wire::base64::decode(audio)
        .map(Bytes::from)
        .map_err(|error| Error::new(ErrorKind::Decode, "audio data is not valid base64").with_source(error))
}

impl StreamItem for SpeechEvent {
    fn has_no_payload(&self) -> bool {
        matches!(self.kind(), "" | "error") && self.audio().is_none()
    }

    fn extra(&self) -> &Extra {
        match self {
            SpeechEvent::Delta(event) => &event.extra,
            SpeechEvent::Done(event) => &event.extra,
            SpeechEvent::Other(members) => members,
        }
    }

    fn open(response: &mut RawResponse) -> Result<EventStream<Self>> {
        // Servers that do not support events send the audio itself.
        if response.buffered.media_type().starts_with("audio/") {
            let message = "expected an event stream, got audio; use `speak` for this model";
            return Err(response.buffered.error(ErrorKind::Decode, message));
        }
        crate::reply::stream::open(response)
    }

    fn track(&self, choices: &mut ChoiceTracker) {
        match self {
            SpeechEvent::Done(_) => choices.finish(0),
            _ => choices.start(0),
        }
    }

    fn has_error(&self) -> bool {
        self.kind() == "error" || is_error(self.extra())
    }
}

/// Opens the audio, which Mistral wraps in JSON. Any other JSON is an error.
pub(super) fn open_audio(response: &mut RawResponse) -> Result<Download> {
    if response.body_stream.is_none() {
        let json = serde_json::from_slice::<Value>(&response.buffered.body).unwrap_or_default();
        let audio = AUDIO.iter().find_map(|name| json.get(name)?.as_str());
        let audio = decode(audio.ok_or_else(|| response.buffered.unexpected_body_error("audio"))?)?;
        // The content type describes the JSON, not the audio.
        response.buffered.headers.remove(http::header::CONTENT_TYPE);
        response.body_stream = Some(ResponseBody::from(audio));
    }
    Download::open(response)
}
