//! What a client takes from the environment, for those who ask.

use super::ClientBuilder;
use crate::error::{Error, Result};

impl ClientBuilder {
    /// Starts from the environment variables that [`Client::from_env`](crate::Client::from_env) reads.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when neither a key nor a base URL is set.
    pub fn from_env() -> Result<Self> {
        let mut builder = ClientBuilder::default();
        let key = variable("OPENAI_API_KEY");
        match variable("OPENAI_BASE_URL").or_else(|| variable("OPENAI_API_BASE")) {
            Some(base_url) => builder = builder.base_url(base_url),
            None if key.is_none() => {
                return Err(Error::config(
                    "set OPENAI_API_KEY to use api.openai.com, or OPENAI_BASE_URL to use another server (a local one needs no key)",
                ));
            }
            None => {}
        }
        if let Some(key) = key {
            builder = builder.api_key(key);
        }
        if let Some(id) = variable("OPENAI_ORG_ID") {
            builder = builder.organization(id);
        }
        if let Some(id) = variable("OPENAI_PROJECT_ID") {
            builder = builder.project(id);
        }
        Ok(builder)
    }
}

/// A variable that is set to something. One that is no Unicode counts, and fails where it is used.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?;
    Some(value.to_string_lossy().trim().to_owned()).filter(|value| !value.is_empty())
}
