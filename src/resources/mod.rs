//! The resources of the API: one file each, with its handle, its requests and its responses.

pub mod audio;
pub mod batches;
pub mod chat;
pub mod completions;
pub mod conversations;
pub mod embeddings;
pub mod files;
pub mod images;
mod input_tokens;
mod items;
pub mod models;
pub mod moderations;
pub mod rerank;
pub mod responses;
mod structured;
mod tools;
pub mod uploads;
mod usage;
#[cfg(feature = "webhooks")]
#[cfg_attr(docsrs, doc(cfg(feature = "webhooks")))]
pub mod webhooks;
