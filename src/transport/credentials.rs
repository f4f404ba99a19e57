//! API keys and how they are sent.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};

use crate::error::{Error, Result};

type ProvideKey = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>> + Send + Sync>;
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) enum ApiKey {
    #[default]
    None,
    /// Its header is one of the client's headers.
    Fixed(String),
    Provided(ProvideKey),
}

/// How a key is sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum KeyHeader {
    /// `Authorization: Bearer KEY`
    #[default]
    Bearer,
    /// The key alone in a header such as `api-key`.
    Named(HeaderName),
}

impl KeyHeader {
    pub(crate) fn name(&self) -> &HeaderName {
        match self {
            KeyHeader::Bearer => &AUTHORIZATION,
            KeyHeader::Named(name) => name,
        }
    }

    pub(crate) fn header(&self, key: &str) -> Option<(HeaderName, HeaderValue)> {
        match self {
            KeyHeader::Bearer => Some((AUTHORIZATION, sensitive(&format!("Bearer {key}"))?)),
            KeyHeader::Named(name) => Some((name.clone(), sensitive(key)?)),
        }
    }
}

/// Keys are visible ASCII: anything else was pasted by mistake, such as typographic quotes.
fn sensitive(value: &str) -> Option<HeaderValue> {
    if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return None;
    }
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(crate) fn bad_key() -> Error {
    Error::config(
        "API key is empty or contains characters other than visible ASCII (check for line breaks and typographic quotes)",
    )
}
