//! Context budgets: counts the tokens of a conversation, and trims it.
//!
//! [`TokenCounter`] lets the server count, which is exact for every model. [`trim_to_budget`] accepts any way to count. With the feature `tokens`, `count` counts offline with the vocabularies
//! of OpenAI's models; for other models it is an estimate within some ten percent.
//!
//! ```
//! use openai_compatible::chat::Message;
//! use openai_compatible::tokens::trim_to_budget;
//!
//! let mut messages = vec![
//!     Message::system("RawResponse in one sentence."),
//!     Message::user("Tell me about the Nile."),
//!     Message::assistant("It is long."),
//!     Message::user("And the Rhine?"),
//! ];
//! // About four characters a token, and a few tokens around each message.
//! let estimate = |messages: &[Message]| messages.iter().map(|message| 4 + message.text().len() / 4).sum();
//! let left = trim_to_budget(&mut messages, 20, estimate);
//! assert!(left <= 20);
//! assert_eq!(messages.len(), 2); // the instructions and the last question
//! ```

use std::collections::HashMap;

use crate::chat::Message;

#[cfg(feature = "tokens")]
mod count;
mod counter;

#[cfg(feature = "tokens")]
pub use count::{count, count_text};
pub use counter::TokenCounter;

/// Removes messages from a conversation until it fits the budget, oldest first. Returns the number of tokens left.
///
/// - Instructions (system and developer messages) stay, wherever they are.
/// - A user message is removed together with its responses.
/// - Tool calls are removed together with their results, because servers refuse one without the other.
/// - The last user message stays, and so does what follows it, except for its oldest rounds of tool calls. If the rest exceeds the
///   budget, so does the returned number: shorten the texts then.
///
/// `count` is called about ten times at most, with a whole conversation each time.
pub fn trim_to_budget(messages: &mut Vec<Message>, budget: usize, count: impl Fn(&[Message]) -> usize) -> usize {
    let mut search = TrimSearch::new(messages, budget);
    while let Some(candidate) = search.candidate(messages) {
        search.record(count(&candidate), candidate);
    }
    search.finish(messages)
}

/// The search for the fewest groups whose removal suffices: candidates out, counts in.
struct TrimSearch {
    budget: usize,
    groups: Vec<Option<usize>>,
    /// The groups that may be removed, oldest first.
    order: Vec<usize>,
    state: TrimState,
    /// The best candidate, and what it was counted.
    best: Option<(Vec<Message>, usize)>,
}

#[derive(Clone, Copy)]
enum TrimState {
    /// The whole conversation is counted first.
    All,
    /// Then what is left without all groups: if even that is too much, no search helps.
    Least,
    /// Removing `enough` groups suffices, and `too_few` do not.
    Between {
        enough: usize,
        too_few: usize,
    },
    Over,
}

impl TrimSearch {
    fn new(messages: &[Message], budget: usize) -> Self {
        let groups = groups(messages);
        let mut order: Vec<usize> = groups.iter().copied().flatten().collect();
        order.sort_unstable();
        order.dedup();
        TrimSearch { budget, groups, order, state: TrimState::All, best: None }
    }

    /// The next conversation to count.
    fn candidate(&self, messages: &[Message]) -> Option<Vec<Message>> {
        let oldest = match self.state {
            TrimState::All => 0,
            TrimState::Least => self.order.len(),
            TrimState::Between { enough, too_few } => middle(enough, too_few),
            TrimState::Over => return None,
        };
        let removed = self.order.get(..oldest).unwrap_or(&self.order);
        let is_kept = |group: &Option<usize>| group.is_none_or(|group| !removed.contains(&group));
        let all = messages.iter().zip(&self.groups);
        Some(all.filter(|(_, group)| is_kept(group)).map(|(message, _)| message.clone()).collect())
    }

    fn record(&mut self, counted: usize, candidate: Vec<Message>) {
        let is_enough = counted <= self.budget;
        let (enough, too_few) = match self.state {
            TrimState::All if is_enough => (0, 0),
            TrimState::All => {
                self.state = TrimState::Least;
                self.best = Some((candidate, counted));
                return;
            }
            TrimState::Least if is_enough => (self.order.len(), 0),
            TrimState::Least => (0, 0),
            TrimState::Between { enough, too_few } if is_enough => (middle(enough, too_few), too_few),
            TrimState::Between { enough, too_few } => (enough, middle(enough, too_few)),
            TrimState::Over => return,
        };
        if is_enough || matches!(self.state, TrimState::Least) {
            self.best = Some((candidate, counted));
        }
        self.state = match enough.saturating_sub(too_few) > 1 {
            true => TrimState::Between { enough, too_few },
            false => TrimState::Over,
        };
    }

    fn finish(self, messages: &mut Vec<Message>) -> usize {
        let (best, counted) = self.best.unwrap_or_default();
        *messages = best;
        counted
    }
}

fn middle(enough: usize, too_few: usize) -> usize {
    too_few + enough.saturating_sub(too_few) / 2
}

/// The group of each message, numbered from the oldest; `None` for those that stay.
fn groups(messages: &[Message]) -> Vec<Option<usize>> {
    let is_user = |message: &Message| matches!(message, Message::User(_));
    let last_question = messages.iter().rposition(is_user);
    let mut groups = Vec::with_capacity(messages.len());
    let mut callers: HashMap<&str, Option<usize>> = HashMap::new();
    let mut current = None;
    let mut next = 0;
    for (position, message) in messages.iter().enumerate() {
        let is_past = last_question.is_some_and(|question| position < question);
        let group = match message {
            Message::System(_) | Message::Developer(_) => None,
            _ if Some(position) == last_question => {
                current = None;
                None
            }
            Message::Tool(result) if callers.contains_key(&*result.tool_call_id) => {
                callers.get(&*result.tool_call_id).copied().flatten()
            }
            Message::Tool(_) | Message::Function(_) if current.is_some() => current,
            // Before the last question, a question starts a group; after it, each step of the answer does.
            message => {
                if current.is_none() || !is_past || is_user(message) {
                    current = Some(next);
                    next += 1;
                }
                current
            }
        };
        if let Message::Assistant(message) = message {
            callers.extend(message.tool_calls.iter().map(|call| (call.id.as_str(), group)));
        }
        groups.push(group);
    }
    // The newest message stays, with everything that belongs to it.
    let newest = match messages.last() {
        Some(Message::System(_) | Message::Developer(_)) | None => None,
        Some(_) => groups.last().copied().flatten(),
    };
    if newest.is_some() {
        for group in groups.iter_mut().filter(|group| **group == newest) {
            *group = None;
        }
    }
    groups
}
