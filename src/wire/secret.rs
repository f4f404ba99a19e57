//! Text that must not be shown: [`SecretString`].

use std::fmt;

use super::{Input, InvalidInput, Output, ReadOutcome, Wire};

/// Text that is sent but never shown: its `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretString(String);

impl SecretString {
    /// Returns the text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for SecretString {
    fn from(text: T) -> Self {
        SecretString(text.into())
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

serde_of_wire! { SecretString }

impl Wire for SecretString {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        self.0.read(input)
    }

    fn output(&self) -> Output<'_> {
        Output::String(&self.0)
    }

    fn default_value() -> Self {
        SecretString(String::new())
    }

    fn is_default_value(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    fn sample() -> serde_json::Value {
        String::sample()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_sent_and_exposed_but_never_shown() {
        let secret: SecretString = serde_json::from_str("\"sk-1\"").unwrap();
        assert_eq!((secret.expose(), format!("{secret:?}").as_str()), ("sk-1", "[redacted]"));
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"sk-1\"");
        assert!(SecretString::from("").is_default_value() && !secret.is_default_value());
    }
}
