//! [`ClientBuilder`]: the configuration of a client.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Client;
use super::provider::{AuthScheme, Provider};
use crate::error::{Error, Result, Secrets};
use crate::transport::credentials::{ApiKey, BoxError, KeyHeader, bad_key};
use crate::transport::http::{HttpService, ReqwestService};
use crate::transport::rate_limiter::{Pace, RateLimiter};
use crate::transport::request::{BaseUrl, JSON, parse_header};
use crate::transport::retry_budget::RetryBudget;
use crate::transport::send::{RETRY_COUNT, default_headers};
use crate::transport::settings::{Deployment, Settings};

const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";
const PRODUCT: &str = concat!("openai-compatible/", env!("CARGO_PKG_VERSION"));

/// The configuration of a [`Client`].
#[derive(Clone)]
pub struct ClientBuilder {
    base_url: Option<Cow<'static, str>>,
    /// Whose key, address and version must be known when the client is built.
    preset: Option<Provider>,
    is_from_env: bool,
    key: ApiKey,
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
    retry_budget: Arc<RetryBudget>,
    rate_limiter: Option<Arc<dyn Pace>>,
    max_response_size: usize,
    max_event_size: usize,
    base64_embeddings: Option<bool>,
    service: Option<Arc<dyn HttpService>>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        ClientBuilder {
            base_url: None,
            preset: None,
            is_from_env: false,
            key: ApiKey::None,
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
            retry_budget: Arc::new(RetryBudget::new(100)),
            rate_limiter: None,
            max_response_size: 256 << 20,
            max_event_size: 64 << 20,
            base64_embeddings: None,
            service: None,
        }
    }
}

