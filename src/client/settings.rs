//! What a client knows: the rules of its calls, and the two things they ask of it, the key and the URL.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method};

use super::key::{Key, KeyHeader, bad_key};
use crate::error::{Error, Result, Secrets};
use crate::transport::http::HttpService;
use crate::transport::request::{BaseUrl, Body, WireRequest};

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) base_url: BaseUrl,
    pub(super) key: Key,
    pub(super) key_header: KeyHeader,
    /// Those of every request.
    pub(crate) headers: HeaderMap,
    /// The same and the content type of JSON.
    pub(crate) json_headers: HeaderMap,
    pub(super) query: Vec<(String, String)>,
    pub(crate) secrets: Secrets,
    pub(super) deployment: Deployment,
    pub(crate) timeout: Duration,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_retries: u32,
    pub(crate) max_reply_size: usize,
    pub(crate) max_event_size: usize,
    pub(crate) base64_embeddings: bool,
    pub(crate) service: Arc<dyn HttpService>,
}

/// Whether the model stands in the path, as on classic Azure.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Deployment {
    #[default]
    None,
    /// `deployments/{model}/chat/completions`
    OfModel,
    /// One deployment for all models.
    Fixed(String),
}

/// Routes that classic Azure serves below a deployment.
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

impl Settings {
    /// Adds the key of a provider; gives it back, so that it can be taken out of errors.
    pub(crate) async fn authorize(&self, headers: &mut HeaderMap) -> Result<Option<String>> {
        match &self.key {
            Key::None | Key::Fixed(_) => Ok(None),
            Key::Provided(provide) => {
                let key =
                    provide().await.map_err(|error| Error::config("the key provider failed").with_source(error))?;
                let (name, value) = self.key_header.header(&key).filter(|_| !key.is_empty()).ok_or_else(bad_key)?;
                headers.insert(name, value);
                Ok(Some(key))
            }
        }
    }

    /// The URL of a request.
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
