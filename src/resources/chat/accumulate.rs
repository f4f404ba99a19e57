//! Chunks into a whole reply.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::chunk::{AudioDelta, ChatChunk, ChunkChoice, Delta, FunctionCallDelta, ToolCallDelta, usage_in};
use super::event::{ChatEvent, EventList};
use super::message::{AudioReply, Content, Part, Role};
use super::reply::{ChatCompletion, Choice, Logprobs, Usage};
use super::tool::{CustomCall, FunctionCall, ToolCall};
use crate::Extra;
use crate::wire::Wire;
use crate::wire::object::uncover;

/// Puts the chunks of a stream together, step by step.
///
/// Any number of answers; tool calls by index or id, however a server numbers them; reasoning, refusal, log
/// probabilities, audio and vendor members; the last usage. It holds no more than what arrived.
///
/// ```no_run
/// # async fn run(mut chunks: openai_compatible::chat::ChatStream) -> openai_compatible::Result<()> {
/// use openai_compatible::chat::Accumulator;
///
/// let mut accumulator = Accumulator::new();
/// while let Some(chunk) = chunks.try_next().await? {
///     print!("{}", chunk.text());
///     accumulator.add(chunk);
/// }
/// let reply = accumulator.finish();
/// # let _ = reply; Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Accumulator {
    reply: Option<ChatCompletion>,
    /// What is known about each choice of the reply.
    notes: Vec<Notes>,
    /// Where the choice of an index stands.
    positions: HashMap<u32, usize>,
}

/// What is known about a choice beside its content.
#[derive(Clone, Debug, Default)]
struct Notes {
    /// The call that a server's index stands for: the last one, where it stands for several.
    by_index: HashMap<i64, usize>,
    /// The call of an id.
    by_id: HashMap<String, usize>,
    /// The index that each call came under.
    indexes: Vec<Option<i64>>,
    /// Which calls were told to be done.
    is_done: Vec<bool>,
    is_finished: bool,
}

impl Accumulator {
    /// Nothing yet.
    pub fn new() -> Self {
        Accumulator::default()
    }

    /// Adds the next chunk.
    pub fn add(&mut self, chunk: ChatChunk) {
        self.apply(chunk, &mut EventList::off());
    }

    /// Adds the next chunk and tells what it brings. For a whole stream, see [`ChatStream::events`].
    ///
    /// [`ChatStream::events`]: super::ChatStream::events
    pub fn events(&mut self, chunk: ChatChunk) -> Vec<ChatEvent> {
        let mut events = EventList::on();
        self.apply(chunk, &mut events);
        events.into_list()
    }

    fn apply(&mut self, chunk: ChatChunk, events: &mut EventList) {
        let reply = self
            .reply
            .get_or_insert_with(|| ChatCompletion { object: "chat.completion".to_owned(), ..ChatCompletion::blank() });
        let usage = if events.is_on() { chunk.usage().map(|usage| usage.into_owned()) } else { None };
        // Azure's first chunk is empty where the later ones are not.
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
        merge_extra(&mut reply.extra, chunk.extra, Grows::Nothing);
        for choice in chunk.choices {
            let position = *self.positions.entry(choice.index).or_insert_with(|| {
                reply.choices.push(Choice { index: choice.index, ..Choice::blank() });
                self.notes.push(Notes::default());
                reply.choices.len() - 1
            });
            if let (Some(known), Some(notes)) = (reply.choices.get_mut(position), self.notes.get_mut(position)) {
                add_choice(known, notes, choice, events);
            }
        }
        if let Some(usage) = usage.filter(|usage| !is_empty(usage)) {
            events.push(ChatEvent::Usage(Box::new(usage)));
        }
    }

    /// The reply so far.
    pub fn snapshot(&self) -> Option<&ChatCompletion> {
        self.reply.as_ref()
    }

    /// The whole reply; `None` when no chunk came.
    pub fn finish(self) -> Option<ChatCompletion> {
        let mut reply = self.reply?;
        reply.choices.sort_by_key(|choice| choice.index);
        if reply.usage.is_none() {
            reply.usage = usage_in(&reply.extra);
        }
        for choice in &mut reply.choices {
            choice.message.role.get_or_insert(Role::Assistant);
            // A value that did not fit in one chunk must not hide what the others brought.
            for call in &mut choice.message.tool_calls {
                uncover(call);
            }
            uncover(&mut choice.message);
            uncover(choice);
        }
        uncover(&mut reply);
        Some(reply)
    }

