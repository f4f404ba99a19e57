//! [`Response`]: a value together with its HTTP response metadata.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::error::request_id;
use crate::transport::RawResponse;
use crate::transport::rate_limits::RateLimits;

/// A decoded value together with its HTTP response metadata. Dereferences to the value.
///
/// Returned by [`Call::with_response`](crate::Call::with_response).
#[derive(Clone)]
#[non_exhaustive]
pub struct Response<T> {
    value: T,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    attempts: u32,
    elapsed: Duration,
}

impl<T> Response<T> {
    pub(super) fn new(value: T, response: RawResponse) -> Self {
        let RawResponse { buffered, attempts, elapsed, .. } = response;
        Response { value, status: buffered.status, headers: buffered.headers, body: buffered.body, attempts, elapsed }
    }

    /// Returns the value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Returns the value without its metadata.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Returns the HTTP status of the response.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the headers of the response.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the server's request id, if any.
    pub fn request_id(&self) -> Option<&str> {
        request_id(&self.headers)
    }

    /// Returns the rate limits reported in the headers of the response.
    pub fn rate_limits(&self) -> RateLimits {
        RateLimits::from_headers(&self.headers)
    }

    /// Returns the number of attempts made.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns the time from the first attempt to the response, delays included; for a stream, until it started.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns the raw body; empty for a stream or a download.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

impl<T> Deref for Response<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Response<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("request_id", &self.request_id())
            .field("attempts", &self.attempts)
            .field("elapsed", &self.elapsed)
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}
