//! What a server can run: `client.models()`.
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
use crate::client::Client;
use crate::page::{Deleted, Page};

/// Models of one client's server.
#[derive(Clone, Debug)]
pub struct Models {
    client: Client,
}

impl Client {
    /// What the server can run.
    pub fn models(&self) -> Models {
        Models { client: self.clone() }
    }
}

impl Models {
    /// Lists the models: `GET /models`. All of them come at once.
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
        Call::page(&self.client, &["models"])
    }

    /// Gets a model: `GET /models/{model}`. A slash in the id is escaped; for a server that wants it as it stands, use
    /// [`Client::get`].
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let model = client.models().get("gpt-4o-mini").await?;
    /// println!("{} by {}", model.id, model.owned_by);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retrieve")]
    #[doc(alias = "models.retrieve")]
    pub fn get(&self, id: &str) -> Call<Model> {
        Call::get(&self.client, &["models", id])
    }

    /// Deletes a fine-tuned model of your own: `DELETE /models/{model}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let gone = client.models().delete("ft:gpt-4o-mini:acme:suffix:abc123").await?;
    /// assert!(gone.deleted);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "models.delete")]
    pub fn delete(&self, id: &str) -> Call<Deleted> {
        Call::deleted(&self.client, &["models", id])
    }
}

wire! {
    /// A model.
    ///
    /// Servers tell more about it in `extra`: prices, context length, capabilities. See
    /// [OpenAI: Models](https://platform.openai.com/docs/api-reference/models/object).
    pub struct Model {
        /// Its name in requests. May hold slashes, colons, or a path of files.
        pub id: String = always,
        /// `model`; do not rely on it.
        pub object: String,
        /// Moment of creation, in Unix seconds.
        pub created: Option<u64>,
        /// Who made it; empty on some servers.
        pub owned_by: String,
        /// Day from which it is no longer served, such as `2026-10-23`.
        pub shutdown_date: Option<String>,
    }
}

replies! { Model: id }
items! { Model }
