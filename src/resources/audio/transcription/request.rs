//! Recordings to write down.

use serde_json::Value;

use crate::FileSource;
use crate::wire::{Json, NotJson, Read, Wire, Writer, object};

wire! {
    /// A recording to write down, in its own language.
    ///
    /// The method decides the format of the reply and whether it streams. See
    /// [OpenAI: Transcription](https://platform.openai.com/docs/api-reference/audio/createTranscription).
    #[doc(alias = "CreateTranscriptionRequest")]
    pub struct TranscriptionRequest {
        /// The recording. Its name needs the ending of its format, such as `.mp3`.
        pub file: FileSource = always,
        /// Name of the model, as the server lists it.
        pub model: String = always,
        /// Language of the recording (ISO 639-1), such as `en`.
        pub language: Option<String>,
        /// Languages that may be spoken, for models that take several.
        pub languages: Vec<String>,
        /// Words that may come and are easily misheard: names, terms.
        pub keywords: Vec<String>,
        /// Text before the recording, or in the style that is wanted, in the language of the recording.
        pub prompt: Option<String>,
        /// Randomness, 0.0 to 1.0.
        pub temperature: Option<f64>,
        /// What else the reply brings.
        pub include: Vec<TranscriptionInclude>,
        /// Which times to tell. Goes with [`transcribe_verbose`](crate::audio::Audio::transcribe_verbose).
        pub timestamp_granularities: Vec<TimestampGranularity>,
        /// How the recording is cut before it is written down.
        pub chunking_strategy: Option<ChunkingStrategy>,
        /// Names for up to 4 speakers, for a diarizing model.
        pub known_speaker_names: Vec<String>,
        /// A sample of each named speaker, 2 to 10 seconds as a data URL, in the order of the names.
        pub known_speaker_references: Vec<String>,
    }

    /// A recording to write down in English.
    ///
    /// See [OpenAI: Translation](https://platform.openai.com/docs/api-reference/audio/createTranslation).
    #[doc(alias = "CreateTranslationRequest")]
    pub struct TranslationRequest {
        /// The recording. Its name needs the ending of its format, such as `.mp3`.
        pub file: FileSource = always,
        /// Name of the model, as the server lists it.
        pub model: String = always,
        /// English text before the recording, or in the style that is wanted.
        pub prompt: Option<String>,
        /// Randomness, 0.0 to 1.0.
        pub temperature: Option<f64>,
    }

    /// Where the server cuts a recording: in its silences.
    pub struct ServerVad {
        /// Sound kept before speech begins, in milliseconds.
        pub prefix_padding_ms: Option<u32>,
        /// Silence that ends a piece, in milliseconds.
        pub silence_duration_ms: Option<u32>,
        /// How loud speech is, 0.0 to 1.0: higher where the surroundings are noisy.
        pub threshold: Option<f64>,
    }
}

impl TranscriptionRequest {
    /// A recording for a model.
    pub fn new(model: impl Into<String>, file: impl Into<FileSource>) -> Self {
        TranscriptionRequest { model: model.into(), file: file.into(), ..TranscriptionRequest::blank() }
    }

    /// Names a speaker by a sample of 2 to 10 seconds, given as a data URL: see [`FileSource::data_url`].
    pub fn known_speaker(mut self, name: impl Into<String>, data_url: impl Into<String>) -> Self {
        self.known_speaker_names.push(name.into());
        self.known_speaker_references.push(data_url.into());
        self
    }
}

setters! { TranscriptionRequest {
    language: impl Into<String>,
    languages: [String],
    keywords: [String],
    prompt: impl Into<String>,
    temperature: f64,
    include: [TranscriptionInclude],
    timestamp_granularities: [TimestampGranularity],
    chunking_strategy: impl Into<ChunkingStrategy>,
    known_speaker_names: [String],
    known_speaker_references: [String],
} }

impl TranslationRequest {
    /// A recording for a model.
    pub fn new(model: impl Into<String>, file: impl Into<FileSource>) -> Self {
        TranslationRequest { model: model.into(), file: file.into(), ..TranslationRequest::blank() }
    }
}

setters! { TranslationRequest {
    prompt: impl Into<String>,
    temperature: f64,
} }

impl ServerVad {
    /// Silences as the server finds them.
    pub fn new() -> Self {
        ServerVad::blank()
    }
}

impl Default for ServerVad {
    fn default() -> Self {
        ServerVad::blank()
    }
}

setters! { ServerVad {
    prefix_padding_ms: u32,
    silence_duration_ms: u32,
    threshold: f64,
} }

open_enum! {
    /// What else a transcription brings.
    pub enum TranscriptionInclude {
        /// How likely each token is.
        Logprobs = "logprobs",
    }

    /// Which times a transcription tells.
    pub enum TimestampGranularity {
        /// Of each word.
        Word = "word",
        /// Of each segment.
        Segment = "segment",
    }
}

/// How a recording is cut before it is written down.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ChunkingStrategy {
    /// `auto`: as the server thinks best.
    Auto,
    /// In its silences.
    ServerVad(ServerVad),
    /// Any other way.
    Other(Value),
}

impl From<&str> for ChunkingStrategy {
    fn from(name: &str) -> Self {
        match name {
            "auto" => ChunkingStrategy::Auto,
            other => ChunkingStrategy::Other(other.into()),
        }
    }
}

impl From<ServerVad> for ChunkingStrategy {
    fn from(vad: ServerVad) -> Self {
        ChunkingStrategy::ServerVad(vad)
    }
}

serde_of_wire! { ChunkingStrategy }

impl Wire for ChunkingStrategy {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        *self = match json.peek()? {
            b'{' if json.tag("type")? == "server_vad" => {
                let mut vad = ServerVad::blank();
                object::read_without(&mut vad, json, Some("type"))?;
                ChunkingStrategy::ServerVad(vad)
            }
            _ => match json.value()? {
                Value::String(name) => name.as_str().into(),
                other => ChunkingStrategy::Other(other),
            },
        };
        Ok(Read::Fits)
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            ChunkingStrategy::Auto => writer.text("auto"),
            ChunkingStrategy::ServerVad(vad) => object::write(vad, writer, &[("type", "server_vad".into())], &[]),
            ChunkingStrategy::Other(value) => writer.json(value),
        }
    }

    fn blank() -> Self {
        ChunkingStrategy::Other(Value::Null)
    }
}
