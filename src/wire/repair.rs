//! JSON that servers send and strict JSON refuses, rewritten once serde_json has refused it.
//!
//! | where | refused | rewritten as |
//! |---|---|---|
//! | in a string | a lone surrogate, such as `\ud83d` without its second half | U+FFFD, or a mark for [`LoneSurrogate::Mark`] |
//! | in a string | a raw control character, such as a line break | its escape |
//! | elsewhere | `NaN`, `Infinity`, `-Infinity` | the same, as a string |
//! | elsewhere | a number beyond `f64`, such as `1e400` | the same, as a string |
//!
//! Number fields read these strings as the numbers they name, and everywhere else they are kept. One pass, linear in the
//! length of the text.

/// What a lone surrogate becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LoneSurrogate {
    /// U+FFFD, for a complete text.
    Replace,
    /// A mark that [`units`] finds again, for a text whose next event may hold the other half.
    Mark,
}

/// Starts a mark. Where the text has this character, it is doubled.
const MARK: char = '\u{10FFFF}';
/// The surrogates are moved to a private-use area, because a `char` cannot hold them.
const MARKED_BASE: u32 = 0xE000;
pub(crate) const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Decodes JSON, and decodes it again after the repair where it is refused.
pub(crate) fn with_repair<V>(
    json: &str,
    mut decode: impl FnMut(&str) -> serde_json::Result<V>,
) -> serde_json::Result<V> {
    decode(json).or_else(|error| match repair(json, LoneSurrogate::Replace) {
        Some(repaired) => decode(&repaired).map_err(|_| error),
        None => Err(error),
    })
}

/// Returns the text after the repair; `None` when there is nothing to repair.
pub(crate) fn repair(text: &str, surrogate: LoneSurrogate) -> Option<String> {
    let mut repaired = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((outside, string)) = rest.split_once('"') {
        repair_tokens(outside, &mut repaired);
        repaired.push('"');
        rest = repair_string(string, &mut repaired, surrogate);
    }
    repair_tokens(rest, &mut repaired);
    (repaired != text).then_some(repaired)
}

/// Repairs what stands between two strings.
fn repair_tokens(text: &str, repaired: &mut String) {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let mut rest = text;
    while !rest.is_empty() {
        let start = rest.find(is_of_token).unwrap_or(rest.len());
        let (between, token) = rest.split_at_checked(start).unwrap_or((rest, ""));
        let end = token.find(|c| !is_of_token(c)).unwrap_or(token.len());
        let (token, after) = token.split_at_checked(end).unwrap_or((token, ""));
        repaired.push_str(between);
        if is_number_without_json(token) {
            repaired.extend(["\"", token, "\""]);
        } else {
            repaired.push_str(token);
        }
        rest = after;
    }
}

fn is_number_without_json(token: &str) -> bool {
    match token {
        "NaN" | "Infinity" | "-Infinity" => true,
        // No other token without an exponent is that large.
        _ if token.len() < 300 && !token.contains(['e', 'E']) => false,
        _ => {
            token.starts_with(|c: char| c.is_ascii_digit() || c == '-')
                && token.parse::<f64>().is_ok_and(f64::is_infinite)
        }
    }
}

/// Repairs a string up to its closing quote; returns what follows.
fn repair_string<'a>(text: &'a str, repaired: &mut String, surrogate: LoneSurrogate) -> &'a str {
    let is_special = |c: char| c < ' ' || matches!(c, '"' | '\\' | MARK);
    let mut rest = text;
    while let Some((plain, special)) = rest.find(is_special).and_then(|start| rest.split_at_checked(start)) {
        repaired.push_str(plain);
        let mut after = special.chars();
        match after.next() {
            Some('"') => {
                repaired.push('"');
                return after.as_str();
            }
            Some('\\') => {
                rest = repair_escape(special, repaired, surrogate);
                continue;
            }
            Some(MARK) => push_mark(repaired, surrogate),
            Some(control) => repaired.push_str(&format!("\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = after.as_str();
    }
    repaired.push_str(rest);
    ""
}

fn push_mark(repaired: &mut String, surrogate: LoneSurrogate) {
    repaired.push(MARK);
    if surrogate == LoneSurrogate::Mark {
        repaired.push(MARK);
    }
}

/// Repairs the escape at the start of the text; returns what follows.
fn repair_escape<'a>(text: &'a str, repaired: &mut String, surrogate: LoneSurrogate) -> &'a str {
    let first = utf16_escape(text);
    let pair = first.zip(text.get(6..).and_then(utf16_escape)).and_then(|(high, low)| join(high, low));
    let length = match (pair, first) {
        (Some(_), _) => 12,
        (None, Some(0xD800..0xE000)) => 6,
        // `\"` must not end the string.
        _ => text.chars().take(2).map(char::len_utf8).sum(),
    };
    let (escape, after) = text.split_at_checked(length).unwrap_or((text, ""));
    match (pair, first) {
        (Some(MARK), _) => push_mark(repaired, surrogate),
        (None, Some(unit @ 0xD800..0xE000)) => match surrogate {
            LoneSurrogate::Replace => repaired.push(REPLACEMENT),
            LoneSurrogate::Mark => {
                repaired.push(MARK);
                repaired.extend(char::from_u32(MARKED_BASE + u32::from(unit) - 0xD800));
            }
        },
        _ => repaired.push_str(escape),
    }
    after
}

