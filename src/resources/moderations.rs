//! Moderations: `client.moderations()`. Classifies texts and images as harmful or not.
//!
//! ```no_run
//! # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
//! use openai_compatible::moderations::ModerationRequest;
//!
//! let request = ModerationRequest::new(["A river is long.", "…"]).model("omni-moderation-latest");
//! for result in client.moderations().create(&request).await?.results {
//!     println!("{} {:?}", result.flagged, result.flagged_categories().collect::<Vec<_>>());
//! }
//! # Ok(())
//! # }
//! ```

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::call::Call;
use crate::chat::Part;
use crate::client::Client;
use crate::transport::request::{Body, WireRequest};
use crate::wire::{Input, InvalidInput, Output, ReadOutcome, Wire, from_value};

/// The moderations API of a client.
#[derive(Clone, Debug)]
pub struct Moderations {
    client: Client,
}

impl Client {
    /// Returns the moderations API.
    pub fn moderations(&self) -> Moderations {
        Moderations { client: self.clone() }
    }
}

impl Moderations {
    /// Classifies texts and images: `POST /moderations`.
    #[doc(alias = "moderations.create")]
    pub fn create(&self, request: impl Borrow<ModerationRequest>) -> Call<ModerationResponse> {
        let request = request.borrow();
        let wire = WireRequest::of_model(&["moderations"], request.model.as_deref(), Body::of(request, &[]));
        Call::send(&self.client.settings, wire)
    }
}

wire_struct! {
    /// A moderation request.
    ///
    /// See [OpenAI: Moderations](https://platform.openai.com/docs/api-reference/moderations/create).
    #[doc(alias = "CreateModerationRequest")]
    pub struct ModerationRequest {
        /// What to classify.
        pub input: ModerationInput = always,
        /// Id of the model. The server chooses one by default.
        pub model: Option<String>,
    }

    /// The results of a moderation.
    #[doc(alias = "CreateModerationResponse")]
    pub struct ModerationResponse {
        /// Id of the response.
        pub id: String,
        /// Model that classified the inputs.
        pub model: String,
        /// One result for each text, or one for all parts together.
        pub results: Vec<ModerationResult> = always,
    }

    /// The classification of an input.
    pub struct ModerationResult {
        /// True if the input belongs to any of the categories.
        pub flagged: bool = always,
        /// Whether the input belongs to each category, such as `violence/graphic`.
        pub categories: BTreeMap<String, Value>,
        /// The score of each category, from 0.0 to 1.0.
        pub category_scores: BTreeMap<String, Value>,
        /// The types of input that each category was found in: `text`, `image`.
        pub category_applied_input_types: BTreeMap<String, Vec<String>>,
    }
}

responses! { ModerationResponse: results }

impl ModerationRequest {
    /// Creates a request for a text, several texts, or the parts of one input: texts and images.
    pub fn new(input: impl Into<ModerationInput>) -> Self {
        ModerationRequest { input: input.into(), ..ModerationRequest::default_value() }
    }
}

setters! { ModerationRequest {
    model: impl Into<String>,
} }

impl ModerationResult {
    /// Returns the names of the categories that the input belongs to.
    pub fn flagged_categories(&self) -> impl Iterator<Item = &str> {
        let flagged = self.categories.iter().filter(|(_, is_flagged)| **is_flagged == Value::Bool(true));
        flagged.map(|(name, _)| name.as_str())
    }

    /// Returns the score of a category.
    pub fn score(&self, category: &str) -> Option<f64> {
        self.category_scores.get(category)?.as_f64()
    }
}

/// The input of a moderation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ModerationInput {
    /// One text.
    Text(String),
    /// Several texts, each with a result of its own.
    Texts(Vec<String>),
    /// Texts and images that are classified together.
    Parts(Vec<Part>),
}

impl From<&str> for ModerationInput {
    fn from(text: &str) -> Self {
        ModerationInput::Text(text.to_owned())
    }
}

impl From<String> for ModerationInput {
    fn from(text: String) -> Self {
        ModerationInput::Text(text)
    }
}

impl<T: Into<String>> From<Vec<T>> for ModerationInput {
    fn from(texts: Vec<T>) -> Self {
        ModerationInput::Texts(texts.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for ModerationInput {
    fn from(texts: [T; N]) -> Self {
        ModerationInput::Texts(texts.into_iter().map(Into::into).collect())
    }
}

impl From<Vec<Part>> for ModerationInput {
    fn from(parts: Vec<Part>) -> Self {
        ModerationInput::Parts(parts)
    }
}

impl<const N: usize> From<[Part; N]> for ModerationInput {
    fn from(parts: [Part; N]) -> Self {
        ModerationInput::Parts(parts.into())
    }
}

serde_of_wire! { ModerationInput }

impl Wire for ModerationInput {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        let value = input.value()?;
        *self = match (&value, from_value(&value), from_value(&value)) {
            (Value::String(text), ..) => ModerationInput::Text(text.clone()),
            (Value::Array(items), Some(texts), _) if items.iter().all(Value::is_string) => {
                ModerationInput::Texts(texts)
            }
            (Value::Array(_), _, Some(parts)) => ModerationInput::Parts(parts),
            _ => return Ok(ReadOutcome::mismatched(value)),
        };
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        match self {
            ModerationInput::Text(text) => Output::String(text),
            ModerationInput::Texts(texts) => texts.output(),
            ModerationInput::Parts(parts) => parts.output(),
        }
    }

    fn default_value() -> Self {
        ModerationInput::Text(String::new())
    }
}
