//! A reader of JSON text for the types of this crate: strict, like serde_json, and about twice as fast on the small
//! objects that streams are made of.
//!
//! It says only that something is wrong; serde_json then says what and where.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

mod number;
mod string;
#[cfg(test)]
mod tests;

/// JSON text and how far it is read.
#[derive(Clone)]
pub struct Json<'de> {
    text: &'de str,
    at: usize,
    /// Lists and objects that may still be opened inside each other.
    room: u8,
}

/// The text is not JSON.
#[derive(Debug)]
pub struct NotJson;

/// A scalar, or what begins.
pub(crate) enum Token<'de> {
    Null,
    Bool(bool),
    /// A whole number that is not negative.
    Unsigned(u64),
    /// One that is.
    Signed(i64),
    Float(f64),
    Text(Cow<'de, str>),
    /// Its bracket is unread.
    List,
    /// Its bracket is unread.
    Object,
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json(at {} of {} bytes)", self.at, self.text.len())
    }
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not JSON")
    }
}

impl std::error::Error for NotJson {}

pub(crate) type Result<T> = std::result::Result<T, NotJson>;

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
    pub(crate) fn peek(&mut self) -> Result<u8> {
        loop {
            match self.byte(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                Some(byte) => return Ok(byte),
                None => return Err(NotJson),
            }
        }
    }

    #[inline]
    fn literal<const N: usize>(&mut self, literal: &[u8; N]) -> Result<()> {
        match self.text.as_bytes().get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(found) if found == literal => {
                self.at += N;
                Ok(())
            }
            _ => Err(NotJson),
        }
    }

    /// Reads null.
    pub(crate) fn null(&mut self) -> Result<()> {
        self.literal(b"null")
    }

    /// Reads null, if that comes next.
    #[inline]
    pub(crate) fn is_null(&mut self) -> Result<bool> {
        let is_null = self.peek()? == b'n';
        if is_null {
            self.null()?;
        }
        Ok(is_null)
    }

    /// Reads a scalar, or says what begins.
    pub(crate) fn token(&mut self) -> Result<Token<'de>> {
        Ok(match self.peek()? {
            b'"' => Token::Text(self.string()?),
            b'0'..=b'9' | b'-' => self.number()?,
            b'{' => Token::Object,
            b'[' => Token::List,
            b'n' => {
                self.null()?;
                Token::Null
            }
            b't' => {
                self.literal(b"true")?;
                Token::Bool(true)
            }
            b'f' => {
                self.literal(b"false")?;
                Token::Bool(false)
            }
            _ => return Err(NotJson),
        })
    }

    /// Reads any JSON.
    pub(crate) fn value(&mut self) -> Result<Value> {
        let token = self.token()?;
        self.value_of(token)
    }

    /// The value that a token is or begins.
    pub(crate) fn value_of(&mut self, token: Token<'de>) -> Result<Value> {
        Ok(match token {
            Token::Null => Value::Null,
            Token::Bool(flag) => Value::Bool(flag),
            Token::Unsigned(number) => number.into(),
            Token::Signed(number) => number.into(),
            Token::Float(number) => number.into(),
            Token::Text(text) => Value::String(text.into_owned()),
            Token::List => {
                let mut items = Vec::new();
                self.items(|json| json.value().map(|item| items.push(item)))?;
                Value::Array(items)
            }
            Token::Object => {
                let mut members = Map::new();
                self.members(|json, name| {
                    let value = json.value()?;
                    members.insert(name.into_owned(), value);
                    Ok(())
                })?;
                Value::Object(members)
            }
        })
    }

    /// The text of a member of the object that comes next, which stays unread.
    pub(crate) fn tag(&self, name: &str) -> Result<Cow<'de, str>> {
        let mut tag = Cow::Borrowed("");
        self.clone().members(|json, member| {
            let text = match json.token()? {
                Token::Text(text) => text,
                other => {
                    json.rest(&other)?;
                    Cow::Borrowed("")
                }
            };
            if member == name {
                tag = text;
            }
            Ok(())
        })?;
        Ok(tag)
    }

    /// Steps over what a token begins.
    fn rest(&mut self, token: &Token<'de>) -> Result<()> {
        match token {
            Token::List => self.items(Json::skip),
            Token::Object => self.members(|json, _| json.skip()),
            _ => Ok(()),
        }
    }

    pub(crate) fn skip(&mut self) -> Result<()> {
        let token = self.token()?;
        self.rest(&token)
    }

    /// Reads a list, which comes next, by its items.
    #[inline]
    pub(crate) fn items(&mut self, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.enter()?;
        let mut is_first = true;
        while self.step(&mut is_first, b']')? {
            each(self)?;
        }
        self.room += 1;
        Ok(())
    }

    /// Reads an object, which comes next, by its members.
    pub(crate) fn members(&mut self, mut each: impl FnMut(&mut Self, Cow<'de, str>) -> Result<()>) -> Result<()> {
        self.fields(|json| {
            let name = json.name()?;
            each(json, name)
        })
    }

    /// Reads an object, which comes next, by its members; their names are unread.
    #[inline]
    pub(crate) fn fields(&mut self, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.enter()?;
        let mut is_first = true;
        while self.field(&mut is_first)? {
            each(self)?;
        }
        self.room += 1;
        Ok(())
    }

    fn enter(&mut self) -> Result<()> {
        self.room = self.room.checked_sub(1).ok_or(NotJson)?;
        self.at += 1;
        Ok(())
    }

    /// Steps to the quote of the next member's name: false at the end of the object.
    #[inline]
    fn field(&mut self, is_first: &mut bool) -> Result<bool> {
        // The bulk of all members: no blanks between them.
        if let (false, Some([b',', b'"'])) = (*is_first, self.text.as_bytes().get(self.at..self.at + 2)) {
            self.at += 1;
            return Ok(true);
        }
        match self.step(is_first, b'}')? {
            true if self.byte(self.at) != Some(b'"') => Err(NotJson),
            is_more => Ok(is_more),
        }
    }

    /// Reads the name of a member, if it is this one, and its colon.
    #[inline]
    pub(crate) fn is_named(&mut self, name: &str) -> bool {
        let rest = self.text.as_bytes().get(self.at + 1..).unwrap_or_default();
        let is_named = rest.starts_with(name.as_bytes()) && rest.get(name.len()..name.len() + 2) == Some(b"\":");
        if is_named {
            self.at += name.len() + 3;
        }
        is_named
    }

    /// Reads the name of a member and its colon.
    pub(crate) fn name(&mut self) -> Result<Cow<'de, str>> {
        let name = self.string()?;
        match self.peek()? {
            b':' => self.at += 1,
            _ => return Err(NotJson),
        }
        Ok(name)
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
