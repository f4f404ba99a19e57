//! Server-sent events by the rules of the WHATWG (HTML 9.2): bytes in, events out.
//!
//! The decoder does no I/O. Pass it each network chunk with [`Decoder::push`], then take events with
//! [`Decoder::next_event`] until it returns `None`. At the end of input call [`Decoder::finish`].

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use memchr::memchr2;

/// The longest line that is copied out of the line buffer, which then serves the next line, too. A longer line takes
/// the buffer with it, so that one giant event does not leave a giant buffer.
const MAX_COPIED_LINE: usize = 4 << 10;

/// Chunks under this size are too small for vector instructions.
const SMALL: usize = 16;

/// One server-sent event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Name from the `event:` line. `None` is the default type.
    pub event: Option<Box<str>>,
    /// Payload: the `data:` lines joined by LF. Shares the network buffer where it can.
    pub data: Bytes,
    /// Last event id. It may come from an earlier event.
    pub id: Option<Arc<str>>,
    /// Reconnection time in milliseconds, if this event's block sets one.
    pub retry: Option<u64>,
}

impl Event {
    /// Reads the payload as text. Invalid UTF-8 becomes U+FFFD.
    pub fn text(&self) -> Cow<'_, str> {
        decode_utf8(&self.data)
    }
}

/// An event exceeded the limit of its [`Decoder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTooLarge {
    /// The limit in bytes.
    pub limit: usize,
}

impl fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server-sent event exceeds the limit of {} bytes", self.limit)
    }
}

impl std::error::Error for EventTooLarge {}

/// The fields of events, and the empty one of comments.
const FIELDS: [&str; 6] = ["", "data", "event", "id", "retry", "error"];

/// True if a text is the beginning of a field, as of a body that was cut in its first line.
pub(crate) fn is_cut_field(text: &str) -> bool {
    FIELDS.iter().any(|name| name.starts_with(text))
}

/// True if a text begins with a field of an event, or with a comment.
pub(crate) fn is_event_stream(text: &str) -> bool {
    let line = text.trim_start().lines().next().unwrap_or_default();
    line.split_once(':').is_some_and(|(name, _)| FIELDS.contains(&name))
}

/// Decodes a byte stream into [`Event`]s. Chunks may end anywhere, even inside of a line end.
///
/// One rule is not in the standard: a line `error: value` means `event: error` followed by `data: value`. Old llama.cpp
/// servers report errors that way.
pub struct Decoder {
    chunk: Bytes,
    /// Start of the unread part of `chunk`.
    position: usize,
    /// Chunks pushed while `chunk` was still unread. None is empty.
    queue: VecDeque<Bytes>,
    /// The unfinished line, if it started in an earlier chunk.
    line: Vec<u8>,
    block: Block,
    /// Bytes of the block so far without line ends, unfinished line included.
    size: usize,
    limit: usize,
    too_large: bool,
    /// A CR has just ended a line, so an LF here is the rest of that line end.
    after_cr: bool,
}

impl Decoder {
    /// Creates a decoder that takes events of up to 64 MiB.
    pub fn new() -> Self {
        Self::with_max_event_size(64 << 20)
    }

    /// Creates a decoder with another limit on the size of an event.
    ///
    /// The size is that of all lines since the last blank one, including comments, without line ends.
    pub fn with_max_event_size(bytes: usize) -> Self {
        Self {
            chunk: Bytes::new(),
            position: 0,
            queue: VecDeque::new(),
            line: Vec::new(),
            block: Block::default(),
            size: 0,
            limit: bytes,
            too_large: false,
            after_cr: false,
        }
    }

