//! JSON text from wire types.

use std::{fmt, io};

use serde::Serialize;
use serde_json::Value;

use super::Wire;

/// Writes JSON; see [`written`].
pub struct Writer {
    bytes: Vec<u8>,
    /// Bytes written, those over the limit included.
    length: usize,
    /// Bytes that are kept.
    limit: usize,
    /// True behind a value: what comes next has a comma in front.
    is_behind: bool,
    error: Option<serde_json::Error>,
}

/// Texts over this size are measured before their buffer is made, so that it is made once.
const MEASURED: usize = 64 * 1024;

/// The JSON text that is written, in a buffer of the right size: short ones at once, long ones in a second pass.
pub(crate) fn written(write: &dyn Fn(&mut Writer)) -> serde_json::Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::with_capacity(512), MEASURED);
    write(&mut writer);
    if writer.length > MEASURED {
        writer = Writer::new(Vec::with_capacity(writer.length), usize::MAX);
        write(&mut writer);
    }
    writer.finish()
}

impl Writer {
    fn new(bytes: Vec<u8>, limit: usize) -> Self {
        Writer { bytes, length: 0, limit, is_behind: false, error: None }
    }

    /// Writes behind what is there.
    pub(crate) fn append(bytes: Vec<u8>) -> Self {
        Writer::new(bytes, usize::MAX)
    }

    pub(crate) fn finish(self) -> serde_json::Result<Vec<u8>> {
        self.error.map_or(Ok(self.bytes), Err)
    }

    /// A wire type as a value; null for what cannot be written.
    pub(crate) fn value_of(value: &dyn Wire) -> Value {
        let bytes = written(&|writer| value.write(writer)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Writes what serde_json writes for it.
    pub(crate) fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.separate();
        if let Err(error) = serde_json::to_writer(&mut *self, value) {
            self.error.get_or_insert(error);
        }
        self.is_behind = true;
    }

    /// Says what cannot be written.
    pub(crate) fn fail(&mut self, what: &'static str) {
        self.error.get_or_insert_with(|| serde::ser::Error::custom(what));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.json(text);
    }

    pub(crate) fn null(&mut self) {
        self.separate();
        self.raw(b"null");
        self.is_behind = true;
    }

    /// Begins a list or an object.
    pub(crate) fn open(&mut self, bracket: u8) {
        self.separate();
        self.raw(&[bracket]);
        self.is_behind = false;
    }

    /// Ends a list or an object.
    pub(crate) fn close(&mut self, bracket: u8) {
        self.raw(&[bracket]);
        self.is_behind = true;
    }

    /// Writes the name of a member, whose value comes next.
    pub(crate) fn name(&mut self, name: &str) {
        self.text(name);
        self.raw(b":");
        self.is_behind = false;
    }

    /// Writes a member of an object.
    pub(crate) fn member(&mut self, name: &str, value: &dyn Wire) {
        self.name(name);
        value.write(self);
    }

    fn separate(&mut self) {
        if self.is_behind {
            self.raw(b",");
        }
    }

    fn raw(&mut self, part: &[u8]) {
        self.length += part.len();
        if self.length <= self.limit {
            self.bytes.extend_from_slice(part);
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} bytes)", self.length)
    }
}

impl io::Write for Writer {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.raw(part);
        Ok(part.len())
    }

    fn write_all(&mut self, part: &[u8]) -> io::Result<()> {
        self.raw(part);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_written_into_one_buffer_of_its_size() {
        let text = "\n".repeat(MEASURED);
        let json = written(&|writer| writer.text(&text)).unwrap();
        assert_eq!(json, serde_json::to_vec(&text).unwrap());
        assert_eq!(json.capacity(), json.len());
    }
}
