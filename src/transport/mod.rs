//! The request pipeline: every request of this crate goes through [`send`](send::send), whatever its endpoint and body.
//!
//! Nothing here knows an endpoint or a type of a response.

use std::sync::Arc;
use std::time::Duration;

use self::decode::BufferedResponse;
use self::http::ResponseBody;
use self::options::CallOptions;
use self::request::WireRequest;
use self::settings::Settings;
use self::trace::Trace;

pub(crate) mod credentials;
pub(crate) mod decode;
pub(crate) mod file_source;
pub(crate) mod form;
pub(crate) mod http;
pub(crate) mod options;
pub(crate) mod rate_limiter;
pub(crate) mod rate_limits;
pub(crate) mod request;
pub(crate) mod retry;
pub(crate) mod retry_budget;
pub(crate) mod send;
pub(crate) mod settings;
pub(crate) mod sse;
pub(crate) mod trace;

/// A call that is ready to be sent. A list keeps it, to ask for its next page.
#[derive(Clone, Debug)]
pub(crate) struct PreparedCall {
    pub(crate) settings: Arc<Settings>,
    pub(crate) request: WireRequest,
    pub(crate) options: CallOptions,
}

/// How much of a response the pipeline reads itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BodyMode {
    /// All of it, within the attempt and up to the size limit.
    Buffer,
    /// Its headers; the body is handed out as it arrives.
    Stream,
    /// As `Stream`, except for JSON and web pages, which servers send instead of a media file.
    StreamMedia,
}

/// A response with a success status, before it is decoded.
#[derive(Debug)]
pub struct RawResponse {
    pub(crate) buffered: BufferedResponse,
    /// The body, unless the pipeline has read it.
    pub(crate) body_stream: Option<ResponseBody>,
    /// What was sent.
    pub(crate) prepared: Option<Box<PreparedCall>>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_event_size: usize,
    /// Moves on to what reads the body.
    pub(crate) trace: Trace,
}

impl RawResponse {
    /// A response whose body is in memory.
    pub(crate) fn buffered(buffered: BufferedResponse) -> Self {
        RawResponse {
            buffered,
            body_stream: None,
            prepared: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            idle_timeout: Duration::MAX,
            max_event_size: usize::MAX,
            trace: Trace::default(),
        }
    }
}
