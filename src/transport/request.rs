//! A request before it meets HTTP: method, route, query, body. Nothing here knows an endpoint.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use url::Url;

use super::form::Form;
use super::http::RequestBody;
use crate::error::{Error, ErrorKind, Result};
use crate::wire::writer::written;
use crate::wire::{Added, Object, Writer, object};

/// What may stand unescaped in a path segment (RFC 3986 `pchar`).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One request, ready to be sent any number of times.
#[derive(Clone, Debug)]
pub(crate) struct WireRequest {
    pub(crate) method: Method,
    /// Below the base URL, escaped, without a slash in front.
    pub(crate) path: String,
    pub(crate) query: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Body,
    /// Model named in the body: a deployment in the path of classic Azure.
    pub(crate) model: Option<String>,
}

/// A body as a recipe: built anew for each attempt.
#[derive(Clone)]
pub(crate) enum Body {
    Empty,
    Json(Bytes),
    Form(Arc<Form>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the content: it is the prompt.
        match self {
            Body::Empty => f.write_str("Empty"),
            Body::Json(json) => write!(f, "Json({} bytes)", json.len()),
            Body::Form(_) => f.write_str("Form"),
        }
    }
}

impl Body {
    /// A request of this crate, with what its method adds.
    pub(crate) fn of(request: &dyn Object, added: Added<'_>) -> Result<Self> {
        Body::written(&|writer| object::write(request, writer, &[], added))
    }

    /// A body of the caller's type.
    pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Body::written(&|writer| writer.json(value))
    }

    fn written(write: &dyn Fn(&mut Writer)) -> Result<Self> {
        match written(write) {
            Ok(json) => Ok(Body::Json(json.into())),
            Err(error) => Err(Error::new(ErrorKind::Encode, super::decode::describe(&error, None)).with_source(error)),
        }
    }

    /// True when it can be sent more than once.
    pub(crate) fn is_repeatable(&self) -> bool {
        match self {
            Body::Empty | Body::Json(_) => true,
            Body::Form(form) => form.is_repeatable(),
        }
    }

    /// The body and its content type.
    pub(crate) async fn build(&self) -> Result<(RequestBody, Option<HeaderValue>)> {
        Ok(match self {
            Body::Empty => (RequestBody::default(), None),
            Body::Json(json) => (json.clone().into(), Some(JSON)),
            Body::Form(form) => {
                // Large and rare: its state would make that of every call larger.
                let (body, content_type) = Box::pin(form.build()).await?;
                let content_type = HeaderValue::try_from(content_type)
                    .map_err(|_| Error::config("the content type holds a character that no header may hold"))?;
                (body, Some(content_type))
            }
        })
    }
}

