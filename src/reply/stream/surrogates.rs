//! Characters that a server cut in half between two events: a lone surrogate such as `\ud83d` at the end of a text, and
//! the other half at the start of the same text in a later event.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::wire::repair::{LoneSurrogate, REPLACEMENT, Unit, has_marks, join, repair, units};

/// High surrogates at the end of a text, by the place of the text in the event: the next event may hold the other half.
#[derive(Debug, Default)]
pub(super) struct SurrogateJoiner {
    pending: Node,
    count: usize,
}

/// More places than choices can be; the surrogates of a server that goes beyond become U+FFFD.
const MAX_PENDING: usize = 256;

/// A place in an event, and the places below it.
#[derive(Debug, Default)]
struct Node {
    surrogate: Option<u16>,
    members: BTreeMap<String, Node>,
    elements: BTreeMap<u64, Node>,
}

/// The way from the root of an event to a value.
struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Decoded<'a>,
}

enum Decoded<'a> {
    Root,
    Member(&'a str),
    Element(u64),
}

impl SurrogateJoiner {
    /// True when no surrogate is waiting for its other half.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the event with surrogates joined; those that do not meet become U+FFFD. `None` when there is nothing to repair,
    /// or when the text is not JSON.
    pub(super) fn join(&mut self, text: &str) -> Option<Value> {
        let repaired = repair(text, LoneSurrogate::Mark);
        if repaired.is_none() && self.is_empty() {
            return None;
        }
        let mut event = serde_json::from_str(repaired.as_deref().unwrap_or(text)).ok()?;
        let mut pending = std::mem::take(&mut self.pending);
        let mut found = Vec::new();
        let mut walk = Walk { joined: 0, room: MAX_PENDING - self.count.min(MAX_PENDING), found: &mut found };
        walk.value(&mut event, Some(&mut pending), &Place { parent: None, step: Decoded::Root });
        self.count -= walk.joined.min(self.count);
        for (path, surrogate) in found {
            self.count += 1;
            *pending.at(&path) = Some(surrogate);
        }
        self.pending = pending;
        Some(event)
    }
}

/// A step of a path that outlives its event.
enum OwnedStep {
    Member(String),
    Element(u64),
}

impl Node {
    fn is_empty(&self) -> bool {
        self.surrogate.is_none() && self.members.is_empty() && self.elements.is_empty()
    }

    fn at(&mut self, path: &[OwnedStep]) -> &mut Option<u16> {
        let node = path.iter().fold(self, |node, step| match step {
            OwnedStep::Member(name) => node.members.entry(name.clone()).or_default(),
            OwnedStep::Element(index) => node.elements.entry(*index).or_default(),
        });
        &mut node.surrogate
    }
}

impl Place<'_> {
    fn path(&self) -> Vec<OwnedStep> {
        let mut path = self.parent.map_or_else(Vec::new, Place::path);
        match self.step {
            Decoded::Root => {}
            Decoded::Member(name) => path.push(OwnedStep::Member(name.to_owned())),
            Decoded::Element(index) => path.push(OwnedStep::Element(index)),
        }
        path
    }
}

/// One walk over an event, side by side with the places that wait.
struct Walk<'a> {
    joined: usize,
    room: usize,
    found: &'a mut Vec<(Vec<OwnedStep>, u16)>,
}

impl Walk<'_> {
    fn value(&mut self, value: &mut Value, mut pending: Option<&mut Node>, place: &Place<'_>) {
        match value {
            Value::String(text) => {
                let first = pending.as_mut().and_then(|node| node.surrogate.take());
                self.text(text, first, place);
            }
            Value::Array(elements) => {
                for (element, position) in elements.iter_mut().zip(0..) {
                    // Choices and tool calls have an index, which stays when their position does not.
                    let index = element.get("index").and_then(Value::as_u64).unwrap_or(position);
                    let below = pending.as_mut().and_then(|node| node.elements.get_mut(&index));
                    self.value(element, below, &Place { parent: Some(place), step: Decoded::Element(index) });
                }
            }
            Value::Object(members) => self.object(members, pending.as_deref_mut(), place),
            _ => {}
        }
        if let Some(node) = pending {
            node.members.retain(|_, node| !node.is_empty());
            node.elements.retain(|_, node| !node.is_empty());
        }
    }

    fn object(&mut self, members: &mut Map<String, Value>, mut pending: Option<&mut Node>, place: &Place<'_>) {
        let waiting = pending.iter().flat_map(|node| &node.members).filter(|(_, node)| node.surrogate.is_some());
        for (name, _) in waiting {
            // A text that does not go on: what waits at its place becomes U+FFFD.
            let member = members.entry(name).or_insert(Value::Null);
            if member.is_null() {
                *member = Value::String(String::new());
            }
        }
        let mut has_marked_name = false;
        for (name, member) in members.iter_mut() {
            has_marked_name |= has_marks(name);
            let below = pending.as_mut().and_then(|node| node.members.get_mut(name));
            self.value(member, below, &Place { parent: Some(place), step: Decoded::Member(name) });
        }
        if has_marked_name {
            *members =
                std::mem::take(members).into_iter().map(|(name, member)| (without_marks(name), member)).collect();
        }
    }

    fn text(&mut self, text: &mut String, first: Option<u16>, place: &Place<'_>) {
        if first.is_none() && !has_marks(text) {
            return;
        }
        let mut joined = String::with_capacity(text.len());
        let mut units = units(text).peekable();
        if let Some(first) = first {
            self.joined += 1;
            let pair = match units.peek() {
                Some(Unit::LoneSurrogate(second)) => join(first, *second),
                _ => None,
            };
            if pair.is_some() {
                units.next();
            }
            joined.push(pair.unwrap_or(REPLACEMENT));
        }
        while let Some(unit) = units.next() {
            match unit {
                Unit::Char(c) => joined.push(c),
                Unit::LoneSurrogate(high @ 0xD800..0xDC00)
                    if units.peek().is_none() && self.found.len() < self.room =>
                {
                    self.found.push((place.path(), high));
                }
                Unit::LoneSurrogate(_) => joined.push(REPLACEMENT),
            }
        }
        drop(units);
        *text = joined;
    }
}

