//! [`Page`]: paginated lists, and streams over all their pages.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use futures::Stream;
use futures::stream::{self, TryStreamExt};
use http::Method;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Call;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::decode::ApiResponse;
use crate::transport::request::{Body, WireRequest};
use crate::transport::settings::Settings;
use crate::transport::{BodyMode, PreparedCall, RawResponse};
use crate::wire::Extra;
use crate::wire::{FieldSpec, Input, InvalidInput, Object, Output, ReadOutcome, Wire, object};

open_enum! {
    /// The order of a list, by creation time.
    pub enum SortOrder {
        /// Oldest first.
        Asc = "asc",
        /// Newest first.
        Desc = "desc",
    }
}

wire_struct! {
    /// The range of a list to return.
    pub struct ListRequest {
        /// Id of the item before the first one to return.
        pub after: Option<String>,
        /// Maximum number of items per page.
        pub limit: Option<u32>,
        /// Order by creation time.
        pub order: Option<SortOrder>,
    }

    /// The result of a deletion.
    pub struct Deleted {
        /// Id of the deleted object.
        pub id: String,
        /// Type of the deleted object.
        pub object: String,
        /// `true` if the object was deleted.
        pub deleted: bool,
    }
}

impl ListRequest {
    /// Creates a request for the start of the list, in the server's order and page size.
    pub fn new() -> Self {
        ListRequest::default_value()
    }
}

setters! { ListRequest {
    after: impl Into<String>,
    limit: u32,
    order: impl Into<SortOrder>,
} }

/// One page of a paginated list.
///
/// [`next_page`](Page::next_page) returns the page after it, [`into_stream`](Page::into_stream) all items from here on.
///
/// ```no_run
/// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
/// use futures::TryStreamExt;
/// use openai_compatible::chat::StoredListRequest;
///
/// let first = client.chat().list(StoredListRequest::new()).await?;
/// let mut all = std::pin::pin!(first.into_stream());
/// while let Some(completion) = all.try_next().await? {
///     println!("{}", completion.id);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Page<T> {
    /// The literal `list`; do not rely on it.
    pub object: String,
    /// The items of the page.
    pub data: Vec<T>,
    /// Id of the first item.
    pub first_id: Option<String>,
    /// Id of the last item: the cursor of the next page.
    pub last_id: Option<String>,
    /// `false` on the last page. Missing on servers that do not paginate.
    pub has_more: Option<bool>,
    /// Unknown fields.
    pub extra: Extra,
    next: Option<Box<Next>>,
}

/// How to request the next page: the same call with another cursor.
#[derive(Clone)]
struct Next {
    prepared: PreparedCall,
    cursor: String,
    seen: HashSet<String>,
}

/// An item of a list. Its id is the cursor where the server sends no other.
pub trait PageItem: Wire + Serialize {
    /// Returns the id.
    fn id(&self) -> &str;
}

impl<T> Page<T> {
    /// Returns the next page, or `None` after the last one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the server returns the same cursor twice, because the list would never end.
    pub async fn next_page(&self) -> Result<Option<Page<T>>>
    where
        T: PageItem + 'static,
    {
        let Some(next) = &self.next else { return Ok(None) };
        let Next { mut prepared, cursor, mut seen } = Next::clone(next);
        prepared.request.query.retain(|(name, _)| name != "after");
        prepared.request.query.push(("after".into(), cursor.clone()));
        seen.insert(cursor);
        let mut page: Page<T> = Call::from_prepared(prepared, decode_page).await?;
        if let Some(next) = &mut page.next {
            if seen.contains(&next.cursor) {
                return match page.has_more {
                    Some(_) => {
                        Err(Error::new(ErrorKind::Decode, "pagination loop: the server returned the same cursor twice"))
                    }
                    // The server does not paginate: it sent the whole list again.
                    None => Ok(None),
                };
            }
            next.seen = seen;
        }
        Ok(Some(page))
    }

    /// Returns all items from this page on. Further pages are requested when they are needed.
    pub fn into_stream(self) -> impl Stream<Item = Result<T>> + Send
    where
        T: PageItem + Send + Sync + 'static,
    {
        stream::try_unfold((self, false), async |(mut page, is_read)| {
            if is_read {
                match page.next_page().await? {
                    Some(next) => page = next,
                    None => return Ok::<_, Error>(None),
                }
            }
            let items = std::mem::take(&mut page.data);
            Ok(Some((stream::iter(items.into_iter().map(Ok)), (page, true))))
        })
        .try_flatten()
    }
}

fn decode_page<T: PageItem>(response: &mut RawResponse) -> Result<Page<T>> {
    let mut page: Page<T> = response.buffered.decode_wire()?;
    let last_id = page.last_id.as_deref().filter(|id| !id.is_empty());
    let cursor = match (page.has_more, last_id) {
        _ if page.data.is_empty() => None,
        // A server that sends neither does not paginate.
        (Some(false), _) | (None, None) => None,
        (_, Some(last_id)) => Some(last_id),
        (Some(true), None) => page.data.last().map(PageItem::id).filter(|id| !id.is_empty()),
    };
    page.next = match (cursor, response.prepared.take()) {
        (Some(cursor), Some(prepared)) => {
            let cursor = cursor.to_owned();
            Some(Box::new(Next { prepared: *prepared, cursor, seen: HashSet::new() }))
        }
        _ => None,
    };
    Ok(page)
}

