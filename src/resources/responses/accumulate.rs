//! A response put together from its events: [`ResponseAccumulator`].

use std::collections::HashMap;

use super::event::{DeltaEvent, ItemEvent, PartEvent, ResponseEvent};
use super::reply::{Response, ResponseStatus};
use super::{
    Annotation, CodeInterpreterCallItem, Content, CustomToolCallItem, FunctionCallItem, Item, McpCallItem, MessageItem,
    Part, ReasoningItem,
};
use crate::chat::{RefusalPart, Role};
use crate::error::Error;
use crate::resources::items::text_part;
use crate::wire::{SharedString, Wire};

/// Puts a response together from its events, whichever of them a server sends: from the deltas alone, or from complete
/// items and the complete response, which win.
///
/// [`ResponseStream::collect`](super::ResponseStream::collect) does it for a whole stream.
#[derive(Clone, Debug, Default)]
pub struct ResponseAccumulator {
    response: Option<Response>,
    /// Positions in the output by the server's index and by the id of the item.
    by_index: HashMap<u64, usize>,
    by_id: HashMap<String, usize>,
    /// The last one that was looked up.
    recent: Option<(u64, usize)>,
}

/// Where an event belongs.
struct Place<'a> {
    output_index: Option<u64>,
    item_id: Option<&'a SharedString>,
}

/// The place of an event.
macro_rules! place {
    ($event:ident) => {
        Place { output_index: $event.output_index, item_id: $event.item_id.as_ref() }
    };
}

impl ResponseAccumulator {
    /// Creates an empty accumulator.
    pub fn new() -> Self {
        ResponseAccumulator::default()
    }

    /// Returns the response so far; `None` before the first event.
    pub fn snapshot(&self) -> Option<&Response> {
        self.response.as_ref()
    }

    /// Attaches the response so far to the error of its stream.
    pub(super) fn attach_to(self, error: Error) -> Error {
        match self.finish() {
            Some(response) => error.with_last(response),
            None => error,
        }
    }

    /// Returns the response; `None` if there was no event.
    pub fn finish(self) -> Option<Response> {
        self.response
    }

    /// Adds the next event.
    pub fn push(&mut self, event: &ResponseEvent) {
        match event {
            ResponseEvent::Lifecycle(event) => self.set_response(&event.response, &event.type_),
            ResponseEvent::Item(event) => self.set_item(event),
            ResponseEvent::Part(event) => self.set_part(event),
            ResponseEvent::TextDelta(event) => self.add_text(event, Kind::Text, event.content_index),
            ResponseEvent::RefusalDelta(event) => self.add_text(event, Kind::Refusal, event.content_index),
            ResponseEvent::ReasoningDelta(event) => {
                let (kind, index) = Kind::of_text(&event.type_, event.content_index, event.summary_index);
                self.add_text(event, kind, index);
            }
            ResponseEvent::TextDone(event)
            | ResponseEvent::RefusalDone(event)
            | ResponseEvent::ReasoningDone(event) => {
                let (kind, index) = Kind::of_text(&event.type_, event.content_index, event.summary_index);
                let Some(part) = self.part(place!(event), kind, index) else { return };
                set_text(part.text_mut(), event.text());
                if let (Part::OutputText(part), false) = (part, event.logprobs.is_empty()) {
                    part.logprobs.clone_from(&event.logprobs);
                }
            }
            ResponseEvent::InputDelta(event) => {
                if let Some(input) = self.item(place!(event), Kind::of_call(&event.type_)).and_then(input_mut) {
                    input.push_str(&event.delta);
                }
            }
            ResponseEvent::InputDone(event) => {
                let Some(item) = self.item(place!(event), Kind::of_call(&event.type_)) else { return };
                if let (Item::FunctionCall(call), Some(name)) = (&mut *item, &event.name) {
                    call.name.clone_from(name);
                }
                set_text(input_mut(item), event.text());
            }
            ResponseEvent::Annotation(event) => {
                let part = self.part(place!(event), Kind::Text, event.content_index);
                if let (Some(annotation), Some(Part::OutputText(part))) = (&event.annotation, part) {
                    let index = event.annotation_index.unwrap_or(part.annotations.len() as u64);
                    if let Some(place) = at(&mut part.annotations, Some(index), Annotation::default_value) {
                        place.clone_from(annotation);
                    }
                }
            }
            ResponseEvent::AudioDelta(_)
            | ResponseEvent::Image(_)
            | ResponseEvent::Progress(_)
            | ResponseEvent::Other(_) => {}
        }
    }

