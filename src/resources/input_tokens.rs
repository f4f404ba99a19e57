//! The number of input tokens of a response, counted by the server: [`Responses::count_input_tokens`].

use std::borrow::Borrow;

use crate::call::Call;
use crate::responses::{ResponseRequest, Responses, fields_except};
use crate::transport::request::Body;

impl Responses {
    /// Counts the input tokens of a request without running it: `POST /responses/input_tokens`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::responses::ResponseRequest;
    ///
    /// let request = ResponseRequest::new("gpt-6-luna", "Name three rivers.");
    /// println!("{} tokens", client.responses().count_input_tokens(&request).await?.input_tokens);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "responses.input_tokens.count")]
    pub fn count_input_tokens(&self, request: impl Borrow<ResponseRequest>) -> Call<InputTokens> {
        let body = Body::of(request.borrow(), &fields_except(&INPUT_FIELDS));
        Call::post_body(&self.client.settings, &["responses", "input_tokens"], body)
    }
}

/// The fields that the endpoint knows.
const INPUT_FIELDS: [&str; 11] = [
    "model",
    "input",
    "instructions",
    "conversation",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];
wire_struct! {
    /// A number of input tokens.
    pub struct InputTokens {
        /// The literal `response.input_tokens`; do not rely on it.
        pub object: String,
        /// Number of input tokens.
        pub input_tokens: u64,
    }
}

responses! { InputTokens: input_tokens }
