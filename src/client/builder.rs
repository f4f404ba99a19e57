//! [`ClientBuilder`]: the settings of a client, and what becomes of them.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Client;
use super::key::{BoxError, Key, KeyHeader, bad_key};
use super::settings::{Deployment, Settings};
use crate::call::parse_header;
use crate::error::{Error, Result, Secrets};
use crate::provider::{KeyUse, Provider};
use crate::transport::http::{HttpService, OwnService};
use crate::transport::request::{BaseUrl, JSON};
use crate::transport::{RETRY_COUNT, default_headers};

const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";
const PRODUCT: &str = concat!("openai-compatible/", env!("CARGO_PKG_VERSION"));

/// Settings of a [`Client`].
#[doc(alias = "OpenAIConfig")]
#[derive(Clone)]
pub struct ClientBuilder {
    base_url: Cow<'static, str>,
    key: Key,
    key_header: KeyHeader,
    headers: Result<HeaderMap, Arc<str>>,
    query: Vec<(String, String)>,
    user_agent: Option<String>,
    deployment: Deployment,
    connect_timeout: Duration,
    timeout: Duration,
    total_timeout: Option<Duration>,
    idle_timeout: Duration,
    max_retries: u32,
    max_reply_size: usize,
    max_event_size: usize,
    base64_embeddings: Option<bool>,
    service: Option<Arc<dyn HttpService>>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        ClientBuilder {
            base_url: DEFAULT_BASE_URL.into(),
            key: Key::None,
            key_header: KeyHeader::Bearer,
            headers: Ok(HeaderMap::new()),
            query: Vec::new(),
            user_agent: None,
            deployment: Deployment::None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(600),
            total_timeout: None,
            idle_timeout: Duration::from_secs(300),
            max_retries: 2,
            max_reply_size: 256 << 20,
            max_event_size: 64 << 20,
            base64_embeddings: None,
            service: None,
        }
    }
}

