//! The environment variables of a client.

use super::ClientBuilder;

impl ClientBuilder {
    /// Creates a builder from the environment variables that [`Client::from_env`](crate::Client::from_env) reads. What is
    /// missing is an error of [`build`](ClientBuilder::build), unless it is set before.
    pub fn from_env() -> Self {
        let mut builder = ClientBuilder::default().set_from_env();
        if let Some(base_url) = variable("OPENAI_BASE_URL").or_else(|| variable("OPENAI_API_BASE")) {
            builder = builder.base_url(base_url);
        }
        if let Some(key) = variable("OPENAI_API_KEY") {
            builder = builder.api_key(key);
        }
        if let Some(id) = variable("OPENAI_ORG_ID") {
            builder = builder.organization(id);
        }
        if let Some(id) = variable("OPENAI_PROJECT_ID") {
            builder = builder.project(id);
        }
        builder
    }
}

/// A variable with a value. One that is not Unicode counts, and fails where it is used.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?;
    Some(value.to_string_lossy().trim().to_owned()).filter(|value| !value.is_empty())
}
