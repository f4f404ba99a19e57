//! Complete types for a streamed response. The `event:` line selects the type, which costs less than reading the tag.

use std::collections::BTreeMap;

use peers::corpus::Seen;
use peers::rows::{Done, why};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::types::TokenLogprob;

/// The state between two lines.
pub struct Events {
    kind: Kind,
    pub seen: Seen,
}

#[derive(Clone, Copy)]
enum Kind {
    Other,
    State,
    Item,
    Part,
    Delta,
    Done,
}

impl Events {
    pub fn new() -> Self {
        Events { kind: Kind::Other, seen: Seen::new() }
    }

    pub fn take_line(&mut self, line: &[u8]) -> Done<()> {
        if let Some(name) = line.strip_prefix(b"event: ") {
            self.kind = match name {
                b"response.created" | b"response.in_progress" | b"response.completed" => Kind::State,
                b"response.output_item.added" | b"response.output_item.done" => Kind::Item,
                b"response.content_part.added" | b"response.content_part.done" => Kind::Part,
                b"response.output_text.delta" => Kind::Delta,
                b"response.output_text.done" => Kind::Done,
                _ => Kind::Other,
            };
        } else if let Some(data) = line.strip_prefix(b"data: ") {
            self.seen.items += 1;
            match self.kind {
                Kind::State => drop(read::<StateEvent>(data)?),
                Kind::Item => drop(read::<ItemEvent>(data)?),
                Kind::Part => drop(read::<PartEvent>(data)?),
                Kind::Delta => self.seen.text(&read::<DeltaEvent>(data)?.delta),
                Kind::Done => drop(read::<DoneEvent>(data)?),
                Kind::Other => return Err("unknown event".to_owned()),
            }
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(data: &[u8]) -> Done<T> {
    let event = serde_json::from_slice(data).map_err(why)?;
    std::hint::black_box(&event);
    Ok(event)
}

macro_rules! types {
    ($($name:ident { $($field:ident $(as $wire:literal)?: $type:ty,)* })*) => {$(
        #[derive(Debug, Deserialize)]
        #[allow(dead_code)]
        struct $name {
            $( $(#[serde(rename = $wire)])? $field: $type, )*
        }
    )*};
}

types! {
    StateEvent { kind as "type": String, sequence_number: u64, response: Response, }
    ItemEvent { kind as "type": String, sequence_number: u64, output_index: u64, item: Item, }
    PartEvent {
        kind as "type": String, sequence_number: u64, item_id: String, output_index: u64, content_index: u64, part: Part,
    }
    DeltaEvent {
        kind as "type": String, sequence_number: u64, item_id: String, output_index: u64, content_index: u64, delta: String,
        logprobs: Vec<TokenLogprob>, obfuscation: Option<String>,
    }
    DoneEvent {
        kind as "type": String, sequence_number: u64, item_id: String, output_index: u64, content_index: u64, text: String,
        logprobs: Vec<TokenLogprob>,
    }
    Response {
        id: String, object: String, created_at: u64, status: String, background: Option<bool>, error: Option<ResponseError>,
        incomplete_details: Option<Incomplete>, instructions: Option<String>, max_output_tokens: Option<u64>,
        max_tool_calls: Option<u64>, model: String, output: Vec<Item>, parallel_tool_calls: bool,
        previous_response_id: Option<String>, reasoning: Option<Reasoning>, service_tier: Option<String>, store: Option<bool>,
        temperature: Option<f64>, text: Option<TextOptions>, tool_choice: Option<String>, tools: Vec<Tool>,
        top_logprobs: Option<u32>, top_p: Option<f64>, truncation: Option<String>, usage: Option<Usage>, user: Option<String>,
        metadata: BTreeMap<String, String>,
    }
    ResponseError { code: String, message: String, }
    Incomplete { reason: Option<String>, }
    Reasoning { effort: Option<String>, summary: Option<String>, }
    TextOptions { format: Format, verbosity: Option<String>, }
    Format { kind as "type": String, }
    Tool { kind as "type": String, name: Option<String>, }
    Item { id: String, kind as "type": String, status: Option<String>, content: Vec<Part>, role: Option<String>, }
    Part {
        kind as "type": String, annotations: Vec<Annotation>, logprobs: Vec<TokenLogprob>, text: String,
    }
    Annotation { kind as "type": String, url: Option<String>, title: Option<String>, }
    Usage {
        input_tokens: u64, input_tokens_details: InputDetails, output_tokens: u64, output_tokens_details: OutputDetails,
        total_tokens: u64,
    }
    InputDetails { cached_tokens: u64, }
    OutputDetails { reasoning_tokens: u64, }
}