/// The UTF-16 code unit of an escape at the start of the text.
fn utf16_escape(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// The character of a pair of surrogates.
pub(crate) fn join(high: u16, low: u16) -> Option<char> {
    match (high, low) {
        (0xD800..0xDC00, 0xDC00..0xE000) => char::decode_utf16([high, low]).next()?.ok(),
        _ => None,
    }
}

/// A character of a text that was repaired with [`LoneSurrogate::Mark`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unit {
    Char(char),
    LoneSurrogate(u16),
}

/// True when a text that was repaired with [`LoneSurrogate::Mark`] has marks.
pub(crate) fn has_marks(text: &str) -> bool {
    text.contains(MARK)
}

/// The characters of such a text.
pub(crate) fn units(text: &str) -> impl Iterator<Item = Unit> {
    let mut chars = text.chars();
    std::iter::from_fn(move || match chars.next()? {
        MARK => chars.next().map(|marked| match u32::from(marked).checked_sub(MARKED_BASE).map(u16::try_from) {
            Some(Ok(offset)) if offset < 0x800 => Unit::LoneSurrogate(0xD800 + offset),
            _ => Unit::Char(marked),
        }),
        plain => Some(Unit::Char(plain)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn repaired(text: &str) -> Value {
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text} is valid");
        with_repair(text, |text| serde_json::from_str(text)).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn marks_stand_for_lone_surrogates_only() {
        let kinds = |text: String| {
            Vec::from_iter(units(&text).map(|unit| match unit {
                Unit::LoneSurrogate(surrogate) => u32::from(surrogate),
                Unit::Char(char) => u32::from(char),
            }))
        };
        let marked = |offset: u32| char::from_u32(MARKED_BASE + offset).unwrap();
        assert_eq!(kinds(format!("a{MARK}{}b", marked(0))), [0x61, 0xD800, 0x62]);
        assert_eq!(kinds(format!("{MARK}{}", marked(0x7FF))), [0xDFFF]);
        assert_eq!(kinds(format!("{MARK}{}", marked(0x800))), [MARKED_BASE + 0x800], "no surrogate");
        assert_eq!(kinds(format!("{MARK}{MARK}")), [u32::from(MARK)]);
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        let value = repaired(r#"{"a\udc00":["\ud83d","\ud83d\ude00\n\\","\ud83d\ud83d\ude00x"]}"#);
        assert_eq!(value, json!({ "a\u{FFFD}": ["\u{FFFD}", "😀\n\\", "\u{FFFD}😀x"] }));
    }

    #[test]
    fn raw_control_characters_are_kept() {
        assert_eq!(
            repaired("{\"a\tb\":\"one\ntwo\u{0}\",\"c\":\"\\n\\\"\r\"}"),
            json!({
                "a\tb": "one\ntwo\u{0}", "c": "\n\"\r"
            })
        );
    }

    #[test]
    fn numbers_that_json_does_not_have_become_strings() {
        let value = repaired(r#"{"NaN":[NaN,-Infinity , Infinity,1e400,-1E+400,1e-40,"NaN 1e400"],"n":NaN}"#);
        let numbers = json!(["NaN", "-Infinity", "Infinity", "1e400", "-1E+400", 1e-40, "NaN 1e400"]);
        assert_eq!(value, json!({ "NaN": numbers, "n": "NaN" }));
        // With `arbitrary_precision`, serde_json takes every length.
        let long = format!("[{}]", "9".repeat(400));
        if serde_json::from_str::<Value>(&long).is_err() {
            assert_eq!(repaired(&long), json!(["9".repeat(400)]));
        }
    }

    #[test]
    fn valid_and_broken_json_stay_as_they_are() {
        let broken = [r#"{"t":"\u12"}"#, "no JSON", "\\", r#"{"t":"\"#, "Infinityx", "e400", "[\"a", r#""\ud83"#];
        let valid = [r#"{"t":"\ud83d\ude00 \\ud83d \u00e9 \" NaN"}"#, "[1e308,-0.5,true,null]", "\"\u{10FFFF}\""];
        for text in broken.iter().chain(&valid) {
            assert_eq!(repair(text, LoneSurrogate::Replace), None, "{text}");
        }
        let error = with_repair("[NaN,", |text| serde_json::from_str::<Value>(text)).unwrap_err();
        assert_eq!(error.column(), 2, "the error is that of the text");
    }

    #[test]
    fn marks_hold_every_character() {
        let text = "\"a\u{10FFFF}\\udbff\\udfff\\ud83d\u{E000}\\ude00\"";
        let marked: String = serde_json::from_str(&repair(text, LoneSurrogate::Mark).unwrap()).unwrap();
        let units: Vec<Unit> = units(&marked).collect();
        let expected = ['a', MARK, MARK].map(Unit::Char).into_iter();
        let expected =
            expected.chain([Unit::LoneSurrogate(0xD83D), Unit::Char('\u{E000}'), Unit::LoneSurrogate(0xDE00)]);
        assert_eq!(units, expected.collect::<Vec<_>>());
        assert!(!has_marks("plain"));
    }
}
