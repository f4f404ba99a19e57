//! What a call tells `tracing`: one span a call, one event an attempt, under the names of OpenTelemetry's conventions.
//! Bodies, keys, queries and the server's own words stay out, as do all header values but the request id. Without the
//! feature it is all empty.

#[cfg(not(feature = "tracing"))]
pub(crate) use self::off::{Trace, attempt};
#[cfg(feature = "tracing")]
pub(crate) use self::on::{Trace, attempt};

#[cfg(not(feature = "tracing"))]
mod off {
    use ::http::StatusCode;

    use crate::call::Asked;
    use crate::error::Error;
    use crate::transport::Answer;
    use crate::transport::retry::Verdict;

    #[derive(Debug, Default)]
    pub(crate) struct Trace(());

    impl Trace {
        pub(crate) fn start(_: &Asked) -> Self {
            Trace(())
        }

        pub(crate) fn over<F: Future>(&self, call: F) -> F {
            call
        }

        pub(crate) fn answered(&mut self, _: &Answer) {}

        pub(crate) fn read(&mut self, _: &[u8]) {}

        pub(crate) fn fail(&mut self, _: &Error) {}

        pub(crate) fn end(&mut self) {}
    }

    pub(crate) fn attempt(_: u32, _: Result<StatusCode, (&Error, Verdict)>) {}
}

#[cfg(feature = "tracing")]
mod on {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use ::http::{Method, StatusCode};
    use serde::Deserialize;
    use serde_json::Value;
    use serde_json::value::RawValue;
    use tracing::field::{Empty, debug};
    use tracing::{Instrument, Span};
    use url::Origin;

    use crate::call::{Asked, request_id};
    use crate::error::{Error, Secrets};
    use crate::transport::Answer;
    use crate::transport::request::WireRequest;
    use crate::transport::retry::Verdict;

    /// Does not change when files move: filters name it.
    const TARGET: &str = "openai_compatible";

    /// Routes that run a model: the operation, and what is made where the operation does not say it.
    const OPERATIONS: [(&str, &str, Option<&str>); 10] = [
        ("chat/completions", "chat", None),
        ("responses", "chat", None),
        ("completions", "text_completion", None),
        ("embeddings", "embeddings", None),
        ("audio/speech", "generate_content", Some("speech")),
        ("audio/transcriptions", "generate_content", Some("text")),
        ("audio/translations", "generate_content", Some("text")),
        ("images/generations", "generate_content", Some("image")),
        ("images/edits", "generate_content", Some("image")),
        ("images/variations", "generate_content", Some("image")),
    ];

    /// Parts of routes that are no ids, besides the first part.
    const WORDS: [&str; 28] = [
        "cancel",
        "checkpoints",
        "client_secrets",
        "compact",
        "complete",
        "completions",
        "content",
        "edits",
        "events",
        "file_batches",
        "files",
        "generations",
        "input_items",
        "input_tokens",
        "items",
        "jobs",
        "messages",
        "output_items",
        "parts",
        "pause",
        "resume",
        "runs",
        "search",
        "speech",
        "transcriptions",
        "translations",
        "variations",
        "voices",
    ];

    /// The span of a call, until its reply is read; nothing where nobody listens.
    #[derive(Debug, Default)]
    pub(crate) struct Trace(Option<Box<Open>>);

    /// What the call came to is recorded once, at its end: some subscribers write a field again for each value.
    #[derive(Debug)]
    struct Open {
        span: Span,
        is_inference: bool,
        secrets: Secrets,
        status: Option<StatusCode>,
        request_id: Option<String>,
        attempts: u32,
        error: Option<Cow<'static, str>>,
        id: Option<String>,
        model: Option<String>,
        finish_reasons: BTreeMap<u64, String>,
        input_tokens: Option<u64>,
        cached_tokens: Option<u64>,
        output_tokens: Option<u64>,
    }

