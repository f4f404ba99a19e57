//! What is said, as text: requests, replies in all formats, and events.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::call::Decode;
use crate::error::Result;
use crate::stream::{Progress, StreamItem, is_error};
use crate::transport::Answer;
use crate::transport::decode::Whole;
use crate::wire::{Read, Wire};
use crate::{Extra, FileSource};

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
        /// Which times to tell. Goes with [`transcribe_verbose`](super::Audio::transcribe_verbose).
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

    /// A format that is no JSON.
    pub enum TextFormat {
        /// The text alone.
        Text = "text",
        /// SubRip subtitles.
        Srt = "srt",
        /// WebVTT subtitles.
        Vtt = "vtt",
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

impl Serialize for ChunkingStrategy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ChunkingStrategy::Auto => serializer.serialize_str("auto"),
            ChunkingStrategy::ServerVad(request) => {
                crate::wire::With { request, added: &[("type", json!("server_vad"))] }.serialize(serializer)
            }
            ChunkingStrategy::Other(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ChunkingStrategy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::deserialize(deserializer)
    }
}

impl Wire for ChunkingStrategy {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        Ok(Read::Value(match Value::deserialize(deserializer)? {
            Value::String(name) => name.as_str().into(),
            Value::Object(mut members) if members.get("type").is_some_and(|kind| kind == "server_vad") => {
                members.remove("type");
                ChunkingStrategy::ServerVad(crate::wire::read_members(members))
            }
            other => ChunkingStrategy::Other(other),
        }))
    }

    fn blank() -> Self {
        ChunkingStrategy::Other(Value::Null)
    }
}

