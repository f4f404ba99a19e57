//! [`Accumulator`]: combines chunks into a completion.

use std::collections::HashMap;

use super::chunk::{AudioDelta, ChatChunk, ChunkChoice, Delta, ToolCallDelta, usage_elsewhere};
use super::event::{ChatEvent, EventList};
use super::message::{AssistantAudio, Content, Part, Role};
use super::reply::{ChatCompletion, Choice, Logprobs, Usage};
use crate::error::Error;
use crate::wire::Wire;
use crate::wire::object::drop_shadowing_extra;

mod extra;
mod tool_calls;

pub(crate) use self::extra::{MergePolicy, merge_extra};
use self::tool_calls::{ArgumentScan, add_function, add_tool_call};

/// Combines the chunks of a stream into a completion, step by step.
///
/// Handles any number of choices; tool calls by index or id, however a server numbers them; reasoning, refusals, log
/// probabilities, audio and vendor fields; the last usage. It holds no more than what arrived.
///
/// ```no_run
/// # async fn run(mut chunks: openai_compatible::chat::ChatStream) -> openai_compatible::Result<()> {
/// use openai_compatible::chat::Accumulator;
///
/// let mut accumulator = Accumulator::new();
/// while let Some(chunk) = chunks.try_next().await? {
///     print!("{}", chunk.text());
///     accumulator.push(chunk);
/// }
/// let response = accumulator.finish();
/// # let _ = response; Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Accumulator {
    reply: Option<ChatCompletion>,
    /// The state of each choice of the completion.
    states: Vec<ChoiceState>,
    /// The position of the choice with an index.
    positions: HashMap<u32, usize>,
}

/// The state of a choice besides its content.
#[derive(Clone, Debug, Default)]
struct ChoiceState {
    /// The call with the server's index: the last one, if there are several.
    call_by_index: HashMap<i64, usize>,
    /// The call with an id.
    call_by_id: HashMap<String, usize>,
    /// The server's index of each call.
    wire_indexes: Vec<Option<i64>>,
    /// Which calls were reported as done.
    is_done: Vec<bool>,
    /// What is known of the arguments of each call.
    scans: Vec<ArgumentScan>,
    is_finished: bool,
    /// The number of calls when the choice last ended: all of them are done.
    finished_calls: usize,
}

impl Accumulator {
    /// Creates an empty accumulator.
    pub fn new() -> Self {
        Accumulator::default()
    }

    /// Adds the next chunk.
    pub fn push(&mut self, chunk: ChatChunk) {
        self.apply(chunk, &mut EventList::off());
    }

    /// Adds the next chunk, and returns its events. For a whole stream, see [`ChatStream::events`].
    ///
    /// [`ChatStream::events`]: super::ChatStream::events
    pub fn push_with_events(&mut self, chunk: ChatChunk) -> Vec<ChatEvent> {
        let mut events = EventList::on();
        self.apply(chunk, &mut events);
        events.into_list()
    }

    fn apply(&mut self, chunk: ChatChunk, events: &mut EventList) {
        let reply = self.reply.get_or_insert_with(|| ChatCompletion {
            object: "chat.completion".to_owned(),
            ..ChatCompletion::default_value()
        });
        let usage = if events.is_on() { chunk.usage().map(|usage| usage.into_owned()) } else { None };
        // Azure's first chunk has empty fields that later ones set.
        if reply.id.is_empty() {
            reply.id = chunk.id.into();
        }
        if reply.model.is_empty() {
            reply.model = chunk.model.into();
        }
        if reply.created.is_none_or(|created| created == 0) {
            reply.created = chunk.created.or(reply.created);
        }
        // MiniMax sends `{}` where others send null.
        replace(&mut reply.usage, chunk.usage.map(|usage| *usage).filter(|usage| !is_empty(usage)));
        replace(&mut reply.service_tier, chunk.service_tier);
        replace(&mut reply.system_fingerprint, chunk.system_fingerprint.map(Into::into));
        replace(&mut reply.moderation, chunk.moderation.map(|moderation| *moderation));
        // Perplexity repeats its citations, OpenRouter its provider, in every chunk.
        merge_extra(&mut reply.extra, chunk.extra, MergePolicy::Replace);
        for choice in chunk.choices {
            let position = *self.positions.entry(choice.index).or_insert_with(|| {
                reply.choices.push(Choice { index: choice.index, ..Choice::default_value() });
                self.states.push(ChoiceState::default());
                reply.choices.len() - 1
            });
            if let (Some(known), Some(state)) = (reply.choices.get_mut(position), self.states.get_mut(position)) {
                add_choice(known, state, choice, events);
            }
        }
        if let Some(usage) = usage.filter(|usage| !is_empty(usage)) {
            events.push(ChatEvent::Usage(Box::new(usage)));
        }
    }

