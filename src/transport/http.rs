//! The seam to HTTP: [`HttpService`], its implementation by reqwest, and the faults it can report.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http_body::{Body as _, Frame, SizeHint};

use crate::error::{Error, ErrorKind};

/// What sends requests: reqwest by default, or your own, such as a tower stack or a test double.
///
/// A closure from a request to a future is one. Each call is one attempt: retries, time limits, authorization,
/// redirects and decoding happen above it. See [`ClientBuilder::http_service`](crate::ClientBuilder::http_service).
pub trait HttpService: Send + Sync + 'static {
    /// Sends one request and gives the reply as soon as its headers are there.
    fn call(
        &self,
        request: http::Request<RequestBody>,
    ) -> Pin<Box<dyn Future<Output = Result<http::Response<ResponseBody>, HttpError>> + Send>>;
}

impl<F, R> HttpService for F
where
    F: Fn(http::Request<RequestBody>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<http::Response<ResponseBody>, HttpError>> + Send + 'static,
{
    fn call(
        &self,
        request: http::Request<RequestBody>,
    ) -> BoxFuture<'static, Result<http::Response<ResponseBody>, HttpError>> {
        Box::pin(self(request))
    }
}

/// A fault of the transport: there is no reply, or its body broke off.
#[derive(Debug, thiserror::Error)]
#[error("{}", kind.text())]
pub struct HttpError {
    kind: HttpErrorKind,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// At which stage the transport failed; it decides [`ErrorKind`] and whether the call is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpErrorKind {
    /// The request cannot be sent as it is. Never tried again.
    Config,
    /// The server was not reached. Tried again.
    Connect,
    /// A time limit of the transport ran out. Tried again.
    Timeout,
    /// The connection broke after the request was sent. Tried again.
    Interrupted,
}

impl HttpErrorKind {
    fn text(self) -> &'static str {
        match self {
            HttpErrorKind::Config => "the request cannot be sent",
            HttpErrorKind::Connect => "the server was not reached",
            HttpErrorKind::Timeout => "the transport timed out",
            HttpErrorKind::Interrupted => "the connection was interrupted",
        }
    }
}

impl HttpError {
    /// A fault and what caused it.
    pub fn new(kind: HttpErrorKind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        HttpError { kind, source: Some(source.into()) }
    }

    /// The stage.
    pub fn kind(&self) -> HttpErrorKind {
        self.kind
    }
}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        let kind = match error.kind {
            HttpErrorKind::Config => ErrorKind::Config,
            HttpErrorKind::Connect => ErrorKind::Connect,
            HttpErrorKind::Timeout => ErrorKind::Timeout,
            HttpErrorKind::Interrupted => ErrorKind::Transport,
        };
        // The deepest cause is the one that helps: `connection refused`, `certificate expired`.
        let mut cause = String::new();
        let mut next = error.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(source) = next {
            cause = source.to_string();
            next = source.source();
        }
        let wrapped = Error::new(kind, cause);
        match error.source {
            Some(source) => wrapped.with_source(source),
            None => wrapped,
        }
    }
}

type Chunks = BoxStream<'static, Result<Bytes, Box<dyn StdError + Send + Sync>>>;

/// The body of a request: nothing, bytes, or a stream of a known or unknown length.
#[derive(Default)]
pub struct RequestBody(Outgoing);

#[derive(Default)]
enum Outgoing {
    #[default]
    Empty,
    Whole(Bytes),
    Streamed {
        length: Option<u64>,
        /// Never locked: it lets bodies be shared between threads, as reqwest asks for.
        chunks: Mutex<Chunks>,
    },
}

impl RequestBody {
    pub(crate) fn streamed(length: Option<u64>, chunks: Chunks) -> Self {
        RequestBody(Outgoing::Streamed { length, chunks: Mutex::new(chunks) })
    }

    /// The whole body, when it is not a stream.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Outgoing::Empty => Some(&[]),
            Outgoing::Whole(bytes) => Some(bytes),
            Outgoing::Streamed { .. } => None,
        }
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        RequestBody(Outgoing::Whole(bytes))
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the content: it is the prompt.
        write!(f, "RequestBody({} bytes)", self.size_hint().lower())
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            Outgoing::Empty => Poll::Ready(None),
            Outgoing::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Outgoing::Streamed { chunks, .. } => {
                let chunks = chunks.get_mut().unwrap_or_else(PoisonError::into_inner);
                chunks.as_mut().poll_next(context).map(|next| next.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Outgoing::Empty => true,
            Outgoing::Whole(bytes) => bytes.is_empty(),
            Outgoing::Streamed { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Outgoing::Empty => SizeHint::with_exact(0),
            Outgoing::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Outgoing::Streamed { length: Some(length), .. } => SizeHint::with_exact(*length),
            Outgoing::Streamed { length: None, .. } => SizeHint::default(),
        }
    }
}

/// The body of a reply: a stream of bytes, read at the reader's pace.
pub struct ResponseBody(Incoming);

enum Incoming {
    Whole(Bytes),
    Reqwest(reqwest::Body),
    /// Never locked: it lets bodies be shared between threads.
    Streamed(Mutex<BoxStream<'static, Result<Bytes, HttpError>>>),
}

impl ResponseBody {
    /// A body out of a stream of bytes.
    pub fn streamed(chunks: impl Stream<Item = Result<Bytes, HttpError>> + Send + 'static) -> Self {
        ResponseBody(Incoming::Streamed(Mutex::new(Box::pin(chunks))))
    }

