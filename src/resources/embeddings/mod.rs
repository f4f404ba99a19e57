//! Embeddings of texts as vectors: `client.embeddings()`.
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
use crate::error::Result;
use crate::transport::request::{Body, WireRequest};
use crate::wire::{Input, InvalidInput, ReadOutcome, Wire};

/// The embeddings endpoint.
#[derive(Clone, Debug)]
pub struct Embeddings {
    client: Client,
}

impl Client {
    /// Returns the handle for embeddings.
    pub fn embeddings(&self) -> Embeddings {
        Embeddings { client: self.clone() }
    }
}

impl Embeddings {
    /// Embeds texts in one request: `POST /embeddings`.
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
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) for a vector that is missing, null or malformed base64; the message
    /// contains its index.
    #[doc(alias = "embeddings.create")]
    pub fn create(&self, request: impl Borrow<EmbeddingRequest>) -> Call<EmbeddingList> {
        Call::send(&self.client.settings, post(&self.client, request.borrow()))
    }

    /// Embeds any number of texts: several requests with some texts each, a few at a time.
    ///
    /// Takes the same request as [`create`](Embeddings::create) and splits its array of texts or token arrays. The
    /// vectors are returned in the order of the inputs.
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
    let added = if is_open && client.settings.base64_embeddings { base64.as_slice() } else { &[] };
    let litellm_member = (is_open && added.is_empty()).then_some("\"encoding_format\":\"float\"");
    let wire = WireRequest::of_model(&["embeddings"], Some(&request.model), Body::of(request, added))?;
    Ok(WireRequest { litellm_member, ..wire })
}

wire_struct! {
    /// A request for embeddings. Fields that are `None` are not sent, except for `encoding_format` on servers known to
    /// support base64: see [`base64_embeddings`](crate::ClientBuilder::base64_embeddings).
    ///
    /// See [OpenAI: Embeddings](https://platform.openai.com/docs/api-reference/embeddings/create).
    #[doc(alias = "CreateEmbeddingRequest")]
    pub struct EmbeddingRequest {
        /// Name of the model, as the server lists it.
        pub model: String = always,
        /// One or more texts. Servers limit their number and length: 2048 texts of 8192 tokens, 300,000 tokens in
        /// total, on OpenAI; 100 texts on Gemini.
        pub input: EmbeddingInput = always,
        /// Encoding of the vectors in the response. They are decoded to numbers either way; base64 is less than half
        /// the size.
        pub encoding_format: Option<EncodingFormat>,
        /// Number of dimensions, from 1. *Providers*: for models that can shorten their vectors; `output_dimension` on
        /// Mistral.
        pub dimensions: Option<u32>,
        /// Id of the end user, chosen by the caller.
        pub user: Option<String>,
    }
}

text_or_tokens! {
    /// The input of an embeddings request.
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
    /// Encoding of vectors in a response.
    pub enum EncodingFormat {
        /// A JSON array of numbers.
        Float = "float",
        /// Base64 of little-endian 32-bit floats.
        Base64 = "base64",
    }
}

impl EmbeddingRequest {
    /// Creates a request from a model and one or more texts.
    pub fn new(model: impl Into<String>, input: impl Into<EmbeddingInput>) -> Self {
        EmbeddingRequest { model: model.into(), input: input.into(), ..EmbeddingRequest::default_value() }
    }
}

setters! { EmbeddingRequest {
    encoding_format: impl Into<EncodingFormat>,
    dimensions: u32,
    user: impl Into<String>,
} }

wire_struct! {
    /// The vectors, in the order of the inputs.
    ///
    /// Sorted by index; where a server omits indexes, the vectors are numbered in the order they arrived.
    #[doc(alias = "CreateEmbeddingResponse")]
    pub struct EmbeddingList {
        /// Object type, `list`; do not rely on it.
        pub object: String,
        /// One embedding for each input.
        pub data: Vec<Embedding> = with(in_order),
        /// Model that produced the vectors.
        pub model: String,
        /// Token usage. *Providers*: missing on Gemini and Together.
        pub usage: Option<Usage>,
    }

    /// The embedding of one input.
    ///
    /// See [OpenAI: Embedding](https://platform.openai.com/docs/api-reference/embeddings/object).
    pub struct Embedding {
        /// Position of the input, from 0.
        pub index: u32,
        /// Object type, `embedding`; do not rely on it.
        pub object: String,
        /// The vector, shape `[dimensions]`, whether the server sent floats, integers or base64 of 32-bit floats. A
        /// null among the numbers is read as NaN. Other shapes, such as several vectors for one input, are kept in
        /// `extra` under this name and leave this empty.
        pub embedding: Vec<f32> = always,
    }
}

responses! { EmbeddingList: data {
    /// An empty vector in place of one that was not read would be wrong. What is not a vector is kept: matrices.
    fn defect(&self) -> Option<String> {
        let kept = |item: &Embedding| item.extra.get("embedding").is_some_and(|value| value.is_array() || value.is_object());
        let item = self.data.iter().find(|item| item.embedding.is_empty() && !kept(item))?;
        let what = match item.extra.get("embedding") {
            Some(Value::String(_)) => "is not base64-encoded `f32` data",
            Some(_) => "is no vector",
            None => "is missing or null",
        };
        Some(format!("embedding {} {what}", item.index))
    }
} }

impl EmbeddingList {
    /// Returns the embeddings that are most similar to a query, best first, with their cosine similarity. Vectors with
    /// another number of dimensions, and zeros, are left out.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::embeddings::EmbeddingRequest;
    ///
    /// let texts = ["a river", "a mountain", "a lake"];
    /// let embed = |texts: &[&str]| client.embeddings().create(EmbeddingRequest::new("nomic-embed-text", texts));
    /// let (known, query) = (embed(&texts).await?, embed(&["water"]).await?);
    /// for (item, similarity) in known.nearest(&query.data[0], 2) {
    ///     println!("{similarity:.2} {}", texts[item.index as usize]);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "search")]
    pub fn nearest(&self, query: impl AsRef<[f32]>, count: usize) -> Vec<(&Embedding, f32)> {
        let query = query.as_ref();
        let mut found: Vec<_> = self.data.iter().map(|item| (item, item.cosine_similarity(query))).collect();
        found.retain(|(_, similarity)| !similarity.is_nan());
        found.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        found.truncate(count);
        found
    }

    /// Returns the vectors only.
    pub fn into_vectors(self) -> Vec<Vec<f32>> {
        self.data.into_iter().map(|item| item.embedding).collect()
    }
}

/// A server that omits the index, or writes the same index everywhere, sends the vectors in order.
fn in_order(data: &mut Vec<Embedding>, input: Input<'_>) -> std::result::Result<ReadOutcome, InvalidInput> {
    let read = data.read(input)?;
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
    /// Returns the dot product. For vectors of length 1, which most models produce, it equals the cosine similarity.
    ///
    /// NaN if the numbers of dimensions differ.
    pub fn dot(&self, other: impl AsRef<[f32]>) -> f32 {
        dot(&self.embedding, other.as_ref())
    }

    /// Returns the cosine similarity: 1.0 for the same direction, 0.0 for orthogonal vectors, −1.0 for opposite
    /// directions.
    ///
    /// NaN if the numbers of dimensions differ, or if a vector is all zeros.
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
