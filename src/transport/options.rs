//! [`CallOptions`]: what one call changes about its client's settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use super::request::parse_header;
use crate::error::{Error, Result};

/// Options of a call, or of all calls of a tool run, a job, a failover or another helper.
///
/// A [`Call`](crate::Call) has the same setters. For options of every call, see [`Client::with`](crate::Client::with).
///
/// ```no_run
/// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest, tools: openai_compatible::chat::ToolSet) -> openai_compatible::Result<()> {
/// use openai_compatible::CallOptions;
/// use std::time::Duration;
///
/// let options = CallOptions::new().header("x-tenant", "7").timeout(Duration::from_secs(20));
/// let run = client.chat().run_tools(&request, &tools).options(options).await?;
/// # let _ = run; Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct CallOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Vec<(String, String)>,
    /// The first invalid header, reported by the call.
    mistake: Option<Arc<str>>,
}

impl CallOptions {
    /// Creates options that change nothing.
    pub fn new() -> Self {
        CallOptions::default()
    }

    /// Limits each attempt: until the response is read, or until a stream or download starts. Overrides the client's
    /// [`timeout`](crate::ClientBuilder::timeout).
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Limits the whole call: all attempts and the delays between them.
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = Some(limit);
        self
    }

    /// Limits the silence in a stream, from one data event to the next, and in a download, from one chunk to the next.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = Some(limit);
        self
    }

    /// Sets the maximum number of retries. Set to 0 to disable retries.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = Some(retries);
        self
    }

    /// Sends a header. Replaces a default header of the same name, `authorization` included.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        match parse_header(name.as_ref(), value.as_ref()) {
            Ok((name, value)) => drop(self.headers.insert(name, value)),
            Err(error) => drop(self.mistake.get_or_insert_with(|| error.message().into())),
        }
        self
    }

    /// Adds a pair to the query of the URL.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets what the other options set, and adds their headers and query.
    pub(crate) fn merge(&mut self, other: CallOptions) {
        let CallOptions { timeout, total_timeout, idle_timeout, max_retries, headers, query, mistake } = other;
        self.timeout = timeout.or(self.timeout);
        self.total_timeout = total_timeout.or(self.total_timeout);
        self.idle_timeout = idle_timeout.or(self.idle_timeout);
        self.max_retries = max_retries.or(self.max_retries);
        self.headers.extend(headers);
        self.query.extend(query);
        self.mistake = self.mistake.take().or(mistake);
    }

    /// The first mistake in the options.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.mistake {
            Some(message) => Err(Error::config(message.to_string())),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers nor query: both may hold keys.
        f.debug_struct("CallOptions")
            .field("timeout", &self.timeout)
            .field("total_timeout", &self.total_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("max_retries", &self.max_retries)
            .finish_non_exhaustive()
    }
}
