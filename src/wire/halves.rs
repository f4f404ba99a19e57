//! Characters cut in half: escapes such as `\ud83d` whose other half is missing. JSON allows them, Rust text does not,
//! and servers that cut their output anywhere write them.

use std::collections::HashMap;

use serde_json::Value;

/// First halves that stood at the end of a text, by the place of that text: the next event may hold the other half.
#[derive(Debug, Default)]
pub(crate) struct Halves(HashMap<String, u16>);

/// More places than answers can be; a server that goes on beyond gets U+FFFD.
const MOST: usize = 256;
/// Where halves stand while the JSON is read: at the end of the last private plane, where nobody else is.
const MARKS: u32 = 0x10_F800;
const LOST: &str = "\u{FFFD}";

impl Halves {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The event with whole characters only: halves that meet at the border of two events are joined in the later one,
    /// others become U+FFFD. `None` when there is nothing to mend or the text is no JSON for other reasons.
    pub(crate) fn mend(&mut self, text: &str) -> Option<String> {
        let marked = marked(text);
        if marked.is_none() && self.is_empty() {
            return None;
        }
        let mut value = serde_json::from_str(marked.as_deref().unwrap_or(text)).ok()?;
        self.mend_value(&mut value, "", true);
        serde_json::to_string(&value).ok()
    }

    fn mend_value(&mut self, value: &mut Value, place: &str, goes_on: bool) {
        match value {
            Value::String(text) => self.mend_text(text, place, goes_on),
            Value::Array(items) => {
                for (n, item) in items.iter_mut().enumerate() {
                    // Answers and calls tell their number: it stays when their position does not.
                    let place = match item.get("index") {
                        Some(index) => format!("{place}\n#{index}"),
                        None => format!("{place}\n{n}"),
                    };
                    self.mend_value(item, &place, goes_on);
                }
            }
            Value::Object(members) => {
                let inside = format!("{place}\n");
                let waiting = self.0.keys().filter_map(|known| known.strip_prefix(&inside));
                for name in waiting.filter(|name| !name.contains('\n')) {
                    // A text that does not go on: what waits at its place turns into U+FFFD.
                    let member = members.entry(name).or_insert(Value::Null);
                    if member.is_null() {
                        *member = Value::String(String::new());
                    }
                }
                for (mut name, mut value) in std::mem::take(members) {
                    self.mend_value(&mut value, &format!("{inside}{name}"), goes_on);
                    Halves::default().mend_text(&mut name, "", false);
                    members.insert(name, value);
                }
            }
            _ => {}
        }
    }

    fn mend_text(&mut self, text: &mut String, place: &str, goes_on: bool) {
        let first = self.0.remove(place);
        if first.is_none() && !text.chars().any(|c| half(c).is_some()) {
            return;
        }
        let mut mended = String::with_capacity(text.len());
        let mut chars = text.chars().peekable();
        if let Some(first) = first {
            match chars.peek().and_then(|c| half(*c)).and_then(|second| joined(first, second)) {
                Some(whole) => {
                    mended.push(whole);
                    chars.next();
                }
                None => mended.push_str(LOST),
            }
        }
        while let Some(c) = chars.next() {
            match half(c) {
                None => mended.push(c),
                Some(first @ 0xD800..0xDC00) if goes_on && chars.peek().is_none() && self.0.len() < MOST => {
                    self.0.insert(place.to_owned(), first);
                }
                Some(_) => mended.push_str(LOST),
            }
        }
        *text = mended;
    }
}

/// Decodes JSON; where characters cut in half stand in the way, once more without them.
pub(crate) fn mending<V>(json: &str, decode: impl Fn(&str) -> serde_json::Result<V>) -> serde_json::Result<V> {
    decode(json).or_else(|error| match mend_whole(json) {
        Some(mended) => decode(&mended),
        None => Err(error),
    })
}

/// JSON of any kind, halves mended.
pub(crate) fn value(json: &str) -> serde_json::Result<Value> {
    mending(json, |json| serde_json::from_str(json))
}

/// A whole reply with U+FFFD for each half; `None` when there is nothing to mend.
pub(crate) fn mend_whole(text: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(&marked(text)?).ok()?;
    Halves::default().mend_value(&mut value, "", false);
    serde_json::to_string(&value).ok()
}

