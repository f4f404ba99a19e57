//! Chunks into a whole reply.

use serde_json::{Map, Value};

use super::chunk::{AudioDelta, ChatChunk, ChunkChoice, Delta, FunctionCallDelta, ToolCallDelta, usage_in};
use super::message::{AssistantMessage, AudioReply, Content, Part, Role};
use super::reply::{ChatCompletion, Choice, Logprobs};
use super::tool::{CustomCall, FunctionCall, ToolCall};
use crate::Extra;
use crate::wire::Wire;

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
    /// For each choice, the index that each of its tool calls came under.
    call_indexes: Vec<Vec<Option<i64>>>,
}

impl Accumulator {
    /// Nothing yet.
    pub fn new() -> Self {
        Accumulator::default()
    }

    /// Adds the next chunk.
    pub fn add(&mut self, chunk: ChatChunk) {
        let reply = self
            .reply
            .get_or_insert_with(|| ChatCompletion { object: "chat.completion".to_owned(), ..ChatCompletion::blank() });
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
        replace(&mut reply.usage, chunk.usage.map(|usage| *usage));
        replace(&mut reply.service_tier, chunk.service_tier);
        replace(&mut reply.system_fingerprint, chunk.system_fingerprint.map(Into::into));
        replace(&mut reply.moderation, chunk.moderation.map(|moderation| *moderation));
        replace_extra(&mut reply.extra, chunk.extra, false);
        for choice in chunk.choices {
            let position = match reply.choices.iter().position(|known| known.index == choice.index) {
                Some(position) => position,
                None => {
                    reply.choices.push(Choice { index: choice.index, ..Choice::blank() });
                    self.call_indexes.push(Vec::new());
                    reply.choices.len() - 1
                }
            };
            if let (Some(known), Some(indexes)) = (reply.choices.get_mut(position), self.call_indexes.get_mut(position))
            {
                add_choice(known, indexes, choice);
            }
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
        }
        Some(reply)
    }
}

fn replace<T>(known: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *known = new;
    }
}

fn add_choice(known: &mut Choice, indexes: &mut Vec<Option<i64>>, new: ChunkChoice) {
    add_delta(&mut known.message, indexes, new.delta);
    replace(&mut known.finish_reason, new.finish_reason);
    if let Some(new) = new.logprobs {
        let known = known.logprobs.get_or_insert_with(Logprobs::blank);
        extend(&mut known.content, new.content);
        extend(&mut known.refusal, new.refusal);
        merge_extra(&mut known.extra, new.extra);
    }
    replace_extra(&mut known.extra, new.extra, true);
}

fn extend<T>(known: &mut Option<Vec<T>>, new: Option<Vec<T>>) {
    if let Some(new) = new {
        known.get_or_insert_default().extend(new);
    }
}

fn add_delta(message: &mut AssistantMessage, indexes: &mut Vec<Option<i64>>, delta: Delta) {
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
    for call in delta.tool_calls {
        add_tool_call(&mut message.tool_calls, indexes, call);
    }
    if let Some(new) = delta.function_call {
        add_function(&mut message.function_call, *new);
    }
    if let Some(new) = delta.audio {
        add_audio(message.audio.get_or_insert_with(|| Box::new(AudioReply::blank())), *new);
    }
    merge_extra(&mut message.extra, delta.extra);
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
                merge_extra(&mut last.extra, part.extra);
            }
            (Some(Part::Thinking(last)), Part::Thinking(part)) => {
                match (&mut last.thinking, part.thinking) {
                    (Content::Text(known), Content::Text(new)) => known.push_str(&new),
                    (known, new) => add_parts(known, new),
                }
                merge_extra(&mut last.extra, part.extra);
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
    merge_extra(&mut known.extra, new.extra);
}

fn add_function(known: &mut Option<FunctionCall>, new: FunctionCallDelta) {
    let known = known.get_or_insert_with(FunctionCall::blank);
    add_name(&mut known.name, new.name.as_deref().unwrap_or_default());
    known.arguments.push_str(&new.arguments);
    merge_extra(&mut known.extra, new.extra);
}

/// Names come whole, once or in every piece; a few servers cut them.
fn add_name(known: &mut String, new: &str) {
    if known != new {
        known.push_str(new);
    }
}

