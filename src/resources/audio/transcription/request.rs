//! Requests for transcription and translation.

use serde_json::Value;

use crate::transport::file_source::FileSource;
use crate::wire::{Input, InvalidInput, Output, ReadOutcome, Wire, from_members};

wire_struct! {
    /// A transcription request.
    ///
    /// The method determines the response format and whether the response is streamed. See
    /// [OpenAI: Transcription](https://platform.openai.com/docs/api-reference/audio/createTranscription).
    pub struct TranscriptionRequest {
        /// Audio file to transcribe. Its name must have the extension of its format, such as `.mp3`.
        pub file: FileSource = always,
        /// Name of the model, as the server lists it.
        pub model: String = always,
        /// Language of the audio (ISO 639-1), such as `en`.
        pub language: Option<String>,
        /// Languages that may occur in the audio, for models that accept several.
        pub languages: Vec<String>,
        /// Words that are easily misheard, such as names and technical terms.
        pub keywords: Vec<String>,
        /// Text that precedes the audio or sets the style, in the language of the audio.
        pub prompt: Option<String>,
        /// Sampling temperature, from 0.0 to 1.0.
        pub temperature: Option<f64> = finite,
        /// Additional data to include in the response.
        pub include: Vec<TranscriptionInclude>,
        /// Timestamps to include. Requires [`transcribe_verbose`](crate::audio::Audio::transcribe_verbose).
        pub timestamp_granularities: Vec<TimestampGranularity>,
        /// Strategy for splitting the audio before transcription.
        pub chunking_strategy: Option<ChunkingStrategy>,
        /// Names of up to 4 speakers, for diarization models.
        pub known_speaker_names: Vec<String>,
        /// Audio sample of each named speaker, 2 to 10 seconds as a data URL, in the order of the names.
        pub known_speaker_references: Vec<String>,
    }

    /// A request to translate audio into English.
    ///
    /// See [OpenAI: Translation](https://platform.openai.com/docs/api-reference/audio/createTranslation).
    pub struct TranslationRequest {
        /// Audio file to translate. Its name must have the extension of its format, such as `.mp3`.
        pub file: FileSource = always,
        /// Name of the model, as the server lists it.
        pub model: String = always,
        /// English text that precedes the audio or sets the style.
        pub prompt: Option<String>,
        /// Sampling temperature, from 0.0 to 1.0.
        pub temperature: Option<f64> = finite,
    }

    /// Options for server-side voice activity detection, which splits the audio at silences.
    pub struct ServerVad {
        /// Audio to keep before the start of speech, in milliseconds.
        pub prefix_padding_ms: Option<u32>,
        /// Silence that ends a chunk, in milliseconds.
        pub silence_duration_ms: Option<u32>,
        /// Detection threshold, from 0.0 to 1.0. Use higher values in noisy environments.
        pub threshold: Option<f64> = finite,
    }
}

impl TranscriptionRequest {
    /// Creates a request from a model and an audio file.
    pub fn new(model: impl Into<String>, file: impl Into<FileSource>) -> Self {
        TranscriptionRequest { model: model.into(), file: file.into(), ..TranscriptionRequest::default_value() }
    }

    /// Adds a named speaker with an audio sample of 2 to 10 seconds as a data URL: see [`FileSource::data_url`].
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
    /// Creates a request from a model and an audio file.
    pub fn new(model: impl Into<String>, file: impl Into<FileSource>) -> Self {
        TranslationRequest { model: model.into(), file: file.into(), ..TranslationRequest::default_value() }
    }
}

setters! { TranslationRequest {
    prompt: impl Into<String>,
    temperature: f64,
} }

impl ServerVad {
    /// Creates an empty set of options.
    pub fn new() -> Self {
        ServerVad::default_value()
    }
}

setters! { ServerVad {
    prefix_padding_ms: u32,
    silence_duration_ms: u32,
    threshold: f64,
} }

open_enum! {
    /// Additional data in a transcription.
    pub enum TranscriptionInclude {
        /// Log probabilities of the tokens.
        Logprobs = "logprobs",
    }

    /// Granularity of the timestamps in a transcription.
    pub enum TimestampGranularity {
        /// Timestamps of words.
        Word = "word",
        /// Timestamps of segments.
        Segment = "segment",
    }
}

/// Strategy for splitting audio before transcription.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ChunkingStrategy {
    /// `auto`: the server decides.
    Auto,
    /// Splits the audio at silences.
    ServerVad(ServerVad),
    /// Any other strategy.
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
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        *self = match input.value()? {
            Value::String(name) => name.as_str().into(),
            Value::Object(mut members) if members.get("type").is_some_and(|tag| tag == "server_vad") => {
                members.remove("type");
                ChunkingStrategy::ServerVad(from_members(members))
            }
            other => ChunkingStrategy::Other(other),
        };
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        match self {
            ChunkingStrategy::Auto => Output::String("auto"),
            ChunkingStrategy::ServerVad(vad) => Output::Tagged(vad, "type", "server_vad"),
            ChunkingStrategy::Other(value) => Output::Value(value),
        }
    }

    fn default_value() -> Self {
        ChunkingStrategy::Other(Value::Null)
    }
}
