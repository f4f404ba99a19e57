//! [`Settings`]: the configuration that the calls of a client share.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};

use super::credentials::{ApiKey, KeyHeader, bad_key};
use super::http::HttpService;
use super::rate_limiter::Pace;
use super::request::{BaseUrl, Body, WireRequest};
use super::retry_budget::RetryBudget;
use crate::error::{Error, Result, Secrets};

/// What the calls of a client share. A client is a handle to it.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) base_url: BaseUrl,
    pub(crate) key: ApiKey,
    pub(crate) key_header: KeyHeader,
    /// The headers of every request.
    pub(crate) headers: HeaderMap,
    /// The same with the content type of JSON.
    pub(crate) json_headers: HeaderMap,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) secrets: Secrets,
    pub(crate) deployment: Deployment,
    pub(crate) timeout: Duration,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_retries: u32,
    pub(crate) retry_budget: Arc<RetryBudget>,
    pub(crate) rate_limiter: Option<Arc<dyn Pace>>,
    pub(crate) max_response_size: usize,
    pub(crate) max_event_size: usize,
    pub(crate) base64_embeddings: bool,
    pub(crate) service: Arc<dyn HttpService>,
}

/// Whether the model is part of the path, as on classic Azure.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Deployment {
    #[default]
    None,
    /// `deployments/{model}/chat/completions`
    OfModel,
    /// One deployment for all models.
    Fixed(String),
}

/// Endpoints that classic Azure serves below a deployment.
const DEPLOYED: [&str; 8] = [
    "completions",
    "chat/completions",
    "embeddings",
    "audio/transcriptions",
    "audio/translations",
    "audio/speech",
    "images/generations",
    "images/edits",
];

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither headers nor query: both may contain keys.
        f.debug_struct("Settings").field("base_url", &self.base_url.as_str()).finish_non_exhaustive()
    }
}

impl Settings {
    /// Adds the key of a key provider, and returns it, so that it can be redacted from errors.
    pub(crate) async fn authorize(&self, headers: &mut HeaderMap) -> Result<Option<String>> {
        match &self.key {
            ApiKey::None | ApiKey::Fixed(_) => Ok(None),
            ApiKey::Provided(provide) => {
                let key =
                    provide().await.map_err(|error| Error::config("API key provider failed").with_source(error))?;
                let key = key.trim().to_owned();
                let (name, value) = self.key_header.header(&key).filter(|_| !key.is_empty()).ok_or_else(bad_key)?;
                headers.insert(name, value);
                Ok(Some(key))
            }
        }
    }

    /// Returns the URL of a request.
    pub(crate) fn target(&self, request: &WireRequest, query: &[(String, String)]) -> String {
        let mut path = Cow::Borrowed(request.path.as_str());
        if self.deployment != Deployment::None && DEPLOYED.contains(&&*path) {
            let deployment = match &self.deployment {
                Deployment::Fixed(name) => Some(name),
                _ => request.model.as_ref(),
            };
            if let Some(escaped) =
                deployment.and_then(|name| WireRequest::new(Method::GET, &["deployments", name], Body::Empty).ok())
            {
                path = Cow::Owned(format!("{}/{path}", escaped.path));
            }
        }
        let own = self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let route = request.query.iter().map(|(name, value)| (&**name, value.as_str()));
        let call = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        self.base_url.join(&path, own.chain(route).chain(call))
    }
}