    /// Returns the completion so far.
    pub fn snapshot(&self) -> Option<&ChatCompletion> {
        self.reply.as_ref()
    }

    /// Returns the completion; `None` if there was no chunk.
    pub fn finish(self) -> Option<ChatCompletion> {
        let mut reply = self.reply?;
        reply.choices.sort_by_key(|choice| choice.index);
        if reply.usage.is_none() {
            reply.usage = usage_elsewhere(&reply.extra, reply.choices.iter().map(|choice| &choice.extra));
        }
        for choice in &mut reply.choices {
            choice.message.role.get_or_insert(Role::Assistant);
            // A mismatched value in one chunk must not shadow the values of others.
            for call in &mut choice.message.tool_calls {
                drop_shadowing_extra(call);
            }
            drop_shadowing_extra(&mut choice.message);
            drop_shadowing_extra(choice);
        }
        drop_shadowing_extra(&mut reply);
        Some(reply)
    }

    /// Attaches the completion so far to the error of its stream.
    pub(super) fn attach_to(self, error: Error) -> Error {
        match self.finish() {
            Some(completion) => error.with_completion(completion),
            None => error,
        }
    }

    /// Returns the events of the end: what no finish reason has ended, then the whole completion.
    pub fn finish_with_events(mut self) -> Vec<ChatEvent> {
        let mut events = EventList::on();
        for (choice, state) in self.reply.iter().flat_map(|reply| &reply.choices).zip(&mut self.states) {
            finish_parts(choice, state, &mut events);
        }
        let mut events = events.into_list();
        events.extend(self.finish().map(|reply| ChatEvent::Completed(Box::new(reply))));
        events
    }
}

fn is_empty(usage: &Usage) -> bool {
    *usage == Usage::default_value()
}

fn replace<T>(known: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *known = new;
    }
}

fn add_choice(known: &mut Choice, state: &mut ChoiceState, new: ChunkChoice, events: &mut EventList) {
    events.add_deltas(&new);
    add_delta(known, state, new.delta, events);
    replace(&mut known.finish_reason, new.finish_reason);
    if let Some(new) = new.logprobs {
        let known = known.logprobs.get_or_insert_with(Logprobs::default_value);
        extend(&mut known.content, new.content);
        extend(&mut known.refusal, new.refusal);
        merge_extra(&mut known.extra, new.extra, MergePolicy::AppendArrays);
    }
    merge_extra(&mut known.extra, new.extra, MergePolicy::AppendArrays);
    if known.finish_reason.is_some() {
        finish_parts(known, state, events);
    }
}

/// Adds the events of a choice that ends. Some servers send two ends (OpenRouter); each event is sent once.
fn finish_parts(choice: &Choice, state: &mut ChoiceState, events: &mut EventList) {
    if !events.is_on() {
        return;
    }
    let is_first = !std::mem::replace(&mut state.is_finished, true);
    if is_first {
        events.add_done(choice);
    }
    let calls = choice.message.tool_calls.len();
    for call in std::mem::replace(&mut state.finished_calls, calls)..calls {
        finish_call(choice, state, call, events);
    }
    if let (true, Some(reason)) = (is_first, &choice.finish_reason) {
        events.push(ChatEvent::Finished { index: choice.index, reason: reason.clone() });
    }
}

fn finish_call(choice: &Choice, state: &mut ChoiceState, call: usize, events: &mut EventList) {
    if let (Some(tool_call), Some(is_done @ false)) = (choice.message.tool_calls.get(call), state.is_done.get_mut(call))
    {
        *is_done = true;
        let tool_call = Box::new(tool_call.clone());
        events.push(ChatEvent::ToolCallDone { index: choice.index, call, tool_call });
    }
}

fn extend<T>(known: &mut Option<Vec<T>>, new: Option<Vec<T>>) {
    if let Some(new) = new {
        known.get_or_insert_default().extend(new);
    }
}