    /// How long it is, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.0 {
            Incoming::Whole(bytes) => Some(bytes.len() as u64),
            Incoming::Reqwest(body) => http_body::Body::size_hint(body).exact(),
            Incoming::Streamed(_) => None,
        }
    }
}

impl<B: Into<Bytes>> From<B> for ResponseBody {
    fn from(body: B) -> Self {
        ResponseBody(Incoming::Whole(body.into()))
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseBody")
    }
}

impl Stream for ResponseBody {
    type Item = Result<Bytes, HttpError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.0 {
            Incoming::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
            }
            Incoming::Streamed(chunks) => {
                chunks.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll_next(context)
            }
            Incoming::Reqwest(body) => loop {
                return match std::task::ready!(Pin::new(&mut *body).poll_frame(context)) {
                    None => Poll::Ready(None),
                    Some(Err(error)) => Poll::Ready(Some(Err(from_reqwest(error)))),
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(bytes) => Poll::Ready(Some(Ok(bytes))),
                        Err(_trailers) => continue,
                    },
                };
            },
        }
    }
}

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
        Outgoing::Whole(bytes) => reqwest::Body::from(bytes),
        streamed => reqwest::Body::wrap(RequestBody(streamed)),
    };
    let mut request = reqwest::Request::new(head.method, url);
    *request.headers_mut() = head.headers;
    *request.version_mut() = head.version;
    *request.body_mut() = Some(body);
    let sent = client.execute(request);
    Box::pin(async move {
        let response = sent.await.map_err(from_reqwest)?;
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

fn from_reqwest(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() && error.is_connect() {
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
    // The URL can hold a key in its query.
    HttpError::new(kind, error.without_url())
}

/// This crate's own reqwest clients, built when the first request of their kind is sent: reading the system's
/// certificates takes milliseconds, and a plain http server needs none.
#[derive(Default)]
pub(crate) struct OwnService {
    connect_timeout: Duration,
    plain: OnceLock<reqwest::Client>,
    secure: OnceLock<Result<reqwest::Client, String>>,
    /// What was asked last is mostly asked next, and parsing a URL costs as much as reading a small reply.
    last_url: Mutex<Option<(http::Uri, reqwest::Url)>>,
}

impl OwnService {
    pub(crate) fn new(connect_timeout: Duration) -> Self {
        OwnService { connect_timeout, ..OwnService::default() }
    }

    fn builder(&self) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .connect_timeout(self.connect_timeout)
            // Redirects are followed on the one road, within the origin only.
            .redirect(reqwest::redirect::Policy::none())
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
        if scheme == Some("http") {
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
            .map_err(|error| HttpError::new(HttpErrorKind::Config, format!("TLS cannot be set up: {error}")))
    }
}

impl HttpService for OwnService {
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

/// The service that sends requests unless another one is set: for a tower stack or a recorder of yours around it.
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
pub struct DefaultHttp(Arc<OwnService>);

impl fmt::Debug for DefaultHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The last URL stays out: its query may hold a key.
        f.debug_struct("DefaultHttp").finish_non_exhaustive()
    }
}

impl DefaultHttp {
    /// A service of its own connections, with this time limit for making one.
    pub fn new(connect_timeout: Duration) -> Self {
        DefaultHttp(Arc::new(OwnService::new(connect_timeout)))
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

#[cfg(feature = "__rustls")]
mod tls {
    use std::sync::Arc;

    use rustls_crate::client::danger::ServerCertVerifier;
    use rustls_crate::crypto::CryptoProvider;
    use rustls_crate::{ClientConfig, RootCertStore};

    /// The provider of this crate's own client; the process-wide default stays as it is.
    fn provider() -> Arc<CryptoProvider> {
        #[cfg(feature = "rustls-aws-lc-rs")]
        return Arc::new(rustls_crate::crypto::aws_lc_rs::default_provider());
        #[cfg(not(feature = "rustls-aws-lc-rs"))]
        return Arc::new(rustls_crate::crypto::ring::default_provider());
    }

    fn config(verifier: Option<Arc<dyn ServerCertVerifier>>) -> Result<ClientConfig, rustls_crate::Error> {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        Ok(match verifier {
            Some(verifier) => builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth(),
            None => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
        })
    }

    /// No certificate is trusted and none is read: for http only.
    pub(super) fn none(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        match config(None) {
            Ok(config) => builder.tls_backend_preconfigured(config),
            Err(_) => builder,
        }
    }

    /// The certificates that the operating system trusts.
    pub(super) fn system(builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, String> {
        let verifier = rustls_platform_verifier::Verifier::new(provider()).map_err(|error| error.to_string())?;
        let config = config(Some(Arc::new(verifier))).map_err(|error| error.to_string())?;
        Ok(builder.tls_backend_preconfigured(config))
    }
}

#[cfg(not(feature = "__rustls"))]
mod tls {
    pub(super) fn none(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        builder
    }

    pub(super) fn system(builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, String> {
        if cfg!(feature = "native-tls") {
            Ok(builder)
        } else {
            Err("https needs the feature `rustls` or `native-tls`".to_owned())
        }
    }
}
