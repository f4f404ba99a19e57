//! Rerank: `client.rerank()`. Sorts documents by their relevance to a query, on servers that have it: vLLM, SGLang, llama.cpp,
//! LiteLLM, LocalAI, Jina, Cohere, Voyage, TEI. Not part of OpenAI's API.
//!
//! ```no_run
//! # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
//! use openai_compatible::rerank::RerankRequest;
//!
//! let documents = ["The Nile is long.", "The Alps are high."];
//! let request = RerankRequest::new("bge-reranker-v2-m3", "Which river is long?", documents).top_n(1);
//! for result in client.rerank().create(&request).await?.results {
//!     println!("{:.2} {}", result.relevance_score, result.text());
//! }
//! # Ok(())
//! # }
//! ```

use std::borrow::Borrow;

use serde::Deserialize;
use serde_json::Value;

use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::decode::ApiResponse;
use crate::transport::request::{Body, WireRequest};
use crate::transport::{BodyMode, RawResponse};
use crate::wire::{Wire, from_value};

/// The rerank API of a client.
#[derive(Clone, Debug)]
pub struct Rerank {
    client: Client,
}

impl Client {
    /// Returns the rerank API.
    pub fn rerank(&self) -> Rerank {
        Rerank { client: self.clone() }
    }
}

impl Rerank {
    /// Sorts documents by their relevance: `POST /rerank`.
    ///
    /// The results are sorted, best first, and contain their documents, whether the server sends them or not.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if a result refers to a document that the request does not have.
    pub fn create(&self, request: impl Borrow<RerankRequest>) -> Call<RerankResponse> {
        let request = request.borrow();
        let wire = WireRequest::of_model(&["rerank"], Some(&request.model), Body::of(request, &[]));
        Call::new(&self.client.settings, wire, BodyMode::Buffer, decode)
    }
}

wire_struct! {
    /// A request to sort documents.
    ///
    /// See [vLLM: Re-rank API](https://docs.vllm.ai/en/latest/serving/openai_compatible_server/#re-rank-api).
    pub struct RerankRequest {
        /// Id of the model.
        pub model: String = always,
        /// What the documents should be about.
        pub query: String = always,
        /// The documents, as text.
        pub documents: Vec<String> = always,
        /// Maximum number of results. All documents by default.
        pub top_n: Option<u32>,
        /// Asks the server to send the documents back. Not necessary: the results contain them anyway.
        pub return_documents: Option<bool>,
    }

    /// The results, best first.
    pub struct RerankResponse {
        /// Id of the response. *Providers*: missing on many.
        pub id: String,
        /// Model that sorted the documents.
        pub model: String,
        /// The results, best first.
        pub results: Vec<RerankResult> = always,
        /// Token usage, in the fields of the server.
        pub usage: Option<Value>,
    }

    /// The relevance of a document.
    pub struct RerankResult {
        /// Position of the document in the request, from 0.
        pub index: u32 = always,
        /// Relevance: higher is better. Its range depends on the model: from 0.0 to 1.0 for most.
        pub relevance_score: f64 = always,
        /// The document: text, or an object with a `text`.
        pub document: Option<Value>,
    }
}

impl RerankRequest {
    /// Creates a request from a model, a query and documents.
    pub fn new(
        model: impl Into<String>,
        query: impl Into<String>,
        documents: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        RerankRequest {
            model: model.into(),
            query: query.into(),
            documents: documents.into_iter().map(Into::into).collect(),
            ..RerankRequest::default_value()
        }
    }
}

setters! { RerankRequest {
    top_n: u32,
    return_documents: bool,
} }

impl RerankResult {
    /// Returns the text of the document.
    pub fn text(&self) -> &str {
        match &self.document {
            Some(Value::String(text)) => text,
            Some(document) => document.get("text").and_then(Value::as_str).unwrap_or_default(),
            None => "",
        }
    }
}

responses! { RerankResponse: results {
    /// SGLang and TEI send the array alone.
    fn read_root(&mut self, body: &Value) -> bool {
        self.results = from_value(body).unwrap_or_default();
        !self.results.is_empty()
    }

    /// Voyage names the array `data`; TEI and SGLang have other names for the score and the document.
    fn complete(&mut self) {
        if self.results.is_empty() {
            self.results = self.extra.remove("data").and_then(|data| from_value(&data)).unwrap_or_default();
        }
        for result in &mut self.results {
            if let Some(score) = result.extra.remove("score") {
                result.relevance_score = score.as_f64().unwrap_or(result.relevance_score);
            }
            if result.document.is_none() {
                result.document = result.extra.remove("text");
            }
        }
        self.results.sort_by(|one, other| other.relevance_score.total_cmp(&one.relevance_score));
    }
} }

/// The documents of the request, which most servers do not send back.
#[derive(Deserialize)]
struct Documents {
    documents: Vec<String>,
}

fn decode(response: &mut RawResponse) -> Result<RerankResponse> {
    let mut reranked = RerankResponse::decode(response)?;
    let body = match response.prepared.as_ref().map(|prepared| &prepared.request.body) {
        Some(Body::Json(body)) => serde_json::from_slice::<Documents>(body).ok(),
        _ => None,
    };
    let Some(Documents { documents }) = body else { return Ok(reranked) };
    for result in &mut reranked.results {
        let position = usize::try_from(result.index).unwrap_or(usize::MAX);
        let Some(document) = documents.get(position) else {
            let what = format!("result refers to document {}, and the request has {}", result.index, documents.len());
            return Err(Error::new(ErrorKind::Decode, what));
        };
        result.document.get_or_insert_with(|| document.as_str().into());
    }
    Ok(reranked)
}
