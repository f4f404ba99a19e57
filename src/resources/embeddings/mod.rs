//! Texts as vectors: `client.embeddings()`.
//!
//! ```no_run
//! # async fn run() -> openai_compatible::Result<()> {
//! use openai_compatible::{Client, embeddings::EmbeddingRequest};
//!
//! let client = Client::from_env()?;
//! let request = EmbeddingRequest::new("text-embedding-3-small", ["red", "green", "crimson"]);
//! let vectors = client.embeddings().create(&request).await?.data;
//! if let [red, green, crimson] = vectors.as_slice() {
//!     assert!(red.cosine_similarity(crimson) > red.cosine_similarity(green));
//! }
//! # Ok(())
//! # }
//! ```

use std::borrow::Borrow;

use serde_json::Value;

mod create_all;
mod vector;

pub use self::create_all::CreateAll;
use self::vector::dot;
use crate::call::Call;
use crate::chat::Usage;
use crate::client::Client;
use crate::error::{ErrorKind, Result};
use crate::transport::request::{Body, WireRequest};
use crate::transport::{Answer, Expect};
use crate::wire::{Json, NotJson, Read, Wire};

/// Embeddings of one client.
#[derive(Clone, Debug)]
pub struct Embeddings {
    client: Client,
}

impl Client {
    /// Texts as vectors.
    pub fn embeddings(&self) -> Embeddings {
        Embeddings { client: self.clone() }
    }
}

impl Embeddings {
    /// Turns texts into vectors, in one request: `POST /embeddings`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::embeddings::EmbeddingRequest;
    ///
    /// let request = EmbeddingRequest::new("text-embedding-3-small", ["red", "green"]).dimensions(256);
    /// for item in client.embeddings().create(&request).await?.data {
    ///     println!("{}: {} numbers", item.index, item.embedding.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] for a vector whose base64 is broken; the message names its index.
    #[doc(alias = "embeddings.create")]
    pub fn create(&self, request: impl Borrow<EmbeddingRequest>) -> Call<EmbeddingList> {
        Call::new(&self.client, post(&self.client, request.borrow()), Expect::Whole, decode)
    }

    /// Turns any number of texts into vectors: several requests of some texts each, a few of them at a time.
    ///
    /// It takes the same request as [`create`](Embeddings::create) and splits its list of texts or of token lists. The
    /// vectors come in the order of the inputs.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, lines: Vec<String>) -> openai_compatible::Result<()> {
    /// use openai_compatible::embeddings::EmbeddingRequest;
    ///
    /// let vectors = client.embeddings()
    ///     .create_all(EmbeddingRequest::new("text-embedding-3-small", lines))
    ///     .batch_size(256)
    ///     .on_progress(|done, total| println!("{done} of {total}"))
    ///     .await?
    ///     .into_vectors();
    /// # let _ = vectors; Ok(())
    /// # }
    /// ```
    pub fn create_all(&self, request: EmbeddingRequest) -> CreateAll {
        CreateAll::new(&self.client, request)
    }
}

fn post(client: &Client, request: &EmbeddingRequest) -> Result<WireRequest> {
    let is_open = request.encoding_format.is_none() && !request.extra.contains_key("encoding_format");
    let base64 = [("encoding_format", Value::from("base64"))];
    let added = if is_open && client.settings().base64_embeddings { base64.as_slice() } else { &[] };
    WireRequest::of_model(&["embeddings"], Some(&request.model), Body::of(request, added))
}

/// A reply whose vectors are whole: reading keeps broken base64 aside, and an empty vector in its place would be a lie.
fn decode(answer: &mut Answer) -> Result<EmbeddingList> {
    let list: EmbeddingList = answer.whole.reply()?;
    match list.data.iter().find(|item| item.extra.get("embedding").is_some_and(Value::is_string)) {
        None => Ok(list),
        Some(Embedding { index, .. }) => {
            let message = format!("the vector at index {index} is not base64 of 32-bit floats");
            Err(answer.whole.error(ErrorKind::Decode, message))
        }
    }
}

wire! {
    /// What to turn into vectors. Plain data. What is not set is not sent, but for `encoding_format` on servers that are
    /// known to have base64: see [`base64_embeddings`](crate::ClientBuilder::base64_embeddings).
    ///
    /// See [OpenAI: Embeddings](https://platform.openai.com/docs/api-reference/embeddings/create).
    #[doc(alias = "CreateEmbeddingRequest")]
    pub struct EmbeddingRequest {
        /// Name of the model, as the server lists it.
        pub model: String = always,
        /// One text or several. Servers limit their number and length: 2048 texts of 8192 tokens, 300,000 tokens in
        /// all, on OpenAI; 100 texts on Gemini.
        pub input: EmbeddingInput = always,
        /// How vectors travel. They are read into numbers either way; base64 is less than half the size.
        pub encoding_format: Option<EncodingFormat>,
        /// Length of the vectors, from 1. *Providers*: for models that can shorten theirs; `output_dimension` on Mistral.
        pub dimensions: Option<u32>,
        /// Your own id of the end user.
        pub user: Option<String>,
    }
}

