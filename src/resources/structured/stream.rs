//! Values out of text that is still arriving: the items of an array, and a part of an object.

use std::collections::VecDeque;

use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;

use crate::chat::{ChatStream, read_json};
use crate::error::{Error, ErrorKind, Result};
use crate::responses::{ResponseEvent, ResponseStream};

impl ChatStream {
    /// Converts the stream to the items of the array in its text, each as soon as it is complete. The array is the text, or the
    /// first one in its object.
    ///
    /// A text without an array, or one that ends within it, is an error of [`ErrorKind::Decode`] after the items that were
    /// complete.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest) -> openai_compatible::Result<()> {
    /// use futures::TryStreamExt;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct River { name: String, length_km: f64 }
    ///
    /// let mut rivers = client.chat().stream(&request).await?.items::<River>();
    /// while let Some(river) = rivers.try_next().await? {
    ///     println!("{}: {} km", river.name, river.length_km);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn items<T: DeserializeOwned + Send + 'static>(self) -> impl Stream<Item = Result<T>> + Send + Unpin + 'static {
        items(self.texts())
    }
}

impl ResponseStream {
    /// Converts the stream to its text alone.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use futures::TryStreamExt;
    /// use openai_compatible::responses::ResponseRequest;
    ///
    /// let request = ResponseRequest::new("gpt-6-luna", "Name three rivers.");
    /// let mut texts = client.responses().stream(&request).await?.texts();
    /// while let Some(text) = texts.try_next().await? {
    ///     print!("{text}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn texts(self) -> impl Stream<Item = Result<String>> + Send + Unpin + 'static {
        self.try_filter_map(|event| {
            let text = match event {
                ResponseEvent::TextDelta(event) if !event.delta.is_empty() => Some(event.delta),
                _ => None,
            };
            std::future::ready(Ok(text))
        })
    }

    /// Converts the stream to the items of the array in its text, each as soon as it is complete, as [`ChatStream::items`]
    /// does.
    pub fn items<T: DeserializeOwned + Send + 'static>(self) -> impl Stream<Item = Result<T>> + Send + Unpin + 'static {
        items(self.texts())
    }
}

/// The way from texts to items.
struct Items<S, T> {
    texts: S,
    scanner: ArrayScanner,
    ready: VecDeque<Result<T>>,
    is_over: bool,
}

fn items<T, S>(texts: S) -> impl Stream<Item = Result<T>> + Send + Unpin + 'static
where
    T: DeserializeOwned + Send + 'static,
    S: Stream<Item = Result<String>> + Send + Unpin + 'static,
{
    let items = Items { texts, scanner: ArrayScanner::default(), ready: VecDeque::new(), is_over: false };
    let items = stream::unfold(items, |mut items: Items<S, T>| async move {
        loop {
            if let Some(item) = items.ready.pop_front() {
                return Some((item, items));
            }
            if items.is_over {
                return None;
            }
            match items.texts.next().await {
                Some(Ok(text)) => items.scanner.push(&text, &mut |item| {
                    let item = read_json(item);
                    items.ready.push_back(
                        item.map_err(|what| Error::new(ErrorKind::Decode, format!("item of the array: {what}"))),
                    );
                }),
                Some(Err(error)) => {
                    items.is_over = true;
                    items.ready.push_back(Err(error));
                }
                None => {
                    items.is_over = true;
                    items.ready.extend(items.scanner.failure().map(Err));
                }
            }
        }
    });
    items.boxed()
}

