//! A request before it becomes HTTP: method, path, query, body. Nothing here knows an endpoint.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use url::Url;

use super::form::Form;
use super::http::RequestBody;
use crate::error::{Error, ErrorKind, Result};
use crate::wire::{Object, ObjectOutput, Overrides, to_vec};

/// Characters of a path segment that need no escape (RFC 3986 `pchar`).
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

/// A request that can be sent any number of times.
#[derive(Clone, Debug)]
pub(crate) struct WireRequest {
    pub(crate) method: Method,
    /// Relative to the base URL, percent-encoded, without a leading slash.
    pub(crate) path: String,
    pub(crate) query: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Body,
    /// The model named in the body: on classic Azure, a deployment in the path.
    pub(crate) model: Option<String>,
    /// What to use on a server that lacks the route.
    pub(crate) alternative: Option<&'static str>,
    /// A member that LiteLLM forwards as null if it is missing, which servers behind it refuse: sent when it does.
    pub(crate) litellm_member: Option<&'static str>,
}

/// The recipe of a body, which is built again for each attempt.
#[derive(Clone)]
pub(crate) enum Body {
    Empty,
    Json(Bytes),
    Form(Arc<Form>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the content: it is the prompt.
        match self {
            Body::Empty => f.write_str("Empty"),
            Body::Json(json) => write!(f, "Json({} bytes)", json.len()),
            Body::Form(_) => f.write_str("Form"),
        }
    }
}

impl Body {
    /// A request of this crate, with the members that its method decides.
    pub(crate) fn of(request: &dyn Object, overrides: Overrides<'_>) -> Result<Self> {
        Body::encoded(to_vec(&ObjectOutput { object: request, overrides }))
    }

    /// A body of the caller's type.
    pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Body::encoded(serde_json::to_vec(value))
    }

    fn encoded(json: serde_json::Result<Vec<u8>>) -> Result<Self> {
        match json {
            Ok(json) => Ok(Body::Json(json.into())),
            Err(error) => Err(Error::new(ErrorKind::Encode, super::decode::describe(&error, None)).with_source(error)),
        }
    }

    /// True if the body can be sent more than once.
    pub(crate) fn is_repeatable(&self) -> bool {
        match self {
            Body::Empty | Body::Json(_) => true,
            Body::Form(form) => form.is_repeatable(),
        }
    }

    /// The JSON object with a member more.
    pub(crate) fn with_member(&self, member: &str) -> Option<Self> {
        let Body::Json(json) = self else { return None };
        let object = json.strip_suffix(b"}")?;
        Some(Body::Json([object, b",", member.as_bytes(), b"}"].concat().into()))
    }

    /// The length of a JSON body, in bytes.
    pub(crate) fn length(&self) -> usize {
        match self {
            Body::Json(json) => json.len(),
            Body::Empty | Body::Form(_) => 0,
        }
    }

    /// The body and its content type.
    pub(crate) async fn build(&self) -> Result<(RequestBody, Option<HeaderValue>)> {
        Ok(match self {
            Body::Empty => (RequestBody::default(), None),
            Body::Json(json) => (json.clone().into(), Some(JSON)),
            Body::Form(form) => {
                // Large and rare: boxed, so that the state of other calls stays small.
                let (body, content_type) = Box::pin(form.build()).await?;
                let content_type = HeaderValue::try_from(content_type).map_err(|_| {
                    Error::config("content type contains characters that are not allowed in an HTTP header")
                })?;
                (body, Some(content_type))
            }
        })
    }
}

impl WireRequest {
    /// A request to a path given by its segments, each of them percent-encoded.
    pub(crate) fn new(method: Method, segments: &[&str], body: Body) -> Result<Self> {
        let mut path = String::with_capacity(32);
        for segment in segments {
            check_segment(segment)?;
            if !path.is_empty() {
                path.push('/');
            }
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        Ok(WireRequest { method, path, query: Vec::new(), body, model: None, alternative: None, litellm_member: None })
    }

    /// A `POST` request that names a model.
    pub(crate) fn of_model(segments: &[&str], model: Option<&str>, body: Result<Body>) -> Result<Self> {
        model.map_or(Ok(()), check_model)?;
        Ok(WireRequest { model: model.map(str::to_owned), ..WireRequest::new(Method::POST, segments, body?)? })
    }

    /// A request to a path given as text, with a query if it has one.
    pub(crate) fn raw(method: Method, route: &str, body: Body) -> Result<Self> {
        let (path, query) = route.split_once('?').unwrap_or((route, ""));
        let path = path.trim_start_matches('/');
        if path.contains("://") || route.contains('#') {
            return Err(Error::config("path must be relative to the base URL, for example `rerank`"));
        }
        if path.contains(|c: char| c.is_ascii_control() || c == ' ' || c == '\\') {
            return Err(Error::config("path contains a space, backslash or control character; percent-encode it"));
        }
        // Also as servers see it that decode before they route, once or twice.
        let mut decoded = path.to_owned();
        loop {
            decoded.trim_end_matches('/').split(['/', '\\']).try_for_each(check_segment)?;
            let next = percent_encoding::percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
            if next == decoded {
                break;
            }
            decoded = next;
        }
        let query = url::form_urlencoded::parse(query.as_bytes());
        Ok(WireRequest {
            method,
            path: path.to_owned(),
            query: query.map(|(name, value)| (name.into_owned().into(), value.into_owned())).collect(),
            body,
            model: None,
            alternative: None,
            litellm_member: None,
        })
    }
}

/// An empty name is a configuration that was forgotten.
pub(crate) fn check_model(model: &str) -> Result<()> {
    if model.is_empty() { Err(Error::config("`model` must not be empty")) } else { Ok(()) }
}

fn check_segment(segment: &str) -> Result<()> {
    match segment {
        "" => Err(Error::config("empty id or path segment")),
        "." | ".." => Err(Error::config("id must not be `.` or `..`")),
        _ => Ok(()),
    }
}

pub(crate) fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let parsed = HeaderName::try_from(name)
        .map_err(|_| Error::config(format!("invalid header name `{}`", name.escape_debug())))?;
    // Not the value: it may be a key.
    let value = HeaderValue::try_from(value)
        .map_err(|_| Error::config(format!("value of header `{parsed}` contains a line break or control character")))?;
    Ok((parsed, value))
}

