//! Tool calls from their chunks, however a server numbers them.

use serde_json::{Map, Value};

use super::{ChoiceState, MergePolicy, merge_extra};
use crate::chat::{CustomCall, FunctionCall, FunctionCallDelta, ToolCall, ToolCallDelta};
use crate::wire::Wire;

impl ChoiceState {
    /// True if a call has a name and complete arguments.
    pub(super) fn is_complete(&mut self, position: usize, call: &ToolCall) -> bool {
        let arguments = call.arguments_text();
        call.function.is_some()
            && !call.name().is_empty()
            && self.scans.get_mut(position).is_some_and(|scan| scan.is_complete(arguments))
    }
}

pub(super) fn add_function(known: &mut Option<FunctionCall>, new: FunctionCallDelta) {
    let known = known.get_or_insert_with(FunctionCall::default_value);
    add_name(&mut known.name, new.name.as_deref().unwrap_or_default());
    known.arguments.push_str(&new.arguments);
    merge_extra(&mut known.extra, new.extra, MergePolicy::AppendArrays);
}

/// Names are sent whole, once or in every chunk; a few servers split them.
fn add_name(known: &mut String, new: &str) {
    if known != new {
        known.push_str(new);
    }
}

/// Adds a chunk to its call; returns the position of the call, and whether it has just started.
pub(super) fn add_tool_call(
    calls: &mut Vec<ToolCall>,
    state: &mut ChoiceState,
    mut delta: ToolCallDelta,
) -> (usize, bool) {
    // Mistral sends the string `null` instead of an id.
    delta.id = delta.id.filter(|id| !id.is_empty() && id != "null");
    let found = find_call(calls, state, &delta);
    let position = found.unwrap_or_else(|| {
        calls.push(ToolCall::default_value());
        state.wire_indexes.push(delta.index);
        state.is_done.push(false);
        state.scans.push(ArgumentScan::default());
        calls.len() - 1
    });
    if let Some(index) = delta.index {
        state.call_by_index.insert(index, position);
    }
    let Some(call) = calls.get_mut(position) else { return (position, false) };
    if let (Some(id), true) = (delta.id, call.id.is_empty()) {
        state.call_by_id.insert(id.clone(), position);
        call.id = id;
    }
    if let Some(type_) = delta.type_.filter(|type_| !type_.is_empty()) {
        call.type_ = type_.into();
    }
    if let Some(function) = delta.function {
        // Some servers open a call with an empty object, and the arguments follow.
        let is_placeholder = call.arguments_text().trim() == "{}" && function.arguments.trim_start().starts_with('{');
        if let (true, Some(known)) = (is_placeholder, &mut call.function) {
            known.arguments.clear();
            if let Some(scan) = state.scans.get_mut(position) {
                *scan = ArgumentScan::default();
            }
        }
        add_function(&mut call.function, function);
    }
    if let Some(new) = delta.custom {
        let known = call.custom.get_or_insert_with(CustomCall::default_value);
        add_name(&mut known.name, &new.name);
        known.input.push_str(&new.input);
        merge_extra(&mut known.extra, new.extra, MergePolicy::AppendArrays);
    }
    merge_extra(&mut call.extra, delta.extra, MergePolicy::AppendArrays);
    (position, found.is_none())
}

/// The call that a chunk belongs to; `None` if it starts one.
fn find_call(calls: &[ToolCall], state: &mut ChoiceState, delta: &ToolCallDelta) -> Option<usize> {
    let name = delta.function.as_ref().and_then(|function| function.name.as_deref());
    let name = name.or(delta.custom.as_ref().map(|custom| custom.name.as_str())).unwrap_or_default();
    let call_by_id = delta.id.as_ref().and_then(|id| state.call_by_id.get(id).copied());
    let candidate = match delta.index {
        Some(index) => state.call_by_index.get(&index).copied().or_else(|| {
            // An id under a new index is the same call, unless it has a name and an index already.
            let has_index = |call: &usize| state.wire_indexes.get(*call).is_some_and(Option::is_some);
            call_by_id.filter(|call| name.is_empty() || !has_index(call))
        }),
        None if delta.id.is_some() => call_by_id,
        None => calls.len().checked_sub(1),
    }?;
    let call = calls.get(candidate)?;
    let is_same = delta.id.as_ref().is_some_and(|id| *id == call.id);
    if name.is_empty() || is_same {
        return Some(candidate);
    }
    // Several calls under one index (Ollama, Gemini, gateways): another id with a name starts another call.
    let has_other_id = delta.id.is_some() && !call.id.is_empty();
    // Whole calls without ids (Gemini): after complete arguments, another name or more arguments do.
    let new = delta.function.as_ref().map(|function| function.arguments.trim()).unwrap_or_default();
    let replaces =
        name == call.name() && call.arguments_text().trim() == "{}" && new.starts_with('{') && !is_object(new);
    if has_other_id || (!new.is_empty() || name != call.name()) && !replaces && state.is_complete(candidate, call) {
        // The other id may be known under another index.
        return call_by_id;
    }
    Some(candidate)
}

/// What is known of the arguments of a call: each byte is read once, because servers that repeat the name ask often.
#[derive(Clone, Debug, Default)]
pub(super) struct ArgumentScan {
    scanned: usize,
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
    /// The first value has ended, and whether it is an object.
    end: Option<bool>,
    /// More follows it.
    has_more: bool,
}

impl ArgumentScan {
    /// True if the arguments are a complete object. They only grow.
    fn is_complete(&mut self, arguments: &str) -> bool {
        for (position, byte) in arguments.bytes().enumerate().skip(self.scanned) {
            match byte {
                _ if self.end.is_some() => self.has_more |= !byte.is_ascii_whitespace(),
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_in_string => self.is_escaped = true,
                b'"' => self.is_in_string = !self.is_in_string,
                _ if self.is_in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.end = Some(arguments.get(..=position).is_some_and(is_object));
                    }
                }
                _ => {}
            }
        }
        self.scanned = arguments.len();
        self.end == Some(true) && !self.has_more
    }
}

fn is_object(json: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(json).is_ok()
}