wire! {
    /// What is said.
    ///
    /// *Providers*: what Groq (`x_groq`), Together (`speaker_segments`), Mistral (`language`, `segments`) and others
    /// add stands in `extra`.
    #[doc(alias = "CreateTranscriptionResponseJson")]
    pub struct Transcription {
        /// The text.
        pub text: String = always,
        /// Languages that were heard.
        pub languages: Vec<TranscriptionLanguage>,
        /// How likely each token is, when `include` asked for it.
        pub logprobs: Option<Vec<TokenLogprob>>,
        /// What the request is charged for.
        pub usage: Option<TranscriptionUsage>,
    }

    /// What is said, and when.
    #[doc(alias = "CreateTranscriptionResponseVerboseJson")]
    #[doc(alias = "CreateTranslationResponseVerboseJson")]
    pub struct VerboseTranscription {
        /// `transcribe` or `translate`.
        pub task: Option<String>,
        /// Language of the recording: its English name, or its code.
        pub language: Option<String>,
        /// Length of the recording in seconds.
        pub duration: Option<f64>,
        /// The text.
        pub text: String = always,
        /// The words and their times, when `timestamp_granularities` asked for them.
        pub words: Vec<TranscriptionWord> = by(read_words),
        /// The segments and their times.
        pub segments: Vec<TranscriptionSegment>,
        /// What the request is charged for.
        pub usage: Option<TranscriptionUsage>,
    }

    /// Who says what, and when.
    #[doc(alias = "CreateTranscriptionResponseDiarizedJson")]
    pub struct DiarizedTranscription {
        /// `transcribe`.
        pub task: Option<String>,
        /// Length of the recording in seconds.
        pub duration: Option<f64>,
        /// The text of all speakers.
        pub text: String = always,
        /// What one speaker says at a stretch.
        pub segments: Vec<DiarizedSegment>,
        /// What the request is charged for.
        pub usage: Option<TranscriptionUsage>,
    }

    /// What is said, in English.
    #[doc(alias = "CreateTranslationResponseJson")]
    pub struct Translation {
        /// The text.
        pub text: String = always,
    }

    /// A language that was heard.
    pub struct TranscriptionLanguage {
        /// Its code, such as `en`.
        pub code: String = always,
    }

    /// A token and how likely it is.
    pub struct TokenLogprob {
        /// The token.
        pub token: String,
        /// Natural logarithm of its probability.
        pub logprob: f64,
        /// Its UTF-8 bytes.
        pub bytes: Option<Vec<u8>>,
    }

    /// A word and its time.
    pub struct TranscriptionWord {
        /// The word.
        pub word: String,
        /// Where it begins, in seconds.
        pub start: f64,
        /// Where it ends, in seconds.
        pub end: f64,
    }

    /// Some words and their time.
    pub struct TranscriptionSegment {
        /// Its id: a number on most servers.
        pub id: String,
        /// Where the model began to listen, in hundredths of a second.
        pub seek: i64,
        /// Where it begins, in seconds.
        pub start: f64,
        /// Where it ends, in seconds.
        pub end: f64,
        /// The text.
        pub text: String,
        /// Its tokens by their ids.
        pub tokens: Vec<u32>,
        /// Randomness it was written down with.
        pub temperature: Option<f64>,
        /// Mean log probability of its tokens: below −1.0 it is doubtful.
        pub avg_logprob: Option<f64>,
        /// How well its text compresses: above 2.4 it repeats itself.
        pub compression_ratio: Option<f64>,
        /// Probability that nothing is said.
        pub no_speech_prob: Option<f64>,
    }

    /// What one speaker says at a stretch.
    pub struct DiarizedSegment {
        /// `transcript.text.segment`; blank in an event, whose kind it is.
        pub type_ as "type": String,
        /// Its id.
        pub id: String,
        /// Where it begins, in seconds.
        pub start: f64,
        /// Where it ends, in seconds.
        pub end: f64,
        /// The text.
        pub text: String,
        /// Who says it: a name that you gave, or `A`, `B`, …
        pub speaker: String,
    }

    /// What a transcription is charged for: tokens, or seconds. What a server does not tell is `None`.
    #[doc(alias = "TranscriptTextUsageTokens")]
    #[doc(alias = "TranscriptTextUsageDuration")]
    pub struct TranscriptionUsage {
        /// `tokens` or `duration`; missing on some servers.
        pub type_ as "type": Option<String>,
        /// Tokens of the recording and the prompt.
        pub input_tokens: Option<u64>,
        /// Of which kind those are.
        pub input_token_details: Option<InputTokenDetails>,
        /// Tokens of the text.
        pub output_tokens: Option<u64>,
        /// All tokens.
        pub total_tokens: Option<u64>,
        /// Length of the recording in seconds.
        pub seconds: Option<f64>,
    }

    /// Of which kind input tokens are.
    pub struct InputTokenDetails {
        /// Of the prompt.
        pub text_tokens: u64,
        /// Of the recording.
        pub audio_tokens: u64,
    }
}

replies! {
    Transcription: text,
    VerboseTranscription: text,
    DiarizedTranscription: text,
    Translation: text,
}

/// LocalAI names a word's text as it names a segment's.
fn read_words(words: Value) -> Read<Vec<TranscriptionWord>> {
    let mut read = Vec::<TranscriptionWord>::read(words).unwrap_or_else(|_: serde_json::Error| Read::Value(Vec::new()));
    if let Read::Value(words) = &mut read {
        for word in words.iter_mut().filter(|word| word.word.is_empty()) {
            if let Some(Value::String(text)) = word.extra.remove("text") {
                word.word = text;
            }
        }
    }
    read
}

impl TextFormat {
    /// How its reply becomes text.
    pub(super) fn decode(&self) -> Decode<String> {
        match self {
            TextFormat::Other(_) => |answer| text(answer, false),
            _ => |answer| text(answer, true),
        }
    }
}

/// The body as it came; or the text in it, where a server wraps text in JSON. An error in disguise is an error.
fn text(answer: &mut Answer, unwrap: bool) -> Result<String> {
    let whole = &answer.whole;
    let is_json = whole.is_json();
    let is_object = whole.body.trim_ascii_start().starts_with(b"{");
    let value = if is_json || is_object { serde_json::from_slice::<Value>(&whole.body).ok() } else { None };
    match value {
        Some(Value::String(text)) if unwrap => Ok(text),
        Some(Value::Object(members)) => match members.get("text").and_then(Value::as_str) {
            Some(text) if unwrap => Ok(text.to_owned()),
            None if unwrap && is_json || members.get("error").is_some_and(|error| !error.is_null()) => {
                Err(whole.in_place_of("text"))
            }
            _ => Ok(untouched(whole)),
        },
        None if whole.is_html() => Err(whole.in_place_of("text")),
        _ => Ok(untouched(whole)),
    }
}