    fn add_text(&mut self, event: &DeltaEvent, kind: Kind, index: Option<u64>) {
        let Some(part) = self.part(place!(event), kind, index) else { return };
        if let Some(text) = part.text_mut() {
            text.push_str(&event.delta);
        }
        if let Part::OutputText(part) = part {
            part.logprobs.extend_from_slice(&event.logprobs);
        }
    }

    fn response_mut(&mut self) -> &mut Response {
        self.response
            .get_or_insert_with(|| Response { status: ResponseStatus::InProgress, ..Response::default_value() })
    }

    /// A new state of the response. Its output wins only if it is complete: some servers leave it out.
    fn set_response(&mut self, new: &Response, name: &str) {
        let status = ResponseStatus::from(name.strip_prefix("response.").unwrap_or_default());
        let old = self.response_mut();
        let mut new = new.clone();
        if new.status.is_default_value() {
            new.status = if status.is_terminal() { status } else { ResponseStatus::InProgress };
        }
        let is_final = new.status.is_terminal() && !new.output.is_empty();
        if !is_final {
            new.output = std::mem::take(&mut old.output);
        }
        if new.id.is_empty() {
            new.id = std::mem::take(&mut old.id);
        }
        if new.model.is_empty() {
            new.model = std::mem::take(&mut old.model);
        }
        *old = new;
    }

    fn set_item(&mut self, event: &ItemEvent) {
        let id = event.item.id().map(SharedString::from);
        let place = Place { output_index: event.output_index, item_id: id.as_ref() };
        match self.position(&place) {
            Some(position) => {
                if let Some(item) = self.response_mut().output.get_mut(position) {
                    *item = (*event.item).clone();
                }
            }
            None => self.add(place, (*event.item).clone()),
        }
    }

    fn set_part(&mut self, event: &PartEvent) {
        let (kind, index) = match &*event.part {
            Part::SummaryText(_) => (Kind::Summary, event.summary_index.or(event.content_index)),
            Part::ReasoningText(_) => (Kind::Reasoning, event.content_index),
            Part::Refusal(_) => (Kind::Refusal, event.content_index),
            _ => (Kind::Text, event.content_index),
        };
        let is_begun = event.type_.ends_with(".added");
        if let Some(part) = self.part(place!(event), kind, index) {
            // The beginning of a part that has text already comes late.
            let has_text = part.text_mut().is_some_and(|text| !text.is_empty());
            if !(is_begun && has_text) {
                *part = (*event.part).clone();
            }
        }
    }

    /// The position of an item that is known.
    fn position(&mut self, place: &Place<'_>) -> Option<usize> {
        if let (Some(index), Some((recent, position))) = (place.output_index, self.recent) {
            if index == recent {
                return Some(position);
            }
        }
        let by_index = place.output_index.and_then(|index| Some((index, *self.by_index.get(&index)?)));
        self.recent = by_index.or(self.recent);
        by_index.map(|(_, position)| position).or_else(|| self.by_id.get(place.item_id?.as_str()).copied())
    }

    fn add(&mut self, place: Place<'_>, item: Item) {
        let output = &mut self.response_mut().output;
        let position = output.len();
        output.push(item);
        if let Some(index) = place.output_index {
            self.by_index.insert(index, position);
        }
        if let Some(id) = place.item_id {
            self.by_id.insert(id.to_string(), position);
        }
    }

    /// The item of an event; a new one, where its beginning was not sent.
    fn item(&mut self, place: Place<'_>, kind: Kind) -> Option<&mut Item> {
        let has_place = place.output_index.is_some() || place.item_id.is_some();
        let last = |output: &Vec<Item>| output.len().checked_sub(1);
        let position = match self.position(&place) {
            Some(position) => Some(position),
            None if has_place => None,
            None => self.response.as_ref().and_then(|response| last(&response.output)),
        };
        let position = match position {
            Some(position) => position,
            None => {
                let id = place.item_id.map(SharedString::to_string);
                self.add(place, kind.new_item(id));
                last(&self.response.as_ref()?.output)?
            }
        };
        self.response_mut().output.get_mut(position)
    }