    impl Trace {
        pub(crate) fn start(asked: &Asked) -> Self {
            let request = &asked.request;
            let operation = operation(request);
            let (host, port) = match &asked.client.settings().base_url.origin {
                Origin::Tuple(_, host, port) => (Some(host), Some(*port)),
                Origin::Opaque(_) => (None, None),
            };
            let span = tracing::info_span!(
                target: TARGET,
                "gen_ai.client",
                otel.name = %match operation {
                    Some((operation, _)) => format!("{operation} {}", request.model.as_deref().unwrap_or_default()),
                    None => format!("{} {}", request.method, route(request)),
                }
                .trim_end(),
                otel.kind = "client",
                otel.status_code = Empty,
                gen_ai.operation.name = operation.map(|(operation, _)| operation),
                // The convention's word for this API, whoever serves it.
                gen_ai.provider.name = operation.map(|_| "openai"),
                gen_ai.output.type = operation.and_then(|(_, output)| output),
                gen_ai.request.model = request.model.as_deref(),
                gen_ai.response.id = Empty,
                gen_ai.response.model = Empty,
                gen_ai.response.finish_reasons = Empty,
                gen_ai.usage.input_tokens = Empty,
                gen_ai.usage.cache_read.input_tokens = Empty,
                gen_ai.usage.output_tokens = Empty,
                server.address = host.map(tracing::field::display),
                server.port = port,
                http.request.method = request.method.as_str(),
                http.request.resend_count = Empty,
                http.response.status_code = Empty,
                url.template = route(request),
                request_id = Empty,
                error.type = Empty,
            );
            if span.is_disabled() {
                return Trace(None);
            }
            Trace(Some(Box::new(Open {
                span,
                is_inference: operation.is_some(),
                secrets: Secrets::default(),
                status: None,
                request_id: None,
                attempts: 0,
                error: None,
                id: None,
                model: None,
                finish_reasons: BTreeMap::new(),
                input_tokens: None,
                cached_tokens: None,
                output_tokens: None,
            })))
        }

        /// The call, inside its span.
        pub(crate) fn over<F: Future>(&self, call: F) -> impl Future<Output = F::Output> + use<F> {
            call.instrument(self.0.as_ref().map_or_else(Span::none, |open| open.span.clone()))
        }

        pub(crate) fn answered(&mut self, answer: &Answer) {
            let Some(open) = &mut self.0 else { return };
            open.secrets = answer.whole.secrets.clone();
            open.status = Some(answer.whole.status);
            open.request_id = request_id(&answer.whole.headers).map(str::to_owned);
            open.attempts = answer.attempts;
            self.read(&answer.whole.body);
        }

        /// Looks into a reply, or into one event of it. The types know nothing of it: so it works for raw routes, too.
        pub(crate) fn read(&mut self, json: &[u8]) {
            let Some(open) = self.0.as_mut().filter(|open| open.is_inference && !json.is_empty()) else { return };
            let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
            let Ok(told) = serde_json::from_slice::<Told<'_>>(json) else { return };
            // Events of the Responses API hold the reply.
            let inner = told.response.and_then(|inner| serde_json::from_str::<Told<'_>>(inner.get()).ok());
            open.take(told);
            if let Some(inner) = inner {
                open.take(inner);
            }
        }

        pub(crate) fn fail(&mut self, error: &Error) {
            if let Some(open) = &mut self.0 {
                open.error = Some(error_type(error));
                open.status = error.status().or(open.status);
                open.request_id = error.request_id().map(str::to_owned).or(open.request_id.take());
                open.attempts = error.attempts().max(open.attempts);
            }
            self.end();
        }

        /// Ends the span; so does dropping this.
        pub(crate) fn end(&mut self) {
            self.0 = None;
        }
    }

    /// What is told of a reply; whatever else is in it is skipped unread.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Told<'a> {
        id: Value,
        model: Value,
        choices: Option<Vec<ToldChoice>>,
        usage: Value,
        /// Groq's place for the usage of a stream.
        x_groq: Value,
        #[serde(borrow)]
        response: Option<&'a RawValue>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct ToldChoice {
        index: Value,
        finish_reason: Value,
    }