    /// The events of the end: what no finish reason has ended, then the whole reply.
    pub fn end(mut self) -> Vec<ChatEvent> {
        let mut events = EventList::on();
        for (choice, notes) in self.reply.iter().flat_map(|reply| &reply.choices).zip(&mut self.notes) {
            finish_parts(choice, notes, &mut events);
        }
        let mut events = events.into_list();
        events.extend(self.finish().map(|reply| ChatEvent::Completed(Box::new(reply))));
        events
    }
}

fn is_empty(usage: &Usage) -> bool {
    *usage == Usage::blank()
}

fn replace<T>(known: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *known = new;
    }
}

fn add_choice(known: &mut Choice, notes: &mut Notes, new: ChunkChoice, events: &mut EventList) {
    events.add_deltas(&new);
    add_delta(known, notes, new.delta, events);
    replace(&mut known.finish_reason, new.finish_reason);
    if let Some(new) = new.logprobs {
        let known = known.logprobs.get_or_insert_with(Logprobs::blank);
        extend(&mut known.content, new.content);
        extend(&mut known.refusal, new.refusal);
        merge_extra(&mut known.extra, new.extra, Grows::Lists);
    }
    merge_extra(&mut known.extra, new.extra, Grows::Lists);
    if known.finish_reason.is_some() {
        finish_parts(known, notes, events);
    }
}

/// Tells what is done when an answer ends. An end may come twice (OpenRouter), each thing is told once.
fn finish_parts(choice: &Choice, notes: &mut Notes, events: &mut EventList) {
    if !events.is_on() {
        return;
    }
    let is_first = !std::mem::replace(&mut notes.is_finished, true);
    if is_first {
        events.add_done(choice);
    }
    for call in 0..choice.message.tool_calls.len() {
        finish_call(choice, notes, call, events);
    }
    if let (true, Some(reason)) = (is_first, &choice.finish_reason) {
        events.push(ChatEvent::Finished { index: choice.index, reason: reason.clone() });
    }
}

fn finish_call(choice: &Choice, notes: &mut Notes, call: usize, events: &mut EventList) {
    if let (Some(tool_call), Some(is_done @ false)) = (choice.message.tool_calls.get(call), notes.is_done.get_mut(call))
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

fn add_delta(choice: &mut Choice, notes: &mut Notes, delta: Delta, events: &mut EventList) {
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
        add_audio(message.audio.get_or_insert_with(|| Box::new(AudioReply::blank())), *new);
    }
    merge_extra(&mut message.extra, delta.extra, Grows::All);
    for call in delta.tool_calls {
        let piece = events.is_on().then(|| piece_of(&call));
        let (call, is_new) = add_tool_call(&mut choice.message.tool_calls, notes, call);
        // Calls come one behind the other on most servers: what is whole when the next one begins is done.
        if let (true, true, Some(previous)) = (is_new, events.is_on(), call.checked_sub(1)) {
            if choice.message.tool_calls.get(previous).is_some_and(is_complete) {
                finish_call(choice, notes, previous, events);
            }
        }
        if let (Some(delta), Some(known)) = (piece, choice.message.tool_calls.get(call)) {
            if is_new || !delta.is_empty() {
                events.push(ChatEvent::ToolCallDelta { index: choice.index, call, name: known.name().into(), delta });
            }
        }
    }
}

