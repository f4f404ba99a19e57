//! Transcriptions and translations as plain text or subtitles.

use serde_json::Value;

use crate::call::Decode;
use crate::error::Result;
use crate::transport::RawResponse;
use crate::transport::decode::BufferedResponse;

open_enum! {
    /// A plain-text response format.
    pub enum TextFormat {
        /// Plain text.
        Text = "text",
        /// SubRip subtitles.
        Srt = "srt",
        /// WebVTT subtitles.
        Vtt = "vtt",
    }
}

impl TextFormat {
    /// Returns the decoder for responses in this format.
    pub(in crate::resources::audio) fn decode(&self) -> Decode<String> {
        match self {
            TextFormat::Other(_) => |response| text(response, false),
            _ => |response| text(response, true),
        }
    }
}

/// Returns the body unchanged, or the text that a server wrapped in JSON. An error object with status 200 is an error.
fn text(response: &mut RawResponse, unwrap: bool) -> Result<String> {
    let buffered = &response.buffered;
    let is_json = buffered.is_json();
    let is_object = buffered.body.trim_ascii_start().starts_with(b"{");
    let value = if is_json || is_object { serde_json::from_slice::<Value>(&buffered.body).ok() } else { None };
    match value {
        Some(Value::String(text)) if unwrap => Ok(text),
        Some(Value::Object(members)) => match members.get("text").and_then(Value::as_str) {
            Some(text) if unwrap => Ok(text.to_owned()),
            None if unwrap && is_json || members.get("error").is_some_and(|error| !error.is_null()) => {
                Err(buffered.unexpected_body_error("text"))
            }
            _ => Ok(body_text(buffered)),
        },
        None if buffered.is_html() => Err(buffered.unexpected_body_error("text")),
        _ => Ok(body_text(buffered)),
    }
}

fn body_text(buffered: &BufferedResponse) -> String {
    String::from_utf8_lossy(&buffered.body).into_owned()
}