impl<T: PageItem> Call<Page<T>> {
    /// A call that returns a list.
    pub(crate) fn page(settings: &Arc<Settings>, segments: &[&str]) -> Self {
        Call::page_of(settings, WireRequest::new(Method::GET, segments, Body::Empty))
    }

    /// A call of any method that returns a list.
    pub(crate) fn page_of(settings: &Arc<Settings>, request: Result<WireRequest>) -> Self {
        Call::new(settings, request, BodyMode::Buffer, decode_page)
    }

    pub(crate) fn list_query(self, request: &ListRequest) -> Self {
        self.query_opt("after", request.after.as_ref())
            .query_opt("limit", request.limit)
            .query_opt("order", request.order.as_ref())
            .extra_query(&request.extra)
    }
}

impl Call<Deleted> {
    /// A call that deletes an object; servers may send an empty response.
    pub(crate) fn deleted(settings: &Arc<Settings>, segments: &[&str]) -> Self {
        let request = WireRequest::new(Method::DELETE, segments, Body::Empty);
        Call::new(settings, request, BodyMode::Buffer, |response| match response.buffered.body.trim_ascii() {
            b"" | b"{}" | b"null" => Ok(Deleted { deleted: true, ..Deleted::default_value() }),
            _ => response.buffered.decode_wire(),
        })
    }
}

impl ApiResponse for Deleted {
    fn root_field(&self) -> &'static str {
        "id"
    }

    fn is_root_empty(&self) -> bool {
        // Some servers confirm the deletion without the id.
        self.id.is_empty() && !self.deleted
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn decode(response: &mut RawResponse) -> Result<Self> {
        response.buffered.decode_wire()
    }
}

impl<T: PageItem> ApiResponse for Page<T> {
    fn root_field(&self) -> &'static str {
        "data"
    }

    fn is_root_empty(&self) -> bool {
        self.data.is_empty()
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn decode(response: &mut RawResponse) -> Result<Self> {
        response.buffered.decode_wire()
    }
}

impl<T: PageItem> Wire for Page<T> {
    /// `{"data": […]}`, a bare array (Together), or `{"data": null}` (Ollama).
    fn read(&mut self, input: Input<'_>) -> std::result::Result<ReadOutcome, InvalidInput> {
        if !matches!(input, Input::Array(_)) {
            return object::read(self, input);
        }
        match self.data.read(input)? {
            ReadOutcome::Matched => {}
            ReadOutcome::Mismatched(whole) | ReadOutcome::Partial(whole) => drop(self.extra.insert("data", *whole)),
        }
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        Output::Object(self)
    }

    fn default_value() -> Self {
        Page {
            object: String::new(),
            data: Vec::new(),
            first_id: None,
            last_id: None,
            has_more: None,
            extra: Extra::new(),
            next: None,
        }
    }
}

static PAGE_FIELDS: [FieldSpec; 5] = [
    FieldSpec::new("object"),
    FieldSpec::new("data").always(),
    FieldSpec::new("first_id"),
    FieldSpec::new("last_id"),
    FieldSpec::new("has_more"),
];

impl<T: PageItem> Object for Page<T> {
    fn fields(&self) -> &'static [FieldSpec] {
        &PAGE_FIELDS
    }

    fn for_each_written<'a>(&'a self, take: &mut dyn FnMut(&'static FieldSpec, &'a dyn Wire)) {
        let fields: [&dyn Wire; 5] = [&self.object, &self.data, &self.first_id, &self.last_id, &self.has_more];
        for (spec, field) in PAGE_FIELDS.iter().zip(fields) {
            if spec.always || !field.is_default_value() {
                take(spec, field);
            }
        }
    }

    fn read_field(&mut self, index: usize, input: Input<'_>) -> std::result::Result<ReadOutcome, InvalidInput> {
        match index {
            0 => self.object.read(input),
            1 => self.data.read(input),
            2 => self.first_id.read(input),
            3 => self.last_id.read(input),
            4 => self.has_more.read(input),
            _ => input.mismatch(),
        }
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn extra_mut(&mut self) -> &mut Extra {
        &mut self.extra
    }
}

impl<T: PageItem> Serialize for Page<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::wire::serde::serialize(self, serializer)
    }
}

impl<'de, T: PageItem> Deserialize<'de> for Page<T> {
    /// Reads a list that has no next page.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::serde::deserialize(deserializer)
    }
}

impl<T: Clone> Clone for Page<T> {
    fn clone(&self) -> Self {
        Page {
            object: self.object.clone(),
            data: self.data.clone(),
            first_id: self.first_id.clone(),
            last_id: self.last_id.clone(),
            has_more: self.has_more,
            extra: self.extra.clone(),
            next: self.next.clone(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Page<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("data", &self.data)
            .field("last_id", &self.last_id)
            .field("has_more", &self.has_more)
            .field("extra", &self.extra)
            .finish_non_exhaustive()
    }
}
