//! Lists: [`Page`] and the stream of items over all pages.

use std::collections::HashSet;
use std::fmt;

use futures::Stream;
use futures::stream::{self, TryStreamExt};
use http::Method;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Extra;
use crate::call::{Asked, Call};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::request::{Body, WireRequest};
use crate::transport::{Answer, Expect};
use crate::wire::{Json, Member, NotJson, Object, Read, Reply, Wire, Writer, object};

open_enum! {
    /// Order of a list by time.
    pub enum Order {
        /// Oldest first.
        Asc = "asc",
        /// Newest first.
        Desc = "desc",
    }
}

wire! {
    /// Which part of a list to get.
    pub struct ListRequest {
        /// Id of the last item before those wanted.
        pub after: Option<String>,
        /// How many items on a page.
        pub limit: Option<u32>,
        /// By time.
        pub order: Option<Order>,
    }

    /// What became of a deletion.
    pub struct Deleted {
        /// Id of what was deleted.
        pub id: String,
        /// Kind of what was deleted.
        pub object: String,
        /// True when it is gone.
        pub deleted: bool,
    }
}

impl Default for ListRequest {
    fn default() -> Self {
        ListRequest::blank()
    }
}

impl ListRequest {
    /// The beginning, in the server's own order and page size.
    pub fn new() -> Self {
        ListRequest::blank()
    }
}

setters! { ListRequest {
    after: impl Into<String>,
    limit: u32,
    order: impl Into<Order>,
} }

/// One page of a list.
///
/// [`next_page`](Page::next_page) gets the one behind it, [`into_stream`](Page::into_stream) all items from here on.
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
    /// `list`; do not rely on it.
    pub object: String,
    /// The items.
    pub data: Vec<T>,
    /// Id of the first item.
    pub first_id: Option<String>,
    /// Id of the last item: where the next page begins.
    pub last_id: Option<String>,
    /// False on the last page. Servers that do not page leave it out.
    pub has_more: Option<bool>,
    /// Members without a field of their own.
    pub extra: Extra,
    next: Option<Box<Next>>,
}

/// How to ask for the next page: the same call, its cursor moved.
#[derive(Clone)]
struct Next {
    asked: Asked,
    cursor: String,
    seen: HashSet<String>,
}

/// An item of a list: its id is the cursor where the server gives no other.
pub trait Item: Wire + Serialize {
    /// Its id.
    fn id(&self) -> &str;
}

impl<T> Page<T> {
    /// The next page; `None` behind the last one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] when the server repeats a cursor: asking on would never end.
    pub async fn next_page(&self) -> Result<Option<Page<T>>>
    where
        T: Item + 'static,
    {
        let Some(next) = &self.next else { return Ok(None) };
        let Next { mut asked, cursor, mut seen } = Next::clone(next);
        asked.request.query.retain(|(name, _)| name != "after");
        asked.request.query.push(("after".into(), cursor.clone()));
        seen.insert(cursor);
        let mut page: Page<T> = Call::again(asked, decode_page).await?;
        if let Some(next) = &mut page.next {
            if seen.contains(&next.cursor) {
                return match page.has_more {
                    Some(_) => Err(Error::new(ErrorKind::Decode, "the server repeats the cursor of a list")),
                    // It does not page: it sent the whole list again.
                    None => Ok(None),
                };
            }
            next.seen = seen;
        }
        Ok(Some(page))
    }

    /// All items from this page on; each further page is asked for when it is needed.
    pub fn into_stream(self) -> impl Stream<Item = Result<T>> + Send
    where
        T: Item + Send + Sync + 'static,
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

fn decode_page<T: Item>(answer: &mut Answer) -> Result<Page<T>> {
    let mut page: Page<T> = answer.whole.reply()?;
    let last_id = page.last_id.as_deref().filter(|id| !id.is_empty());
    let cursor = match (page.has_more, last_id) {
        _ if page.data.is_empty() => None,
        // A server that tells neither does not page.
        (Some(false), _) | (None, None) => None,
        (_, Some(last_id)) => Some(last_id),
        (Some(true), None) => page.data.last().map(Item::id).filter(|id| !id.is_empty()),
    };
    page.next = match (cursor, answer.asked.take()) {
        (Some(cursor), Some(asked)) => {
            let cursor = cursor.to_owned();
            Some(Box::new(Next { asked: *asked, cursor, seen: HashSet::new() }))
        }
        _ => None,
    };
    Ok(page)
}

impl<T: Item> Call<Page<T>> {
    /// A call for a list.
    pub(crate) fn page(client: &Client, segments: &[&str]) -> Self {
        let request = WireRequest::new(Method::GET, segments, Body::Empty);
        Call::new(client, request, Expect::Whole, decode_page)
    }

