//! Counting tokens, and trimming a conversation to a budget.

use openai_compatible::chat::{ChatRequest, Message, ToolCall};
use openai_compatible::tokens::trim_to_budget;
use serde_json::json;

/// One token a message: a budget is a number of messages.
fn one_each(messages: &[Message]) -> usize {
    messages.len()
}

fn calls(ids: &[&str]) -> Message {
    let calls: Vec<_> = ids.iter().map(|id| ToolCall::function(*id, "f", "{}")).collect();
    serde_json::from_value(json!({"role": "assistant", "content": null, "tool_calls": calls})).unwrap()
}

fn user(text: &str) -> Message {
    Message::user(text)
}

fn says(text: &str) -> Message {
    Message::assistant(text)
}

fn result(id: &str) -> Message {
    Message::tool(id, "result")
}

/// What is left, and its count.
fn trimmed(messages: &[Message], budget: usize) -> (Vec<Message>, usize) {
    let mut messages = messages.to_vec();
    let left = trim_to_budget(&mut messages, budget, one_each);
    (messages, left)
}

#[test]
fn a_conversation_within_the_budget_stays() {
    let messages = [Message::system("s"), user("a"), says("b"), user("c")];
    assert_eq!(trimmed(&messages, 4), (messages.to_vec(), 4));
    assert_eq!(trimmed(&[], 0), (Vec::new(), 0));
}

#[test]
fn the_oldest_questions_go_first_with_their_answers() {
    let messages = [user("1"), says("a"), user("2"), says("b"), user("3"), says("c"), user("4")];
    assert_eq!(trimmed(&messages, 6).0, messages[2..]);
    assert_eq!(trimmed(&messages, 5).0, messages[2..]);
    assert_eq!(trimmed(&messages, 4).0, messages[4..]);
    assert_eq!(trimmed(&messages, 1).0, messages[6..]);
}

#[test]
fn instructions_stay_wherever_they_stand() {
    let messages = [
        Message::system("s"),
        user("1"),
        says("a"),
        Message::developer("d"),
        user("2"),
        says("b"),
        Message::system("late"),
        user("3"),
    ];
    let (left, count) = trimmed(&messages, 4);
    assert_eq!(left, [&messages[0], &messages[3], &messages[6], &messages[7]].map(Clone::clone));
    assert_eq!(count, 4);
}

#[test]
fn the_last_question_stays_even_over_the_budget() {
    let messages = [Message::system("s"), user("1"), says("a"), user("2")];
    let (left, count) = trimmed(&messages, 0);
    assert_eq!(left, [messages[0].clone(), messages[3].clone()]);
    assert_eq!(count, 2, "the count says that it does not fit");
}

#[test]
fn a_call_and_its_results_go_together() {
    // One question, and an agent at work on it.
    let messages = [
        user("do it"),
        calls(&["a", "b"]),
        result("a"),
        result("b"),
        calls(&["c"]),
        result("c"),
        calls(&["d", "e"]),
        result("d"),
        result("e"),
    ];
    for budget in 0..=messages.len() {
        let (left, count) = trimmed(&messages, budget);
        assert_eq!(left[0], messages[0]);
        let expected: &[Message] = match budget {
            9 => &messages[1..],
            6..=8 => &messages[4..],
            // The newest step stays, whatever the budget is.
            _ => &messages[6..],
        };
        assert_eq!(left[1..], *expected, "with a budget of {budget}");
        assert_eq!(count, left.len());
    }
}

#[test]
fn results_out_of_place_go_with_their_call() {
    let messages = [user("1"), calls(&["a"]), user("2"), result("a"), says("done"), user("3"), says("ok")];
    for budget in 0..7 {
        let left = trimmed(&messages, budget).0;
        assert_eq!(left.contains(&messages[1]), left.contains(&messages[3]), "with a budget of {budget}");
    }
    // The call is answered after the last question: it goes with what it answers, or stays with it.
    let messages = [user("1"), calls(&["a"]), user("2"), result("a")];
    for budget in 0..4 {
        let left = trimmed(&messages, budget).0;
        assert_eq!(left.contains(&messages[1]), left.contains(&messages[3]), "with a budget of {budget}");
    }
}

