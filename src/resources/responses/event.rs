//! The events of a streamed response, by shape: [`ResponseEvent`].

use serde_json::Value;

use super::reply::{Response, ResponseStatus};
use super::{Annotation, Item, ItemStatus, Part};
use crate::chat::TokenLogprob;
use crate::error::{ApiError, Result};
use crate::reply::stream::{ChoiceTracker, EventStream, StreamItem, decode_whole, is_error};
use crate::transport::RawResponse;
use crate::transport::decode::BufferedResponse;
use crate::wire::union::{self, Union};
use crate::wire::{Extra, FieldSpec, Input, InvalidInput, Object, Output, ReadOutcome, SharedString, Wire};

/// Events of one shape: the variants, and what their names look like.
macro_rules! shapes {
    ($(
        $(#[$meta:meta])*
        $variant:ident($name:ident: $held:ty) = $matches:expr;
    )*) => {
        /// An event of a streamed response.
        ///
        /// Events are identified by their structure: each variant stands for all events that have the same fields, and `type_`
        /// in it is the name of the event, such as `response.output_text.delta`. A new name does not need a new version of
        /// this crate.
        ///
        /// See [OpenAI: Streaming events](https://platform.openai.com/docs/api-reference/responses-streaming).
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum ResponseEvent {
            $( $(#[$meta])* $variant($held), )*
            /// An event of any other shape, with all its fields.
            Other(Extra),
        }

        impl ResponseEvent {
            /// Returns the name of the event, such as `response.completed`.
            pub fn kind(&self) -> &str {
                match self {
                    $( ResponseEvent::$variant(event) => &event.type_, )*
                    ResponseEvent::Other(fields) => fields.get("type").and_then(Value::as_str).unwrap_or_default(),
                }
            }

            /// Returns the position of the event in the stream, where the server numbers them.
            pub fn sequence_number(&self) -> Option<u64> {
                match self {
                    $( ResponseEvent::$variant(event) => event.sequence_number, )*
                    ResponseEvent::Other(fields) => fields.get("sequence_number").and_then(Value::as_u64),
                }
            }
        }

        impl Wire for ResponseEvent {
            fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
                union::read(self, input)
            }

            fn output(&self) -> Output<'_> {
                match self {
                    $( ResponseEvent::$variant(event) => Output::Object(event as &$name), )*
                    ResponseEvent::Other(fields) => Output::Extra(fields),
                }
            }

            fn default_value() -> Self {
                ResponseEvent::Other(Extra::new())
            }
        }

        impl Union for ResponseEvent {
            fn tag(&self) -> &'static FieldSpec {
                const { &FieldSpec::new("type") }
            }

            fn select(&mut self, kind: &str) -> bool {
                let name = kind.strip_prefix("response.").unwrap_or_default();
                let (shape, last) = name.rsplit_once('.').unwrap_or((name, ""));
                $(
                    let matches: fn(&str, &str) -> bool = $matches;
                    if matches(shape, last) {
                        let event = $name { type_: kind.into(), ..$name::default_value() };
                        *self = ResponseEvent::$variant(event.into());
                        return true;
                    }
                )*
                false
            }

            fn object_mut(&mut self) -> Option<&mut dyn Object> {
                match self {
                    $( ResponseEvent::$variant(event) => Some(event as &mut $name), )*
                    ResponseEvent::Other(_) => None,
                }
            }

            fn set_other(&mut self, fields: Extra) {
                *self = ResponseEvent::Other(fields);
            }
        }

        impl ResponseEvent {
            /// Unknown fields.
            fn fields(&self) -> &Extra {
                match self {
                    $( ResponseEvent::$variant(event) => &event.extra, )*
                    ResponseEvent::Other(fields) => fields,
                }
            }
        }
    };
}

fn is_reasoning(shape: &str) -> bool {
    shape.starts_with("reasoning") && shape.contains("text")
}

/// Arguments of a call, input of a custom tool, code, a command, or a patch.
fn is_call_input(shape: &str) -> bool {
    shape.contains("_call_") && !shape.contains("_output")
}