/// Endpoints that people copy from a provider's documentation together with the base URL.
const ENDPOINTS: [&str; 9] = [
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/responses",
    "/images/generations",
    "/images/edits",
    "/audio/transcriptions",
    "/audio/translations",
    "/audio/speech",
];

/// The URL that all paths are relative to.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl {
    /// Without its query and without a trailing slash.
    text: String,
    query: Vec<(String, String)>,
    pub(crate) origin: url::Origin,
    /// The Unix socket to connect to.
    pub(crate) socket: Option<Arc<std::path::Path>>,
}

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::config(format!("invalid base URL: {why}"));
        if let Some(address) = text.trim().strip_prefix("unix:") {
            // As in Docker's and nginx's addresses, the path of the URL follows a colon.
            let address = address.strip_prefix("//").unwrap_or(address);
            let (socket, path) = address.split_once(":/").unwrap_or((address, ""));
            if !socket.starts_with('/') {
                return Err(bad("expected something like `unix:///run/server.sock:/v1`"));
            }
            if !cfg!(unix) {
                return Err(bad("this system has no Unix sockets"));
            }
            let url = BaseUrl::parse(&format!("http://localhost/{path}"))?;
            return Ok(BaseUrl { socket: Some(Arc::from(std::path::Path::new(socket))), ..url });
        }
        let no_scheme = || bad("must start with `http://` or `https://`, for example `http://localhost:8080/v1`");
        let mut url = Url::parse(text.trim()).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => no_scheme(),
            other => bad(&format!("{other} (expected something like `http://localhost:8080/v1`)")),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(no_scheme());
        }
        // `http:///v1` would be read as the host `v1`.
        let has_empty_host = text.trim().split_once(":").is_some_and(|(_, rest)| rest.starts_with("///"));
        if has_empty_host || url.host_str().is_none_or(str::is_empty) {
            return Err(bad("missing host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("must not contain a user name or password; use `api_key` or `header` instead"));
        }
        let path = url.path().trim_end_matches('/');
        if let Some(endpoint) = ENDPOINTS.iter().find(|endpoint| path.ends_with(**endpoint)) {
            let base = path.strip_suffix(endpoint).unwrap_or_default();
            return Err(bad(&format!("must not include the endpoint `{endpoint}`; its path should be `{base}`")));
        }
        if path.contains("/openai/deployments/") {
            return Err(bad(
                "contains an Azure deployment; use `azure` or `azure_classic` with the endpoint alone, and `azure_deployment`",
            ));
        }
        let query = url.query_pairs().into_owned().collect();
        url.set_query(None);
        url.set_fragment(None);
        Ok(BaseUrl { text: url.as_str().trim_end_matches('/').to_owned(), query, origin: url.origin(), socket: None })
    }

    /// Returns the URL of a path, with the queries of the base URL, the client and the call.
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

    /// What is connected to, for errors: the origin, or the socket.
    pub(crate) fn place(&self) -> String {
        match &self.socket {
            Some(socket) => format!("unix://{}", socket.display()),
            None => self.origin.ascii_serialization(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn has_path(&self) -> bool {
        Url::parse(&self.text).is_ok_and(|url| url.path() != "/")
    }

    /// The base URL without its version: `http://host/proxy` for `http://host/proxy/v1`.
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
        for route in [
            "",
            "../admin",
            "a/../b",
            "a/%2e%2e/b",
            "..%2fadmin",
            "%2e%2e%2Fadmin",
            "a/..%2f..%2fadmin",
            "a/..%5cadmin",
            "%252e%252e/admin",
            "a/%252e%252e%252fadmin",
            "https://elsewhere.test/x",
            "a b",
            "a#b",
        ] {
            let request = WireRequest::raw(Method::GET, route, Body::Empty);
            assert_eq!(request.unwrap_err().kind(), ErrorKind::Config, "{route:?}");
        }
        assert!(WireRequest::raw(Method::GET, "/custom/path?x=1", Body::Empty).is_ok());
    }

    #[test]
    fn a_base_url_with_an_endpoint_is_refused_by_its_name() {
        for (base, endpoint) in [
            ("https://api.openai.com/v1/chat/completions", "/chat/completions"),
            ("http://localhost:8080/v1/embeddings/", "/embeddings"),
            ("https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "/chat/completions"),
            ("https://r.openai.azure.com/openai/deployments/d", "azure_deployment"),
        ] {
            let error = BaseUrl::parse(base).unwrap_err();
            assert!(error.to_string().contains(endpoint), "{error}");
        }
    }

    #[test]
    fn base_url_query_is_sent_with_every_path() {
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