/// Finds the call that a piece belongs to, or opens a new one.
fn add_tool_call(calls: &mut Vec<ToolCall>, indexes: &mut Vec<Option<i64>>, mut delta: ToolCallDelta) {
    // Mistral writes the text `null` where it has no id.
    delta.id = delta.id.filter(|id| !id.is_empty() && id != "null");
    let position = match find_call(calls, indexes, &delta) {
        Some(position) => position,
        None => {
            calls.push(ToolCall::blank());
            indexes.push(delta.index);
            calls.len() - 1
        }
    };
    let Some(call) = calls.get_mut(position) else { return };
    if let (Some(id), true) = (delta.id, call.id.is_empty()) {
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
        merge_extra(&mut known.extra, new.extra);
    }
    merge_extra(&mut call.extra, delta.extra);
}

fn find_call(calls: &[ToolCall], indexes: &[Option<i64>], delta: &ToolCallDelta) -> Option<usize> {
    let by_id = delta.id.as_ref().and_then(|id| calls.iter().rposition(|call| call.id == *id));
    let candidate = match delta.index {
        Some(index) => indexes.iter().rposition(|known| *known == Some(index)).or(by_id),
        None if delta.id.is_some() => by_id,
        None => calls.len().checked_sub(1),
    }?;
    let call = calls.get(candidate)?;
    let name = delta.function.as_ref().and_then(|function| function.name.as_deref());
    let name = name.or(delta.custom.as_ref().map(|custom| custom.name.as_str())).unwrap_or_default();
    let is_new = match &delta.id {
        // Several calls under one index (Ollama, Gemini, gateways): another id with a name begins another call.
        Some(id) => !call.id.is_empty() && call.id != *id && !name.is_empty(),
        // Whole calls without ids (Gemini): a name and arguments after complete arguments begin another call.
        None => {
            let arguments = delta.function.as_ref().map(|function| function.arguments.as_str()).unwrap_or_default();
            !name.is_empty() && !arguments.is_empty() && is_complete(call)
        }
    };
    if !is_new {
        return Some(candidate);
    }
    // The other id may be known under another index.
    by_id
}

fn is_complete(call: &ToolCall) -> bool {
    !call.name().is_empty() && serde_json::from_str::<Map<String, Value>>(call.arguments_text()).is_ok()
}

/// Vendor members of a reply and of its choices, such as `provider` and `citations`, which come whole, often in each
/// chunk: the last one counts, and objects are merged. A choice's lists (token ids on vLLM) grow.
pub(crate) fn replace_extra(known: &mut Extra, new: Extra, lists_grow: bool) {
    for (name, value) in Map::from(new) {
        let value = match (known.remove(&name), value) {
            (Some(old), value @ (Value::Null | Value::Object(_))) => merged(old, value),
            (Some(old @ Value::Array(_)), value @ Value::Array(_)) if lists_grow => merged(old, value),
            (_, value) => value,
        };
        known.insert(name, value);
    }
}

/// Vendor members of a message: texts grow, lists grow, objects are merged, everything else is replaced. Null says nothing new.
fn merge_extra(known: &mut Extra, new: Extra) {
    if new.is_empty() {
        return;
    }
    for (name, value) in Map::from(new) {
        match known.remove(&name) {
            None => drop(known.insert(name, value)),
            Some(old) => drop(known.insert(name, merged(old, value))),
        }
    }
}

fn merged(old: Value, new: Value) -> Value {
    match (old, new) {
        (old, Value::Null) => old,
        (Value::String(old), Value::String(new)) => Value::String(old + &new),
        (Value::Array(mut old), Value::Array(new)) => {
            for item in new {
                match old.last_mut() {
                    Some(last) if continues(last, &item) => *last = merge_detail(last.take(), item),
                    _ => old.push(item),
                }
            }
            Value::Array(old)
        }
        (Value::Object(mut old), Value::Object(new)) => {
            for (name, value) in new {
                let value = match old.remove(&name) {
                    Some(known @ (Value::Object(_) | Value::Array(_))) => merged(known, value),
                    Some(known) if value.is_null() => known,
                    _ => value,
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
            Some(known) if grows => merged(known, value),
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
}
