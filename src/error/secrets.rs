//! Secrets that no error may show, whoever wrote its text.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The replacement for a secret.
const REDACTED: &str = "[redacted]";
/// Shorter secrets would take words apart.
const MIN_SECRET_LEN: usize = 4;
/// Suffixes of header and query names that carry secrets: `x-api-key`, `access_token`, `sig`.
const NAMES: [&str; 10] =
    ["key", "token", "secret", "auth", "authorization", "cookie", "password", "credential", "signature", "sig"];
/// Names with such a suffix that carry no secret.
const ALLOWLIST: [&str; 1] = ["idempotency-key"];

/// Texts to redact from errors. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<[String]>);

impl Secrets {
    /// Adds a key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        self.with(vec![key.to_owned()])
    }

    /// Adds the secrets among headers and query pairs.
    pub(crate) fn with_request<'a>(
        &self,
        headers: &HeaderMap,
        query: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let mut more = Vec::new();
        for (name, value) in headers {
            if value.is_sensitive() || is_secret(name.as_str()) {
                more.extend(header_secrets(name, value));
            }
        }
        for (_, value) in query.into_iter().filter(|(name, _)| is_secret(name)) {
            more.push(value.to_owned());
        }
        self.with(more)
    }

    fn with(&self, mut more: Vec<String>) -> Self {
        more.retain(|secret| secret.len() >= MIN_SECRET_LEN);
        if more.is_empty() {
            return self.clone();
        }
        more.extend(self.0.iter().cloned());
        // Longest first: one may be a part of another.
        more.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        more.dedup();
        Secrets(more.into())
    }

    pub(crate) fn occurs_in(&self, text: &str) -> bool {
        matches!(self.redact(text), Cow::Owned(_))
    }

    /// Returns the text with secrets replaced, however they are spelled: plain, in other case, with JSON escapes, or
    /// percent-encoded. Also at the end of a text that was cut within one.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.0.is_empty() || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let decoded = Decoded::of(text);
        let mut found: Vec<_> = self.0.iter().flat_map(|secret| decoded.find(secret)).collect();
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_unstable_by_key(|range| range.start);
        let mut redacted = String::with_capacity(text.len());
        let mut end = 0;
        for range in found {
            if range.start >= end {
                redacted.push_str(text.get(end..range.start).unwrap_or_default());
                redacted.push_str(REDACTED);
            }
            end = end.max(range.end);
        }
        redacted.push_str(text.get(end..).unwrap_or_default());
        Cow::Owned(redacted)
    }

    /// Replaces secrets in a text.
    pub(crate) fn redact_in_place(&self, text: &mut String) {
        if let Cow::Owned(hidden) = self.redact(text) {
            *text = hidden;
        }
    }
}

/// A text without escapes, in lower case, and where each of its bytes came from.
struct Decoded {
    bytes: Vec<u8>,
    /// The start of each byte in the text, and the end of the text.
    starts: Vec<usize>,
}

/// JSON within JSON is escaped twice.
const MAX_ESCAPE_DEPTH: usize = 3;

impl Decoded {
    fn of(text: &str) -> Self {
        let mut decoded = Decoded {
            bytes: text.bytes().map(|byte| byte.to_ascii_lowercase()).collect(),
            starts: (0..=text.len()).collect(),
        };
        for _ in 0..MAX_ESCAPE_DEPTH {
            if !decoded.decode() {
                break;
            }
        }
        decoded
    }

    /// Decodes the escapes once; false if there are none.
    fn decode(&mut self) -> bool {
        if memchr::memchr2(b'\\', b'%', &self.bytes).is_none() {
            return false;
        }
        let (mut bytes, mut starts) = (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.starts.len()));
        let mut position = 0;
        while let Some(rest) = self.bytes.get(position..).filter(|rest| !rest.is_empty()) {
            let (byte, length) = unescape(rest);
            bytes.push(byte);
            starts.extend(self.starts.get(position));
            position += length;
        }
        starts.extend(self.starts.last());
        let is_changed = bytes.len() < self.bytes.len();
        *self = Decoded { bytes, starts };
        is_changed
    }

    /// The places of a secret in the text, among them a beginning of it at the end of the text.
    fn find(&self, secret: &str) -> Vec<std::ops::Range<usize>> {
        let secret = secret.to_ascii_lowercase();
        let secret = secret.as_bytes();
        let place = |start: usize, end: usize| Some(*self.starts.get(start)?..*self.starts.get(end)?);
        let whole =
            memchr::memmem::find_iter(&self.bytes, secret).filter_map(|start| place(start, start + secret.len()));
        let mut places: Vec<_> = whole.collect();
        let longest = secret.len().saturating_sub(1).min(self.bytes.len());
        let cut = (MIN_SECRET_LEN.max(secret.len() / 4)..=longest)
            .rev()
            .find(|length| secret.get(..*length).is_some_and(|beginning| self.bytes.ends_with(beginning)));
        places.extend(cut.and_then(|length| place(self.bytes.len() - length, self.bytes.len())));
        places
    }
}

