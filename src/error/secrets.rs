//! Keys, wherever they travel: what no error may show, whoever wrote its text.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";
/// Shorter ones would take words apart.
const SHORTEST: usize = 4;
/// Ends of the names under which keys travel, in headers and in queries: `x-api-key`, `access_token`, `sig`.
const NAMES: [&str; 10] =
    ["key", "token", "secret", "auth", "authorization", "cookie", "password", "credential", "signature", "sig"];
/// These end like one and are none.
const NO_SECRETS: [&str; 1] = ["idempotency-key"];

/// Texts to be taken out of errors. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<[String]>);

impl Secrets {
    /// These and a key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        self.with(vec![key.to_owned()])
    }

    /// These and what is secret among headers and query pairs.
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
            more.extend([value.to_owned(), escaped(value)]);
        }
        self.with(more)
    }

    fn with(&self, mut more: Vec<String>) -> Self {
        more.retain(|secret| secret.len() >= SHORTEST);
        if more.is_empty() {
            return self.clone();
        }
        more.extend(self.0.iter().cloned());
        // The longest first: one may be a part of another.
        more.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        more.dedup();
        Secrets(more.into())
    }

    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret.as_str()))
    }

    /// The text without them.
    pub(crate) fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.0.iter().filter(|secret| !secret.is_empty()) {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), REDACTED));
            }
        }
        text
    }

    /// Takes them out of a text in its place.
    pub(crate) fn hide_in(&self, text: &mut String) {
        if let Cow::Owned(hidden) = self.hide(text) {
            *text = hidden;
        }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|end| name.ends_with(end)) && !NO_SECRETS.contains(&&*name)
}

/// The value, and the part behind a scheme such as `Bearer`.
fn header_secrets(name: &HeaderName, value: &HeaderValue) -> impl Iterator<Item = String> + use<> {
    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let has_scheme = name.as_str().ends_with("authorization");
    let key = value.split_once(' ').filter(|_| has_scheme).map(|(_, key)| key.trim().to_owned());
    [Some(value), key].into_iter().flatten()
}

/// A value as it stands in a URL.
fn escaped(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &'static str, value: &'static str) -> HeaderMap {
        [(HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn keys_are_told_by_the_names_they_travel_under() {
        let secrets = Secrets::default().with_request(&header("x-api-key", "abcd-1"), [("access_token", "a b+c")]);
        assert_eq!(secrets.hide("abcd-1, a b+c, a+b%2Bc"), "[redacted], [redacted], [redacted]");
        let secrets = Secrets::default().with_request(&header("authorization", "Bearer abcd-1"), []);
        assert_eq!(secrets.hide("the token abcd-1 is wrong"), "the token [redacted] is wrong");
    }

    #[test]
    fn what_is_no_key_stays() {
        let secrets = Secrets::default()
            .with_request(&header("idempotency-key", "abcd-1"), [("api-version", "2024-10-21"), ("max_tokens", "4096")])
            .with_key("abc");
        assert!(secrets.0.is_empty());
    }

    #[test]
    fn a_key_that_is_a_part_of_another_leaves_no_rest() {
        let secrets = Secrets::default().with_key("abcd").with_key("abcd-efgh");
        assert_eq!(secrets.hide("abcd-efgh abcd"), "[redacted] [redacted]");
    }
}