    /// Passes one chunk of the stream to the decoder. Payloads share its memory.
    ///
    /// Take the events before pushing more: the limit does not include chunks that wait.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.is_empty() || self.too_large {
            return;
        }
        if bytes.len() < SMALL && self.chunk.is_empty() && !self.after_cr && self.continue_line(&bytes) {
            return;
        }
        if self.position < self.chunk.len() {
            self.queue.push_back(bytes);
        } else {
            self.chunk = bytes;
            self.position = 0;
        }
    }

    /// True if [`next_event`](Decoder::next_event) has nothing to read.
    #[inline]
    pub(crate) fn is_drained(&self) -> bool {
        self.chunk.is_empty() && self.queue.is_empty() && !self.too_large
    }

    /// True while an event with data is arriving: comments and other fields alone are none.
    pub(crate) fn has_partial_data(&self) -> bool {
        self.block.data.is_some() || self.line.starts_with(b"data")
    }

    /// True if the data that has arrived of an event is the end marker, which needs no blank line.
    pub(crate) fn has_end_marker(&self) -> bool {
        self.block.data.as_ref().is_some_and(|data| self.block.joined.is_empty() && data.trim_ascii() == b"[DONE]")
    }

    /// Takes a chunk that ends no line, as most do that arrive byte by byte.
    fn continue_line(&mut self, piece: &[u8]) -> bool {
        let size = self.size.saturating_add(piece.len());
        let fits = size <= self.limit && line_length(piece) == piece.len();
        if fits {
            self.size = size;
            match piece {
                [byte] => self.line.push(*byte),
                piece => self.line.extend_from_slice(piece),
            }
        }
        fits
    }

    /// Returns the next complete event. `None` means that more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] once an event exceeds the limit, and from then on.
    pub fn next_event(&mut self) -> Result<Option<Event>, EventTooLarge> {
        if self.too_large {
            return Err(EventTooLarge { limit: self.limit });
        }
        loop {
            let unread = self.chunk.get(self.position..).unwrap_or_default();
            let Some(first) = unread.first() else {
                // The read chunk is released: it may be a small part of a large buffer.
                if !self.chunk.is_empty() {
                    self.position = 0;
                    self.chunk = Bytes::new();
                }
                let Some(next) = self.queue.pop_front() else { return Ok(None) };
                self.chunk = next;
                continue;
            };
            if mem::take(&mut self.after_cr) && *first == b'\n' {
                self.position += 1;
                continue;
            }
            let length = line_length(unread);
            let (line, tail) = unread.split_at_checked(length).unwrap_or((unread, &[]));
            // Checked before any copy, so that a giant chunk is not buffered first.
            self.size = self.size.saturating_add(line.len());
            if self.size > self.limit {
                let limit = self.limit;
                *self = Self::with_max_event_size(limit);
                self.too_large = true;
                return Err(EventTooLarge { limit });
            }
            let end = self.position + line.len();
            let (line_end, ends_block) = match tail {
                [] => {
                    self.line.extend_from_slice(line);
                    self.position = end;
                    continue;
                }
                [b'\n', b'\n', ..] => (2, true),
                [b'\r', b'\n', b'\r', b'\n', ..] => (4, true),
                [byte, ..] => {
                    self.after_cr = *byte == b'\r';
                    (1, line.is_empty() && self.line.is_empty())
                }
            };
            self.position = end + line_end;
            // Fast path for most events: the only data line, then a blank line.
            if ends_block && self.line.is_empty() && self.block.data.is_none() {
                if let Some(value) = to_value(b"data", line) {
                    // The value is the end of the line, so the range lies within the chunk.
                    let range = end - value.len()..end;
                    let data = if self.position == self.chunk.len() {
                        // Nothing of the chunk is kept while its event is all that is left of it.
                        self.position = 0;
                        let mut data = mem::take(&mut self.chunk);
                        data.truncate(range.end);
                        data.advance(range.start);
                        data
                    } else {
                        self.chunk.slice(range)
                    };
                    self.size = 0;
                    self.block.past_start = true;
                    return Ok(Some(self.block.dispatch(data)));
                }
            }
            if self.line.is_empty() {
                let share = |value: &[u8]| self.chunk.slice_ref(value);
                self.block.read_line(line, share);
            } else {
                self.line.extend_from_slice(line);
                self.end_split_line();
            }
            if ends_block {
                self.size = 0;
                if let Some(event) = self.block.end() {
                    return Ok(Some(event));
                }
            }
        }
    }

    /// Ends the input. Returns the pending event even without its blank line, if it has data.
    ///
    /// Events that [`Decoder::next_event`] has not returned yet come first, one per call.
    pub fn finish(&mut self) -> Option<Event> {
        match self.next_event() {
            Ok(None) => {
                self.end_split_line();
                self.size = 0;
                self.block.end()
            }
            event => event.ok().flatten(),
        }
    }

    fn end_split_line(&mut self) {
        if self.line.len() <= MAX_COPIED_LINE {
            self.block.read_line(&self.line, Bytes::copy_from_slice);
            self.line.clear();
        } else {
            let line = Bytes::from(mem::take(&mut self.line));
            self.block.read_line(&line, |value| line.slice_ref(value));
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Decoder {
    /// Shows sizes only: payloads are private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("event_size", &self.size).field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// The fields set by the lines since the last blank line.
#[derive(Default)]
struct Block {
    event: Option<Box<str>>,
    /// The first data line. Emptied when it moves into `joined`.
    data: Option<Bytes>,
    /// All data lines with the LFs between them. Empty until there are two.
    joined: Vec<u8>,
    retry: Option<u64>,
    /// Stays in force after the block.
    last_id: Option<Arc<str>>,
    /// A line has been read, so a byte order mark is no longer one.
    past_start: bool,
}

impl Block {
    /// Reads one line. `share` makes `Bytes` of a part of it.
    fn read_line(&mut self, mut line: &[u8], share: impl FnOnce(&[u8]) -> Bytes) {
        if !mem::replace(&mut self.past_start, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if let Some(value) = to_value(b"data", line) {
            self.add_data(value, share);
        } else if let Some(name) = to_value(b"event", line) {
            self.event = (!name.is_empty()).then(|| decode_utf8(name).into());
        } else if let Some(id) = to_value(b"id", line) {
            if !id.contains(&0) {
                self.last_id = (!id.is_empty()).then(|| decode_utf8(id).into());
            }
        } else if let Some(digits) = to_value(b"retry", line) {
            // The standard allows no plus sign, and `parse` does.
            if !digits.starts_with(b"+") {
                self.retry = decode_utf8(digits).parse().ok().or(self.retry);
            }
        } else if let Some(value) = to_value(b"error", line) {
            self.event = Some("error".into());
            self.add_data(value, share);
        }
    }

    fn add_data(&mut self, value: &[u8], share: impl FnOnce(&[u8]) -> Bytes) {
        let Some(first) = &mut self.data else {
            self.data = Some(share(value));
            return;
        };
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&mem::take(first));
        }
        self.joined.push(b'\n');
        self.joined.extend_from_slice(value);
    }

    /// Ends the block at its blank line. Returns its event, if it has data.
    fn end(&mut self) -> Option<Event> {
        let Some(first) = self.data.take() else {
            self.event = None;
            self.retry = None;
            return None;
        };
        let data = match mem::take(&mut self.joined) {
            joined if joined.is_empty() => first,
            joined => joined.into(),
        };
        Some(self.dispatch(data))
    }

    fn dispatch(&mut self, data: Bytes) -> Event {
        Event { event: self.event.take(), data, id: self.last_id.clone(), retry: self.retry.take() }
    }
}

/// The length of the line that starts here, as far as it has arrived.
#[inline]
fn line_length(bytes: &[u8]) -> usize {
    let found = match bytes.len() {
        0..SMALL => bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')),
        _ => memchr2(b'\n', b'\r', bytes),
    };
    found.unwrap_or(bytes.len())
}

/// Returns the value, if `line` is a field of that name.
fn to_value<'a>(name: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [b':', b' ', value @ ..] | [b':', value @ ..] | value @ [] => Some(value),
        _ => None,
    }
}