text_or_tokens! {
    /// What to turn into vectors.
    ///
    /// ```
    /// use openai_compatible::embeddings::EmbeddingInput;
    ///
    /// let texts = EmbeddingInput::from(["red", "green"]);
    /// let image = EmbeddingInput::from(serde_json::json!([{ "image": "https://example.org/red.png" }]));
    /// # let _ = (texts, image);
    /// ```
    pub enum EmbeddingInput
}

open_enum! {
    /// How vectors travel.
    pub enum EncodingFormat {
        /// A JSON list of numbers.
        Float = "float",
        /// Base64 of little-endian 32-bit floats.
        Base64 = "base64",
    }
}

impl EmbeddingRequest {
    /// One text or several, for a model.
    pub fn new(model: impl Into<String>, input: impl Into<EmbeddingInput>) -> Self {
        EmbeddingRequest { model: model.into(), input: input.into(), ..EmbeddingRequest::blank() }
    }
}

setters! { EmbeddingRequest {
    encoding_format: impl Into<EncodingFormat>,
    dimensions: u32,
    user: impl Into<String>,
} }

wire! {
    /// The vectors, in the order of the inputs.
    ///
    /// Sorted by their indexes; where a server leaves those out, they are numbered as they came.
    #[doc(alias = "CreateEmbeddingResponse")]
    pub struct EmbeddingList {
        /// `list`; do not rely on it.
        pub object: String,
        /// One for each input.
        pub data: Vec<Embedding> = by(in_order),
        /// Model that answered.
        pub model: String,
        /// Tokens used. *Providers*: missing on Gemini and Together.
        pub usage: Option<Usage>,
    }

    /// One vector.
    ///
    /// See [OpenAI: Embedding](https://platform.openai.com/docs/api-reference/embeddings/object).
    pub struct Embedding {
        /// Position of its input, from 0.
        pub index: u32,
        /// `embedding`; do not rely on it.
        pub object: String,
        /// The vector, whether the server sent numbers, integers or base64 of 32-bit floats. A null among the numbers is
        /// a NaN. Other shapes, such as several vectors for one input, stay in `extra` under this name and leave this
        /// empty.
        pub embedding: Vec<f32> = always,
    }
}

replies! { EmbeddingList: data }

impl EmbeddingList {
    /// The vectors alone.
    pub fn into_vectors(self) -> Vec<Vec<f32>> {
        self.data.into_iter().map(|item| item.embedding).collect()
    }
}

/// A server that leaves an index out, or writes the same for all, sends them in order.
fn in_order(data: &mut Vec<Embedding>, json: &mut Json<'_>) -> std::result::Result<Read, NotJson> {
    let read = data.read(json)?;
    let mut indexes: Vec<u32> = data.iter().map(|item| item.index).collect();
    indexes.sort_unstable();
    indexes.dedup();
    if indexes.len() == data.len() {
        data.sort_by_key(|item| item.index);
    } else {
        number(data);
    }
    Ok(read)
}

fn number(data: &mut [Embedding]) {
    for (index, item) in (0..).zip(data) {
        item.index = index;
    }
}

impl Embedding {
    /// The dot product. For vectors of length 1, which most models give, it is the cosine similarity.
    ///
    /// NaN when the two have not the same number of dimensions.
    pub fn dot(&self, other: impl AsRef<[f32]>) -> f32 {
        dot(&self.embedding, other.as_ref())
    }

    /// How alike two vectors are: 1.0 for the same direction, 0.0 for a right angle, −1.0 for the opposite.
    ///
    /// NaN when the two have not the same number of dimensions, or when one is all zeros.
    pub fn cosine_similarity(&self, other: impl AsRef<[f32]>) -> f32 {
        let (one, other) = (self.embedding.as_slice(), other.as_ref());
        let lengths = dot(one, one).sqrt() * dot(other, other).sqrt();
        (dot(one, other) / lengths).clamp(-1.0, 1.0)
    }
}

impl AsRef<[f32]> for Embedding {
    fn as_ref(&self) -> &[f32] {
        &self.embedding
    }
}
