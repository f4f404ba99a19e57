//! HTTP by reqwest: [`HttpService`] for its clients, and for those of this crate.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;

use super::{HttpError, HttpErrorKind, HttpService, Incoming, Outgoing, RequestBody, ResponseBody, tls};

impl HttpService for reqwest::Client {
    fn call(
        &self,
        request: http::Request<RequestBody>,
    ) -> BoxFuture<'static, Result<http::Response<ResponseBody>, HttpError>> {
        match url_of(request.uri()) {
            Ok(url) => execute(self, url, request),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

fn execute(
    client: &reqwest::Client,
    url: reqwest::Url,
    request: http::Request<RequestBody>,
) -> BoxFuture<'static, Result<http::Response<ResponseBody>, HttpError>> {
    let (head, body) = request.into_parts();
    let body = match body.0 {
        Outgoing::Empty => reqwest::Body::default(),
        Outgoing::BufferedResponse(bytes) => reqwest::Body::from(bytes),
        streamed => reqwest::Body::wrap(RequestBody(streamed)),
    };
    let origin = url.origin();
    let mut request = reqwest::Request::new(head.method, url);
    *request.headers_mut() = head.headers;
    *request.version_mut() = head.version;
    *request.body_mut() = Some(body);
    let sent = client.execute(request);
    Box::pin(async move {
        let response = sent.await.map_err(from_reqwest)?;
        // A client of the caller's may follow redirects.
        if response.url().origin() != origin {
            let other = response.url().origin().ascii_serialization();
            let message = format!("the HTTP client followed a redirect to another origin: {other}");
            return Err(HttpError::new(HttpErrorKind::InvalidResponse, message));
        }
        Ok(http::Response::from(response).map(|body| ResponseBody(Incoming::Reqwest(body))))
    })
}

fn url_of(uri: &http::Uri) -> Result<reqwest::Url, HttpError> {
    let parts = [
        uri.scheme_str().unwrap_or_default(),
        "://",
        uri.authority().map_or("", |authority| authority.as_str()),
        uri.path_and_query().map_or("", |path| path.as_str()),
    ];
    reqwest::Url::parse(&parts.concat()).map_err(|error| HttpError::new(HttpErrorKind::Config, error))
}

pub(super) fn from_reqwest(error: reqwest::Error) -> HttpError {
    let kind = if is_invalid_response(&error) {
        HttpErrorKind::InvalidResponse
    } else if error.is_timeout() && error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_builder() {
        HttpErrorKind::Config
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else {
        HttpErrorKind::Interrupted
    };
    // The URL may contain a key in its query.
    HttpError::new(kind, error.without_url())
}

/// True for a response that another attempt would not change. The types of hyper are not part of reqwest's API.
fn is_invalid_response(error: &reqwest::Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if cause.to_string().contains("message head is too large") {
            return true;
        }
        next = cause.source();
    }
    false
}

/// Header lines of a response that are read. Gateways forward those of their upstream, and hyper's own limit is 100.
const MAX_HEADERS: usize = 256;

/// This crate's reqwest clients, built when the first request of their kind is sent: loading the system's certificates
/// takes milliseconds, and a plain HTTP server needs none.
#[derive(Default)]
pub(crate) struct ReqwestService {
    connect_timeout: Duration,
    socket: Option<Arc<Path>>,
    plain: OnceLock<reqwest::Client>,
    secure: OnceLock<Result<reqwest::Client, String>>,
    /// Most requests go to the same URL as the one before, and parsing a URL costs as much as reading a small response.
    last_url: Mutex<Option<(http::Uri, reqwest::Url)>>,
}

impl ReqwestService {
    pub(crate) fn new(connect_timeout: Duration, socket: Option<Arc<Path>>) -> Self {
        tls::prepare();
        ReqwestService { connect_timeout, socket, ..ReqwestService::default() }
    }

    fn builder(&self) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder();
        #[cfg(unix)]
        let builder = match &self.socket {
            Some(socket) => builder.unix_socket(&**socket),
            None => builder,
        };
        builder
            .connect_timeout(self.connect_timeout)
            // Redirects are followed in the pipeline, within the origin only.
            .redirect(reqwest::redirect::Policy::none())
            .http1_max_headers(MAX_HEADERS)
            .tcp_nodelay(true)
    }

    fn url_of(&self, uri: &http::Uri) -> Result<reqwest::Url, HttpError> {
        let mut last = self.last_url.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, url)) = last.as_ref().filter(|(known, _)| known == uri) {
            return Ok(url.clone());
        }
        let url = url_of(uri)?;
        *last = Some((uri.clone(), url.clone()));
        Ok(url)
    }

    fn client(&self, scheme: Option<&str>) -> Result<&reqwest::Client, HttpError> {
        // A proxy may need certificates, even for plain HTTP behind it.
        if scheme == Some("http") && !has_secure_proxy() {
            if let Some(client) = self.plain.get() {
                return Ok(client);
            }
            let client = tls::none(self.builder()).build().map_err(from_reqwest)?;
            return Ok(self.plain.get_or_init(|| client));
        }
        self.secure
            .get_or_init(|| {
                let builder = tls::system(self.builder())?;
                builder.build().map_err(|error| error.to_string())
            })
            .as_ref()
            .map_err(|error| HttpError::new(HttpErrorKind::Config, format!("failed to initialize TLS: {error}")))
    }
}

/// True if the environment names a proxy that is reached by TLS.
fn has_secure_proxy() -> bool {
    static HAS_SECURE_PROXY: OnceLock<bool> = OnceLock::new();
    *HAS_SECURE_PROXY.get_or_init(|| {
        ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].iter().any(|name| {
            std::env::var(name).is_ok_and(|proxy| proxy.trim().to_ascii_lowercase().starts_with("https://"))
        })
    })
}

impl HttpService for ReqwestService {
    fn call(
        &self,
        request: http::Request<RequestBody>,
    ) -> BoxFuture<'static, Result<http::Response<ResponseBody>, HttpError>> {
        match (self.client(request.uri().scheme_str()), self.url_of(request.uri())) {
            (Ok(client), Ok(url)) => execute(client, url, request),
            (Err(error), _) | (_, Err(error)) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

/// The service that sends requests unless another one is set. Use it within a tower stack or a recorder.
///
/// ```no_run
/// # async fn run() -> openai_compatible::Result<()> {
/// use openai_compatible::{Client, DefaultHttp, HttpService};
/// use std::time::Duration;
///
/// let http = DefaultHttp::new(Duration::from_secs(5));
/// let client = Client::builder()
///     .base_url("http://localhost:8080/v1")
///     .http_service(move |request: http::Request<_>| {
///         eprintln!("{} {}", request.method(), request.uri().path());
///         http.call(request)
///     })
///     .build()?;
/// # let _ = client; Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DefaultHttp(Arc<ReqwestService>);

impl fmt::Debug for DefaultHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the last URL: its query may contain a key.
        f.debug_struct("DefaultHttp").finish_non_exhaustive()
    }
}

impl DefaultHttp {
    /// Creates a service with its own connections and this timeout for establishing one.
    pub fn new(connect_timeout: Duration) -> Self {
        DefaultHttp(Arc::new(ReqwestService::new(connect_timeout, None)))
    }
}

impl HttpService for DefaultHttp {
    fn call(
        &self,
        request: http::Request<RequestBody>,
    ) -> BoxFuture<'static, Result<http::Response<ResponseBody>, HttpError>> {
        self.0.call(request)
    }
}
