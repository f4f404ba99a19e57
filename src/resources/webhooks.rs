//! Webhooks: requests from the server, whose signature is checked before they are read. *Feature* `webhooks`.
//!
//! ```
//! use openai_compatible::webhooks::{WebhookKind, Webhooks};
//!
//! # fn handle(headers: &http::HeaderMap, body: &[u8]) -> openai_compatible::Result<()> {
//! let webhooks = Webhooks::new("whsec_bXkgc2VjcmV0")?; // or: Webhooks::from_env()
//! let event = webhooks.unwrap(headers, body)?;
//! match event.type_ {
//!     WebhookKind::ResponseCompleted => println!("response {} is complete", event.data.id),
//!     other => println!("{other}"),
//! }
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;

use crate::error::{Error, ErrorKind, Result};

/// The secrets that webhooks are signed with, and how old they may be.
#[derive(Clone)]
pub struct Webhooks {
    keys: Vec<Vec<u8>>,
    tolerance: Duration,
}

impl Webhooks {
    /// Creates a checker with the secret of an endpoint, usually `whsec_…`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the secret is empty, or not base64 after `whsec_`.
    pub fn new(secret: impl AsRef<str>) -> Result<Self> {
        let webhooks = Webhooks { keys: Vec::new(), tolerance: Duration::from_secs(300) };
        webhooks.secret(secret)
    }

    /// Creates a checker with the secret in `OPENAI_WEBHOOK_SECRET`.
    ///
    /// # Errors
    ///
    /// The same as those of [`new`](Self::new); [`ErrorKind::Config`] also if the variable is not set.
    pub fn from_env() -> Result<Self> {
        match std::env::var("OPENAI_WEBHOOK_SECRET") {
            Ok(secret) => Webhooks::new(secret),
            Err(_) => Err(Error::config("OPENAI_WEBHOOK_SECRET is not set")),
        }
    }

    /// Accepts another secret, too, while secrets are rotated.
    ///
    /// # Errors
    ///
    /// The same as those of [`new`](Self::new).
    pub fn secret(mut self, secret: impl AsRef<str>) -> Result<Self> {
        let secret = secret.as_ref().trim();
        let key = match secret.strip_prefix("whsec_") {
            Some(encoded) => STANDARD
                .decode(encoded)
                .map_err(|_| Error::config("the webhook secret is not base64 after `whsec_`"))?,
            None => secret.as_bytes().to_vec(),
        };
        if key.is_empty() {
            return Err(Error::config("the webhook secret is empty"));
        }
        self.keys.push(key);
        Ok(self)
    }

    /// Sets how much the time of a webhook may differ from now. Defaults to five minutes.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Checks the signature of a webhook and parses it. Pass the body as it was received.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Signature`] if the webhook was not signed with a secret, or too long ago: respond with status 400.
    /// [`ErrorKind::Decode`] if it is not an event.
    pub fn unwrap(&self, headers: &HeaderMap, body: &[u8]) -> Result<WebhookEvent> {
        self.verify(headers, body)?;
        serde_json::from_slice(body)
            .map_err(|error| Error::new(ErrorKind::Decode, format!("webhook: {error}")).with_source(error))
    }

    /// Checks the signature of a webhook.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Signature`] if the webhook was not signed with a secret, or too long ago.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<()> {
        self.verify_at(headers, body, SystemTime::now())
    }

    /// Checks the signature of a webhook that arrived at this time.
    ///
    /// # Errors
    ///
    /// The same as those of [`verify`](Self::verify).
    pub fn verify_at(&self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<()> {
        let header = |name: &str| {
            let value =
                headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.trim().is_empty());
            value.ok_or_else(|| invalid(format!("header `{name}` is missing")))
        };
        let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
        let signatures = header("webhook-signature")?;
        let sent: u64 = timestamp.parse().map_err(|_| invalid("its timestamp is not a number".to_owned()))?;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        if now.abs_diff(sent) > self.tolerance.as_secs() {
            return Err(invalid(
                if sent < now { "it is too old" } else { "its timestamp is in the future" }.to_owned(),
            ));
        }
        // Several while secrets are rotated; those of other schemes do not count.
        let signatures = signatures.split_whitespace().filter_map(|signature| match signature.split_once(',') {
            Some(("v1", encoded)) => STANDARD.decode(encoded).ok(),
            Some(_) => None,
            None => STANDARD.decode(signature).ok(),
        });
        let signatures: Vec<Vec<u8>> = signatures.collect();
        for key in &self.keys {
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { continue };
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
                mac.update(part);
            }
            // Compared in constant time.
            if signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok()) {
                return Ok(());
            }
        }
        Err(invalid("it is not signed with this secret".to_owned()))
    }
}

fn invalid(why: String) -> Error {
    Error::new(ErrorKind::Signature, why)
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the keys.
        f.debug_struct("Webhooks").field("tolerance", &self.tolerance).finish_non_exhaustive()
    }
}

wire_struct! {
    /// An event that a server reports by a webhook.
    ///
    /// See [OpenAI: Webhook events](https://platform.openai.com/docs/api-reference/webhook-events).
    pub struct WebhookEvent {
        /// Id of the event.
        pub id: String,
        /// The literal `event`; do not rely on it.
        pub object: String,
        /// Time of the event, in Unix seconds.
        pub created_at: Option<u64>,
        /// What happened.
        pub type_ as "type": WebhookKind,
        /// What it happened to.
        pub data: WebhookData,
    }

    /// What an event happened to. Events of calls have further fields, in `extra`.
    pub struct WebhookData {
        /// Id of the response, batch, job, run or call.
        pub id: String,
    }
}

open_enum! {
    /// What happened.
    pub enum WebhookKind {
        /// A background response is complete.
        ResponseCompleted = "response.completed",
        /// A background response was cancelled.
        ResponseCancelled = "response.cancelled",
        /// A background response failed.
        ResponseFailed = "response.failed",
        /// A background response is incomplete.
        ResponseIncomplete = "response.incomplete",
        /// A batch is complete.
        BatchCompleted = "batch.completed",
        /// A batch was cancelled.
        BatchCancelled = "batch.cancelled",
        /// A batch was not completed in time.
        BatchExpired = "batch.expired",
        /// A batch failed.
        BatchFailed = "batch.failed",
        /// A fine-tuning job succeeded.
        FineTuningSucceeded = "fine_tuning.job.succeeded",
        /// A fine-tuning job failed.
        FineTuningFailed = "fine_tuning.job.failed",
        /// A fine-tuning job was cancelled.
        FineTuningCancelled = "fine_tuning.job.cancelled",
        /// An evaluation run succeeded.
        EvalRunSucceeded = "eval.run.succeeded",
        /// An evaluation run failed.
        EvalRunFailed = "eval.run.failed",
        /// An evaluation run was cancelled.
        EvalRunCanceled = "eval.run.canceled",
        /// A call is coming in.
        CallIncoming = "realtime.call.incoming",
        /// A call is coming in, of the Live API.
        LiveCallIncoming = "live.call.incoming",
    }
}