fn piece_of(call: &ToolCallDelta) -> String {
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

/// Text and lists of parts in one message: neighbours of one kind grow together.
fn add_parts(known: &mut Content, new: Content) {
    let parts_of = |content: Content| match content {
        Content::Text(text) if text.is_empty() => Vec::new(),
        Content::Text(text) => vec![Part::text(text)],
        Content::Parts(parts) => parts,
    };
    let mut parts = parts_of(std::mem::replace(known, Content::blank()));
    for part in parts_of(new) {
        match (parts.last_mut(), part) {
            (Some(Part::Text(last)), Part::Text(part)) if last.prompt_cache_breakpoint.is_none() => {
                last.text.push_str(&part.text);
                merge_extra(&mut last.extra, part.extra, Grows::All);
            }
            (Some(Part::Thinking(last)), Part::Thinking(part)) => {
                match (&mut last.thinking, part.thinking) {
                    (Content::Text(known), Content::Text(new)) => known.push_str(&new),
                    (known, new) => add_parts(known, new),
                }
                merge_extra(&mut last.extra, part.extra, Grows::All);
            }
            (_, part) => parts.push(part),
        }
    }
    *known = Content::Parts(parts);
}

fn add_audio(known: &mut AudioReply, new: AudioDelta) {
    if let Some(id) = new.id.filter(|id| !id.is_empty()) {
        known.id = id;
    }
    known.data.push_str(new.data.as_deref().unwrap_or_default());
    known.transcript.push_str(new.transcript.as_deref().unwrap_or_default());
    replace(&mut known.expires_at, new.expires_at);
    merge_extra(&mut known.extra, new.extra, Grows::Lists);
}

fn add_function(known: &mut Option<FunctionCall>, new: FunctionCallDelta) {
    let known = known.get_or_insert_with(FunctionCall::blank);
    add_name(&mut known.name, new.name.as_deref().unwrap_or_default());
    known.arguments.push_str(&new.arguments);
    merge_extra(&mut known.extra, new.extra, Grows::Lists);
}

/// Names come whole, once or in every piece; a few servers cut them.
fn add_name(known: &mut String, new: &str) {
    if known != new {
        known.push_str(new);
    }
}

/// Adds a piece to the call that it belongs to; gives its position, and true when it has just begun.
fn add_tool_call(calls: &mut Vec<ToolCall>, notes: &mut Notes, mut delta: ToolCallDelta) -> (usize, bool) {
    // Mistral writes the text `null` where it has no id.
    delta.id = delta.id.filter(|id| !id.is_empty() && id != "null");
    let found = find_call(calls, notes, &delta);
    let position = found.unwrap_or_else(|| {
        calls.push(ToolCall::blank());
        notes.indexes.push(delta.index);
        notes.is_done.push(false);
        calls.len() - 1
    });
    if let Some(index) = delta.index {
        notes.by_index.insert(index, position);
    }
    let Some(call) = calls.get_mut(position) else { return (position, false) };
    if let (Some(id), true) = (delta.id, call.id.is_empty()) {
        notes.by_id.insert(id.clone(), position);
        call.id = id;
    }
    if let Some(type_) = delta.type_.filter(|type_| !type_.is_empty()) {
        call.type_ = type_.into();
    }
    if let Some(function) = delta.function {
        add_function(&mut call.function, function);
    }
    if let Some(new) = delta.custom {
        let known = call.custom.get_or_insert_with(CustomCall::blank);
        add_name(&mut known.name, &new.name);
        known.input.push_str(&new.input);
        merge_extra(&mut known.extra, new.extra, Grows::Lists);
    }
    merge_extra(&mut call.extra, delta.extra, Grows::Lists);
    (position, found.is_none())
}

/// The call that a piece belongs to; `None` when it begins one.
fn find_call(calls: &[ToolCall], notes: &Notes, delta: &ToolCallDelta) -> Option<usize> {
    let name = delta.function.as_ref().and_then(|function| function.name.as_deref());
    let name = name.or(delta.custom.as_ref().map(|custom| custom.name.as_str())).unwrap_or_default();
    let by_id = delta.id.as_ref().and_then(|id| notes.by_id.get(id).copied());
    let candidate = match delta.index {
        Some(index) => notes.by_index.get(&index).copied().or_else(|| {
            // An id under a new index is the same call, unless it has a name and an index already.
            let has_index = |call: &usize| notes.indexes.get(*call).is_some_and(Option::is_some);
            by_id.filter(|call| name.is_empty() || !has_index(call))
        }),
        None if delta.id.is_some() => by_id,
        None => calls.len().checked_sub(1),
    }?;
    let call = calls.get(candidate)?;
    let is_same = delta.id.as_ref().is_some_and(|id| *id == call.id);
    if name.is_empty() || is_same {
        return Some(candidate);
    }
    // Several calls under one index (Ollama, Gemini, gateways): another id with a name begins another call.
    let has_other_id = delta.id.is_some() && !call.id.is_empty();
    // Whole calls without ids (Gemini): behind complete arguments, another name or more arguments do.
    let has_arguments = delta.function.as_ref().is_some_and(|function| !function.arguments.trim().is_empty());
    if has_other_id || (has_arguments || name != call.name()) && is_complete(call) {
        // The other id may be known under another index.
        return by_id;
    }
    Some(candidate)
}

/// True when the arguments are a whole object. Looks at their end first: a name in every piece asks often.
fn is_complete(call: &ToolCall) -> bool {
    let arguments = call.arguments_text();
    call.function.is_some()
        && !call.name().is_empty()
        && arguments.trim_ascii_end().ends_with('}')
        && serde_json::from_str::<Map<String, Value>>(arguments).is_ok()
}

/// Which vendor members come in pieces that are put together; the others are replaced by the next one.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Grows {
    Nothing,
    /// Lists of what is new, such as `token_ids`.
    Lists,
    /// Lists and texts, such as a reasoning by another name.
    All,
}

