//! What the events of a stream have in common. Most servers start every chunk with the same bytes: id, model and so on, up
//! to `choices`; some start with `choices`, and end every chunk with the same bytes. These members are read once, and later
//! items start as copies of the result.
//!
//! The outcome is that of reading every event from its start. JSON is read from left to right: once these bytes are known
//! to hold complete members of the outermost object, what follows is read as if it came right after the opening brace, and
//! what stands before them is one value.

use std::any::Any;

use memchr::memmem;

use super::item::StreamItem;
use crate::transport::sse::decode_utf8;
use crate::wire::{ReadOutcome, Wire, from_str};

/// The start of a chunk without a head.
const START: &str = "{\"choices\":";
/// The end of the new member, and the start of a tail.
const END: &[u8] = b"],\"";
/// The member of a head that is another number in each event.
const NUMBER: &str = "\"sequence_number\":";
/// No number is longer than this.
const MAX_DIGITS: usize = 18;
/// No head is longer than this, and where the rest is, there is little to save.
const MAX_LENGTH: usize = 4 << 10;
/// After this many heads in a row that were not seen three times, the search is given up.
const MAX_TRIES: u8 = 8;

/// The head of the last event, or its tail.
#[derive(Default)]
pub(super) struct Head {
    /// The head, and the name of the new member after it, or a comma and the tail; empty when there is none.
    known: String,
    /// What follows the number of the head; empty for a head without a number, and `known` ends before the number.
    after_number: String,
    is_tail: bool,
    /// Where the number of the current event starts and ends, and where its head ends.
    number: (usize, usize),
    end: usize,
    /// Its members as an item of the stream, read when the head is seen for the second time.
    item: Option<Box<dyn Any + Send + Sync>>,
    /// A brace, and the last event without its head.
    rest: String,
    /// The name of the new member, as it is written. The head ends before it.
    new_member: &'static str,
    tries: u8,
}

impl Head {
    /// The members of this event's head, if the last event had the same head.
    pub(super) fn item<T: StreamItem + Any + Send + Sync>(&mut self, event: &[u8]) -> Option<&T> {
        if self.tries >= MAX_TRIES && self.known.is_empty() {
            return None;
        }
        self.new_member = T::new_member();
        match self.is_in(event) {
            None => return None,
            Some(false) => self.item = None,
            // From now on it pays.
            Some(true) if self.item.is_some() => self.tries = 0,
            Some(true) => {
                let mut item = T::default_value();
                self.read_known(&mut item)?;
                self.item = Some(Box::new(item));
            }
        }
        self.item.as_ref()?.downcast_ref()
    }

    /// True when the event starts, or ends, like the last one. Otherwise its own head or tail is kept for the next. `None` for
    /// an event without the new member, which is no part of the row.
    fn is_in(&mut self, event: &[u8]) -> Option<bool> {
        let is_same = match self.is_tail {
            true => event.starts_with(START.as_bytes()) && event.ends_with(self.known.as_bytes()),
            false => self.measure(event).is_some(),
        };
        if is_same && !self.known.is_empty() {
            return Some(true);
        }
        if self.tries >= MAX_TRIES {
            self.known.clear();
            return Some(false);
        }
        let is_tail = event.starts_with(START.as_bytes());
        let known = if is_tail { tail(event) } else { head(event, self.new_member) };
        if known.is_none() && !is_tail {
            return None;
        }
        self.tries += 1;
        self.is_tail = is_tail;
        self.known.clear();
        self.after_number.clear();
        let known = known.and_then(|known| std::str::from_utf8(known).ok()).unwrap_or_default();
        match split_number(known).filter(|_| !is_tail) {
            Some((before, after)) => {
                self.known.push_str(before);
                self.after_number.push_str(after);
            }
            None => self.known.push_str(known),
        }
        Some(false)
    }

    /// Finds the number of an event with this head, and the end of the head.
    fn measure(&mut self, event: &[u8]) -> Option<()> {
        let rest = event.strip_prefix(self.known.as_bytes())?;
        self.end = self.known.len();
        if !self.after_number.is_empty() {
            let digits = count_digits(rest);
            rest.get(digits..)?.strip_prefix(self.after_number.as_bytes())?;
            self.number = (self.end, self.end + digits);
            self.end += digits + self.after_number.len();
        }
        Some(())
    }

