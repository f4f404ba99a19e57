//! Context budgets: counts the tokens of a conversation, and trims it.
//!
//! [`trim_to_budget`] accepts any way to count. With the feature `tokens`, `count` counts offline with the vocabularies
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

#[cfg(feature = "tokens")]
pub use count::{count, count_text};

/// Removes messages from a conversation until it fits the budget, oldest first. Returns the number of tokens left.
///
/// - Instructions (system and developer messages) stay, wherever they are.
/// - Questions are removed together with their answers.
/// - Tool calls are removed together with their results, because servers refuse one without the other.
/// - The last user message and everything after it stay. If that exceeds the budget, so does the returned number:
///   shorten the texts then.
///
/// `count` is called about ten times at most, with a whole conversation each time.
pub fn trim_to_budget(messages: &mut Vec<Message>, budget: usize, count: impl Fn(&[Message]) -> usize) -> usize {
    let all = count(messages);
    if all <= budget {
        return all;
    }
    let groups = groups(messages);
    let mut order: Vec<usize> = groups.iter().copied().flatten().collect();
    order.sort_unstable();
    order.dedup();
    let without = |oldest: usize| -> Vec<Message> {
        let removed = order.get(..oldest).unwrap_or(&order);
        let is_kept = |group: &Option<usize>| group.is_none_or(|group| !removed.contains(&group));
        messages.iter().zip(&groups).filter(|(_, group)| is_kept(group)).map(|(message, _)| message.clone()).collect()
    };
    // The fewest groups that suffice; all of them if even that does not.
    let (mut enough, mut too_few) = (order.len(), 0);
    let mut kept = without(enough);
    let mut left = count(&kept);
    while left <= budget && enough - too_few > 1 {
        let middle = too_few + (enough - too_few) / 2;
        let candidate = without(middle);
        let counted = count(&candidate);
        if counted <= budget {
            (enough, kept, left) = (middle, candidate, counted);
        } else {
            too_few = middle;
        }
    }
    *messages = kept;
    left
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
