//! [`Client`]: a client for one server.

use std::fmt;
use std::sync::Arc;

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::error::Result;
use crate::reply::download::Download;
use crate::reply::stream::{EventStream, open_any};
use crate::transport::BodyMode;
use crate::transport::form::Form;
use crate::transport::request::{Body, WireRequest};
use crate::transport::settings::Settings;

mod builder;
mod environment;
pub(crate) mod provider;

pub use self::builder::ClientBuilder;

/// A client for one server. Cheap to clone; clones share the connection pool.
///
/// ```no_run
/// # fn main() -> openai_compatible::Result<()> {
/// use openai_compatible::Client;
///
/// let from_environment = Client::from_env()?;
/// let local = Client::builder().base_url("http://localhost:11434/v1").build()?;
/// let hosted = Client::builder().base_url("https://api.groq.com/openai/v1").api_key("gsk_…").build()?;
/// # let _ = (from_environment, local, hosted); Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) settings: Arc<Settings>,
    /// What the client was built from, for [`Client::with`].
    builder: Arc<ClientBuilder>,
}

impl Client {
    /// Returns a builder. Reads no environment variables.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Creates a client from `OPENAI_API_KEY`, `OPENAI_BASE_URL` (or the older `OPENAI_API_BASE`), `OPENAI_ORG_ID` and
    /// `OPENAI_PROJECT_ID`. With a base URL, the key may be missing; then none is sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if neither a key nor a base URL is set, or if one of them is
    /// invalid.
    pub fn from_env() -> Result<Self> {
        ClientBuilder::from_env().build()
    }

    /// Creates a client with other settings that shares the connections of this one, its retry budget and its rate limiter:
    /// for a tenant with its own key, a header of all calls, or another timeout.
    ///
    /// ```no_run
    /// # fn main() -> openai_compatible::Result<()> {
    /// # let client = openai_compatible::Client::from_env()?;
    /// let tenant = client.with(|settings| settings.api_key("sk-tenant").header("x-tenant", "7").max_retries(5))?;
    /// # let _ = tenant; Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The same as those of [`ClientBuilder::build`].
    #[doc(alias = "with_options")]
    pub fn with(&self, change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<Self> {
        change(ClientBuilder::clone(&self.builder)).build_sharing(&self.settings)
    }

    /// The same server next to its API: the base URL without its version, never another origin.
    pub(crate) fn at_server_root(&self) -> Self {
        let settings = Settings { base_url: self.settings.base_url.server_root(), ..Settings::clone(&self.settings) };
        Client { settings: Arc::new(settings), builder: self.builder.clone() }
    }

    /// Returns the base URL, without its query.
    pub fn base_url(&self) -> &str {
        self.settings.base_url.as_str()
    }

    /// Gets JSON from any path: `GET {base URL}/{path}`. The path may have a query.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let videos: serde_json::Value = client.get("videos?limit=10").await?;
    /// println!("{videos}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn get<T: DeserializeOwned>(&self, route: &str) -> Call<T> {
        self.raw(WireRequest::raw(Method::GET, route, Body::Empty))
    }

    /// Posts JSON to any path: `POST {base URL}/{path}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let body = serde_json::json!({ "model": "reranker", "query": "rivers", "documents": ["Nile", "Mont Blanc"] });
    /// let ranked: serde_json::Value = client.post("rerank", &body).await?;
    /// # let _ = ranked; Ok(())
    /// # }
    /// ```
    pub fn post<T: DeserializeOwned>(&self, route: &str, body: &(impl Serialize + ?Sized)) -> Call<T> {
        self.raw(Body::json(body).and_then(|body| WireRequest::raw(Method::POST, route, body)))
    }

    /// Deletes a resource: `DELETE {base URL}/{path}`. An empty response reads as `()` or `Option`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let gone: serde_json::Value = client.delete("responses/resp_abc").await?;
    /// println!("{gone}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn delete<T: DeserializeOwned>(&self, route: &str) -> Call<T> {
        self.raw(WireRequest::raw(Method::DELETE, route, Body::Empty))
    }

    /// Posts a form with files to any path: `POST {base URL}/{path}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, Form};
    ///
    /// let form = Form::new().text("language", "en").file("file", FileSource::path("talk.mp3"));
    /// let response: serde_json::Value = client.post_multipart("audio/language-detection", form).await?;
    /// println!("{response}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn post_multipart<T: DeserializeOwned>(&self, route: &str, form: Form) -> Call<T> {
        self.raw(WireRequest::raw(Method::POST, route, Body::Form(Arc::new(form))))
    }

    /// Posts JSON to any path and returns the events: `POST {base URL}/{path}`. Set the field that makes the server
    /// stream (often `"stream": true`) in the body. The stream ends at `[DONE]` or at the end of the input.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let body = serde_json::json!({ "model": "gpt-6-luna", "input": "Name a river.", "stream": true });
    /// let mut events = client.post_stream::<serde_json::Value>("responses", &body).await?;
    /// while let Some(event) = events.try_next().await? {
    ///     println!("{event}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn post_stream<T: DeserializeOwned + 'static>(
        &self,
        route: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Call<EventStream<T>> {
        let request = Body::json(body).and_then(|body| WireRequest::raw(Method::POST, route, body));
        Call::new(&self.settings, request, BodyMode::Stream, open_any)
    }

    /// Gets events from any path: `GET {base URL}/{path}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let route = "responses/resp_abc?stream=true";
    /// let mut events = client.get_stream::<serde_json::Value>(route).await?;
    /// while let Some(event) = events.try_next().await? {
    ///     println!("{event}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_stream<T: DeserializeOwned + 'static>(&self, route: &str) -> Call<EventStream<T>> {
        Call::new(&self.settings, WireRequest::raw(Method::GET, route, Body::Empty), BodyMode::Stream, open_any)
    }

    /// Downloads a file from any path: `GET {base URL}/{path}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// client.download("containers/cntr_abc/files/cfile_abc/content").await?.save_to("plot.png").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn download(&self, route: &str) -> Call<Download> {
        Call::new(&self.settings, WireRequest::raw(Method::GET, route, Body::Empty), BodyMode::Stream, Download::open)
    }

    fn raw<T: DeserializeOwned>(&self, request: Result<WireRequest>) -> Call<T> {
        Call::new(&self.settings, request, BodyMode::Buffer, |response| response.buffered.decode_serde())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers nor query: both may contain keys.
        f.debug_struct("Client").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}
