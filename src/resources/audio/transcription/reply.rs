//! JSON responses of transcriptions and translations.

use serde_json::Value;

use crate::wire::{Input, InvalidInput, ReadOutcome, Wire};

wire_struct! {
    /// A transcription.
    ///
    /// *Providers*: vendor fields of Groq (`x_groq`), Together (`speaker_segments`), Mistral (`language`, `segments`)
    /// and others are kept in `extra`.
    pub struct Transcription {
        /// The transcribed text.
        pub text: String = always,
        /// Detected languages.
        pub languages: Vec<TranscriptionLanguage>,
        /// Log probabilities of the tokens, if requested with `include`.
        pub logprobs: Option<Vec<TokenLogprob>>,
        /// Usage that the request is billed for.
        pub usage: Option<TranscriptionUsage>,
    }

    /// A transcription or translation with timestamps.
    pub struct VerboseTranscription {
        /// `transcribe` or `translate`.
        pub task: Option<String>,
        /// Language of the audio, as an English name or a code.
        pub language: Option<String>,
        /// Duration of the audio, in seconds.
        pub duration: Option<f64>,
        /// The transcribed or translated text.
        pub text: String = always,
        /// Words with timestamps, if requested with `timestamp_granularities`.
        pub words: Vec<TranscriptionWord> = with(read_words),
        /// Segments with timestamps.
        pub segments: Vec<TranscriptionSegment>,
        /// Usage that the request is billed for.
        pub usage: Option<TranscriptionUsage>,
    }

    /// A transcription with speaker labels.
    pub struct DiarizedTranscription {
        /// `transcribe`.
        pub task: Option<String>,
        /// Duration of the audio, in seconds.
        pub duration: Option<f64>,
        /// The text of all speakers.
        pub text: String = always,
        /// Segments, each with one speaker.
        pub segments: Vec<DiarizedSegment>,
        /// Usage that the request is billed for.
        pub usage: Option<TranscriptionUsage>,
    }

    /// A translation into English.
    pub struct Translation {
        /// The translated text.
        pub text: String = always,
    }

    /// A detected language.
    pub struct TranscriptionLanguage {
        /// Language code, such as `en`.
        pub code: String = always,
    }

    /// A token and its log probability.
    pub struct TokenLogprob {
        /// The token.
        pub token: String,
        /// Natural logarithm of the token's probability.
        pub logprob: f64,
        /// UTF-8 bytes of the token.
        pub bytes: Option<Vec<u8>>,
    }

    /// A word with timestamps.
    pub struct TranscriptionWord {
        /// The word.
        pub word: String,
        /// Start time, in seconds.
        pub start: f64,
        /// End time, in seconds.
        pub end: f64,
    }

    /// A segment with timestamps.
    pub struct TranscriptionSegment {
        /// Id of the segment, a number on most servers.
        pub id: String,
        /// Seek offset of the segment, in hundredths of a second.
        pub seek: i64,
        /// Start time, in seconds.
        pub start: f64,
        /// End time, in seconds.
        pub end: f64,
        /// Text of the segment.
        pub text: String,
        /// Token ids of the text.
        pub tokens: Vec<u32>,
        /// Sampling temperature used for the segment.
        pub temperature: Option<f64>,
        /// Mean log probability of the tokens. Values below −1.0 indicate an unreliable transcription.
        pub avg_logprob: Option<f64>,
        /// Compression ratio of the text. Values above 2.4 indicate repetition.
        pub compression_ratio: Option<f64>,
        /// Probability that the segment contains no speech.
        pub no_speech_prob: Option<f64>,
    }

    /// A segment spoken by one speaker.
    pub struct DiarizedSegment {
        /// `transcript.text.segment`. Empty in an event, where the variant represents the type.
        pub type_ as "type": String,
        /// Id of the segment.
        pub id: String,
        /// Start time, in seconds.
        pub start: f64,
        /// End time, in seconds.
        pub end: f64,
        /// Text of the segment.
        pub text: String,
        /// Speaker label: a name from the request, or `A`, `B`, …
        pub speaker: String,
    }

    /// The usage that a transcription is billed for, in tokens or seconds. Values that the server does not send are
    /// `None`.
    pub struct TranscriptionUsage {
        /// `tokens` or `duration`; missing on some servers.
        pub type_ as "type": Option<String>,
        /// Number of input tokens, audio and prompt.
        pub input_tokens: Option<u64>,
        /// Breakdown of the input tokens.
        pub input_token_details: Option<InputTokenDetails>,
        /// Number of output tokens.
        pub output_tokens: Option<u64>,
        /// Total number of tokens.
        pub total_tokens: Option<u64>,
        /// Duration of the audio, in seconds.
        pub seconds: Option<f64>,
    }

    /// Breakdown of the input tokens of a transcription.
    pub struct InputTokenDetails {
        /// Number of text tokens in the prompt.
        pub text_tokens: u64,
        /// Number of audio tokens.
        pub audio_tokens: u64,
    }
}

/// Some servers return the text alone.
macro_rules! transcriptions {
    ($($name:ident)*) => { responses! { $($name: text {
        fn from_plain_text(text: &str) -> Option<Self> {
            Some($name { text: text.to_owned(), ..$name::default_value() })
        }

        fn read_root(&mut self, body: &Value) -> bool {
            body.as_str().is_some_and(|text| {
                text.clone_into(&mut self.text);
                !text.is_empty()
            })
        }
    }),* } };
}

transcriptions! { Transcription VerboseTranscription DiarizedTranscription Translation }

/// Reads words. LocalAI sends the text of a word in `text`, as in a segment.
fn read_words(words: &mut Vec<TranscriptionWord>, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
    let read = words.read(input)?;
    for word in words.iter_mut().filter(|word| word.word.is_empty()) {
        if let Some(Value::String(text)) = word.extra.remove("text") {
            word.word = text;
        }
    }
    Ok(read)
}