/// The JSON with a mark for each half without its other one; `None` when there is none.
fn marked(text: &str) -> Option<String> {
    let mut marked = String::new();
    let mut rest = text;
    // In JSON, a backslash stands in texts only.
    while let Some((before, escape)) = rest.split_at_checked(rest.find('\\').unwrap_or(rest.len())) {
        marked.push_str(before);
        if escape.is_empty() {
            break;
        }
        let (length, mark) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(first), Some(second)) if joined(first, second).is_some() => (12, None),
            (Some(half @ 0xD800..0xE000), _) => (6, char::from_u32(MARKS + u32::from(half) - 0xD800)),
            _ => (2, None),
        };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        match mark {
            Some(mark) => marked.push(mark),
            None => marked.push_str(escape),
        }
        rest = after;
    }
    (marked != text).then_some(marked)
}

/// The UTF-16 unit of an escape at the start of the text.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// The half that a mark stands for.
fn half(c: char) -> Option<u16> {
    let half = u32::from(c).checked_sub(MARKS)?;
    u16::try_from(half + 0xD800).ok()
}

fn joined(first: u16, second: u16) -> Option<char> {
    match (first, second) {
        (0xD800..0xDC00, 0xDC00..0xE000) => char::decode_utf16([first, second]).next()?.ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of some events, mended one behind the other.
    fn texts(events: &[&str]) -> Vec<String> {
        let mut halves = Halves::default();
        let event = |text: &&str| halves.mend(text).unwrap_or_else(|| text.to_string());
        events.iter().map(event).collect()
    }

    #[test]
    fn halves_of_two_events_are_joined_in_the_later_one() {
        assert_eq!(texts(&[r#"{"t":"a\ud83d"}"#, r#"{"t":"\ude00b"}"#]), [r#"{"t":"a"}"#, r#"{"t":"😀b"}"#]);
        assert_eq!(
            texts(&[r#"{"t":"\uD83D"}"#, r#"{"t":"\uDE00\ud83d"}"#, r#"{"t":"\ude01"}"#]),
            [r#"{"t":""}"#, r#"{"t":"😀"}"#, r#"{"t":"😁"}"#]
        );
    }

    #[test]
    fn a_half_whose_text_goes_on_otherwise_is_lost() {
        assert_eq!(texts(&[r#"{"t":"\ud83d"}"#, r#"{"t":"b"}"#]), [r#"{"t":""}"#, "{\"t\":\"\u{FFFD}b\"}"]);
        assert_eq!(texts(&[r#"{"t":"\ud83d"}"#, r#"{}"#]), [r#"{"t":""}"#, "{\"t\":\"\u{FFFD}\"}"]);
        assert_eq!(texts(&[r#"{"t":"\ud83d"}"#, r#"{"t":null}"#]), [r#"{"t":""}"#, "{\"t\":\"\u{FFFD}\"}"]);
        assert_eq!(texts(&[r#"{"t":"\ude00\ud83da"}"#]), ["{\"t\":\"\u{FFFD}\u{FFFD}a\"}"]);
    }

    #[test]
    fn each_place_has_its_own_half() {
        let answer =
            |index: u32, text: &str| format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}},"index":{index}}}]}}"#);
        let events = [answer(0, "\\ud83d"), answer(1, "x"), answer(0, "\\ude00")];
        let events: Vec<_> = events.iter().map(String::as_str).collect();
        assert_eq!(texts(&events), [answer(0, ""), answer(1, "x"), answer(0, "😀")]);
    }

    #[test]
    fn what_is_whole_stays_as_it_is() {
        for text in [r#"{"t":"\ud83d\ude00 \\ud83d \u00e9"}"#, r#"{"t":"\u12"}"#, "no JSON", "\\", r#"{"t":"\\"#] {
            assert_eq!(Halves::default().mend(text), None, "{text}");
            assert_eq!(mend_whole(text), None, "{text}");
        }
    }

    #[test]
    fn a_whole_reply_loses_its_halves_only() {
        let mended = mend_whole(r#"{"a\udc00":["\ud83d","\ud83d\ude00\n\\"]}"#);
        assert_eq!(mended.as_deref(), Some("{\"a\u{FFFD}\":[\"\u{FFFD}\",\"😀\\n\\\\\"]}"));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut halves = Halves::default();
        for n in 0..2 * MOST {
            halves.mend(&format!(r#"[{{"index":{n},"t":"\ud83d"}}]"#));
        }
        assert_eq!(halves.0.len(), MOST);
    }
}
