//! What was written down, as JSON.

use serde_json::Value;

use crate::wire::{Json, NotJson, Read, Wire};

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
fn read_words(words: &mut Vec<TranscriptionWord>, json: &mut Json<'_>) -> Result<Read, NotJson> {
    let read = words.read(json)?;
    for word in words.iter_mut().filter(|word| word.word.is_empty()) {
        if let Some(Value::String(text)) = word.extra.remove("text") {
            word.word = text;
        }
    }
    Ok(read)
}