fn untouched(whole: &Whole) -> String {
    String::from_utf8_lossy(&whole.body).into_owned()
}

open_union! {
    /// What a streamed transcription brings.
    ///
    /// See [OpenAI: Transcription events](https://platform.openai.com/docs/api-reference/audio/transcript-text-delta-event).
    #[doc(alias = "CreateTranscriptionResponseStreamEvent")]
    pub enum TranscriptionEvent by "type" {
        /// New text.
        Delta(TranscriptionDelta) = "transcript.text.delta",
        /// What one speaker says at a stretch, whole.
        Segment(DiarizedSegment) = "transcript.text.segment",
        /// The whole text: the end.
        Done(TranscriptionDone) = "transcript.text.done",
    }
}

wire! {
    /// New text.
    pub struct TranscriptionDelta {
        /// The text.
        pub delta: String = always,
        /// How likely each token is, when `include` asked for it.
        pub logprobs: Option<Vec<TokenLogprob>>,
        /// The segment that it belongs to.
        pub segment_id: Option<String>,
    }

    /// The whole text.
    pub struct TranscriptionDone {
        /// The text.
        pub text: String = always,
        /// Languages that were heard.
        pub languages: Vec<TranscriptionLanguage>,
        /// How likely each token is, when `include` asked for it.
        pub logprobs: Option<Vec<TokenLogprob>>,
        /// What the request is charged for.
        pub usage: Option<TranscriptionUsage>,
    }
}

impl TranscriptionEvent {
    /// New text; empty when the event brings none. Reads the events of vLLM and Mistral, too.
    pub fn delta(&self) -> &str {
        match self {
            TranscriptionEvent::Delta(event) => &event.delta,
            TranscriptionEvent::Segment(_) | TranscriptionEvent::Done(_) => "",
            TranscriptionEvent::Other(members) => {
                let text = match self.kind() {
                    "transcription.text.delta" => members.get("text"),
                    _ => first_choice(members).and_then(|choice| choice.get("delta")?.get("content")),
                };
                text.and_then(Value::as_str).unwrap_or_default()
            }
        }
    }

    fn is_end(&self) -> bool {
        match self {
            TranscriptionEvent::Delta(_) | TranscriptionEvent::Segment(_) => false,
            TranscriptionEvent::Done(_) => true,
            TranscriptionEvent::Other(members) => {
                self.kind() == "transcription.done"
                    || first_choice(members)
                        .is_some_and(|choice| choice.get("finish_reason").is_some_and(Value::is_string))
            }
        }
    }
}

/// vLLM streams a transcription in the chunks of a chat.
fn first_choice(members: &Extra) -> Option<&Value> {
    members.get("choices")?.get(0)
}

impl StreamItem for TranscriptionEvent {
    fn is_hollow(&self) -> bool {
        matches!(self.kind(), "" | "error") && !self.extra().contains_key("choices")
    }

    fn extra(&self) -> &Extra {
        match self {
            TranscriptionEvent::Delta(event) => &event.extra,
            TranscriptionEvent::Segment(event) => &event.extra,
            TranscriptionEvent::Done(event) => &event.extra,
            TranscriptionEvent::Other(members) => members,
        }
    }

    fn mark(&self, progress: &mut Progress) {
        if self.is_end() { progress.end(0) } else { progress.begin(0) }
    }

    fn has_error(&self) -> bool {
        self.kind() == "error" || is_error(self.extra())
    }

    fn from_whole(reply: &Whole) -> Option<Self> {
        let Transcription { text, languages, logprobs, usage, extra } = reply.reply().ok()?;
        Some(TranscriptionEvent::Done(TranscriptionDone { text, languages, logprobs, usage, extra }))
    }
}