impl ClientBuilder {
    /// Where the routes start, such as `http://localhost:8080/v1`. With or without a slash at its end; a query
    /// (`?api-version=…`) goes with every request.
    #[doc(alias = "with_api_base")]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Cow::Owned(url.into());
        self
    }

    /// The key, sent as `Authorization: Bearer KEY`. Without one, nothing is sent.
    #[doc(alias = "with_api_key")]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.key = Key::Fixed(key.into());
        self
    }

    /// A function that gives the key, asked at each attempt: for keys that rotate and tokens that expire.
    ///
    /// ```
    /// # use openai_compatible::Client;
    /// # async fn token() -> Result<String, std::io::Error> { Ok("t".to_owned()) }
    /// let client = Client::builder().api_key_provider(|| async { Ok(token().await?) }).build();
    /// # assert!(client.is_ok());
    /// ```
    pub fn api_key_provider<F, R>(mut self, provide: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, BoxError>> + Send + 'static,
    {
        self.key = Key::Provided(Arc::new(move || Box::pin(provide())));
        self
    }

    /// Sends the key alone in this header, in place of `Authorization: Bearer`: `api-key` on Azure.
    pub fn key_header(mut self, name: impl AsRef<str>) -> Self {
        match parse_header(name.as_ref(), "") {
            Ok((name, _)) => self.key_header = KeyHeader::Named(name),
            Err(error) => self.fail(&error),
        }
        self
    }

    /// Sends `OpenAI-Organization` with every request.
    pub fn organization(self, id: impl AsRef<str>) -> Self {
        self.header("openai-organization", id)
    }

    /// Sends `OpenAI-Project` with every request.
    pub fn project(self, id: impl AsRef<str>) -> Self {
        self.header("openai-project", id)
    }

    /// Sends a header with every request.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        match (parse_header(name.as_ref(), value.as_ref()), &mut self.headers) {
            (Ok((name, value)), Ok(headers)) => drop(headers.insert(name, value)),
            (Err(error), _) => self.fail(&error),
            (Ok(_), Err(_)) => {}
        }
        self
    }

    /// Adds a pair to the query of every URL.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Names your program in front of this crate in the `User-Agent`, such as `my-app/1.2`.
    pub fn user_agent(mut self, product: impl Into<String>) -> Self {
        self.user_agent = Some(product.into());
        self
    }

    /// Takes a provider's base URL and the way it asks for its key. Reads no environment variable; see
    /// [`ClientBuilder::for_provider`] for that.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.base_url = Cow::Borrowed(provider.base_url());
        self.base64_embeddings = Some(provider.has_base64_embeddings());
        self.key_header = match provider.key_use() {
            KeyUse::ApiKey => KeyHeader::Named(HeaderName::from_static("api-key")),
            _ => KeyHeader::Bearer,
        };
        self.deployment = match provider {
            Provider::AzureClassic => Deployment::OfModel,
            _ => Deployment::None,
        };
        self
    }

    /// Azure OpenAI by its v1 routes: `{endpoint}/openai/v1`. The model of a request is the name of your deployment.
    pub fn azure(self, endpoint: impl AsRef<str>) -> Self {
        let endpoint = endpoint.as_ref().trim_end_matches('/').to_owned();
        self.provider(Provider::Azure).base_url(endpoint + "/openai/v1")
    }

    /// Azure OpenAI by its older routes: `{endpoint}/openai/deployments/{model}/…?api-version={version}`.
    pub fn azure_classic(self, endpoint: impl AsRef<str>, api_version: impl Into<String>) -> Self {
        let endpoint = endpoint.as_ref().trim_end_matches('/').to_owned();
        self.provider(Provider::AzureClassic).base_url(endpoint + "/openai").query("api-version", api_version)
    }

    /// Uses one deployment for all models, on Azure's older routes.
    pub fn azure_deployment(mut self, name: impl Into<String>) -> Self {
        self.deployment = Deployment::Fixed(name.into());
        self
    }

    /// A token of Microsoft Entra in place of a key: sent as `Authorization: Bearer`. For tokens that expire, use
    /// [`entra_token_provider`](Self::entra_token_provider).
    pub fn entra_token(mut self, token: impl Into<String>) -> Self {
        self.key_header = KeyHeader::Bearer;
        self.api_key(token)
    }

    /// A function that gives a token of Microsoft Entra, asked at each attempt.
    pub fn entra_token_provider<F, R>(mut self, provide: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, BoxError>> + Send + 'static,
    {
        self.key_header = KeyHeader::Bearer;
        self.api_key_provider(provide)
    }

    /// Limits the making of a connection. 5 s without this. Not used with a client or service of your own.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Limits each attempt: until the reply is read, or until a stream or a download begins. 600 s without this.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Limits a whole call: all attempts and the waits between them. No limit without this.
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = Some(limit);
        self
    }

    /// Limits the silence inside a stream: from one data event to the next. Comments that keep the connection alive do
    /// not count. 300 s without this.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// How often a request is sent again after a fault; 0 for never. 2 without this.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// Limits a JSON reply, in bytes. 256 MiB without this. Downloads have no limit.
    pub fn max_reply_size(mut self, bytes: usize) -> Self {
        self.max_reply_size = bytes;
        self
    }

    /// Limits one event of a stream, in bytes. 64 MiB without this.
    pub fn max_event_size(mut self, bytes: usize) -> Self {
        self.max_event_size = bytes;
        self
    }

    /// Asks for embeddings as base64, less than half the size, where a request does not say how. Set by the presets of
    /// servers that are known to have it.
    pub fn base64_embeddings(mut self, ask: bool) -> Self {
        self.base64_embeddings = Some(ask);
        self
    }

    /// Sends through a reqwest client of yours: proxies, certificates, pools. Its redirect policy is its own: switch
    /// redirects off there to have them handled here, within the origin only.
    pub fn http_client(self, client: reqwest::Client) -> Self {
        self.http_service(client)
    }

    /// Sends through a service of yours: a tower stack, a recorder, a test double.
    pub fn http_service(mut self, service: impl HttpService) -> Self {
        self.service = Some(Arc::new(service));
        self
    }

    /// Makes the client. Opens no connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a base URL, a key or a header that cannot be used.
    pub fn build(self) -> Result<Client> {
        let base_url = BaseUrl::parse(&self.base_url)?;
        let product = self.user_agent.map_or_else(|| PRODUCT.to_owned(), |own| format!("{own} {PRODUCT}"));
        let user_agent = HeaderValue::try_from(product)
            .map_err(|_| Error::config("the user agent holds a character that no header may hold"))?;
        let mut headers = default_headers(user_agent);
        if let Key::Fixed(key) = &self.key {
            let (name, value) = self.key_header.header(key).filter(|_| !key.is_empty()).ok_or_else(bad_key)?;
            headers.insert(name, value);
        }
        let own = self.headers.map_err(|message| Error::config(message.to_string()))?;
        for (name, value) in &own {
            headers.insert(name, value.clone());
        }
        if let Some(user_agent) = own.get(USER_AGENT) {
            headers.insert(USER_AGENT, user_agent.clone());
        }
        headers.insert(RETRY_COUNT, HeaderValue::from_static("0"));
        let mut json_headers = headers.clone();
        json_headers.entry(CONTENT_TYPE).or_insert(JSON);
        let query = self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let secrets = Secrets::default().with_request(&headers, base_url.query().chain(query));
        let default_base = self.base_url == DEFAULT_BASE_URL;
        Ok(Client(Arc::new(Settings {
            base_url,
            key: self.key,
            key_header: self.key_header,
            headers,
            json_headers,
            query: self.query,
            secrets,
            deployment: self.deployment,
            timeout: self.timeout,
            total_timeout: self.total_timeout,
            idle_timeout: self.idle_timeout,
            max_retries: self.max_retries,
            max_reply_size: self.max_reply_size,
            max_event_size: self.max_event_size,
            base64_embeddings: self.base64_embeddings.unwrap_or(default_base),
            service: self.service.unwrap_or_else(|| Arc::new(OwnService::new(self.connect_timeout))),
        })))
    }

    fn fail(&mut self, error: &Error) {
        if self.headers.is_ok() {
            self.headers = Err(error.message().into());
        }
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}