/// Vendor members; objects are merged, and null says nothing new.
pub(crate) fn merge_extra(known: &mut Extra, new: Extra, grows: Grows) {
    if new.is_empty() {
        return;
    }
    for (name, value) in Map::from(new) {
        let value = match known.remove(&name) {
            None => value,
            Some(old) => merged(old, value, grows),
        };
        known.insert(name, value);
    }
}

fn merged(old: Value, new: Value, grows: Grows) -> Value {
    match (old, new) {
        (old, Value::Null) => old,
        (Value::String(old), Value::String(new)) if grows == Grows::All => Value::String(old + &new),
        (Value::Array(mut old), Value::Array(new)) if grows != Grows::Nothing => {
            for item in new {
                match old.last_mut() {
                    Some(last) if continues(last, &item) => *last = merge_detail(last.take(), item),
                    _ => old.push(item),
                }
            }
            Value::Array(old)
        }
        (Value::Object(mut old), Value::Object(new)) => {
            // Texts inside, such as ids and signatures, come whole.
            let grows = if grows == Grows::All { Grows::Lists } else { grows };
            for (name, value) in new {
                let value = match old.remove(&name) {
                    None => value,
                    Some(old) => merged(old, value, grows),
                };
                old.insert(name, value);
            }
            Value::Object(old)
        }
        (_, new) => new,
    }
}

/// Pieces of one entry of `reasoning_details` (OpenRouter): the same kind and number, one behind the other.
fn continues(last: &Value, item: &Value) -> bool {
    let is_reasoning = item.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("reasoning."));
    is_reasoning && ["type", "index"].iter().all(|name| last.get(name) == item.get(name))
}

fn merge_detail(last: Value, item: Value) -> Value {
    let (Value::Object(mut last), Value::Object(item)) = (last, item) else { return Value::Null };
    for (name, value) in item {
        let grows = ["text", "summary", "data"].contains(&name.as_str());
        let value = match last.remove(&name) {
            Some(known) if grows => merged(known, value, Grows::All),
            Some(known) if value.is_null() => known,
            _ => value,
        };
        last.insert(name, value);
    }
    Value::Object(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn vendor_members_that_every_chunk_repeats_are_kept_once() {
        let mut accumulator = Accumulator::new();
        for (group, reason) in [(json!({ "id": "req_1" }), json!(null)), (json!({ "seed": 7 }), json!("STOP"))] {
            let chunk = json!({
                "provider": "A", "citations": ["x", "y"], "x_groq": group,
                "choices": [{ "delta": { "content": "." }, "native_finish_reason": reason, "token_ids": [1, 2] }],
            });
            accumulator.add(serde_json::from_value(chunk).unwrap());
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
            accumulator.add(serde_json::from_value(json!({ "choices": [{ "index": 0, "delta": delta }] })).unwrap());
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
    fn an_empty_usage_is_no_event() {
        let mut accumulator = Accumulator::new();
        let mut is_told = |usage: Value| {
            let events = accumulator.events(serde_json::from_value(json!({ "choices": [], "usage": usage })).unwrap());
            events.into_iter().any(|event| matches!(event, ChatEvent::Usage(_)))
        };
        assert!(!is_told(json!({})));
        assert!(is_told(json!({ "prompt_tokens": 1 })));
    }
}
