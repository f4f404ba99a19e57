//! The key of a server, and how it travels.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::error::{Error, Result};
use crate::transport::{BEARER, bearer};

type ProvideKey = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>> + Send + Sync>;
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Default)]
pub(super) enum Key {
    #[default]
    None,
    /// Its header is among the client's headers.
    Fixed(String),
    Provided(ProvideKey),
}

/// How the key travels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum KeyHeader {
    /// `Authorization: Bearer KEY`
    #[default]
    Bearer,
    /// The key alone in a header such as `api-key`.
    Named(HeaderName),
}

impl KeyHeader {
    pub(super) fn header(&self, key: &str) -> Option<(HeaderName, HeaderValue)> {
        match self {
            KeyHeader::Bearer => Some((BEARER, bearer(key)?)),
            KeyHeader::Named(name) => {
                let mut value = HeaderValue::try_from(key).ok()?;
                value.set_sensitive(true);
                Some((name.clone(), value))
            }
        }
    }
}

pub(super) fn bad_key() -> Error {
    Error::config("the API key is empty or holds a line break or another character that no header may hold")
}