// `response.output_text.delta` is matched as `output_text` and `delta`, `response.created` as `created` and nothing.
shapes! {
    /// New text: `response.output_text.delta`.
    TextDelta(DeltaEvent: DeltaEvent) = |shape, last| shape == "output_text" && last == "delta";
    /// New arguments of a tool call, input of a custom tool, or code: `response.function_call_arguments.delta` and others.
    InputDelta(DeltaEvent: DeltaEvent) = |shape, last| is_call_input(shape) && last == "delta";
    /// New reasoning, or a new part of its summary: `response.reasoning_text.delta` and others.
    ReasoningDelta(DeltaEvent: DeltaEvent) = |shape, last| is_reasoning(shape) && last == "delta";
    /// New text of a refusal: `response.refusal.delta`.
    RefusalDelta(DeltaEvent: DeltaEvent) = |shape, last| shape == "refusal" && last == "delta";
    /// New audio as base64, or new text of its transcript: `response.audio.delta` and others.
    AudioDelta(DeltaEvent: DeltaEvent) = |shape, last| shape.starts_with("audio") && last == "delta";
    /// The response has a new state: `response.created`, `response.completed` and others.
    Lifecycle(LifecycleEvent: LifecycleEvent) = |shape, last| last.is_empty() && !shape.is_empty();
    /// An item begins or is complete: `response.output_item.added` and `response.output_item.done`.
    Item(ItemEvent: ItemEvent) = |shape, _| shape == "output_item";
    /// A part begins or is complete: `response.content_part.added` and others.
    Part(PartEvent: PartEvent) = |shape, _| shape.ends_with("_part");
    /// A text is complete: `response.output_text.done`.
    TextDone(DoneEvent: Box<DoneEvent>) = |shape, last| shape == "output_text" && last == "done";
    /// The arguments of a tool call, the input of a custom tool, or code are complete.
    InputDone(DoneEvent: Box<DoneEvent>) = |shape, last| is_call_input(shape) && last == "done";
    /// The reasoning, or a part of its summary, is complete.
    ReasoningDone(DoneEvent: Box<DoneEvent>) = |shape, last| is_reasoning(shape) && last == "done";
    /// A refusal is complete: `response.refusal.done`.
    RefusalDone(DoneEvent: Box<DoneEvent>) = |shape, last| shape == "refusal" && last == "done";
    /// A citation in the text: `response.output_text.annotation.added`.
    Annotation(AnnotationEvent: Box<AnnotationEvent>) = |shape, _| shape == "output_text.annotation";
    /// A preview of an image: `response.image_generation_call.partial_image`.
    Image(ImageEvent: Box<ImageEvent>) = |shape, last| shape == "image_generation_call" && last == "partial_image";
    /// Progress of a tool that the server runs: `response.web_search_call.searching` and others.
    Progress(ProgressEvent: ProgressEvent) = |shape, _| shape.ends_with("_call") || shape == "mcp_list_tools" || shape.starts_with("audio");
}