#[test]
fn a_conversation_without_a_question_keeps_its_newest_step() {
    let messages = [calls(&["a"]), result("a"), says("b"), calls(&["c"]), result("c")];
    assert_eq!(trimmed(&messages, 3).0, messages[2..]);
    assert_eq!(trimmed(&messages, 1).0, messages[3..]);
}

#[test]
fn a_long_conversation_is_counted_a_few_times_only() {
    let mut messages: Vec<_> = (0..1000).flat_map(|n| [user(&n.to_string()), says("a")]).collect();
    let times = std::cell::Cell::new(0);
    let left = trim_to_budget(&mut messages, 101, |messages| {
        times.set(times.get() + 1);
        messages.len()
    });
    assert_eq!((left, messages.len()), (100, 100));
    assert!(times.get() <= 12, "{} times", times.get());
}

#[test]
fn a_request_is_trimmed_in_place() {
    let mut request = ChatRequest::new("m", [user("1"), says("a"), user("2")]);
    trim_to_budget(&mut request.messages, 1, one_each);
    assert_eq!(request.messages, [user("2")]);
}

#[cfg(feature = "tokens")]
mod counted {
    use openai_compatible::chat::{Part, ResponseFormat, Tool};
    use openai_compatible::tokens::{count, count_text};

    use super::*;

    /// The example of OpenAI's cookbook, whose counts its API confirms.
    fn cookbook() -> Vec<Message> {
        let named = |name: &str, content: &str| json!({"role": "system", "name": name, "content": content});
        let messages = json!([
            {"role": "system", "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
            named("example_user", "New synergies will help drive top-line growth."),
            named("example_assistant", "Things working well together will increase revenue."),
            named("example_user", "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."),
            named("example_assistant", "Let's talk later when we're less busy about how to do better."),
            {"role": "user", "content": "This late pivot means we don't have time to boil the ocean for the client deliverable."},
        ]);
        serde_json::from_value(messages).unwrap()
    }

    #[test]
    fn counts_are_those_of_the_api() {
        assert_eq!(count(&cookbook(), "gpt-4-0613"), 129);
        assert_eq!(count(&cookbook(), "gpt-4o"), 124);
    }

    #[test]
    fn gateways_names_and_unknown_models_are_counted_too() {
        assert_eq!(count(&cookbook(), "openai/gpt-4"), 129);
        assert_eq!(count(&cookbook(), "some-llama"), 124);
    }

    #[test]
    fn words_are_as_the_vocabulary_has_them() {
        assert_eq!(count_text("tiktoken is great!", "gpt-4"), 6);
        assert_eq!(count_text("tiktoken is great!", "gpt-4o"), 6);
        assert_eq!(count_text("", "gpt-4o"), 0);
        // What looks like a control token is text.
        assert!(count_text("<|endoftext|>", "gpt-4o") > 1);
    }

    #[test]
    fn long_texts_count_like_their_pieces() {
        let sentence = " The quick brown fox jumps over the lazy dog.";
        let one = count_text(sentence, "gpt-4o");
        assert_eq!(count_text(&sentence.repeat(2000), "gpt-4o"), 2000 * one);
    }

    #[test]
    fn every_text_can_be_counted() {
        for odd in ["A", " ", "a", "\n", "日", "\u{301}", "\u{1f600}", "1", "=", "Aa", " \n"] {
            let long = odd.repeat(40_000);
            assert!(count_text(&long, "gpt-4o") > 0);
            assert!(count_text(&long, "gpt-4") > 0);
        }
        // At a million, the vocabulary alone would panic.
        assert!(count_text(&" ".repeat(1_100_000), "gpt-4o") > 1000);
    }

    #[test]
    fn tools_schemas_calls_and_images_count() {
        let plain = ChatRequest::new("gpt-4o", [user("Hi")]);
        let base = plain.count_tokens();
        let tool = Tool::with_schema("weather", "Today's weather", json!({"type": "object"}));
        assert!(plain.clone().tools([tool]).count_tokens() > base + 10);
        assert!(plain.clone().response_format(ResponseFormat::json_schema("s", json!({}))).count_tokens() > base);
        assert!(plain.clone().message(calls(&["a"])).count_tokens() > base + 4);
        let image = Part::image_url("data:image/png;base64,AAAA");
        let with = |image: Part| plain.clone().message(Message::user([Part::text("Hi"), image])).count_tokens();
        assert_eq!(with(image.clone()) - with(image.detail("low")), 765 - 85);
    }
}
