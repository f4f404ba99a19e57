//! Events of a streamed transcription.

use serde_json::Value;

use super::reply::{DiarizedSegment, TokenLogprob, Transcription, TranscriptionLanguage, TranscriptionUsage};
use crate::error::Result;
use crate::reply::stream::{ChoiceTracker, EventStream, StreamItem, decode_whole, is_error};
use crate::transport::RawResponse;
use crate::transport::decode::BufferedResponse;
use crate::wire::{Extra, Wire};

open_union! {
    /// An event of a streamed transcription.
    ///
    /// See [OpenAI: Transcription events](https://platform.openai.com/docs/api-reference/audio/transcript-text-delta-event).
    pub enum TranscriptionEvent by "type" {
        /// Newly transcribed text.
        Delta(TranscriptionDelta) = "transcript.text.delta",
        /// A complete segment with its speaker.
        Segment(DiarizedSegment) = "transcript.text.segment",
        /// The complete text, at the end of the stream.
        Done(TranscriptionDone) = "transcript.text.done",
    }
}

wire_struct! {
    /// New text of a streamed transcription.
    pub struct TranscriptionDelta {
        /// The new text.
        pub delta: String = always,
        /// Log probabilities of the tokens, if requested with `include`.
        pub logprobs: Option<Vec<TokenLogprob>>,
        /// Id of the segment that the text belongs to.
        pub segment_id: Option<String>,
    }

    /// The complete text of a streamed transcription.
    pub struct TranscriptionDone {
        /// The transcribed text.
        pub text: String = always,
        /// Detected languages.
        pub languages: Vec<TranscriptionLanguage>,
        /// Log probabilities of the tokens, if requested with `include`.
        pub logprobs: Option<Vec<TokenLogprob>>,
        /// Usage that the request is billed for.
        pub usage: Option<TranscriptionUsage>,
    }
}

impl TranscriptionEvent {
    /// Returns the new text of the event, or an empty string if there is none.
    ///
    /// Also supports the events of vLLM and Mistral.
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

/// The first choice of a chat chunk, which vLLM uses to stream transcriptions.
fn first_choice(members: &Extra) -> Option<&Value> {
    members.get("choices")?.get(0)
}

impl StreamItem for TranscriptionEvent {
    fn has_no_payload(&self) -> bool {
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

    fn open(response: &mut RawResponse) -> Result<EventStream<Self>> {
        crate::reply::stream::open(response)
    }

    fn track(&self, choices: &mut ChoiceTracker) {
        if self.is_end() { choices.finish(0) } else { choices.start(0) }
    }

    fn has_error(&self) -> bool {
        self.kind() == "error" || is_error(self.extra())
    }

    fn before_whole(&self) -> Option<Self> {
        // So that a loop that prints the new text prints all of it.
        let TranscriptionEvent::Done(done) = self else { return None };
        let delta = TranscriptionDelta { delta: done.text.clone(), ..TranscriptionDelta::default_value() };
        Some(TranscriptionEvent::Delta(delta))
    }

    fn from_whole(response: &BufferedResponse) -> Option<Result<Self>> {
        let whole: Result<Transcription> = decode_whole(response)?;
        Some(whole.map(|Transcription { text, languages, logprobs, usage, extra }| {
            TranscriptionEvent::Done(TranscriptionDone { text, languages, logprobs, usage, extra })
        }))
    }
}