/// Events, with the fields that they have in common.
macro_rules! events {
    ($($(#[$meta:meta])* pub struct $name:ident { $($fields:tt)* })*) => {
        wire_struct! {$(
            $(#[$meta])*
            pub struct $name {
                /// Name of the event.
                pub type_ as "type": SharedString = always,
                /// Position of the event in the stream.
                pub sequence_number: Option<u64>,
                /// Id of the item.
                pub item_id: Option<SharedString>,
                /// Position of the item in the output.
                pub output_index: Option<u64>,
                $($fields)*
            }
        )*}
    };
}

wire_struct! {
    /// A new state of the response.
    pub struct LifecycleEvent {
        /// Name of the event.
        pub type_ as "type": SharedString = always,
        /// Position of the event in the stream.
        pub sequence_number: Option<u64>,
        /// The response so far; complete in the last event.
        pub response: Box<Response> = always,
    }
}

events! {
    /// The beginning or the end of an item.
    pub struct ItemEvent {
        /// The item.
        pub item: Box<Item> = always,
    }

    /// The beginning or the end of a part.
    pub struct PartEvent {
        /// Position of the part in the content of the item.
        pub content_index: Option<u64>,
        /// Position of the part in the summary of the reasoning.
        pub summary_index: Option<u64>,
        /// The part.
        pub part: Box<Part> = always,
        /// `incomplete` for a part that was truncated.
        pub status: Option<ItemStatus>,
    }

    /// New text, reasoning, arguments, code, or audio.
    pub struct DeltaEvent {
        /// Position of the part in the content of the item.
        pub content_index: Option<u64>,
        /// Position of the part in the summary of the reasoning.
        pub summary_index: Option<u64>,
        /// Position of the command in a call of a shell.
        pub command_index: Option<u64>,
        /// The new part of the text.
        pub delta: String = always,
        /// Log probabilities of the new tokens.
        pub logprobs: Vec<TokenLogprob>,
        /// Random text that hides the length of the event.
        pub obfuscation: Option<String>,
    }

    /// A complete text, in the field that its event has.
    pub struct DoneEvent {
        /// Position of the part in the content of the item.
        pub content_index: Option<u64>,
        /// Position of the part in the summary of the reasoning.
        pub summary_index: Option<u64>,
        /// Position of the command in a call of a shell.
        pub command_index: Option<u64>,
        /// Text or reasoning.
        pub text: Option<String>,
        /// Text of a refusal.
        pub refusal: Option<String>,
        /// Name of the called function.
        pub name: Option<String>,
        /// Arguments of a function or of an MCP tool, as JSON text.
        pub arguments: Option<String>,
        /// Input of a custom tool.
        pub input: Option<String>,
        /// Code.
        pub code: Option<String>,
        /// Command of a shell.
        pub command: Option<String>,
        /// Log probabilities of the tokens.
        pub logprobs: Vec<TokenLogprob>,
    }

    /// A citation in the text.
    pub struct AnnotationEvent {
        /// Position of the part in the content of the item.
        pub content_index: Option<u64>,
        /// Position of the citation in the part.
        pub annotation_index: Option<u64>,
        /// The citation.
        pub annotation: Option<Annotation>,
    }

    /// A preview of an image.
    pub struct ImageEvent {
        /// Position among the previews, from 0.
        pub partial_image_index: Option<u64>,
        /// The image as base64.
        pub partial_image_b64: String = always,
        /// Width and height in pixels.
        pub size: Option<String>,
        /// Quality of the image.
        pub quality: Option<String>,
        /// Background of the image.
        pub background: Option<String>,
        /// Format of the file.
        pub output_format: Option<String>,
    }

    /// Progress of a tool that the server runs.
    pub struct ProgressEvent {}
}

impl DoneEvent {
    /// Returns the complete text.
    pub fn text(&self) -> &str {
        let texts = [&self.text, &self.refusal, &self.arguments, &self.input, &self.code, &self.command];
        texts.into_iter().flatten().map(String::as_str).find(|text| !text.is_empty()).unwrap_or_default()
    }
}

serde_of_wire! { ResponseEvent }

impl ResponseEvent {
    /// Returns the new text, or an empty string for other events.
    pub fn text_delta(&self) -> &str {
        match self {
            ResponseEvent::TextDelta(event) => &event.delta,
            _ => "",
        }
    }

    /// Returns the new reasoning, or an empty string for other events.
    pub fn reasoning_delta(&self) -> &str {
        match self {
            ResponseEvent::ReasoningDelta(event) => &event.delta,
            _ => "",
        }
    }

    /// Returns the response, in events that have a new state of it.
    pub fn response(&self) -> Option<&Response> {
        match self {
            ResponseEvent::Lifecycle(event) => Some(&event.response),
            _ => None,
        }
    }

    /// True for the event that ends the stream.
    pub(super) fn is_last(&self) -> bool {
        match self {
            ResponseEvent::Lifecycle(event) => {
                let state = event.type_.strip_prefix("response.").unwrap_or_default();
                ResponseStatus::from(state).is_terminal() || event.response.status.is_terminal()
            }
            _ => false,
        }
    }
}

impl StreamItem for ResponseEvent {
    fn has_no_payload(&self) -> bool {
        matches!(self, ResponseEvent::Other(_)) && !self.kind().starts_with("response.")
    }

    fn extra(&self) -> &Extra {
        self.fields()
    }

    fn has_output(&self) -> bool {
        matches!(
            self,
            ResponseEvent::TextDelta(_)
                | ResponseEvent::InputDelta(_)
                | ResponseEvent::ReasoningDelta(_)
                | ResponseEvent::RefusalDelta(_)
                | ResponseEvent::AudioDelta(_)
        ) || self.is_last()
    }

    fn new_member() -> &'static str {
        "\"delta\""
    }

    fn rest_mut(&mut self, rest: &str) -> Option<&mut dyn Wire> {
        match self {
            // The first tag wins.
            _ if rest.contains("\"type\"") => None,
            ResponseEvent::TextDelta(event)
            | ResponseEvent::InputDelta(event)
            | ResponseEvent::ReasoningDelta(event)
            | ResponseEvent::RefusalDelta(event)
            | ResponseEvent::AudioDelta(event) => Some(event),
            _ => None,
        }
    }

    fn open(response: &mut RawResponse) -> Result<EventStream<Self>> {
        crate::reply::stream::open_until_last(response)
    }

    fn track(&self, choices: &mut ChoiceTracker) {
        if self.is_last() {
            choices.end();
        }
    }

    fn has_error(&self) -> bool {
        let is_failed = |response: &Response| response.status == ResponseStatus::Failed;
        is_error(self.extra()) || self.response().is_some_and(is_failed) || self.kind() == "response.failed"
    }

    fn api_error(&self) -> ApiError {
        match self.response().and_then(|response| response.error.as_ref()) {
            Some(error) => error.to_api_error(),
            None => ApiError::from_value(&Value::Object(self.extra().clone().into())).unwrap_or_default(),
        }
    }

    /// A complete response instead of a stream is its last event.
    fn from_whole(whole: &BufferedResponse) -> Option<Result<Self>> {
        let response: Result<Response> = decode_whole(whole)?;
        Some(response.map(|response| {
            let type_ = format!("response.{}", response.status).into();
            let response = Box::new(response);
            ResponseEvent::Lifecycle(LifecycleEvent { type_, response, ..LifecycleEvent::default_value() })
        }))
    }
}
