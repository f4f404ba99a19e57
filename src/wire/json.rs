//! A reader of JSON text for the types of this crate: strict, like serde_json, and about twice as fast on the small
//! objects that streams are made of.
//!
//! It says only that something is wrong; serde_json then says what and where.

use std::fmt;

mod deserializer;
mod number;
mod string;
#[cfg(test)]
mod tests;

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
        // A bracket behind the comma begins no value: its reader says so.
        self.peek().map(|_| true)
    }
}