    /// Reads the members of the head. If it holds anything but complete members, the search is given up.
    fn read_known(&mut self, item: &mut dyn Wire) -> Option<()> {
        let object = match self.is_tail {
            true => self
                .known
                .strip_prefix(',')
                .filter(|tail| !tail.contains("\"choices\""))
                .map(|tail| format!("{{{tail}")),
            false if self.after_number.is_empty() => {
                let head = self.known.strip_suffix(self.new_member).and_then(|head| head.trim_end().strip_suffix(','));
                // Not `{,`: a comma stands after a member.
                head.filter(|head| !head.trim_end().ends_with('{')).map(|head| format!("{head}}}"))
            }
            false => self.head_without_number(item),
        };
        let is_read = object.is_some_and(|object| is_read(&object, item));
        if !is_read {
            self.known.clear();
            self.after_number.clear();
            self.tries = MAX_TRIES;
        }
        is_read.then_some(())
    }

    /// The members before the number must be complete, and those around it, too.
    fn head_without_number(&self, place: &mut dyn Wire) -> Option<String> {
        let before = self.known.strip_suffix(NUMBER)?.strip_suffix(',')?;
        let after = self.after_number.strip_suffix(self.new_member)?.strip_suffix(',')?;
        is_read(&format!("{before}}}"), place).then(|| format!("{before}{after}}}"))
    }

    /// Reads what is not in the head. False when it cannot be read: then the event must be read from its start.
    pub(super) fn read_rest(&mut self, event: &[u8], item: &mut dyn StreamItem) -> bool {
        if self.is_tail {
            let end = event.len().saturating_sub(self.known.len());
            let Some(value) = event.get(START.len()..end).filter(|value| value.len() <= MAX_LENGTH) else {
                return false;
            };
            return item.new_field().is_some_and(|field| is_read(&decode_utf8(value), field));
        }
        // From the name of the new member on.
        let rest = event.get(self.end.saturating_sub(self.new_member.len())..).filter(|rest| rest.len() <= MAX_LENGTH);
        let Some(rest) = rest.map(decode_utf8) else { return false };
        let Some(place) = item.rest_mut(&rest) else { return false };
        self.rest.clear();
        self.rest.push('{');
        if !self.after_number.is_empty() {
            // Behind the other members of the head: the order of members means nothing.
            self.rest.push_str(NUMBER);
            self.rest.push_str(&decode_utf8(event.get(self.number.0..self.number.1).unwrap_or_default()));
            self.rest.push(',');
        }
        self.rest.push_str(&rest);
        is_read(&self.rest, place)
    }
}

/// The bytes of an event up to the name of the new member.
fn head<'a>(event: &'a [u8], new_member: &str) -> Option<&'a [u8]> {
    let start = event.get(..MAX_LENGTH).unwrap_or(event);
    start.get(..memmem::find(start, new_member.as_bytes())? + new_member.len())
}

/// Splits a head around its number; `None` if it has none, or anything else that could be its name.
fn split_number(head: &str) -> Option<(&str, &str)> {
    let at = head.find(NUMBER)? + NUMBER.len();
    let (before, rest) = head.split_at_checked(at)?;
    let (number, after) = rest.split_at_checked(count_digits(rest.as_bytes()))?;
    let is_plain = !number.is_empty() && after.starts_with(',') && !after.contains(NUMBER) && !head.contains('\\');
    is_plain.then_some((before, after))
}

/// The number of digits of a number without a leading zero.
fn count_digits(text: &[u8]) -> usize {
    match text.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count() {
        count if count > MAX_DIGITS || count > 1 && text.starts_with(b"0") => 0,
        count => count,
    }
}

/// The bytes of an event after the last array in it.
fn tail(event: &[u8]) -> Option<&[u8]> {
    let end = event.get(event.len().saturating_sub(MAX_LENGTH)..)?;
    end.get(memmem::rfind(end, END)? + 1..)
}

