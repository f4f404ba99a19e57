//! Speech and transcription: `client.audio()`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::wire::{Read, Wire};

/// A voice: one of the server's by name, or one of your own by id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Voice {
    /// A voice of the server, such as `alloy`.
    Name(String),
    /// A voice made from a recording.
    Custom {
        /// Its id.
        id: String,
    },
}

impl Voice {
    /// A voice made from a recording.
    pub fn custom(id: impl Into<String>) -> Self {
        Voice::Custom { id: id.into() }
    }
}

impl From<&str> for Voice {
    fn from(name: &str) -> Self {
        Voice::Name(name.to_owned())
    }
}

impl From<String> for Voice {
    fn from(name: String) -> Self {
        Voice::Name(name)
    }
}

impl Serialize for Voice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Voice::Name(name) => serializer.serialize_str(name),
            Voice::Custom { id } => json!({ "id": id }).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Voice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::deserialize(deserializer)
    }
}

impl Wire for Voice {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Read<Self>, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(match (value.as_str(), value.get("id").and_then(Value::as_str)) {
            (Some(name), _) => Read::Value(Voice::Name(name.to_owned())),
            (None, Some(id)) => Read::Value(Voice::Custom { id: id.to_owned() }),
            (None, None) => Read::Odd(value),
        })
    }

    fn blank() -> Self {
        Voice::Name(String::new())
    }
}
