//! Reasoning within the text of an answer, told apart from it: [`ThinkingTags`].

use std::any::Any;
use std::collections::BTreeMap;

use super::chunk::{ChatChunk, ChatStream, ChunkChoice};
use super::message::Content;
use super::reply::ChatCompletion;
use crate::wire::Wire;

/// The tags around reasoning that a model writes into its text, such as `<think>…</think>`, where the server does not
/// separate it.
///
/// Only tags at the start of the text count, and directly after reasoning, so that a text about tags is unchanged. White
/// space after a tag is left out. Reasoning that is not closed goes on to the end.
///
/// ```no_run
/// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest) -> openai_compatible::Result<()> {
/// use openai_compatible::chat::ThinkingTags;
///
/// let mut chunks = client.chat().stream(&request).await?.split_thinking(ThinkingTags::default());
/// while let Some(chunk) = chunks.try_next().await? {
///     print!("{}{}", chunk.reasoning().unwrap_or_default(), chunk.text());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThinkingTags {
    pairs: Vec<(String, String)>,
    starts_open: bool,
}

impl Default for ThinkingTags {
    /// `<think>`, `<thinking>`, `<thought>` and `<reasoning>`, each with its closing tag.
    fn default() -> Self {
        let pair = |name: &str| (format!("<{name}>"), format!("</{name}>"));
        ThinkingTags { pairs: ["think", "thinking", "thought", "reasoning"].map(pair).into(), starts_open: false }
    }
}

impl ThinkingTags {
    /// Creates a pair of tags.
    pub fn new(open: impl Into<String>, close: impl Into<String>) -> Self {
        ThinkingTags { pairs: vec![(open.into(), close.into())], starts_open: false }
    }

    /// Treats the start of the text as reasoning: for models whose prompt ends with the opening tag, so that only the closing
    /// one arrives. Whole completions are recognized without this.
    pub fn starts_open(mut self, starts_open: bool) -> Self {
        self.starts_open = starts_open;
        self
    }

    fn is_usable(&self) -> bool {
        !self.pairs.is_empty() && self.pairs.iter().all(|(open, close)| !open.is_empty() && !close.is_empty())
    }
}

/// A text that is split as it arrives. Holds back no more than what may become a tag.
#[derive(Debug)]
struct Splitter {
    state: State,
    /// White space at the start, until it is known whether reasoning follows.
    space: String,
    /// What may become a tag.
    held: String,
    /// Reasoning has ended before.
    has_thought: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// An opening tag may come.
    Start,
    /// Until the closing tag of the pair at this position, or any if there was no opening tag. White space at the start is left
    /// out.
    Thinking {
        pair: Option<usize>,
        has_begun: bool,
    },
    Answer,
}

#[derive(Debug, Default)]
struct Split {
    reasoning: String,
    answer: String,
}

impl Splitter {
    fn new(tags: &ThinkingTags) -> Self {
        let state = match tags.starts_open {
            true => State::Thinking { pair: None, has_begun: false },
            false => State::Start,
        };
        Splitter { state, space: String::new(), held: String::new(), has_thought: false }
    }

    fn push(&mut self, tags: &ThinkingTags, text: &str, out: &mut Split) {
        let mut input = std::mem::take(&mut self.held);
        input.push_str(text);
        let mut rest = input.as_str();
        loop {
            match self.state {
                State::Answer => {
                    out.answer.push_str(rest);
                    return;
                }
                State::Start => {
                    let trimmed = rest.trim_start();
                    self.space.push_str(rest.strip_suffix(trimmed).unwrap_or_default());
                    rest = trimmed;
                    let opened =
                        tags.pairs.iter().enumerate().find_map(|(n, (open, _))| Some((n, rest.strip_prefix(&**open)?)));
                    if let Some((pair, after)) = opened {
                        rest = after;
                        self.space.clear();
                        self.state = State::Thinking { pair: Some(pair), has_begun: false };
                    } else if tags.pairs.iter().any(|(open, _)| open.starts_with(rest)) {
                        break;
                    } else {
                        self.give_up(out);
                    }
                }
                State::Thinking { pair, has_begun: false } => {
                    rest = rest.trim_start();
                    if rest.is_empty() {
                        break;
                    }
                    self.state = State::Thinking { pair, has_begun: true };
                }
                State::Thinking { pair, has_begun: true } => {
                    let pairs = tags.pairs.iter().enumerate().filter(|(n, _)| pair.is_none_or(|pair| pair == *n));
                    let closing = pairs.map(|(_, (_, close))| close.as_str());
                    let found = closing
                        .clone()
                        .filter_map(|close| Some((rest.split_once(close)?, close)))
                        .min_by_key(|found| found.0.0.len());
                    let Some(((reasoning, after), _)) = found else {
                        let kept = closing.map(|close| overlap(rest, close)).max().unwrap_or(0);
                        let (reasoning, kept) = rest.split_at_checked(rest.len() - kept).unwrap_or((rest, ""));
                        out.reasoning.push_str(reasoning);
                        rest = kept;
                        break;
                    };
                    out.reasoning.push_str(reasoning);
                    rest = after;
                    (self.state, self.has_thought) = (State::Start, true);
                }
            }
        }
        self.held = rest.to_owned();
    }