    pub(crate) fn list_query(self, request: &ListRequest) -> Self {
        self.maybe_query("after", request.after.as_ref())
            .maybe_query("limit", request.limit)
            .maybe_query("order", request.order.as_ref())
            .extra_query(&request.extra)
    }

    pub(crate) fn extra_query(self, extra: &Extra) -> Self {
        extra.iter().fold(self, |call, (name, value)| call.query(name, crate::wire::query_text(value)))
    }
}

impl Call<Deleted> {
    /// A call that deletes; servers may answer it with nothing.
    pub(crate) fn deleted(client: &Client, segments: &[&str]) -> Self {
        let request = WireRequest::new(Method::DELETE, segments, Body::Empty);
        Call::new(client, request, Expect::Whole, |answer| match answer.whole.body.trim_ascii() {
            b"" => Ok(Deleted { deleted: true, ..Deleted::blank() }),
            _ => answer.whole.reply(),
        })
    }
}

impl Reply for Deleted {
    fn root(&self) -> &'static str {
        "id"
    }

    fn is_hollow(&self) -> bool {
        // Some servers say that it is gone, and not what.
        self.id.is_empty() && !self.deleted
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn decode(answer: &mut Answer) -> Result<Self> {
        answer.whole.reply()
    }
}

impl<T: Item> Reply for Page<T> {
    fn root(&self) -> &'static str {
        "data"
    }

    fn is_hollow(&self) -> bool {
        self.data.is_empty()
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn decode(answer: &mut Answer) -> Result<Self> {
        answer.whole.reply()
    }
}

impl<T: Item> Wire for Page<T> {
    /// `{"data": […]}`, a bare list (Together), or `{"data": null}` (Ollama).
    fn read(&mut self, json: &mut Json<'_>) -> std::result::Result<Read, NotJson> {
        if json.peek()? != b'[' {
            return object::read(self, json);
        }
        match self.data.read(json)? {
            Read::Fits => {}
            Read::Odd(whole) | Read::Part(whole) => drop(self.extra.insert("data", whole)),
        }
        Ok(Read::Fits)
    }

    fn write(&self, writer: &mut Writer) {
        object::write(self, writer, &[], &[]);
    }

    fn blank() -> Self {
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

impl<T: Item> Object for Page<T> {
    fn members(&self) -> &'static [Member] {
        const fn member(name: &'static str, always: bool) -> Member {
            Member { name, always }
        }
        const {
            &[
                member("object", false),
                member("data", true),
                member("first_id", false),
                member("last_id", false),
                member("has_more", false),
            ]
        }
    }

    fn field(&self, index: usize) -> &dyn Wire {
        match index {
            0 => &self.object,
            1 => &self.data,
            2 => &self.first_id,
            3 => &self.last_id,
            4 => &self.has_more,
            _ => &self.extra,
        }
    }

    fn read_field(&mut self, index: usize, json: &mut Json<'_>) -> std::result::Result<Read, NotJson> {
        match index {
            0 => self.object.read(json),
            1 => self.data.read(json),
            2 => self.first_id.read(json),
            3 => self.last_id.read(json),
            4 => self.has_more.read(json),
            _ => json.value().map(Read::Odd),
        }
    }

    fn extra(&self) -> &Extra {
        &self.extra
    }

    fn extra_mut(&mut self) -> &mut Extra {
        &mut self.extra
    }
}

impl<T: Item> Serialize for Page<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::wire::serde::serialize(self, serializer)
    }
}

impl<'de, T: Item> Deserialize<'de> for Page<T> {
    /// Reads a list; it knows no next page.
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