/// Finds where the items of an array begin and end. What they are is left to serde_json.
#[derive(Debug, Default)]
struct ArrayScanner {
    place: Place,
    /// Brackets that are open.
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    item: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Place {
    #[default]
    Before,
    /// Within the array, whose items are at this depth.
    Within(usize),
    Behind,
}

impl ArrayScanner {
    fn push(&mut self, text: &str, found: &mut dyn FnMut(&str)) {
        for c in text.chars() {
            let was_within = matches!(self.place, Place::Within(_));
            if !self.is_structural(c) {
                if was_within {
                    self.item.push(c);
                }
                continue;
            }
            match (self.place, c) {
                (Place::Before, '[') if self.depth <= 1 => {
                    self.depth += 1;
                    self.place = Place::Within(self.depth);
                    continue;
                }
                (Place::Within(depth), ',' | ']') if self.depth == depth => {
                    if !self.item.trim().is_empty() {
                        found(&self.item);
                    }
                    self.item.clear();
                    if c == ']' {
                        self.place = Place::Behind;
                    }
                    continue;
                }
                (_, '[' | '{') => self.depth += 1,
                (_, ']' | '}') => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            if was_within {
                self.item.push(c);
            }
        }
    }

    /// True for a character of JSON's structure; false for one within a string, and for its quotes.
    fn is_structural(&mut self, c: char) -> bool {
        match c {
            _ if self.is_escaped => self.is_escaped = false,
            '\\' if self.in_string => self.is_escaped = true,
            // Words before the JSON may contain a quote.
            '"' if self.depth > 0 => self.in_string = !self.in_string,
            _ => return !self.in_string,
        }
        false
    }

    /// The error of a text that ends here.
    fn failure(&self) -> Option<Error> {
        match self.place {
            Place::Before => Some(Error::new(ErrorKind::Decode, "output contains no array")),
            Place::Within(_) => Some(Error::new(ErrorKind::Decode, "output ended within the array")),
            Place::Behind => None,
        }
    }
}

/// Parses JSON that is still arriving: what is open is closed, and what has only begun is left out, except for text. `None` if
/// the part does not match `T` yet; fields that may be missing are best optional.
///
/// Each call reads the whole text, so call it as often as you show the result, and not for each chunk.
///
/// ```
/// use openai_compatible::chat::partial_json;
///
/// #[derive(serde::Deserialize)]
/// struct Recipe { title: String, steps: Option<Vec<String>> }
///
/// let recipe: Recipe = partial_json(r#"{"title": "Soup", "steps": ["Cut the on"#).unwrap();
/// assert_eq!(recipe.steps.unwrap(), ["Cut the on"]);
/// ```
pub fn partial_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    let start = text.find(['{', '['])?;
    let (_, text) = text.split_at_checked(start)?;
    read_json(text).ok().or_else(|| read_json(&closed(text)?).ok())
}

/// A text with what is open closed.
fn closed(text: &str) -> Option<String> {
    let scan = PartialScan::of(text)?;
    // A text that is arriving stays; half an escape waits for its end. Anything else is cut to where it was complete.
    let kept = match scan.is_in_string && !scan.is_key {
        true => {
            let whole = text.get(..text.len() - usize::from(scan.is_escaped))?;
            let cut = whole.rfind("\\u").filter(|at| whole.len() - at < 6);
            format!("{}\"", whole.get(..cut.unwrap_or(whole.len()))?)
        }
        false => text.get(..scan.complete)?.to_owned(),
    };
    let open = PartialScan::of(&kept)?.open;
    Some(kept.chars().chain(open.into_iter().rev()).collect())
}

/// What is open at the end of a text.
#[derive(Debug, Default)]
struct PartialScan {
    /// The brackets that would close it.
    open: Vec<char>,
    is_in_string: bool,
    is_escaped: bool,
    /// The string, or the next one, is a key.
    is_key: bool,
    /// Where the last complete value ended.
    complete: usize,
}

impl PartialScan {
    /// `None` if brackets do not match.
    fn of(text: &str) -> Option<Self> {
        let mut scan = PartialScan::default();
        for (at, c) in text.char_indices() {
            match c {
                _ if scan.is_escaped => scan.is_escaped = false,
                '\\' if scan.is_in_string => scan.is_escaped = true,
                '"' => {
                    scan.is_in_string = !scan.is_in_string;
                    if !scan.is_in_string && !scan.is_key {
                        scan.complete = at + 1;
                    }
                }
                _ if scan.is_in_string => {}
                '{' | '[' => {
                    scan.open.push(if c == '{' { '}' } else { ']' });
                    scan.is_key = c == '{';
                    scan.complete = at + 1;
                }
                '}' | ']' => {
                    scan.open.pop().filter(|closing| *closing == c)?;
                    scan.is_key = false;
                    scan.complete = at + 1;
                }
                ':' => scan.is_key = false,
                ',' => {
                    scan.is_key = scan.open.last() == Some(&'}');
                    scan.complete = at;
                }
                _ => {}
            }
        }
        Some(scan)
    }
}
