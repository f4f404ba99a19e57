//! Strings that repeat in every chunk of a stream, shared.

use std::borrow::{Borrow, Cow};
use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Input, InvalidInput, Output, ReadOutcome, Wire, scalar};

/// A string that repeats in every chunk of a stream, such as its id or model. Clones share it. Dereferences to `str`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedString(Option<Arc<str>>);

impl SharedString {
    /// Returns the string.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

/// A small interning cache per thread: chunks of one stream repeat their strings, so that a lookup saves an allocation.
struct Recent {
    texts: [Option<Arc<str>>; SLOTS],
    /// The slot that is replaced next.
    next: usize,
}

const SLOTS: usize = 32;
/// Slots that a string may be kept in, so that strings of one stream do not evict each other.
const WAYS: usize = 4;
/// Longer strings do not repeat.
const LONGEST: usize = 128;

thread_local! {
    static RECENT: RefCell<Recent> = const { RefCell::new(Recent { texts: [const { None }; SLOTS], next: 0 }) };
}

fn shared(text: &str) -> SharedString {
    let bytes = text.as_bytes();
    let Some(last) = bytes.last() else { return SharedString(None) };
    if bytes.len() > LONGEST {
        return SharedString(Some(Arc::from(text)));
    }
    let start = (bytes.len() ^ usize::from(*last)) * WAYS % SLOTS;
    RECENT.with_borrow_mut(|recent| {
        let ways = recent.texts.get_mut(start..start + WAYS).unwrap_or_default();
        let known = ways.iter().flatten().find(|known| known.as_bytes() == bytes);
        SharedString(Some(match known {
            Some(known) => known.clone(),
            None => remember(ways, &mut recent.next, text),
        }))
    })
}

#[cold]
#[inline(never)]
fn remember(ways: &mut [Option<Arc<str>>], next: &mut usize, text: &str) -> Arc<str> {
    let text: Arc<str> = Arc::from(text);
    *next = next.wrapping_add(1);
    if let Some(way) = ways.get_mut(*next % WAYS) {
        *way = Some(text.clone());
    }
    text
}

impl From<&str> for SharedString {
    fn from(text: &str) -> Self {
        shared(text)
    }
}

impl From<String> for SharedString {
    fn from(text: String) -> Self {
        shared(&text)
    }
}

impl From<SharedString> for String {
    fn from(text: SharedString) -> Self {
        text.as_str().to_owned()
    }
}

impl Deref for SharedString {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for SharedString {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for SharedString {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Debug for SharedString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for SharedString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl PartialEq<str> for SharedString {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for SharedString {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Serialize for SharedString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for SharedString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer).map(|text| shared(&text))
    }
}

impl Wire for SharedString {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        scalar::read_string(input, |text| *self = shared(text))
    }

    fn output(&self) -> Output<'_> {
        Output::String(self)
    }

    fn default_value() -> Self {
        SharedString(None)
    }

    fn is_default_value(&self) -> bool {
        self.is_empty()
    }

    #[cfg(test)]
    fn sample() -> serde_json::Value {
        serde_json::Value::from("text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_text_is_the_default() {
        assert!(SharedString::default().is_default_value() && SharedString::from("").is_default_value());
        assert!(!SharedString::from("a").is_default_value());
    }

    #[test]
    fn a_short_text_that_repeats_is_held_once() {
        for length in 0..=2 * LONGEST {
            for last in "abcdefghijklmnopqrstuvwxyz0189".chars() {
                let text = "x".repeat(length) + &String::from(last);
                let [one, another] = [SharedString::from(text.as_str()), SharedString::from(text.clone())];
                assert_eq!((one.as_str(), another.as_str()), (text.as_str(), text.as_str()));
                assert_eq!(one.as_ptr() == another.as_ptr(), text.len() <= LONGEST, "{text}");
            }
        }
    }

    #[test]
    fn texts_that_take_turns_do_not_push_each_other_out() {
        let texts = ["chatcmpl-1a", "model-three", "fp_44709d6f"];
        let first = texts.map(SharedString::from);
        for _ in 0..100 {
            for (text, first) in texts.iter().zip(&first) {
                assert_eq!(SharedString::from(*text).as_ptr(), first.as_ptr());
            }
        }
    }

    #[test]
    fn it_reads_like_a_text() {
        let text = SharedString::from("m-1");
        assert!(text == "m-1" && text != "m-2" && text == *"m-1" && text != *"m-2");
        assert_eq!((AsRef::<str>::as_ref(&text), Borrow::<str>::borrow(&text)), ("m-1", "m-1"));
        assert_eq!((format!("{text:>5}"), format!("{text:?}")), ("  m-1".into(), "\"m-1\"".into()));
        assert_eq!((SharedString::default().as_str(), String::from(text.clone())), ("", "m-1".to_owned()));
        let written = serde_json::to_string(&text).unwrap();
        assert_eq!((written.as_str(), serde_json::from_str::<SharedString>(&written).unwrap()), ("\"m-1\"", text));
    }
}