fn add_delta(choice: &mut Choice, state: &mut ChoiceState, delta: Delta, events: &mut EventList) {
    let message = &mut choice.message;
    replace(&mut message.role, delta.role);
    match (&mut message.content, delta.content) {
        (_, None) => {}
        (None, new) => message.content = new,
        (Some(Content::Text(known)), Some(Content::Text(new))) => known.push_str(&new),
        (Some(known), Some(new)) => add_parts(known, new),
    }
    append(&mut message.refusal, delta.refusal);
    append(&mut message.reasoning_content, delta.reasoning_content);
    append(&mut message.reasoning, delta.reasoning);
    message.annotations.extend(delta.annotations);
    if let Some(new) = delta.function_call {
        add_function(&mut message.function_call, *new);
    }
    if let Some(new) = delta.audio {
        add_audio(message.audio.get_or_insert_with(|| Box::new(AssistantAudio::default_value())), *new);
    }
    merge_extra(&mut message.extra, delta.extra, MergePolicy::AppendAll);
    for call in delta.tool_calls {
        let piece = events.is_on().then(|| argument_delta(&call));
        let (call, is_new) = add_tool_call(&mut choice.message.tool_calls, state, call);
        // Most servers emit tool calls sequentially, so a complete call is finished once the next one starts.
        if let (true, true, Some(previous)) = (is_new, events.is_on(), call.checked_sub(1)) {
            if choice.message.tool_calls.get(previous).is_some_and(|call| state.is_complete(previous, call)) {
                finish_call(choice, state, previous, events);
            }
        }
        if let (Some(delta), Some(known)) = (piece, choice.message.tool_calls.get(call)) {
            if is_new || !delta.is_empty() {
                events.push(ChatEvent::ToolCallDelta { index: choice.index, call, name: known.name().into(), delta });
            }
        }
    }
}

fn argument_delta(call: &ToolCallDelta) -> String {
    match (&call.function, &call.custom) {
        (Some(function), _) => function.arguments.clone(),
        (None, Some(custom)) => custom.input.clone(),
        (None, None) => String::new(),
    }
}

fn append(known: &mut Option<String>, new: Option<String>) {
    match (known, new) {
        (_, None) => {}
        (Some(known), Some(new)) => known.push_str(&new),
        (known, new) => *known = new,
    }
}

/// Text and lists of parts in one message: adjacent parts of one kind are joined.
fn add_parts(known: &mut Content, new: Content) {
    let parts_of = |content: Content| match content {
        Content::Text(text) if text.is_empty() => Vec::new(),
        Content::Text(text) => vec![Part::text(text)],
        Content::Parts(parts) => parts,
    };
    let mut parts = parts_of(std::mem::replace(known, Content::default_value()));
    for part in parts_of(new) {
        match (parts.last_mut(), part) {
            (Some(Part::Text(last)), Part::Text(part)) if last.prompt_cache_breakpoint.is_none() => {
                last.text.push_str(&part.text);
                merge_extra(&mut last.extra, part.extra, MergePolicy::AppendAll);
            }
            (Some(Part::Thinking(last)), Part::Thinking(part)) => {
                match (&mut last.thinking, part.thinking) {
                    (Content::Text(known), Content::Text(new)) => known.push_str(&new),
                    (known, new) => add_parts(known, new),
                }
                merge_extra(&mut last.extra, part.extra, MergePolicy::AppendAll);
            }
            (_, part) => parts.push(part),
        }
    }
    *known = Content::Parts(parts);
}

