//! What is written down piece by piece.

use serde_json::Value;

use super::reply::{DiarizedSegment, TokenLogprob, Transcription, TranscriptionLanguage, TranscriptionUsage};
use crate::Extra;
use crate::error::Result;
use crate::stream::{EventStream, Progress, StreamItem, is_error};
use crate::transport::Answer;
use crate::transport::decode::Whole;

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

    fn open(answer: &mut Answer) -> Result<EventStream<Self>> {
        crate::stream::open(answer)
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