    impl Open {
        fn take(&mut self, told: Told<'_>) {
            self.id = text(told.id).or(self.id.take());
            self.model = text(told.model).or(self.model.take());
            for (choice, position) in told.choices.into_iter().flatten().zip(0..) {
                if let Some(reason) = text(choice.finish_reason) {
                    self.finish_reasons.insert(choice.index.as_u64().unwrap_or(position), reason);
                }
            }
            let own = told.x_groq.get("usage").filter(|_| !told.usage.is_object());
            let usage = own.unwrap_or(&told.usage);
            let count = |pointers: [&str; 2]| {
                let found = pointers.iter().find_map(|pointer| usage.pointer(pointer))?;
                found.as_u64().or_else(|| found.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
            };
            // The last ones count: they are never added up.
            self.input_tokens = count(["/prompt_tokens", "/input_tokens"]).or(self.input_tokens);
            self.output_tokens = count(["/completion_tokens", "/output_tokens"]).or(self.output_tokens);
            self.cached_tokens = count(["/prompt_tokens_details/cached_tokens", "/input_tokens_details/cached_tokens"])
                .or(self.cached_tokens);
        }
    }

    impl Drop for Open {
        fn drop(&mut self) {
            let span = &self.span;
            let texts = [
                ("request_id", &self.request_id),
                ("gen_ai.response.id", &self.id),
                ("gen_ai.response.model", &self.model),
            ];
            for (name, text) in texts {
                if let Some(text) = text {
                    span.record(name, &*self.secrets.hide(text));
                }
            }
            if !self.finish_reasons.is_empty() {
                let reasons: Vec<_> = self.finish_reasons.values().map(|reason| self.secrets.hide(reason)).collect();
                span.record("gen_ai.response.finish_reasons", debug(reasons));
            }
            let numbers = [
                ("gen_ai.usage.input_tokens", self.input_tokens),
                ("gen_ai.usage.cache_read.input_tokens", self.cached_tokens),
                ("gen_ai.usage.output_tokens", self.output_tokens),
                ("http.response.status_code", self.status.map(|status| status.as_u16().into())),
                ("http.request.resend_count", self.attempts.checked_sub(1).filter(|n| *n > 0).map(Into::into)),
            ];
            for (name, number) in numbers {
                if let Some(number) = number {
                    span.record(name, number);
                }
            }
            if let Some(error) = &self.error {
                span.record("error.type", &**error).record("otel.status_code", "ERROR");
            }
        }
    }

    /// One attempt has come to its end.
    pub(crate) fn attempt(number: u32, result: Result<StatusCode, (&Error, Verdict)>) {
        match result {
            Ok(status) => tracing::debug!(
                target: TARGET,
                attempt = number,
                http.response.status_code = status.as_u16(),
                "the server answered"
            ),
            Err((error, verdict)) => tracing::debug!(
                target: TARGET,
                attempt = number,
                http.response.status_code = error.status().map(|status| status.as_u16()),
                error.type = &*error_type(error),
                request_id = error.request_id(),
                wait_ms = match verdict {
                    Verdict::Retry(wait) => u64::try_from(wait.as_millis()).ok(),
                    Verdict::Stop => None,
                },
                "the attempt failed, {}",
                match verdict {
                    Verdict::Retry(_) => "another follows",
                    Verdict::Stop => "no other follows",
                }
            ),
        }
    }

    fn operation(request: &WireRequest) -> Option<(&'static str, Option<&'static str>)> {
        let path = request.path.trim_end_matches('/');
        let known = OPERATIONS.iter().find(|(route, ..)| request.method == Method::POST && *route == path);
        known.map(|(_, operation, output)| (*operation, *output))
    }

    /// The route with `{id}` in place of ids: few values, and none of them the user's.
    fn route(request: &WireRequest) -> String {
        let mut route = String::with_capacity(request.path.len() + 1);
        for (position, part) in request.path.trim_end_matches('/').split('/').enumerate() {
            route.push('/');
            route.push_str(if position == 0 || WORDS.contains(&part) { part } else { "{id}" });
        }
        route
    }

    /// The status of a refusal, else the kind of error: few values, and none of them the server's words.
    fn error_type(error: &Error) -> Cow<'static, str> {
        match error.status().filter(|status| !status.is_success()) {
            Some(status) => status.as_str().to_owned().into(),
            None => format!("{:?}", error.kind()).to_ascii_lowercase().into(),
        }
    }

    fn text(value: Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}
