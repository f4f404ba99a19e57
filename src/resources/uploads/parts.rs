//! A file in parts: [`UploadInParts`].

use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, Stream};
use serde::{Deserialize, Serialize};

use super::Uploads;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{File, Purpose};
use crate::transport::file_source::{FileSource, OpenFile};
use crate::transport::options::CallOptions;

/// An upload in parts, created by [`Uploads::upload`] and started when awaited.
///
/// * The source is read once, in order; [`concurrency`](UploadInParts::concurrency) parts are in memory and sent at the same
///   time. Each part is retried like any call.
/// * The upload is not cancelled if it fails: [`Error::upload_state`] has what the server received, and
///   [`resume`](UploadInParts::resume) goes on from there, also in another process, within the hour that the server keeps it.
#[must_use = "an upload starts when it is awaited"]
pub struct UploadInParts {
    uploads: Uploads,
    source: FileSource,
    purpose: Purpose,
    part_size: usize,
    concurrency: usize,
    options: CallOptions,
    state: Option<UploadState>,
    on_progress: Option<OnProgress>,
    on_state: Option<OnState>,
}

type OnProgress = Box<dyn FnMut(u64, u64) + Send>;
type OnState = Box<dyn FnMut(&UploadState) + Send>;

/// What the server has received of an upload. Store it, as JSON for example, to resume after a restart.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UploadState {
    /// Id of the upload.
    pub upload_id: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Size of a part in bytes; that of the last one may be less.
    pub part_size: usize,
    /// The ids of the parts that the server has, by their position.
    pub parts: BTreeMap<usize, String>,
}

impl UploadState {
    fn part_count(&self) -> usize {
        let count = self.bytes.div_ceil(self.part_size.max(1) as u64);
        usize::try_from(count).unwrap_or(usize::MAX).max(1)
    }

    fn sent(&self) -> u64 {
        let part = self.part_size as u64;
        self.parts.keys().map(|at| part.min(self.bytes.saturating_sub(part.saturating_mul(*at as u64)))).sum()
    }
}

impl UploadInParts {
    pub(super) fn new(uploads: Uploads, source: FileSource, purpose: Purpose) -> Self {
        UploadInParts {
            uploads,
            source,
            purpose,
            part_size: 16 << 20,
            concurrency: 4,
            options: CallOptions::new(),
            state: None,
            on_progress: None,
            on_state: None,
        }
    }

    /// Sets the size of a part in bytes. Defaults to 16 MiB; OpenAI accepts up to 64 MB.
    pub fn part_size(mut self, bytes: usize) -> Self {
        self.part_size = bytes;
        self
    }

    /// Sets how many parts are sent at the same time. Defaults to 4.
    pub fn concurrency(mut self, parts: usize) -> Self {
        self.concurrency = parts;
        self
    }