    /// The part of an event; a new one, where its beginning was not sent.
    fn part(&mut self, place: Place<'_>, kind: Kind, index: Option<u64>) -> Option<&mut Part> {
        let parts = match (self.item(place, kind)?, kind) {
            (Item::Message(message), _) => {
                if let Content::Text(text) = &mut message.content {
                    let text = std::mem::take(text);
                    let parts = if text.is_empty() { Vec::new() } else { vec![Part::output_text(text)] };
                    message.content = Content::Parts(parts);
                }
                match &mut message.content {
                    Content::Parts(parts) => parts,
                    Content::Text(_) => return None,
                }
            }
            (Item::Reasoning(item), Kind::Summary) => &mut item.summary,
            (Item::Reasoning(item), _) => &mut item.content,
            _ => return None,
        };
        at(parts, index, || kind.new_part())
    }
}

/// What an event belongs to.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Refusal,
    Reasoning,
    Summary,
    Function,
    Custom,
    Mcp,
    Code,
}

impl Kind {
    fn of_text(name: &str, content_index: Option<u64>, summary_index: Option<u64>) -> (Self, Option<u64>) {
        match name {
            _ if name.contains("summary") => (Kind::Summary, summary_index.or(content_index)),
            _ if name.contains("reasoning") => (Kind::Reasoning, content_index),
            _ if name.contains("refusal") => (Kind::Refusal, content_index),
            _ => (Kind::Text, content_index),
        }
    }

    fn of_call(name: &str) -> Self {
        match name {
            _ if name.contains("custom") => Kind::Custom,
            _ if name.contains("mcp") => Kind::Mcp,
            _ if name.contains("code") => Kind::Code,
            _ => Kind::Function,
        }
    }

    fn new_item(self, id: Option<String>) -> Item {
        match self {
            Kind::Text | Kind::Refusal => {
                let content = Content::Parts(Vec::new());
                Item::Message(MessageItem { id, role: Role::Assistant, content, ..MessageItem::default_value() })
            }
            Kind::Reasoning | Kind::Summary => Item::Reasoning(ReasoningItem { id, ..ReasoningItem::default_value() }),
            Kind::Function => Item::FunctionCall(FunctionCallItem { id, ..FunctionCallItem::default_value() }),
            Kind::Custom => Item::CustomToolCall(CustomToolCallItem { id, ..CustomToolCallItem::default_value() }),
            Kind::Mcp => Item::McpCall(McpCallItem { id, ..McpCallItem::default_value() }),
            Kind::Code => {
                Item::CodeInterpreterCall(CodeInterpreterCallItem { id, ..CodeInterpreterCallItem::default_value() })
            }
        }
    }

    fn new_part(self) -> Part {
        match self {
            Kind::Refusal => Part::Refusal(RefusalPart::default_value()),
            Kind::Reasoning => Part::ReasoningText(text_part("")),
            Kind::Summary => Part::SummaryText(text_part("")),
            _ => Part::output_text(""),
        }
    }
}

/// A complete text wins over what its deltas made, unless a server leaves it empty.
fn set_text(place: Option<&mut String>, text: &str) {
    if let Some(place) = place.filter(|_| !text.is_empty()) {
        text.clone_into(place);
    }
}

/// The text that deltas of a call extend.
fn input_mut(item: &mut Item) -> Option<&mut String> {
    match item {
        Item::FunctionCall(call) => Some(&mut call.arguments),
        Item::CustomToolCall(call) => Some(&mut call.input),
        Item::McpCall(call) => Some(&mut call.arguments),
        Item::CodeInterpreterCall(call) => Some(call.code.get_or_insert_with(String::new)),
        _ => None,
    }
}

/// Positions beyond this are mistakes of a server, and not places to make room for.
const MAX_POSITION: usize = 1024;

/// The element at a position, which is made with those before it; the last one for a position out of reach.
fn at<T>(list: &mut Vec<T>, position: Option<u64>, new: impl Fn() -> T) -> Option<&mut T> {
    let last = list.len().saturating_sub(1);
    let position = position.and_then(|position| usize::try_from(position).ok()).unwrap_or(last);
    let position = if position > MAX_POSITION { last } else { position };
    while list.len() <= position {
        list.push(new());
    }
    list.get_mut(position)
}