/// Reads JSON without a fault; nothing here goes through the repair.
fn is_read(json: &str, place: &mut dyn Wire) -> bool {
    matches!(from_str(json, place), Ok(ReadOutcome::Matched))
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use std::fmt::Debug;

    use super::*;
    use crate::chat::ChatChunk;
    use crate::responses::ResponseEvent;

    fn count(events: &[String]) -> usize {
        count_as::<ChatChunk>(events)
    }

    /// Counts the events that were read by their head, each of which must give what reading it from its start gives.
    fn count_as<T: StreamItem + Clone + Debug + PartialEq + Send + Sync + 'static>(events: &[String]) -> usize {
        let mut head = Head::default();
        let mut count = 0;
        for event in events {
            let Some(mut item) = head.item::<T>(event.as_bytes()).cloned() else { continue };
            if !head.read_rest(event.as_bytes(), &mut item) {
                continue;
            }
            let mut whole = T::default_value();
            assert!(matches!(from_str(event, &mut whole), Ok(ReadOutcome::Matched)), "{event}");
            assert_eq!(item, whole, "{event}");
            count += 1;
        }
        count
    }

    fn chunk(head: &str, text: &str) -> String {
        format!(r#"{{{head}"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}],"zz":1}}"#)
    }

    #[test]
    fn a_repeated_head_is_read_once() {
        for head in [
            r#""id":"a","#,
            " \"id\" : \"é\\n\\\"choices\\\"\" ,\n ",
            r#""id":7,"id":"b","created":5,"x":{"y":[]},"error":null,"#,
        ] {
            let event = |text| chunk(head, text);
            assert_eq!(count(&["a", "b", "", "c"].map(event)), 3, "{head}");
            let other = chunk(r#""id":"other","#, "");
            assert_eq!(count(&[event("a"), event("b"), other.clone(), other, event("c")]), 2, "{head}");
        }
    }

    #[test]
    fn a_repeated_tail_is_read_once() {
        let event =
            |text: &str, tail: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}],{tail}}}"#);
        for tail in [r#""id":"a""#, r#""created":1,"id":"é\n","usage":{"prompt_tokens":1},"error":null"#] {
            assert_eq!(count(&["a", "b", "", "c"].map(|text| event(text, tail))), 3, "{tail}");
            assert_eq!(
                count(&["a", "b", "c"].map(|text| event(&format!(r#"],\"id\":\"{text}\""#), tail))),
                2,
                "{tail}"
            );
        }
        let tail = r#""id":"a"}"#;
        for (start, reads) in [
            (r#"{"choices":[],"#, true),
            (r#"{"choices":null,"#, true),
            (r#"{"choices":[],"id":"b","#, false),
            (r#"{"choices":[],"zz":[],"#, false),
            (r#"{"choices":7,"#, false),
            (r#"{"choices":[{"index":0,"#, false),
            (r#"{"choices":[]],"#, false),
            (r#"{"choices":"#, false),
            (r#"{"zz":[],"#, false),
        ] {
            let known = [event("a", r#""id":"a""#), event("b", r#""id":"a""#)];
            let events = [&known[..], &[format!("{start}{tail}")]].concat();
            assert_eq!(count(&events) == 2, reads, "{start}");
        }
        for unknown in [r#""zz":{"choices":[]},"id":"a""#, r#""id":"a","choices":[]"#, r#""zz":{"y":[1],"x":2}"#] {
            assert_eq!(count(&["a", "b", "c"].map(|text| event(text, unknown))), 0, "{unknown}");
        }
    }

    #[test]
    fn a_head_holds_complete_members_only() {
        for event in [
            r#"{"choices":[]}"#,
            r#"{"a":{"b":1,"choices":[]}}"#,
            r#"{"a":{"b":1,"choices":[]},"choices":[]}"#,
            r#"{"a":["b","choices"]}"#,
            r#"{"a":"choices"}"#,
            r#"[{"a":1,"choices":[]}]"#,
            r#"{"a":1,,"choices":[]}"#,
            r#"{,"choices":[]}"#,
            r#"{"a":1}"#,
        ] {
            assert_eq!(count(&[event.to_owned(), event.to_owned(), event.to_owned()]), 0, "{event}");
        }
    }

    fn delta(number: &str, text: &str) -> String {
        format!(
            r#"{{"type":"response.output_text.delta","sequence_number":{number},"item_id":"msg_1","output_index":0,"content_index":0,"delta":"{text}","logprobs":[]}}"#
        )
    }

    #[test]
    fn a_head_with_another_number_in_each_event_is_read_once() {
        let deltas = [delta("4", "a"), delta("5", "b"), delta("123456789012345678", ""), delta("0", "c")];
        assert_eq!(count_as::<ResponseEvent>(&deltas), 3);
        let between =
            r#"{"type":"response.content_part.done","sequence_number":6,"part":{"type":"output_text"}}"#.to_owned();
        assert_eq!(count_as::<ResponseEvent>(&[delta("4", "a"), between, delta("7", "b"), delta("8", "c")]), 2);
        let first = |event: String| {
            event.replacen(r#""type":"response.output_text.delta","sequence_number":"#, r#""sequence_number":"#, 1)
        };
        let moved = |event: String| {
            first(event).replacen(r#""item_id""#, r#""type":"response.output_text.delta","item_id""#, 1)
        };
        let last = |event: &str| moved(event.to_owned());
        // A number right after the brace is left alone.
        assert_eq!(
            count_as::<ResponseEvent>(&[last(&delta("4", "a")), last(&delta("5", "b")), last(&delta("6", "c"))]),
            0
        );
    }

    #[test]
    fn a_number_of_a_head_is_one_plain_number() {
        let known = [delta("4", "a"), delta("5", "b")];
        for event in [
            delta("-1", ""),
            delta("01", ""),
            delta("1.5", ""),
            delta("1e3", ""),
            delta("1234567890123456789", ""),
            delta("\"6\"", ""),
            delta("null", ""),
            delta("", ""),
            delta("6", r#"","type":"response.refusal.delta","x":""#),
        ] {
            let events = [&known[..], std::slice::from_ref(&event)].concat();
            assert_eq!(count_as::<ResponseEvent>(&events), 1, "{event}");
        }
        for twice in [r#""output_index":0,"sequence_number":9"#, r#""output_index":0,"\u0073equence_number":9"#] {
            let event = |event: &String| event.replacen(r#""output_index":0"#, twice, 1);
            let events: Vec<_> = known.iter().map(event).collect();
            assert_eq!(count_as::<ResponseEvent>(&[&events[..], &events].concat()), 0, "{twice}");
        }
        let nested = |number: &str| {
            format!(r#"{{"x":{{"y":1,"sequence_number":{number},"delta":"a"}},"type":"response.output_text.delta"}}"#)
        };
        assert_eq!(count_as::<ResponseEvent>(&["1", "2", "3"].map(nested)), 0);
    }

    #[test]
    fn mutated_deltas_are_read_as_without_heads() {
        let mut counted = 0;
        for seed in 0..2000 {
            let mut random = Rng::with_seed(seed);
            let parts = [
                "\"delta\":",
                "{",
                "}",
                "[",
                ",",
                "\"",
                "\\",
                "\"type\":\"x\",",
                "\"sequence_number\":7,",
                "0",
                "1",
                "\n",
            ];
            let mut events = Vec::new();
            for _ in 0..8 {
                let mut event = delta(&random.u32(0..200).to_string(), "text");
                for _ in 0..random.usize(0..2) {
                    let at = random.usize(0..=event.len());
                    event.insert_str(at, parts[random.usize(0..parts.len())]);
                }
                events.extend(vec![event; random.usize(1..3)]);
            }
            counted += count_as::<ResponseEvent>(&events);
        }
        assert!(counted > 2000, "{counted}");
    }

    #[test]
    fn anything_may_follow_a_head() {
        let known = [chunk(r#""id":"a","#, "a"), chunk(r#""id":"a","#, "b")];
        for (rest, reads) in [
            (r#":[],"id":"b","choices":[{"index":3}]}"#, true),
            (r#":null}  "#, true),
            (r#":7,"error":{"message":"m"}}"#, true),
            (r#":[]}}"#, false),
            (r#":[],}"#, false),
            ("", false),
        ] {
            let event = format!(r#"{{"id":"a","choices"{rest}"#);
            let events = [known[0].clone(), known[1].clone(), event];
            assert_eq!(count(&events) == 2, reads, "{rest}");
        }
    }

    #[test]
    fn the_search_ends_where_heads_do_not_repeat() {
        let event = |head: u8| chunk(&format!(r#""id":"{head}","#), "");
        let (once, twice) = (|head| [head; 1], |head| [head; 2]);
        let last = [MAX_TRIES; 4].map(event);
        let count_behind = |heads: Vec<u8>| {
            let known: Vec<_> = heads.into_iter().map(event).collect();
            count(&[&known[..], &last].concat()) - count(&known)
        };
        assert_eq!(count_behind((1..MAX_TRIES).flat_map(once).collect()), 3);
        assert_eq!(count_behind((1..MAX_TRIES).flat_map(twice).collect()), 3);
        assert_eq!(count_behind((0..MAX_TRIES).flat_map(once).collect()), 0);
        assert_eq!(count_behind((0..MAX_TRIES).flat_map(twice).collect()), 0);
        assert_eq!(count_behind((0..MAX_TRIES).flat_map(|head| [head; 3]).collect()), 3);
    }

    #[test]
    fn mutated_events_are_read_as_without_heads() {
        let mut counted = 0;
        for seed in 0..2000 {
            let mut random = Rng::with_seed(seed);
            let heads = [r#""id":"a","created":1,"#, r#""created":1,"id":"a","x":[{"b":"c"}],"#, ""];
            let tails = [r#""zz":1}"#, r#""id":"a","created":1}"#];
            let parts = ["\"choices\":", "{", "}", "[", "]", ",", "\"", "\\", "\"id\":\"b\",", "null", "\n"];
            let mut events = Vec::new();
            for _ in 0..8 {
                let mut event = chunk(heads[random.usize(0..heads.len() * 2) / 2], "text");
                event = event.replace(tails[0], tails[random.usize(0..tails.len())]);
                for _ in 0..random.usize(0..3) {
                    let at = random.usize(0..=event.len());
                    event.insert_str(at, parts[random.usize(0..parts.len())]);
                }
                events.extend(vec![event; random.usize(1..4)]);
            }
            counted += count(&events);
        }
        assert!(counted > 2000, "{counted}");
    }
}
