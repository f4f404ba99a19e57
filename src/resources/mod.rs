//! The resources of the API: one file each, with its handle, its requests and its replies.

pub mod audio;
pub mod batches;
pub mod chat;
pub mod completions;
pub mod embeddings;
pub mod files;
pub mod images;
pub mod models;
