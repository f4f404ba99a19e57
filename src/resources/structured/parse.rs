//! [`Parse`]: an answer of a Rust type, asked for again where it does not match.

use std::borrow::Borrow;
use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::ops::Deref;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;

use super::super::tools::ToolApi;
use crate::chat::{Chat, ChatRequest};
use crate::error::{Error, Result};
use crate::responses::{ResponseRequest, Responses};
use crate::transport::options::CallOptions;

impl Chat {
    /// Creates a completion and parses it; if it does not match the type, it is sent back to the model with the reason, for a new
    /// attempt. The request specifies the format.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest) -> openai_compatible::Result<()> {
    /// use openai_compatible::chat::ResponseFormat;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Recipe { title: String, minutes: u32 }
    ///
    /// let request = request.response_format(ResponseFormat::json_object()); // or: .json_schema::<Recipe>()
    /// let recipe = client.chat().parse::<Recipe>(&request).attempts(3).await?;
    /// println!("{}: {} minutes", recipe.title, recipe.minutes);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "instructor")]
    pub fn parse<T: DeserializeOwned + Send + 'static>(&self, request: impl Borrow<ChatRequest>) -> Parse<Chat, T> {
        Parse::new(self.clone(), request.borrow().clone())
    }
}

impl Responses {
    /// Creates a response and parses it; if it does not match the type, it is sent back to the model with the reason, for a new
    /// attempt. The request specifies the format.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, request: openai_compatible::responses::ResponseRequest) -> openai_compatible::Result<()> {
    /// let rivers = client.responses().parse::<Vec<String>>(&request).attempts(3).await?;
    /// println!("{} rivers", rivers.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn parse<T: DeserializeOwned + Send + 'static>(
        &self,
        request: impl Borrow<ResponseRequest>,
    ) -> Parse<Responses, T> {
        Parse::new(self.clone(), request.borrow().clone())
    }
}

/// A pending call whose output is decoded as a Rust type, sent when awaited.
///
/// A code fence, text around the JSON and trailing commas are accepted. Output that does not match the type is part of the next
/// request, together with the reason. A refusal, truncated output and a tool call are errors immediately, because another attempt
/// would not help.
#[must_use = "a call is sent when it is awaited"]
pub struct Parse<A: ToolApi, T> {
    api: A,
    request: A::Request,
    attempts: u32,
    options: CallOptions,
    _value: PhantomData<fn() -> T>,
}

/// Output decoded as a Rust type. Dereferences to the value.
#[derive(Clone)]
#[non_exhaustive]
pub struct Parsed<A: ToolApi, T> {
    /// The value.
    pub value: T,
    /// The completion or response that contains it.
    pub response: A::Response,
    /// Token usage of all attempts; `None` if the server reported none.
    pub usage: Option<A::Usage>,
    /// Number of requests to the model.
    pub attempts: u32,
}

impl<A: ToolApi, T: DeserializeOwned + Send + 'static> Parse<A, T> {
    fn new(api: A, request: A::Request) -> Self {
        Parse { api, request, attempts: 2, options: CallOptions::new(), _value: PhantomData }
    }

    /// Sets the maximum number of requests to the model. Defaults to 2.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Sets the options of each request.
    pub fn options(mut self, options: CallOptions) -> Self {
        self.options.merge(options);
        self
    }

    async fn run(self) -> Result<Parsed<A, T>> {
        let Parse { api, mut request, options, .. } = self;
        let (mut usage, mut attempts) = (None, 0);
        loop {
            attempts += 1;
            let response = api.call(&request, false).options(options.clone()).await?;
            A::add_usage(&mut usage, &response);
            match A::parse::<T>(&response) {
                Ok(value) => return Ok(Parsed { value, response, usage, attempts }),
                Err(error) if attempts < self.attempts && A::is_answer(&response) => {
                    A::add_reply(&mut request, &response);
                    A::add_question(&mut request, correction(&error));
                }
                Err(error) if attempts > 1 => return Err(error.with_context(format!("after {attempts} answers"))),
                Err(error) => return Err(error),
            }
        }
    }
}

fn correction(error: &Error) -> String {
    format!("{}. Answer again, with nothing but the corrected JSON.", error.message())
}

impl<A: ToolApi, T: DeserializeOwned + Send + 'static> IntoFuture for Parse<A, T> {
    type Output = Result<Parsed<A, T>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<A: ToolApi, T> Parsed<A, T> {
    /// Returns the value alone.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<A: ToolApi, T> Deref for Parsed<A, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<A: ToolApi, T> fmt::Debug for Parse<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the request: it is the prompt.
        f.debug_struct("Parse").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

impl<A: ToolApi, T: fmt::Debug> fmt::Debug for Parsed<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parsed").field("value", &self.value).field("attempts", &self.attempts).finish_non_exhaustive()
    }
}