fn without_marks(name: String) -> String {
    units(&name).map(|unit| if let Unit::Char(c) = unit { c } else { REPLACEMENT }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The events after the joiner has seen one after the other.
    fn joined(events: &[&str]) -> Vec<Value> {
        let mut joiner = SurrogateJoiner::default();
        let event = |text: &&str| joiner.join(text).unwrap_or_else(|| serde_json::from_str(text).unwrap());
        events.iter().map(event).collect()
    }

    #[test]
    fn surrogates_of_two_events_are_joined_in_the_later_one() {
        assert_eq!(joined(&[r#"{"t":"a\ud83d"}"#, r#"{"t":"\ude00b"}"#]), [json!({ "t": "a" }), json!({ "t": "😀b" })]);
        assert_eq!(
            joined(&[r#"{"t":"\uD83D"}"#, r#"{"t":"\uDE00\ud83d"}"#, r#"{"t":"\ude01"}"#]),
            [json!({ "t": "" }), json!({ "t": "😀" }), json!({ "t": "😁" })]
        );
    }

    #[test]
    fn a_surrogate_whose_text_goes_on_otherwise_becomes_a_replacement_character() {
        for (next, text) in [
            (r#"{"t":"b"}"#, "\u{FFFD}b"),
            (r#"{}"#, "\u{FFFD}"),
            (r#"{"t":null}"#, "\u{FFFD}"),
            (r#"{"t":"\ud83db"}"#, "\u{FFFD}\u{FFFD}b"),
        ] {
            assert_eq!(joined(&[r#"{"t":"\ud83d"}"#, next]), [json!({ "t": "" }), json!({ "t": text })], "{next}");
        }
        assert_eq!(joined(&[r#"{"t":"\ude00\ud83da"}"#]), [json!({ "t": "\u{FFFD}\u{FFFD}a" })]);
    }

    #[test]
    fn each_choice_has_a_half_of_its_own() {
        let event =
            |index: u32, text: &str| format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}},"index":{index}}}]}}"#);
        let events = [event(0, "\\ud83d"), event(1, "x"), event(0, "\\ude00")];
        let expected =
            [event(0, ""), event(1, "x"), event(0, "😀")].map(|text| serde_json::from_str::<Value>(&text).unwrap());
        assert_eq!(joined(&events.each_ref().map(String::as_str)), expected);
    }

    #[test]
    fn characters_of_the_text_are_no_marks() {
        let text = "{\"t\":\"\u{10FFFF} \u{10F83D}\",\"u\":\"\\ud83d\"}";
        assert_eq!(
            joined(&[text, r#"{"u":"\ude00"}"#]),
            [json!({ "t": "\u{10FFFF} \u{10F83D}", "u": "" }), json!({ "u": "😀" })]
        );
    }

    #[test]
    fn names_are_never_joined() {
        assert_eq!(joined(&[r#"{"a\ud83d":"b"}"#]), [json!({ "a\u{FFFD}": "b" })]);
    }

    #[test]
    fn what_waits_is_bounded_and_forgotten() {
        let mut joiner = SurrogateJoiner::default();
        for n in 0..2 * MAX_PENDING {
            joiner.join(&format!(r#"[{{"index":{n},"t":"\ud83d"}}]"#));
        }
        assert_eq!(joiner.count, MAX_PENDING);
        let rest: Vec<String> = (0..MAX_PENDING).map(|n| format!(r#"{{"index":{n},"t":"\ude00"}}"#)).collect();
        joiner.join(&format!("[{}]", rest.join(",")));
        assert!(joiner.is_empty() && joiner.pending.is_empty());
    }
}
