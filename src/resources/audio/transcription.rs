//! Transcription and translation: requests, responses in all formats, and events.

mod event;
mod reply;
mod request;
mod text;

pub use self::event::{TranscriptionDelta, TranscriptionDone, TranscriptionEvent};
pub use self::reply::{
    DiarizedSegment, DiarizedTranscription, InputTokenDetails, TokenLogprob, Transcription, TranscriptionLanguage,
    TranscriptionSegment, TranscriptionUsage, TranscriptionWord, Translation, VerboseTranscription,
};
pub use self::request::{
    ChunkingStrategy, ServerVad, TimestampGranularity, TranscriptionInclude, TranscriptionRequest, TranslationRequest,
};
pub use self::text::TextFormat;
