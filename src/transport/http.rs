//! [`HttpService`], its implementation by reqwest, and the errors it can report.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http_body::{Body as _, Frame, SizeHint};
use sync_wrapper::SyncWrapper;

use super::file_source::ReadError;
use crate::error::{Error, ErrorKind};

mod default;
mod tls;

pub use self::default::DefaultHttp;
pub(crate) use self::default::ReqwestService;
use self::default::from_reqwest;

/// Sends HTTP requests. Implemented by reqwest clients and by closures; wrap it to add a tower stack or a mock.
///
/// Each call is one attempt: retries, timeouts, authorization, redirects and decoding happen in the layers above. See
/// [`ClientBuilder::http_service`](crate::ClientBuilder::http_service).
pub trait HttpService: Send + Sync + 'static {
    /// Sends one request and returns the response as soon as its headers arrive.
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

/// A transport error: there is no response, or its body was interrupted.
#[derive(Debug, thiserror::Error)]
#[error("{}", kind.text())]
pub struct HttpError {
    kind: HttpErrorKind,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The stage at which the transport failed. Determines the [`ErrorKind`] and whether the call is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpErrorKind {
    /// The request cannot be sent as it is. Never retried.
    Config,
    /// The server was not reached. Retried.
    Connect,
    /// A timeout of the transport expired. Retried.
    Timeout,
    /// The connection was interrupted after the request was sent. Retried.
    Interrupted,
    /// The response cannot be read: it is not HTTP, or breaks a limit. Never retried.
    InvalidResponse,
}

impl HttpErrorKind {
    fn text(self) -> &'static str {
        match self {
            HttpErrorKind::Config => "invalid request",
            HttpErrorKind::Connect => "connection failed",
            HttpErrorKind::Timeout => "request timed out",
            HttpErrorKind::Interrupted => "connection interrupted",
            HttpErrorKind::InvalidResponse => "invalid response",
        }
    }
}

impl HttpError {
    /// Creates an error with its cause.
    pub fn new(kind: HttpErrorKind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        HttpError { kind, source: Some(source.into()) }
    }

    /// Returns the stage.
    pub fn kind(&self) -> HttpErrorKind {
        self.kind
    }
}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        let mut kind = match error.kind {
            HttpErrorKind::Config => ErrorKind::Config,
            HttpErrorKind::Connect => ErrorKind::Connect,
            HttpErrorKind::Timeout => ErrorKind::Timeout,
            HttpErrorKind::Interrupted => ErrorKind::Transport,
            HttpErrorKind::InvalidResponse => ErrorKind::Decode,
        };
        // The deepest cause is the useful one: `connection refused`, `certificate expired`.
        let mut cause = String::new();
        let mut next = error.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(source) = next {
            cause = source.to_string();
            let inner = source.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            if inner.is_some_and(|inner| inner.is::<ReadError>()) {
                kind = ErrorKind::Io;
            }
            next = source.source();
        }
        let wrapped = Error::new(kind, with_hint(cause));
        match error.source {
            Some(source) => wrapped.with_source(source),
            None => wrapped,
        }
    }
}

/// Adds what is probably wrong to causes that do not say it.
fn with_hint(cause: String) -> String {
    const HINTS: [(&str, &str); 5] = [
        ("InvalidContentType", "the server may expect http://"),
        ("wrong version number", "the server may expect http://"),
        ("invalid HTTP version", "the server may expect https://, or is no HTTP server"),
        ("message head is too large", "its headers exceed 400 lines or 400 KiB"),
        ("unsupported scheme socks", "check the proxy in ALL_PROXY, HTTP_PROXY and HTTPS_PROXY"),
    ];
    match HINTS.iter().find(|(part, _)| cause.contains(part)) {
        Some((_, hint)) => format!("{cause} ({hint})"),
        None => cause,
    }
}

type Chunks = BoxStream<'static, Result<Bytes, Box<dyn StdError + Send + Sync>>>;

/// The body of a request: empty, bytes, or a stream of known or unknown length.
#[derive(Default)]
pub struct RequestBody(Outgoing);

#[derive(Default)]
enum Outgoing {
    #[default]
    Empty,
    BufferedResponse(Bytes),
    Streamed {
        length: Option<u64>,
        /// Bodies must be `Sync` for reqwest, which only ever polls them.
        chunks: SyncWrapper<Chunks>,
    },
}

impl RequestBody {
    pub(crate) fn streamed(length: Option<u64>, chunks: Chunks) -> Self {
        RequestBody(Outgoing::Streamed { length, chunks: SyncWrapper::new(chunks) })
    }

    /// Returns the body, unless it is a stream.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Outgoing::Empty => Some(&[]),
            Outgoing::BufferedResponse(bytes) => Some(bytes),
            Outgoing::Streamed { .. } => None,
        }
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        RequestBody(Outgoing::BufferedResponse(bytes))
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the content: it is the prompt.
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
            Outgoing::BufferedResponse(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Outgoing::Streamed { chunks, .. } => {
                chunks.get_mut().as_mut().poll_next(context).map(|next| next.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Outgoing::Empty => true,
            Outgoing::BufferedResponse(bytes) => bytes.is_empty(),
            Outgoing::Streamed { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Outgoing::Empty => SizeHint::with_exact(0),
            Outgoing::BufferedResponse(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Outgoing::Streamed { length: Some(length), .. } => SizeHint::with_exact(*length),
            Outgoing::Streamed { length: None, .. } => SizeHint::default(),
        }
    }
}

/// The body of a response: a stream of bytes with backpressure.
pub struct ResponseBody(Incoming);

enum Incoming {
    BufferedResponse(Bytes),
    Reqwest(reqwest::Body),
    Streamed(SyncWrapper<BoxStream<'static, Result<Bytes, HttpError>>>),
}

impl ResponseBody {
    /// Creates a body from a stream of bytes.
    pub fn streamed(chunks: impl Stream<Item = Result<Bytes, HttpError>> + Send + 'static) -> Self {
        ResponseBody(Incoming::Streamed(SyncWrapper::new(Box::pin(chunks))))
    }

    /// The length, if known.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.0 {
            Incoming::BufferedResponse(bytes) => Some(bytes.len() as u64),
            Incoming::Reqwest(body) => http_body::Body::size_hint(body).exact(),
            Incoming::Streamed(_) => None,
        }
    }
}

impl<B: Into<Bytes>> From<B> for ResponseBody {
    fn from(body: B) -> Self {
        ResponseBody(Incoming::BufferedResponse(body.into()))
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
            Incoming::BufferedResponse(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
            }
            Incoming::Streamed(chunks) => chunks.get_mut().as_mut().poll_next(context),
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