/// Tries the strict reading first, as the lossy one has no shortcut for ASCII.
pub(crate) fn decode_utf8(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes the stream, whole and byte by byte, and shows each event as its set fields.
    fn decode(stream: &str) -> Vec<String> {
        let [whole, bytewise] = [stream.len(), 1].map(|size| {
            let mut decoder = Decoder::new();
            for chunk in stream.as_bytes().chunks(size) {
                decoder.push(Bytes::copy_from_slice(chunk));
            }
            let events = std::iter::from_fn(|| decoder.finish());
            events.map(|event| show(&event)).collect()
        });
        assert_eq!(whole, bytewise);
        whole
    }

    fn show(event: &Event) -> String {
        let name = event.event.iter().map(|name| format!(" event={name}"));
        let id = event.id.iter().map(|id| format!(" id={id}"));
        let retry = event.retry.iter().map(|retry| format!(" retry={retry}"));
        event.text().into_owned() + &name.chain(id).chain(retry).collect::<String>()
    }

    #[test]
    fn splits_lines_and_blocks() {
        assert_eq!(decode("data: a\n\r\ndata:b\r\rdata: c"), ["a", "b", "c"]);
        assert_eq!(decode("data: a\n: note\ndata\ndata:  b\n\n"), ["a\n\n b"]);
        assert_eq!(decode("event: a\n\nother: 1\n\n\ndata:\n\n"), [""]);
        assert_eq!(decode("data: a\n\ndata: cut off"), ["a", "cut off"]);
        assert_eq!(decode("\u{feff}data: a\n\n\u{feff}data: b\n\n"), ["a"]);
        let long = "x".repeat(2 * MAX_COPIED_LINE);
        assert_eq!(decode(&format!("data: {long}\n\ndata: b")), [&long, "b"]);
    }

    #[test]
    fn keeps_only_the_id_after_a_block() {
        let first = "event: a\nid: 7\nretry: 5\nretry: +6\ndata: 1\n\n";
        let others = "id: \0\ndata: 2\n\nid\ndata: 3\n\n";
        let expected = ["1 event=a id=7 retry=5", "2 id=7", "3"];
        assert_eq!(decode(&format!("{first}{others}")), expected);
    }

    #[test]
    fn reads_an_error_line_as_an_error_event() {
        assert_eq!(decode("error: {}\n\n"), ["{} event=error"]);
    }

    #[test]
    fn shares_the_chunk() {
        let chunk = Bytes::from_static(b"id: 1\ndata: a\n\n");
        let mut decoder = Decoder::new();
        decoder.push(chunk.clone());
        let data = decoder.finish().map(|event| event.data.as_ptr());
        assert_eq!(data, Some(chunk.slice(12..).as_ptr()));
    }

    #[test]
    fn stops_for_good_at_the_limit() {
        let mut decoder = Decoder::with_max_event_size(10);
        decoder.push(Bytes::from_static(b"data: 1234\n\n: 345\ndata: "));
        let first = decoder.next_event().ok().flatten();
        assert_eq!(first.as_ref().map(show).as_deref(), Some("1234"));
        assert_eq!(decoder.next_event(), Err(EventTooLarge { limit: 10 }));
        decoder.push(Bytes::from_static(b"\n\n"));
        assert_eq!(decoder.next_event(), Err(EventTooLarge { limit: 10 }));
        assert_eq!(decoder.finish(), None);
    }
}
