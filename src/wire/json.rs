//! A reader of JSON text for the types of this crate: strict, like serde_json, and about twice as fast on the small
//! objects that streams are made of.
//!
//! It says only that something is wrong; serde_json then says what and where.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// JSON text and how far it is read.
pub(crate) struct Json<'de> {
    text: &'de str,
    at: usize,
    /// Lists and objects that may still be opened inside each other.
    room: u8,
}

/// The text is not JSON.
#[derive(Debug)]
pub(crate) struct NotJson;

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not JSON")
    }
}

impl std::error::Error for NotJson {}

impl serde::de::Error for NotJson {
    fn custom<T: fmt::Display>(_: T) -> Self {
        NotJson
    }
}

type Result<T> = std::result::Result<T, NotJson>;

/// So many digits fit into a u64, whatever they are.
const MOST_DIGITS: usize = 19;

/// Powers of ten that an f64 holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

impl<'de> Json<'de> {
    pub(crate) fn new(text: &'de str) -> Self {
        // The depth that serde_json allows.
        Json { text, at: 0, room: 127 }
    }

    /// True when nothing but blanks is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.peek().is_err()
    }

    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The next byte that is not blank; it stays unread.
    #[inline]
    fn peek(&mut self) -> Result<u8> {
        loop {
            match self.byte(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                Some(byte) => return Ok(byte),
                None => return Err(NotJson),
            }
        }
    }

    #[inline]
    fn word<const N: usize>(&mut self, word: &[u8; N]) -> Result<()> {
        match self.text.as_bytes().get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(found) if found == word => {
                self.at += N;
                Ok(())
            }
            _ => Err(NotJson),
        }
    }

    /// Where the plain part of a string ends: at a quote, a backslash, a control character or the end of the text.
    #[inline]
    fn plain(&self, from: usize) -> usize {
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        let mut at = from;
        for eight in rest.chunks_exact(8) {
            let Ok(eight) = <[u8; 8]>::try_from(eight) else { break };
            let special = special(u64::from_le_bytes(eight));
            if special != 0 {
                return at + special.trailing_zeros() as usize / 8;
            }
            at += 8;
            if at == from + 64 {
                return self.long_plain(at);
            }
        }
        self.last_plain(at)
    }

    /// Steps over long plain runs in pieces that the compiler turns into vector instructions.
    #[inline(never)]
    fn long_plain(&self, from: usize) -> usize {
        let mut at = from;
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        for piece in rest.chunks_exact(64) {
            if piece.iter().fold(false, |found, byte| found | is_special(*byte)) {
                break;
            }
            at += 64;
        }
        self.last_plain(at)
    }

    #[inline(never)]
    fn last_plain(&self, from: usize) -> usize {
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        from + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
    }

    /// Reads a string; its quote comes next.
    #[inline]
    fn string(&mut self) -> Result<Cow<'de, str>> {
        let start = self.at + 1;
        let end = self.plain(start);
        match self.byte(end) {
            Some(b'"') => {
                self.at = end + 1;
                self.text.get(start..end).map(Cow::Borrowed).ok_or(NotJson)
            }
            Some(b'\\') => self.escaped(start, end).map(Cow::Owned),
            _ => Err(NotJson),
        }
    }

    #[cold]
    #[inline(never)]
    fn escaped(&mut self, start: usize, first: usize) -> Result<String> {
        let mut text = String::with_capacity((first - start) * 2 + 16);
        let (mut start, mut end) = (start, first);
        loop {
            text.push_str(self.text.get(start..end).ok_or(NotJson)?);
            match self.byte(end) {
                Some(b'"') => {
                    self.at = end + 1;
                    return Ok(text);
                }
                Some(b'\\') => {}
                _ => return Err(NotJson),
            }
            start = end + 2;
            text.push(match self.byte(end + 1).ok_or(NotJson)? {
                b'n' => '\n',
                b'"' => '"',
                b'\\' => '\\',
                b'/' => '/',
                b't' => '\t',
                b'r' => '\r',
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'u' => {
                    let unit = self.hex(start)?;
                    start += 4;
                    if (0xD800..0xDC00).contains(&unit) {
                        self.at = start;
                        self.word(b"\\u")?;
                        let low = self.hex(start + 2)?;
                        start += 6;
                        let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400).ok_or(NotJson)?;
                        char::from_u32(0x1_0000 + ((unit - 0xD800) << 10 | low)).ok_or(NotJson)?
                    } else {
                        char::from_u32(unit).ok_or(NotJson)?
                    }
                }
                _ => return Err(NotJson),
            });
            end = self.plain(start);
        }
    }

    fn hex(&self, at: usize) -> Result<u32> {
        let digits = self.text.as_bytes().get(at..at + 4).ok_or(NotJson)?;
        digits.iter().try_fold(0, |sum, digit| Ok(sum << 4 | char::from(*digit).to_digit(16).ok_or(NotJson)?))
    }

    /// Reads digits on top of a number.
    #[inline(always)]
    fn digits(&mut self, number: &mut u64) {
        let mut rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let (mut sum, mut digits) = (*number, 0);
        while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
            let Some(eight) = eight_digits(u64::from_le_bytes(*eight)) else { break };
            sum = sum.wrapping_mul(100_000_000).wrapping_add(eight);
            digits += 8;
            rest = behind;
        }
        for byte in rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
            digits += 1;
        }
        *number = sum;
        self.at += digits;
    }

    #[inline]
    fn number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let start = self.at;
        let is_negative = self.byte(start) == Some(b'-');
        self.at += usize::from(is_negative);
        let whole = self.at;
        let mut number: u64 = 0;
        // Mostly few: what is in front of a point.
        while let Some(digit) = self.byte(self.at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.at += 1;
        }
        let digits = self.at - whole;
        if digits == 0 || digits > 1 && self.byte(whole) == Some(b'0') {
            return Err(NotJson);
        }
        match self.byte(self.at) {
            Some(b'.' | b'e' | b'E') => {}
            _ if digits > MOST_DIGITS => {
                let token = self.text.get(start..self.at).unwrap_or_default();
                if let Ok(number) = token.parse() {
                    return visitor.visit_u64(number);
                }
            }
            _ if !is_negative => return visitor.visit_u64(number),
            // A negative zero is a float.
            _ if number > 0 && number <= 1 << 63 => return visitor.visit_i64((number as i64).wrapping_neg()),
            _ => {}
        }
        visitor.visit_f64(self.float(start, is_negative, number, digits)?)
    }

    /// The rest of a number that is no integer.
    #[inline(always)]
    fn float(&mut self, start: usize, is_negative: bool, mut number: u64, digits: usize) -> Result<f64> {
        let mut exponent = 0;
        if self.byte(self.at) == Some(b'.') {
            self.at += 1;
            let point = self.at;
            self.digits(&mut number);
            exponent = self.at - point;
            if exponent == 0 {
                return Err(NotJson);
            }
        }
        let is_plain = !matches!(self.byte(self.at), Some(b'e' | b'E'));
        if is_plain && digits + exponent <= MOST_DIGITS && number < 1 << 53 {
            if let Some(power) = POWERS.get(exponent) {
                // Both are exact, so that the quotient is the nearest float.
                let float = number as i64 as f64 / power;
                return Ok(if is_negative { -float } else { float });
            }
        }
        self.long_float(start, is_plain)
    }

    #[cold]
    #[inline(never)]
    fn long_float(&mut self, start: usize, is_plain: bool) -> Result<f64> {
        if !is_plain {
            self.at += 1;
            if matches!(self.byte(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            let digits = self.at;
            self.digits(&mut 0);
            if self.at == digits {
                return Err(NotJson);
            }
        }
        let token = self.text.get(start..self.at).ok_or(NotJson)?;
        token.parse().ok().filter(|float: &f64| float.is_finite()).ok_or(NotJson)
    }

    /// Steps over what stands before the next member or item: false at the closing bracket.
    #[inline]
    fn step(&mut self, is_first: &mut bool, close: u8) -> Result<bool> {
        match self.peek()? {
            byte if byte == close => {
                self.at += 1;
                return Ok(false);
            }
            _ if std::mem::take(is_first) => return Ok(true),
            b',' => self.at += 1,
            _ => return Err(NotJson),
        }
        // No bracket closes behind a comma.
        match self.peek()? {
            byte if byte == close => Err(NotJson),
            _ => Ok(true),
        }
    }
}

/// The number that eight bytes write, if all are digits: pairs, then fours, then all eight at once.
#[inline]
fn eight_digits(word: u64) -> Option<u64> {
    const SIXES: u64 = 0x0606_0606_0606_0606;
    const HIGH_HALVES: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    const THREES: u64 = 0x3030_3030_3030_3030;
    // A digit is 0x3_, and stays one when six are added: 0x3A and above do not.
    if word & HIGH_HALVES != THREES || word.wrapping_add(SIXES) & HIGH_HALVES != THREES {
        return None;
    }
    let pairs = ((word & 0x0F0F_0F0F_0F0F_0F0F).wrapping_mul(2561) >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(6_553_601) >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(fours.wrapping_mul(42_949_672_960_001) >> 32)
}

/// Marks the bytes of a word that end the plain part of a string: by the lowest set bit, the first of them.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let control = word.wrapping_sub(ONES * 0x20);
    // A byte over 0x7F is none of these, and keeps its high bit through the exclusive or.
    (quote | backslash | control) & !word & HIGH
}

#[inline]
fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

impl<'de> Deserializer<'de> for &mut Json<'de> {
    type Error = NotJson;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek()? {
            b'"' => match self.string()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            b'0'..=b'9' | b'-' => self.number(visitor),
            b'n' => {
                self.word(b"null")?;
                visitor.visit_unit()
            }
            b'{' => {
                let mut inside = Inside::enter(self)?;
                let value = visitor.visit_map(&mut inside);
                if inside.leave() { value } else { Err(NotJson) }
            }
            b'[' => {
                let mut inside = Inside::enter(self)?;
                let value = visitor.visit_seq(&mut inside);
                if inside.leave() { value } else { Err(NotJson) }
            }
            b't' => {
                self.word(b"true")?;
                visitor.visit_bool(true)
            }
            b'f' => {
                self.word(b"false")?;
                visitor.visit_bool(false)
            }
            _ => Err(NotJson),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek()? {
            b'n' => {
                self.word(b"null")?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let value = Value::deserialize(self)?;
        value.into_deserializer().deserialize_enum(name, variants, visitor).map_err(|_: serde_json::Error| NotJson)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// The inside of a list or an object.
struct Inside<'a, 'de> {
    json: &'a mut Json<'de>,
    is_first: bool,
    is_closed: bool,
}

impl<'a, 'de> Inside<'a, 'de> {
    #[inline]
    fn enter(json: &'a mut Json<'de>) -> Result<Self> {
        json.room = json.room.checked_sub(1).ok_or(NotJson)?;
        json.at += 1;
        Ok(Inside { json, is_first: true, is_closed: false })
    }

    /// True when it was read to its closing bracket.
    #[inline]
    fn leave(self) -> bool {
        self.json.room += 1;
        self.is_closed
    }

    #[inline]
    fn step(&mut self, close: u8) -> Result<bool> {
        if self.is_closed {
            return Ok(false);
        }
        let goes_on = self.json.step(&mut self.is_first, close)?;
        self.is_closed = !goes_on;
        Ok(goes_on)
    }
}

impl<'de> SeqAccess<'de> for &mut Inside<'_, 'de> {
    type Error = NotJson;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        match self.step(b']')? {
            true => seed.deserialize(&mut *self.json).map(Some),
            false => Ok(None),
        }
    }
}

impl<'de> MapAccess<'de> for &mut Inside<'_, 'de> {
    type Error = NotJson;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        // The bulk of all members: no blanks between them.
        let json = &mut *self.json;
        if let Some([b',', b'"']) = json.text.as_bytes().get(json.at..json.at + 2) {
            if !self.is_first && !self.is_closed {
                json.at += 1;
                return seed.deserialize(Name(json)).map(Some);
            }
        }
        match self.step(b'}')? {
            true if self.json.byte(self.json.at) == Some(b'"') => seed.deserialize(Name(self.json)).map(Some),
            true => Err(NotJson),
            false => Ok(None),
        }
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        match self.json.peek()? {
            b':' => self.json.at += 1,
            _ => return Err(NotJson),
        }
        seed.deserialize(&mut *self.json)
    }
}

/// A member's name: its quote comes next.
struct Name<'a, 'de>(&'a mut Json<'de>);

impl<'de> Deserializer<'de> for Name<'_, 'de> {
    type Error = NotJson;

    #[inline(always)]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0.string()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    #[inline(always)]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Value> {
        let mut json = Json::new(text);
        let value = Value::deserialize(&mut json).ok()?;
        json.is_at_end().then_some(value)
    }

    /// Reads as serde_json does: the same value, or none where that has none.
    fn assert_same(text: &str) {
        assert_eq!(read(text), serde_json::from_str(text).ok(), "{text}");
    }

    #[test]
    fn reads_what_serde_json_reads() {
        let scalars = "null true false 0 -0 7 -7 10 18446744073709551615 18446744073709551616 -9223372036854775808 \
             -9223372036854775809 0.5 -0.5 1.25e3 1E3 1e-3 1e+3 0.1 0.30000000000000004 123456789012345678.5 1e22 5e-324 \
             1.7976931348623157e308 1e400 -1e400 01 -01 00 - -- +1 .5 1. 1.e3 1e 1e+ 0x1 1a nul nulll tru f NaN Infinity \
             -0.0 0.040000003 -0.012345678";
        for text in scalars.split_whitespace() {
            assert_same(text);
            assert_same(&format!(" [ {text} , {text} ] "));
        }
    }

    #[test]
    fn reads_numbers_of_any_length() {
        for length in 1..24 {
            for digits in ["1234567890123456789012345", "9999999999999999999999999", "1000000000000000000000000"] {
                let (whole, rest) = digits.split_at(length);
                match whole.parse::<u64>() {
                    Ok(number) => assert_eq!(read(whole), Some(Value::from(number))),
                    Err(_) => assert_eq!(read(whole), whole.parse::<f64>().ok().map(Value::from)),
                }
                for foreign in ["/", ":", "a", "\u{f9}", " "] {
                    assert_eq!(read(&format!("{whole}{foreign}{rest}")), None);
                    assert_same(&format!("[{whole}{foreign}"));
                }
                let fraction = format!("0.{whole}");
                assert_eq!(read(&fraction), fraction.parse::<f64>().ok().map(Value::from), "{fraction}");
            }
        }
    }

    #[test]
    fn reads_the_nearest_float() {
        for text in ["9007199254740993.0", "0.1e1", "123456789.123456789e-7", "2.2250738585072011e-308"] {
            assert_eq!(read(text), text.parse::<f64>().ok().map(Value::from), "{text}");
        }
    }

    #[test]
    fn reads_strings_as_serde_json_does() {
        let long = "plain text ".repeat(30);
        let parts = [
            "",
            "a",
            "ab\\n",
            "\\\"",
            "\\\\",
            "\\/\\b\\f\\r\\t",
            "é",
            "日本語",
            "\\u00e9",
            "\\u0000",
            "\\uD83C\\uDF0D",
            "\\ud800",
            "\\ud800x",
            "\\ud800\\u0041",
            "\\udc00",
            "\\u12",
            "\\u12g4",
            "\\x",
            "\\",
            "\u{1}",
            "\n",
            "\u{7f}",
            &long,
        ];
        for part in parts {
            for prefix in ["", "1234567", "1234567\\n", &long[..63], &long[..95]] {
                assert_same(&format!("\"{prefix}{part}\""));
                assert_same(&format!("\"{prefix}{part}"));
                assert_same(&format!("{{\"{prefix}{part}\":\"{part}{prefix}\"}}"));
            }
        }
    }

    #[test]
    fn refuses_what_serde_json_refuses() {
        let broken = r#"{ } [ ] {} [] {,} [,] [1,] {"a":1,} {"a"} {"a":} {"a":1 {"a" 1} {a:1} {1:1} [1 [1}{ {} {}, [1][1] {"a":1,,"b":2} ]"#;
        for text in broken.split_whitespace().chain(["", " ", "[1 2]", "{\"a\":1 \"b\":2}", "\u{feff}1", "[]]"]) {
            assert_same(text);
        }
        for depth in [126, 127, 128, 129] {
            assert_same(&("[".repeat(depth) + &"]".repeat(depth)));
            assert_same(&("{\"a\":".repeat(depth) + "1" + &"}".repeat(depth)));
        }
    }

    /// Bytes of real replies, each replaced in turn: a broken reply is refused by both or read alike by both.
    #[test]
    fn agrees_with_serde_json_on_damaged_replies() {
        let reply = r#"{"id":"c-1","created":1763712000,"choices":[{"index":0,"delta":{"content":" Köln\n","x":[-1.5e3,null,true]},"finish_reason":null}],"usage":{}}"#;
        for at in 0..reply.len() {
            for byte in b"\" \\,:{}[]0-.eunt\n\xc3".iter() {
                let mut damaged = reply.as_bytes().to_vec();
                damaged[at] = *byte;
                if let Ok(text) = std::str::from_utf8(&damaged) {
                    assert_same(text);
                }
            }
            if let Some(start) = reply.get(..at) {
                assert_same(start);
            }
        }
    }
}