/// The first byte of a text after its escape, and the length of what stands for it.
fn unescape(text: &[u8]) -> (u8, usize) {
    let digits = |digits: &[u8]| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let ascii = |code: Option<u32>| code.and_then(|code| u8::try_from(code).ok()).filter(u8::is_ascii);
    let (escaped, length) = match text {
        [b'\\', b'u', a, b, c, d, ..] => (ascii(digits(&[*a, *b, *c, *d])), 6),
        [b'%', a, b, ..] => (ascii(digits(&[*a, *b])), 3),
        [b'\\', byte @ (b'/' | b'\\' | b'"'), ..] => (Some(*byte), 2),
        _ => (None, 1),
    };
    match escaped {
        Some(byte) => (byte.to_ascii_lowercase(), length),
        None => (text.first().copied().unwrap_or_default(), 1),
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|end| name.ends_with(end)) && !ALLOWLIST.contains(&&*name)
}

/// The value, and the part after a scheme such as `Bearer`.
fn header_secrets(name: &HeaderName, value: &HeaderValue) -> impl Iterator<Item = String> + use<> {
    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let has_scheme = name.as_str().ends_with("authorization");
    let key = value.split_once(' ').filter(|_| has_scheme).map(|(_, key)| key.trim().to_owned());
    [Some(value), key].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &'static str, value: &'static str) -> HeaderMap {
        [(HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn keys_are_recognized_by_the_names_of_their_fields() {
        let secrets = Secrets::default().with_request(&header("x-api-key", "abcd-1"), [("access_token", "a b+c")]);
        assert_eq!(secrets.redact("abcd-1, a b+c, a%20b%2Bc"), "[redacted], [redacted], [redacted]");
        let secrets = Secrets::default().with_request(&header("authorization", "Bearer abcd-1"), []);
        assert_eq!(secrets.redact("the token abcd-1 is wrong"), "the token [redacted] is wrong");
    }

    #[test]
    fn a_key_is_found_however_it_is_spelled() {
        let secrets = Secrets::default().with_key("sk-SECRET/1234+567890=xyz");
        for text in [
            "sk-SECRET/1234+567890=xyz",
            "SK-secret/1234+567890=XYZ",
            r"sk-SECRET\/1234+567890=xyz",
            r"sk\u002dSECRET/1234\u002B567890=xyz",
            r"sk-SECRET\\/1234+567890=xyz",
            r"sk-SECRET\\\\u002f1234+567890=xyz",
            "sk-SECRET%2F1234%2B567890%3Dxyz",
            "sk-SECRET%252f1234%252b567890%253dxyz",
        ] {
            assert_eq!(secrets.redact(&format!("é key {text}, é")), "é key [redacted], é", "{text}");
        }
    }

    #[test]
    fn a_key_is_found_where_the_text_was_cut_within_it() {
        let secrets = Secrets::default().with_key("sk-SECRET/1234+567890=xyz");
        assert_eq!(secrets.redact("key sk-SECRET/1234+56789"), "key [redacted]");
        assert_eq!(secrets.redact(r"key sk-SECRET\/1234"), "key [redacted]");
        assert_eq!(secrets.redact("a desk"), "a desk");
    }

    #[test]
    fn other_text_is_not_redacted() {
        let secrets = Secrets::default()
            .with_request(&header("idempotency-key", "abcd-1"), [("api-version", "2024-10-21"), ("max_tokens", "4096")])
            .with_key("abc");
        assert!(secrets.0.is_empty());
    }

    #[test]
    fn a_key_that_is_a_part_of_another_leaves_no_rest() {
        let secrets = Secrets::default().with_key("abcd").with_key("abcd-efgh");
        assert_eq!(secrets.redact("abcd-efgh abcd"), "[redacted] [redacted]");
    }
}
