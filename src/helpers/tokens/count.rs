//! Counts with tiktoken's vocabularies, which are part of the program.

use serde::Serialize;
use tiktoken_rs::tokenizer::get_tokenizer;
use tiktoken_rs::{CoreBPE, bpe_for_tokenizer, o200k_base_singleton};

use crate::chat::{AssistantMessage, ChatRequest, Content, FunctionCall, ImageDetail, Message, Part};

/// Tokens around each message.
const PER_MESSAGE: usize = 3;
/// Tokens at the start of the answer.
const ANSWER: usize = 3;
/// An image with low detail, and one of 1024 × 1024 pixels, on OpenAI's models of 2024.
const SMALL_IMAGE: usize = 85;
const IMAGE: usize = 765;
/// Texts are counted in parts: tiktoken panics at a million capitals or spaces in a row.
const PIECE: usize = 32 * 1024;

impl ChatRequest {
    /// Returns the number of prompt tokens: messages, tools, and the schema of the output. *Feature* `tokens`.
    ///
    /// Exact for the texts of OpenAI's models; see [`tokens::count`](crate::tokens::count) for estimates.
    ///
    /// ```
    /// use openai_compatible::chat::{ChatRequest, Message};
    ///
    /// let request = ChatRequest::new("gpt-6-luna", [Message::user("Name three rivers.")]);
    /// assert_eq!(request.count_tokens(), 11);
    /// ```
    pub fn count_tokens(&self) -> usize {
        let vocabulary = vocabulary(&self.model);
        let tools: usize = self.tools.iter().map(|tool| json(vocabulary, tool)).sum();
        let functions: usize = self.functions.iter().map(|function| json(vocabulary, function)).sum();
        let format = self.response_format.as_ref().map_or(0, |format| json(vocabulary, format));
        count(&self.messages, &self.model) + tools + functions + format
    }
}

/// Returns the number of tokens of a conversation as a prompt of this model. *Feature* `tokens`.
///
/// Exact for the texts of OpenAI's models, also under `openai/…` on gateways. Estimates for other models (with the
/// vocabulary `o200k_base`), tools and schemas (as JSON), tool calls, and images (85 tokens with low detail, else 765).
/// Audio and files are not counted. The first call for a model loads its vocabulary, which takes some tenths of a
/// second.
///
/// ```
/// use openai_compatible::chat::Message;
///
/// let messages = [Message::system("Be brief."), Message::user("Name three rivers.")];
/// assert_eq!(openai_compatible::tokens::count(&messages, "gpt-6-luna"), 18);
/// ```
pub fn count(messages: &[Message], model: &str) -> usize {
    let vocabulary = vocabulary(model);
    messages.iter().map(|message| PER_MESSAGE + of_message(vocabulary, message)).sum::<usize>() + ANSWER
}

/// Returns the number of tokens of a text. *Feature* `tokens`.
pub fn count_text(text: &str, model: &str) -> usize {
    of_text(vocabulary(model), text)
}

fn vocabulary(model: &str) -> &'static CoreBPE {
    // Gateways prefix the provider's name.
    let name = model.rsplit('/').next().unwrap_or(model);
    get_tokenizer(name)
        .and_then(|tokenizer| bpe_for_tokenizer(tokenizer).ok())
        .unwrap_or_else(|| o200k_base_singleton())
}

fn of_text(vocabulary: &CoreBPE, text: &str) -> usize {
    let mut rest = text;
    let mut tokens = 0;
    while rest.len() > PIECE {
        let end = (0..=PIECE).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(PIECE);
        let (piece, _) = rest.split_at_checked(end).unwrap_or((rest, ""));
        // Tokens start with a space, so that a split in front of one changes nothing.
        let end = piece.rfind(' ').filter(|cut| *cut > PIECE / 2).unwrap_or(piece.len());
        let (piece, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        tokens += vocabulary.count_ordinary(piece);
        rest = tail;
    }
    tokens + vocabulary.count_ordinary(rest)
}

fn of_message(vocabulary: &CoreBPE, message: &Message) -> usize {
    let text = |text: &str| of_text(vocabulary, text);
    let name = |name: &Option<String>| name.as_ref().map_or(0, |name| text(name) + 1);
    text(message.kind())
        + match message {
            Message::Developer(message) | Message::System(message) => {
                of_content(vocabulary, &message.content) + name(&message.name)
            }
            Message::User(message) => of_content(vocabulary, &message.content) + name(&message.name),
            Message::Assistant(message) => of_answer(vocabulary, message) + name(&message.name),
            Message::Tool(message) => of_content(vocabulary, &message.content),
            Message::Function(message) => of_content(vocabulary, &message.content) + text(&message.name),
            other => json(vocabulary, other),
        }
}

fn of_answer(vocabulary: &CoreBPE, message: &AssistantMessage) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, |text| of_text(vocabulary, text));
    let call = |name: &str, arguments: &str| 1 + of_text(vocabulary, name) + of_text(vocabulary, arguments);
    let old = |function: &FunctionCall| call(&function.name, &function.arguments);
    let calls: usize = message.tool_calls.iter().map(|made| call(made.name(), made.arguments_text())).sum();
    message.content.as_ref().map_or(0, |content| of_content(vocabulary, content))
        + text(&message.refusal)
        + text(&message.reasoning_content)
        + text(&message.reasoning)
        + calls
        + message.function_call.as_ref().map_or(0, old)
}

fn of_content(vocabulary: &CoreBPE, content: &Content) -> usize {
    match content {
        Content::Text(text) => of_text(vocabulary, text),
        Content::Parts(parts) => parts.iter().map(|part| of_part(vocabulary, part)).sum(),
    }
}

fn of_part(vocabulary: &CoreBPE, part: &Part) -> usize {
    match part {
        Part::Text(part) => of_text(vocabulary, &part.text),
        Part::Refusal(part) => of_text(vocabulary, &part.refusal),
        Part::Thinking(part) => of_content(vocabulary, &part.thinking),
        Part::ImageUrl(part) if part.image_url.detail == Some(ImageDetail::Low) => SMALL_IMAGE,
        Part::ImageUrl(_) => IMAGE,
        _ => 0,
    }
}

fn json(vocabulary: &CoreBPE, value: &impl Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |json| of_text(vocabulary, &json))
}
