//! The models of a server: `client.models()`.
//!
//! ```no_run
//! # async fn run() -> openai_compatible::Result<()> {
//! use openai_compatible::Client;
//!
//! let client = Client::from_env()?;
//! for model in client.models().list().await?.data {
//!     println!("{}", model.id);
//! }
//! # Ok(())
//! # }
//! ```

use crate::call::Call;
use crate::call::page::{Deleted, Page};
use crate::client::Client;

/// The models endpoint.
#[derive(Clone, Debug)]
pub struct Models {
    client: Client,
}

impl Client {
    /// Returns the handle for the models of the server.
    pub fn models(&self) -> Models {
        Models { client: self.clone() }
    }
}

impl Models {
    /// Lists all models, on one page: `GET /models`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let models = client.models().list().await?;
    /// println!("{} models", models.data.len());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "models.list")]
    pub fn list(&self) -> Call<Page<Model>> {
        Call::page(&self.client.settings, &["models"])
    }

    /// Retrieves a model: `GET /models/{model}`. A slash in the id is escaped; for a server that expects it unescaped,
    /// use [`Client::get`].
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let model = client.models().get("gpt-6-luna").await?;
    /// println!("{} by {}", model.id, model.owned_by);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retrieve")]
    #[doc(alias = "models.retrieve")]
    pub fn get(&self, id: &str) -> Call<Model> {
        Call::get(&self.client.settings, &["models", id])
    }

    /// Deletes a fine-tuned model: `DELETE /models/{model}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let gone = client.models().delete("ft:llama-3:acme:suffix:abc123").await?;
    /// assert!(gone.deleted);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "models.delete")]
    pub fn delete(&self, id: &str) -> Call<Deleted> {
        Call::deleted(&self.client.settings, &["models", id])
    }
}

wire_struct! {
    /// A model.
    ///
    /// Servers report more about it in `extra`: prices, context length, capabilities. See [OpenAI:
    /// Models](https://platform.openai.com/docs/api-reference/models/object).
    pub struct Model {
        /// Id of the model, its name in requests. May contain slashes, colons, or a file path.
        pub id: String = always,
        /// Object type, `model`; do not rely on it.
        pub object: String,
        /// Creation time, in Unix seconds.
        pub created: Option<u64>,
        /// Owner of the model; empty on some servers.
        pub owned_by: String,
        /// Date from which the model is no longer served, such as `2026-10-23`.
        pub shutdown_date: Option<String>,
    }
}

responses! { Model: id }
page_items! { Model }

/// What servers call the context length of a model: OpenRouter and Together, vLLM, Groq, Mistral and LM Studio, LiteLLM, Gemini;
/// for objects, a pointer into them: llama.cpp, OpenRouter, OGX.
const CONTEXT_LENGTHS: [(&str, &str); 12] = [
    ("context_length", ""),
    ("max_model_len", ""),
    ("context_window", ""),
    ("max_context_length", ""),
    ("max_input_tokens", ""),
    ("inputTokenLimit", ""),
    ("context_size", ""),
    ("n_ctx", ""),
    ("meta", "/n_ctx"),
    ("meta", "/n_ctx_train"),
    ("top_provider", "/context_length"),
    ("custom_metadata", "/context_length"),
];

impl Model {
    /// Returns the maximum number of tokens of a prompt and its completion together, if the server reports it.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// for model in client.models().list().await?.data {
    ///     println!("{}: {:?} tokens", model.id, model.context_window());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "context_length")]
    #[doc(alias = "max_model_len")]
    pub fn context_window(&self) -> Option<u64> {
        let number = |value: &serde_json::Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
        let lengths =
            CONTEXT_LENGTHS.iter().filter_map(|(name, pointer)| number(self.extra.get(name)?.pointer(pointer)?));
        lengths.into_iter().find(|length| *length > 0)
    }
}
