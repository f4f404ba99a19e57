//! Spans and events for `tracing`: one span per call and one event per attempt, with the names of OpenTelemetry's
//! conventions. Bodies, keys, queries and error messages are never recorded, and no header value except for the request
//! id. Empty without the feature.

#[cfg(not(feature = "tracing"))]
pub(crate) use self::off::{Trace, record_attempt};
#[cfg(feature = "tracing")]
pub(crate) use self::on::{Trace, record_attempt};

#[cfg(not(feature = "tracing"))]
mod off {
    use ::http::StatusCode;

    use crate::error::Error;
    use crate::transport::PreparedCall;
    use crate::transport::RawResponse;
    use crate::transport::retry::RetryDecision;

    #[derive(Debug, Default)]
    pub(crate) struct Trace(());

    impl Trace {
        pub(crate) fn start(_: &PreparedCall) -> Self {
            Trace(())
        }

        pub(crate) fn instrument<F: Future>(&self, call: F) -> F {
            call
        }

        pub(crate) fn record_response(&mut self, _: &RawResponse) {}

        pub(crate) fn record_body(&mut self, _: &[u8]) {}

        pub(crate) fn record_error(&mut self, _: &Error) {}

        pub(crate) fn finish(&mut self) {}
    }

    pub(crate) fn record_attempt(_: u32, _: Result<StatusCode, (&Error, RetryDecision)>) {}
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

    use crate::error::request_id;
    use crate::error::{Error, Secrets};
    use crate::transport::PreparedCall;
    use crate::transport::RawResponse;
    use crate::transport::request::WireRequest;
    use crate::transport::retry::RetryDecision;

    /// Stays the same when files move, because filters name it.
    const TARGET: &str = "openai_compatible";

    /// Endpoints that run a model: the operation, and the type of output unless the operation implies it.
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

    /// Path segments that are not ids, apart from the first one.
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

    /// The span of a call, until its response is read; nothing if no subscriber is interested.
    #[derive(Debug, Default)]
    pub(crate) struct Trace(Option<Box<Open>>);

    /// Results are recorded once, at the end: some subscribers write a field again for each value.
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
        pub(crate) fn start(call: &PreparedCall) -> Self {
            let request = &call.request;
            let operation = operation(request);
            let (host, port) = match &call.settings.base_url.origin {
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
                // The convention's name for this API, whoever serves it.
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

        /// Returns the call within its span.
        pub(crate) fn instrument<F: Future>(&self, call: F) -> impl Future<Output = F::Output> + use<F> {
            call.instrument(self.0.as_ref().map_or_else(Span::none, |open| open.span.clone()))
        }

        pub(crate) fn record_response(&mut self, response: &RawResponse) {
            let Some(open) = &mut self.0 else { return };
            open.secrets = response.buffered.secrets.clone();
            open.status = Some(response.buffered.status);
            open.request_id = request_id(&response.buffered.headers).map(str::to_owned);
            open.attempts = response.attempts;
            self.record_body(&response.buffered.body);
        }

        /// Records fields of a response, or of one of its events. The types know nothing of this, so that it works for
        /// custom endpoints, too.
        pub(crate) fn record_body(&mut self, json: &[u8]) {
            let Some(open) = self.0.as_mut().filter(|open| open.is_inference && !json.is_empty()) else { return };
            let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
            let Ok(fields) = serde_json::from_slice::<RecordedFields<'_>>(json) else { return };
            // Events of the Responses API contain the response.
            let inner = fields.response.and_then(|inner| serde_json::from_str::<RecordedFields<'_>>(inner.get()).ok());
            open.take(fields);
            if let Some(inner) = inner {
                open.take(inner);
            }
        }

        pub(crate) fn record_error(&mut self, error: &Error) {
            if let Some(open) = &mut self.0 {
                open.error = Some(error_type(error));
                open.status = error.status().or(open.status);
                open.request_id = error.request_id().map(str::to_owned).or(open.request_id.take());
                open.attempts = error.attempts().max(open.attempts);
            }
            self.finish();
        }

        /// Ends the span; so does dropping this.
        pub(crate) fn finish(&mut self) {
            self.0 = None;
        }
    }

    /// The recorded fields of a response; everything else is skipped unread.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct RecordedFields<'a> {
        id: Value,
        model: Value,
        choices: Option<Vec<RecordedChoice>>,
        usage: Value,
        /// Of the Responses API.
        status: Value,
        incomplete_details: Value,
        /// Where Groq puts the usage of a stream.
        x_groq: Value,
        #[serde(borrow)]
        response: Option<&'a RawValue>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct RecordedChoice {
        index: Value,
        finish_reason: Value,
    }

    impl Open {
        fn take(&mut self, fields: RecordedFields<'_>) {
            self.id = text(fields.id).or(self.id.take());
            self.model = text(fields.model).or(self.model.take());
            for (choice, position) in fields.choices.into_iter().flatten().zip(0..) {
                if let Some(reason) = text(choice.finish_reason) {
                    self.finish_reasons.insert(choice.index.as_u64().unwrap_or(position), reason);
                }
            }
            if let Some(status @ ("completed" | "incomplete" | "failed" | "cancelled")) = fields.status.as_str() {
                let reason = fields.incomplete_details.get("reason").and_then(Value::as_str).unwrap_or(status);
                self.finish_reasons.insert(0, reason.to_owned());
            }
            let own = fields.x_groq.get("usage").filter(|_| !fields.usage.is_object());
            let usage = own.unwrap_or(&fields.usage);
            let count = |pointers: [&str; 2]| {
                let found = pointers.iter().find_map(|pointer| usage.pointer(pointer))?;
                found.as_u64().or_else(|| found.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
            };
            // The last counts are the total; they are never summed.
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
                    span.record(name, &*self.secrets.redact(text));
                }
            }
            if !self.finish_reasons.is_empty() {
                let reasons: Vec<_> = self.finish_reasons.values().map(|reason| self.secrets.redact(reason)).collect();
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

    /// Records the end of an attempt.
    pub(crate) fn record_attempt(number: u32, result: Result<StatusCode, (&Error, RetryDecision)>) {
        match result {
            Ok(status) => tracing::debug!(
                target: TARGET,
                attempt = number,
                http.response.status_code = status.as_u16(),
                "response received"
            ),
            Err((error, verdict)) => tracing::debug!(
                target: TARGET,
                attempt = number,
                http.response.status_code = error.status().map(|status| status.as_u16()),
                error.type = &*error_type(error),
                request_id = error.request_id(),
                wait_ms = match verdict {
                    RetryDecision::Retry(wait) => u64::try_from(wait.as_millis()).ok(),
                    RetryDecision::Stop => None,
                },
                "attempt failed, {}",
                match verdict {
                    RetryDecision::Retry(_) => "retrying",
                    RetryDecision::Stop => "giving up",
                }
            ),
        }
    }

    fn operation(request: &WireRequest) -> Option<(&'static str, Option<&'static str>)> {
        let path = request.path.trim_end_matches('/');
        let known = OPERATIONS.iter().find(|(route, ..)| request.method == Method::POST && *route == path);
        known.map(|(_, operation, output)| (*operation, *output))
    }

    /// The path with `{id}` for ids: few values, and none of them from the user.
    fn route(request: &WireRequest) -> String {
        let mut route = String::with_capacity(request.path.len() + 1);
        for (position, part) in request.path.trim_end_matches('/').split('/').enumerate() {
            route.push('/');
            route.push_str(if position == 0 || WORDS.contains(&part) { part } else { "{id}" });
        }
        route
    }

    /// The error status, else the kind of error: few values, and none of them from the server.
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
