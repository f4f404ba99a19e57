//! Responses that arrive over time: event streams and downloads.

pub(crate) mod download;
pub(crate) mod stream;
