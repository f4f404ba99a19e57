//! Strings: the plain part is found eight bytes at a time, and escapes are read apart.

use std::borrow::Cow;

use super::{Json, NotJson, Result};

impl<'de> Json<'de> {
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
    pub(crate) fn string(&mut self) -> Result<Cow<'de, str>> {
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
                        self.literal(b"\\u")?;
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