impl ClientBuilder {
    /// Sets the base URL that paths are relative to, such as `http://localhost:8080/v1`, with or without a trailing
    /// slash. A query (`?api-version=…`) is sent with every request.
    ///
    /// `unix:///run/server.sock:/v1` connects to a Unix socket.
    #[doc(alias = "with_api_base")]
    #[doc(alias = "api_base")]
    #[doc(alias = "endpoint")]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.preset = None;
        self.at(url)
    }

    /// Sets the base URL of a preset, which stays one.
    pub(super) fn at(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(Cow::Owned(url.into()));
        self
    }

    pub(super) fn has_address(&self, url: &str) -> bool {
        self.base_url.as_deref() == Some(url)
    }

    pub(super) fn has_query(&self, name: &str) -> bool {
        self.query.iter().any(|(known, _)| known == name)
    }

    pub(super) fn set_from_env(mut self) -> Self {
        self.is_from_env = true;
        self
    }

    /// Sets the API key, sent as `Authorization: Bearer KEY`. Blanks around it, such as the line break of a mounted secret,
    /// are left out. Without a key, no header is sent.
    #[doc(alias = "with_api_key")]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.key = ApiKey::Fixed(key.into().trim().to_owned());
        self
    }

    /// Sets a function that returns the key, called for each attempt: for keys that rotate and tokens that expire.
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
        self.key = ApiKey::Provided(Arc::new(move || Box::pin(provide())));
        self
    }

    /// Sends the key in this header instead of `Authorization: Bearer`, such as `api-key` on Azure.
    pub fn api_key_header(mut self, name: impl AsRef<str>) -> Self {
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

    /// Puts your program in front of this crate in the `User-Agent`, such as `my-app/1.2`.
    pub fn user_agent(mut self, product: impl Into<String>) -> Self {
        self.user_agent = Some(product.into());
        self
    }

    /// Sets a provider's base URL and authentication scheme. Reads no environment variables; see
    /// [`ClientBuilder::for_provider`] for that. A base URL set afterwards is that of another server, such as a proxy, which
    /// may need no key.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.base_url = Some(Cow::Borrowed(provider.base_url()));
        self.preset = Some(provider);
        self.base64_embeddings = Some(provider.has_base64_embeddings());
        self.key_header = match provider.auth_scheme() {
            AuthScheme::ApiKeyHeader => KeyHeader::Named(HeaderName::from_static("api-key")),
            _ => KeyHeader::Bearer,
        };
        self.deployment = match provider {
            Provider::AzureClassic => Deployment::OfModel,
            _ => Deployment::None,
        };
        self
    }

    /// Connects to Azure OpenAI with its v1 paths: `{endpoint}/openai/v1`, with or without this path. The model of a request
    /// is the name of your deployment.
    pub fn azure(self, endpoint: impl AsRef<str>) -> Self {
        self.provider(Provider::Azure).at(azure_base_url(endpoint.as_ref(), "/openai/v1"))
    }

    /// Connects to Azure OpenAI with its classic paths:
    /// `{endpoint}/openai/deployments/{model}/…?api-version={version}`.
    pub fn azure_classic(self, endpoint: impl AsRef<str>, api_version: impl Into<String>) -> Self {
        let base_url = azure_base_url(endpoint.as_ref(), "/openai");
        self.provider(Provider::AzureClassic).at(base_url).query("api-version", api_version)
    }

    /// Uses one deployment for all models, with Azure's classic paths.
    pub fn azure_deployment(mut self, name: impl Into<String>) -> Self {
        self.deployment = Deployment::Fixed(name.into());
        self
    }

    /// Authenticates with a Microsoft Entra token instead of an API key, sent as `Authorization: Bearer`. For tokens
    /// that expire, use [`entra_token_provider`](Self::entra_token_provider).
    pub fn entra_token(mut self, token: impl Into<String>) -> Self {
        self.key_header = KeyHeader::Bearer;
        self.api_key(token)
    }

    /// Sets a function that returns a Microsoft Entra token, called for each attempt.
    pub fn entra_token_provider<F, R>(mut self, provide: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, BoxError>> + Send + 'static,
    {
        self.key_header = KeyHeader::Bearer;
        self.api_key_provider(provide)
    }

    /// Sets the timeout for establishing a connection. Defaults to 5 s. Ignored with a custom HTTP client or service.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Limits each attempt: until the response is read, or until a stream or download starts. Defaults to 600 s.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Limits a whole call: all attempts and the delays between them. No limit by default.
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = Some(limit);
        self
    }

    /// Limits the silence in a stream, from one data event to the next. SSE comments used as keep-alives do not reset
    /// it. Defaults to 300 s.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = limit;
        self
    }

    /// Sets the maximum number of retries per request. Set to 0 to disable retries. Defaults to 2.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// Sets how many retries all calls together may take in a row, so that an outage is not multiplied: when they are used up,
    /// errors are returned at once. Five successes earn another one. Defaults to 100; `u32::MAX` means no limit.
    pub fn retry_budget(mut self, retries: u32) -> Self {
        self.retry_budget = Arc::new(RetryBudget::new(retries));
        self
    }

    /// Starts calls no faster than the server allows. No limiter by default.
    pub fn rate_limiter(mut self, limiter: RateLimiter) -> Self {
        self.rate_limiter = Some(Arc::new(limiter));
        self
    }

    /// Limits the size of a JSON response, in bytes. Defaults to 256 MiB. Downloads have no limit.
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response_size = bytes;
        self
    }

    /// Limits the size of an event of a stream, in bytes. Defaults to 64 MiB.
    pub fn max_event_size(mut self, bytes: usize) -> Self {
        self.max_event_size = bytes;
        self
    }

    /// Requests embeddings as base64, less than half the size, unless a request specifies a format. Enabled by the
    /// presets of servers that are known to support it.
    pub fn base64_embeddings(mut self, ask: bool) -> Self {
        self.base64_embeddings = Some(ask);
        self
    }

    /// Sends requests through your own reqwest client, for proxies, certificates and pools.
    ///
    /// Set its redirect policy to `none`: redirects are followed here, within the origin only. A client that follows them
    /// itself may send a key in a header other than `authorization` to another origin; a response from there is an error.
    #[doc(alias = "proxy")]
    #[doc(alias = "certificate")]
    #[doc(alias = "mtls")]
    pub fn http_client(self, client: reqwest::Client) -> Self {
        self.http_service(client)
    }

    /// Sends requests through your own service: a tower stack, a recorder, a mock.
    pub fn http_service(mut self, service: impl HttpService) -> Self {
        self.service = Some(Arc::new(service));
        self
    }

    /// Builds the client. Opens no connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the base URL, the key or a header is invalid, if a provider's key is
    /// missing, or if neither a base URL nor a key is set.
    pub fn build(self) -> Result<Client> {
        self.build_on(None)
    }

    /// Builds a client on the connections of another one, unless it has its own service.
    pub(super) fn build_sharing(self, client: &Settings) -> Result<Client> {
        self.build_on(Some(client))
    }

    fn build_on(self, other: Option<&Settings>) -> Result<Client> {
        self.check()?;
        let builder = Arc::new(self.clone());
        let base_url = self.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL);
        let is_default = base_url == DEFAULT_BASE_URL;
        let base_url = BaseUrl::parse(base_url)?;
        // A socket has its own connections.
        let shared = other.filter(|other| other.base_url.socket == base_url.socket).map(|other| other.service.clone());
        let service = self
            .service
            .or(shared)
            .unwrap_or_else(|| Arc::new(ReqwestService::new(self.connect_timeout, base_url.socket.clone())));
        let product = self.user_agent.map_or_else(|| PRODUCT.to_owned(), |own| format!("{own} {PRODUCT}"));
        let user_agent = HeaderValue::try_from(product)
            .map_err(|_| Error::config("user agent contains characters that are not allowed in an HTTP header"))?;
        let mut headers = default_headers(user_agent);
        if let ApiKey::Fixed(key) = &self.key {
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
        let settings = Arc::new(Settings {
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
            retry_budget: self.retry_budget,
            rate_limiter: self.rate_limiter,
            max_response_size: self.max_response_size,
            max_event_size: self.max_event_size,
            base64_embeddings: self.base64_embeddings.unwrap_or(is_default),
            service,
        });
        Ok(Client { settings, builder })
    }

    /// What is missing is found here, so that it can be set in any order, and in any way.
    fn check(&self) -> Result<()> {
        let own = self.headers.as_ref().map_err(|message| Error::config(message.to_string()))?;
        if let Some(preset) = self.preset {
            preset.check(self)?;
        }
        // A header of one's own may hold the key, and so may a service.
        let has_header = [&AUTHORIZATION, self.key_header.name()].into_iter().any(|name| own.contains_key(name));
        if has_header || !matches!(self.key, ApiKey::None) || self.service.is_some() {
            return Ok(());
        }
        match self.preset {
            Some(preset) => preset.check_key(),
            None if self.base_url.is_some() => Ok(()),
            None if self.is_from_env => Err(Error::config(
                "neither OPENAI_API_KEY nor OPENAI_BASE_URL is set: set OPENAI_API_KEY for api.openai.com, or OPENAI_BASE_URL for another server (local servers usually need no key)",
            )),
            None => Err(Error::config(
                "neither an API key nor a base URL is set: call `api_key` for api.openai.com, or `base_url` for another server (local servers usually need no key)",
            )),
        }
    }

    fn fail(&mut self, error: &Error) {
        if self.headers.is_ok() {
            self.headers = Err(error.message().into());
        }
    }
}

/// The base URL of an Azure endpoint, which the portal shows with and without its path. A whole target URI stays what it is,
/// and is refused with the reason.
fn azure_base_url(endpoint: &str, path: &str) -> String {
    let endpoint = endpoint.trim().trim_end_matches('/');
    if endpoint.contains("/openai/deployments/") || endpoint.contains('?') {
        return endpoint.to_owned();
    }
    let root = ["/openai/v1", "/openai"].iter().find_map(|known| endpoint.strip_suffix(known)).unwrap_or(endpoint);
    format!("{root}{path}")
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}