    /// Sets the options of each request.
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options.merge(options);
        self
    }

    /// Resumes an upload that was interrupted: parts that the server has are not sent again. The source must have the same
    /// content.
    pub fn resume(mut self, state: UploadState) -> Self {
        self.state = Some(state);
        self
    }

    /// Calls a function after each part, with the number of bytes that the server has received and of all bytes.
    pub fn on_progress(mut self, call: impl FnMut(u64, u64) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(call));
        self
    }

    /// Calls a function when the upload was started and after each part, to store the state.
    pub fn on_state(mut self, call: impl FnMut(&UploadState) + Send + 'static) -> Self {
        self.on_state = Some(Box::new(call));
        self
    }

    async fn run(mut self) -> Result<File> {
        if self.part_size == 0 || self.concurrency == 0 {
            return Err(Error::config("`part_size` and `concurrency` must be at least 1"));
        }
        let OpenFile { length, pieces, .. } = self.source.open().await?;
        let bytes = length.ok_or_else(|| {
            Error::config(format!(
                "the length of `{}` is unknown: set it with `FileSource::length`",
                self.source.name()
            ))
        })?;
        let state = match self.state.take() {
            Some(state) if state.bytes != bytes => {
                let message =
                    format!("`{}` has {bytes} bytes, not the {} of the upload", self.source.name(), state.bytes);
                return Err(Error::config(message));
            }
            Some(state) => state,
            None => {
                let call = self.uploads.create_for(&self.source, &self.purpose, bytes);
                let upload = call.options(self.options.clone()).await?;
                UploadState { upload_id: upload.id, bytes, part_size: self.part_size, parts: BTreeMap::new() }
            }
        };
        self.report(&state);
        let mut state = state;
        match self.send_parts(pieces, &mut state).await {
            Ok(file) => Ok(file),
            Err(error) => Err(error.with_last(state)),
        }
    }

    async fn send_parts(
        &mut self,
        pieces: impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
        state: &mut UploadState,
    ) -> Result<File> {
        let (uploads, options) = (self.uploads.clone(), self.options.clone());
        let (id, known) = (state.upload_id.clone(), state.parts.clone());
        let new = parts(pieces, state.part_size)
            .enumerate()
            .filter(|(at, part)| std::future::ready(part.is_err() || !known.contains_key(at)));
        let calls = new.map(|(at, part)| {
            let (uploads, options, id) = (uploads.clone(), options.clone(), id.clone());
            async move {
                let part = part.map_err(|error| Error::io(error.to_string()).with_source(error))?;
                let source = FileSource::bytes("part", part).content_type("application/octet-stream");
                let part = uploads.add_part(&id, source).options(options).await;
                part.map(|part| (at, part.id)).map_err(|error| error.with_context(format!("part {}", at + 1)))
            }
        });
        // In any order: the ids are sorted when the upload is completed.
        let mut calls = Box::pin(calls.buffer_unordered(self.concurrency));
        while let Some(sent) = calls.next().await {
            let (at, part) = sent?;
            state.parts.insert(at, part);
            self.report(state);
        }
        if state.parts.len() != state.part_count() {
            let message = format!("read {} parts of {}: did the file change?", state.parts.len(), state.part_count());
            return Err(Error::new(ErrorKind::Io, message));
        }
        let call = self.uploads.complete(&state.upload_id, state.parts.values());
        let upload = call.options(self.options.clone()).await?;
        let missing = || Error::new(ErrorKind::Decode, format!("upload `{}` was completed without a file", upload.id));
        upload.file.as_deref().cloned().ok_or_else(missing)
    }

    fn report(&mut self, state: &UploadState) {
        if let Some(call) = &mut self.on_state {
            call(state);
        }
        if let Some(call) = &mut self.on_progress {
            call(state.sent(), state.bytes);
        }
    }
}

/// Joins pieces to parts of one size; the last one may be shorter, and an empty file has one empty part.
fn parts(
    pieces: impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
    size: usize,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    struct Parts<S> {
        pieces: S,
        rest: BytesMut,
        has_part: bool,
        is_over: bool,
    }
    let parts = Parts { pieces, rest: BytesMut::new(), has_part: false, is_over: false };
    stream::unfold(parts, move |mut parts| async move {
        while !parts.is_over && parts.rest.len() < size {
            match parts.pieces.next().await {
                Some(Ok(piece)) => parts.rest.extend_from_slice(&piece),
                Some(Err(error)) => {
                    parts.is_over = true;
                    parts.rest.clear();
                    parts.has_part = true;
                    return Some((Err(error), parts));
                }
                None => parts.is_over = true,
            }
        }
        if parts.rest.is_empty() && parts.has_part {
            return None;
        }
        parts.has_part = true;
        let part = parts.rest.split_to(size.min(parts.rest.len())).freeze();
        Some((Ok(part), parts))
    })
}

impl IntoFuture for UploadInParts {
    type Output = Result<File>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl Error {
    /// Returns what the server has received of an upload in parts that failed.
    pub fn upload_state(&self) -> Option<&UploadState> {
        self.last()
    }
}

impl fmt::Debug for UploadInParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadInParts")
            .field("source", &self.source)
            .field("part_size", &self.part_size)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