    /// Nothing follows.
    fn end(&mut self, out: &mut Split) {
        let held = std::mem::take(&mut self.held);
        match self.state {
            State::Thinking { .. } => out.reasoning.push_str(&held),
            State::Start => {
                self.give_up(out);
                out.answer.push_str(&held);
            }
            State::Answer => {}
        }
        self.state = State::Answer;
    }

    /// No tag came. White space between reasoning and answer is left out.
    fn give_up(&mut self, out: &mut Split) {
        let space = std::mem::take(&mut self.space);
        if !self.has_thought {
            out.answer.push_str(&space);
        }
        self.state = State::Answer;
    }
}

/// The length of the longest end of a text that a tag may go on from.
fn overlap(text: &str, tag: &str) -> usize {
    let starts = (1..tag.len()).rev().filter_map(|end| tag.get(..end));
    starts.filter(|start| text.ends_with(start)).map(str::len).next().unwrap_or(0)
}

impl ChatCompletion {
    /// Moves the reasoning that the model wrote into its text, between these tags, to `reasoning_content`.
    pub fn split_thinking(mut self, tags: ThinkingTags) -> Self {
        let tags = if tags.is_usable() { tags } else { return self };
        for choice in &mut self.choices {
            let message = &mut choice.message;
            if let Some(Content::Text(text)) = &message.content {
                let (mut splitter, mut split) = (Splitter::new(&tags), Split::default());
                splitter.push(&tags, text, &mut split);
                splitter.end(&mut split);
                message.content = Some(Content::Text(split.answer));
                append(&mut message.reasoning_content, &split.reasoning);
            }
        }
        self
    }
}

impl ChatStream {
    /// Moves the reasoning that the model writes into its text, between these tags, to `reasoning_content`. Tags may be cut
    /// anywhere.
    pub fn split_thinking(self, tags: ThinkingTags) -> Self {
        if !tags.is_usable() {
            return self;
        }
        let mut splitters = BTreeMap::new();
        self.map_items(Box::new(move |chunk: &mut dyn Any, is_end| {
            let Some(chunk) = chunk.downcast_mut::<ChatChunk>() else { return false };
            if is_end {
                chunk.choices = rest(&mut splitters);
                return !chunk.choices.is_empty();
            }
            for choice in &mut chunk.choices {
                split_choice(choice, &tags, &mut splitters);
            }
            true
        }))
    }
}

fn split_choice(choice: &mut ChunkChoice, tags: &ThinkingTags, splitters: &mut BTreeMap<u32, Splitter>) {
    let mut split = Split::default();
    let splitter = splitters.entry(choice.index).or_insert_with(|| Splitter::new(tags));
    if let Some(Content::Text(text)) = &choice.delta.content {
        splitter.push(tags, text, &mut split);
        choice.delta.content = Some(Content::Text(std::mem::take(&mut split.answer)));
    }
    if choice.finish_reason.is_some() {
        splitter.end(&mut split);
        if let (Some(Content::Text(text)), false) = (&mut choice.delta.content, split.answer.is_empty()) {
            text.push_str(&split.answer);
        } else if !split.answer.is_empty() {
            choice.delta.content = Some(Content::Text(split.answer));
        }
    }
    append(&mut choice.delta.reasoning_content, &split.reasoning);
}

/// What was held back in choices that did not finish.
fn rest(splitters: &mut BTreeMap<u32, Splitter>) -> Vec<ChunkChoice> {
    let ended = std::mem::take(splitters).into_iter().filter_map(|(index, mut splitter)| {
        let mut split = Split::default();
        splitter.end(&mut split);
        let mut choice = ChunkChoice { index, ..ChunkChoice::default_value() };
        choice.delta.content = (!split.answer.is_empty()).then_some(Content::Text(split.answer));
        append(&mut choice.delta.reasoning_content, &split.reasoning);
        (choice.delta.content.is_some() || choice.delta.reasoning_content.is_some()).then_some(choice)
    });
    ended.collect()
}

fn append(reasoning: &mut Option<String>, text: &str) {
    if !text.is_empty() {
        reasoning.get_or_insert_default().push_str(text);
    }
}
