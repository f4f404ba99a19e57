//! What was written down, as text or subtitles.

use serde_json::Value;

use crate::call::Decode;
use crate::error::Result;
use crate::transport::Answer;
use crate::transport::decode::Whole;

open_enum! {
    /// A format that is no JSON.
    pub enum TextFormat {
        /// The text alone.
        Text = "text",
        /// SubRip subtitles.
        Srt = "srt",
        /// WebVTT subtitles.
        Vtt = "vtt",
    }
}

impl TextFormat {
    /// How its reply becomes text.
    pub(in crate::resources::audio) fn decode(&self) -> Decode<String> {
        match self {
            TextFormat::Other(_) => |answer| text(answer, false),
            _ => |answer| text(answer, true),
        }
    }
}

/// The body as it came; or the text in it, where a server wraps text in JSON. An error in disguise is an error.
fn text(answer: &mut Answer, unwrap: bool) -> Result<String> {
    let whole = &answer.whole;
    let is_json = whole.is_json();
    let is_object = whole.body.trim_ascii_start().starts_with(b"{");
    let value = if is_json || is_object { serde_json::from_slice::<Value>(&whole.body).ok() } else { None };
    match value {
        Some(Value::String(text)) if unwrap => Ok(text),
        Some(Value::Object(members)) => match members.get("text").and_then(Value::as_str) {
            Some(text) if unwrap => Ok(text.to_owned()),
            None if unwrap && is_json || members.get("error").is_some_and(|error| !error.is_null()) => {
                Err(whole.in_place_of("text"))
            }
            _ => Ok(untouched(whole)),
        },
        None if whole.is_html() => Err(whole.in_place_of("text")),
        _ => Ok(untouched(whole)),
    }
}

fn untouched(whole: &Whole) -> String {
    String::from_utf8_lossy(&whole.body).into_owned()
}