impl WireRequest {
    /// A request to a route given by its segments, each escaped.
    pub(crate) fn new(method: Method, segments: &[&str], body: Body) -> Result<Self> {
        let mut path = String::with_capacity(32);
        for segment in segments {
            check_segment(segment)?;
            if !path.is_empty() {
                path.push('/');
            }
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        Ok(WireRequest { method, path, query: Vec::new(), body, model: None })
    }

    /// A post to a route that works with a model.
    pub(crate) fn of_model(segments: &[&str], model: Option<&str>, body: Result<Body>) -> Result<Self> {
        model.map_or(Ok(()), check_model)?;
        Ok(WireRequest { model: model.map(str::to_owned), ..WireRequest::new(Method::POST, segments, body?)? })
    }

    /// A request to a route given as text, with a query if it has one.
    pub(crate) fn raw(method: Method, route: &str, body: Body) -> Result<Self> {
        let (path, query) = route.split_once('?').unwrap_or((route, ""));
        let path = path.trim_start_matches('/');
        if path.contains("://") || route.contains('#') {
            return Err(Error::config("a route is a path below the base URL, such as `rerank`"));
        }
        for segment in path.trim_end_matches('/').split('/') {
            check_segment(segment)?;
            let decoded = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
            check_segment(&decoded)?;
            if segment.contains(|c: char| c.is_ascii_control() || c == ' ' || c == '\\') {
                return Err(Error::config("a route holds a space, a backslash or a control character: escape it"));
            }
        }
        let query = url::form_urlencoded::parse(query.as_bytes());
        Ok(WireRequest {
            method,
            path: path.to_owned(),
            query: query.map(|(name, value)| (name.into_owned().into(), value.into_owned())).collect(),
            body,
            model: None,
        })
    }
}

/// An empty name is a setting that was forgotten.
pub(crate) fn check_model(model: &str) -> Result<()> {
    if model.is_empty() { Err(Error::config("the model is empty")) } else { Ok(()) }
}

fn check_segment(segment: &str) -> Result<()> {
    match segment {
        "" => Err(Error::config("an id or a part of the route is empty")),
        "." | ".." => Err(Error::config("an id cannot be `.` or `..`")),
        _ => Ok(()),
    }
}

/// Where all routes start.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl {
    /// Without query, without a slash at its end.
    text: String,
    query: Vec<(String, String)>,
    pub(crate) origin: url::Origin,
}

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::config(format!("the base URL is not usable: {why}"));
        let no_scheme = || bad("it must start with `http://` or `https://`, as `http://localhost:8080/v1` does");
        let mut url = Url::parse(text.trim()).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => no_scheme(),
            other => bad(&format!("{other}; expected something like `http://localhost:8080/v1`")),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(no_scheme());
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad("it has no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it holds a user name or password; give those as a key or a header"));
        }
        let query = url.query_pairs().into_owned().collect();
        url.set_query(None);
        url.set_fragment(None);
        Ok(BaseUrl { text: url.as_str().trim_end_matches('/').to_owned(), query, origin: url.origin() })
    }

    /// Base URL, route and queries in one: those of the base, the client, then the call.
    pub(crate) fn join<'a>(&'a self, path: &str, query: impl Iterator<Item = (&'a str, &'a str)>) -> String {
        let mut target = String::with_capacity(self.text.len() + path.len() + 1);
        target.push_str(&self.text);
        target.push('/');
        target.push_str(path);
        let mut pairs = self.query().chain(query).peekable();
        if pairs.peek().is_some() {
            target.push('?');
            let start = target.len();
            target = url::form_urlencoded::Serializer::for_suffix(target, start).extend_pairs(pairs).finish();
        }
        target
    }

    pub(crate) fn query(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// `http://host/proxy` of `http://host/proxy/v1`: the base URL without a version at its end.
    pub(crate) fn server_root(&self) -> Self {
        let is_version = |segment: &str| {
            segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        };
        let text = match self.text.rsplit_once('/') {
            Some((root, last)) if is_version(last) && !root.ends_with('/') => root.to_owned(),
            _ => self.text.clone(),
        };
        BaseUrl { text, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(segments: &[&str]) -> Result<String> {
        WireRequest::new(Method::GET, segments, Body::Empty).map(|request| request.path)
    }

    #[test]
    fn segments_are_escaped_and_cannot_change_the_route() {
        assert_eq!(path(&["models", "ft:gpt/a b?c#d%"]).unwrap(), "models/ft:gpt%2Fa%20b%3Fc%23d%25");
        for id in ["", ".", ".."] {
            assert_eq!(path(&["files", id]).unwrap_err().kind(), ErrorKind::Config, "{id:?}");
        }
    }

    #[test]
    fn raw_routes_stay_below_the_base_url() {
        for route in ["", "../admin", "a/../b", "a/%2e%2e/b", "https://elsewhere.test/x", "a b", "a#b"] {
            let request = WireRequest::raw(Method::GET, route, Body::Empty);
            assert_eq!(request.unwrap_err().kind(), ErrorKind::Config, "{route:?}");
        }
        assert!(WireRequest::raw(Method::GET, "/custom/path?x=1", Body::Empty).is_ok());
    }

    #[test]
    fn the_base_url_keeps_its_query_behind_the_route() {
        let base = BaseUrl::parse("http://host/v1/?tenant=t1").unwrap();
        assert_eq!(base.join("models", [("a", "b c")].into_iter()), "http://host/v1/models?tenant=t1&a=b+c");
    }

    #[test]
    fn the_server_root_is_above_the_version_and_on_the_same_host() {
        for (base, root) in [
            ("http://host:1/v1", "http://host:1"),
            ("http://host/proxy/v1/", "http://host/proxy"),
            ("https://host/v1beta", "https://host"),
            ("http://host", "http://host"),
            ("http://v1", "http://v1"),
            ("http://host/vllm", "http://host/vllm"),
        ] {
            assert_eq!(BaseUrl::parse(base).unwrap().server_root().as_str(), root, "{base}");
        }
    }
}