fn add_audio(known: &mut AssistantAudio, new: AudioDelta) {
    if let Some(id) = new.id.filter(|id| !id.is_empty()) {
        known.id = id;
    }
    known.data.push_str(new.data.as_deref().unwrap_or_default());
    known.transcript.push_str(new.transcript.as_deref().unwrap_or_default());
    replace(&mut known.expires_at, new.expires_at);
    merge_extra(&mut known.extra, new.extra, MergePolicy::AppendArrays);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn vendor_members_that_every_chunk_repeats_are_kept_once() {
        let mut accumulator = Accumulator::new();
        for (group, reason) in [(json!({ "id": "req_1" }), json!(null)), (json!({ "seed": 7 }), json!("STOP"))] {
            let chunk = json!({
                "provider": "A", "citations": ["x", "y"], "x_groq": group,
                "choices": [{ "delta": { "content": "." }, "native_finish_reason": reason, "token_ids": [1, 2] }],
            });
            accumulator.push(serde_json::from_value(chunk).unwrap());
        }
        let reply = accumulator.finish().unwrap();
        assert_eq!(reply.extra.get("provider"), Some(&json!("A")));
        assert_eq!(reply.extra.get("citations"), Some(&json!(["x", "y"])));
        assert_eq!(reply.extra.get("x_groq"), Some(&json!({ "id": "req_1", "seed": 7 })));
        assert_eq!(reply.choices[0].extra.get("native_finish_reason"), Some(&json!("STOP")));
        assert_eq!(reply.choices[0].extra.get("token_ids"), Some(&json!([1, 2, 1, 2])));
    }

    /// The message that deltas come to.
    fn message_of(deltas: impl IntoIterator<Item = Value>) -> Value {
        let mut accumulator = Accumulator::new();
        for delta in deltas {
            accumulator.push(serde_json::from_value(json!({ "choices": [{ "index": 0, "delta": delta }] })).unwrap());
        }
        let reply = accumulator.snapshot().unwrap().clone();
        assert_eq!(reply.choices.len(), accumulator.finish().unwrap().choices.len());
        serde_json::to_value(&reply.choices[0].message).unwrap()
    }

    fn calls_of(pieces: impl IntoIterator<Item = Value>) -> Vec<(String, String, String)> {
        let message = message_of(pieces.into_iter().map(|piece| json!({ "tool_calls": [piece] })));
        let calls = message["tool_calls"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        calls
            .map(|call| (text(&call["id"]), text(&call["function"]["name"]), text(&call["function"]["arguments"])))
            .collect()
    }

    #[test]
    fn texts_and_parts_grow_together_up_to_a_cache_mark() {
        let text = |text: &str| json!({ "type": "text", "text": text });
        let marked = json!({ "type": "text", "text": "b", "prompt_cache_breakpoint": { "mode": "explicit" } });
        let content =
            |pieces: &[Value]| message_of(pieces.iter().map(|piece| json!({ "content": piece })))["content"].take();
        assert_eq!(content(&[json!(""), json!([text("a")])]), json!([text("a")]));
        let image = json!({ "type": "image_url", "image_url": { "url": "data:," } });
        assert_eq!(content(&[json!(""), json!([image])]), json!([image]));
        assert_eq!(content(&[json!("a"), json!([text("b")]), json!("c")]), json!([text("abc")]));
        assert_eq!(content(&[json!([marked]), json!([text("c")])]), json!([marked, text("c")]));
    }

    #[test]
    fn a_piece_belongs_to_the_call_of_its_id() {
        let whole = |id: &str, name: &str, arguments: &str| (id.to_owned(), name.to_owned(), arguments.to_owned());
        let piece = |id: &str, name: Option<&str>, arguments: &str| {
            let function = json!({ "name": name, "arguments": arguments });
            json!({ "id": id, "function": function })
        };
        let with_index = |index: u64, mut piece: Value| {
            piece["index"] = json!(index);
            piece
        };
        let without_index = [piece("a", Some("f"), "{"), piece("b", Some("g"), "{}"), piece("a", None, "}")];
        assert_eq!(calls_of(without_index), [whole("a", "f", "{}"), whole("b", "g", "{}")]);
        let new_index = [with_index(0, piece("a", Some("f"), "{")), with_index(1, piece("a", None, "}"))];
        assert_eq!(calls_of(new_index), [whole("a", "f", "{}")]);
    }

    #[test]
    fn entries_of_reasoning_details_grow_by_their_texts_only() {
        let detail = |text: &str, signature: Value, id: Value| {
            let texts = json!({ "type": "reasoning.text", "index": 0, "text": text, "signature": signature, "id": id });
            json!({ "reasoning_details": [texts] })
        };
        let message = message_of([detail("a", json!(null), json!("x")), detail("b", json!("s"), json!(null))]);
        assert_eq!(message["reasoning_details"], detail("ab", json!("s"), json!("x"))["reasoning_details"]);
    }

    #[test]
    fn texts_inside_of_vendor_objects_come_whole() {
        let message =
            message_of([json!({ "google": { "id": "g", "n": null } }), json!({ "google": { "id": "g", "n": 1 } })]);
        assert_eq!(message["google"], json!({ "id": "g", "n": 1 }));
    }

    #[test]
    fn empty_usage_is_not_an_event() {
        let mut accumulator = Accumulator::new();
        let mut is_told = |usage: Value| {
            let events =
                accumulator.push_with_events(serde_json::from_value(json!({ "choices": [], "usage": usage })).unwrap());
            events.into_iter().any(|event| matches!(event, ChatEvent::Usage(_)))
        };
        assert!(!is_told(json!({})));
        assert!(is_told(json!({ "prompt_tokens": 1 })));
    }
}
