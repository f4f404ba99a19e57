//! Requests that a person has written: what is probably a mistake, by its name and place.

use openai_compatible::chat::ChatRequest;
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::{ErrorKind, Page};
use serde_json::{Value, json};

fn mistakes(request: Value) -> Vec<String> {
    match serde_json::from_value::<ChatRequest>(request).unwrap().check() {
        Ok(()) => Vec::new(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config);
            let text = error.to_string();
            let mut mistakes: Vec<_> = text.split_once(": ").unwrap().1.split("; ").map(str::to_owned).collect();
            mistakes.sort();
            mistakes
        }
    }
}

#[test]
fn a_request_with_what_vendors_add_has_no_mistake() {
    let request = json!({
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]}],
        "top_k": 40, "min_tokens": 1, "min_p": 0.1, "repetition_penalty": 1.1, "chat_template_kwargs": {"modle": 1},
    });
    assert_eq!(mistakes(request), Vec::<String>::new());
}

#[test]
fn required_fields_must_not_be_empty() {
    assert_eq!(mistakes(json!({})), ["`messages` is empty", "`model` is empty"]);
    let request: EmbeddingRequest = serde_json::from_value(json!({"input": ""})).unwrap();
    assert!(request.check().unwrap_err().to_string().contains("`model` is empty"));
}

#[test]
fn values_of_another_type_and_slips_are_named_with_their_place() {
    let request = json!({
        "model": "m",
        "temprature": 0.5,
        "max_tokens": "many",
        "messages": [{"role": "user", "content": "Hi", "nmae": "Ann"}, {"role": "usr", "content": "Hi"}],
        "tools": [{"type": "function", "function": {"name": "f", "description": 7, "paramters": {}}}],
    });
    assert_eq!(
        mistakes(request),
        [
            "`max_tokens` has another type than expected: a string",
            "`messages[0].nmae` is unknown: did you mean `name`?",
            "`messages[1].role` is unknown: expected one of system, developer, user, assistant, tool, function",
            "`temprature` is unknown: did you mean `temperature`?",
            "`tools[0].function.paramters` is unknown: did you mean `parameters`?",
        ]
    );
}

#[test]
fn nothing_of_a_prompt_is_part_of_a_mistake() {
    let error = serde_json::from_value::<ChatRequest>(json!({"model": "m", "messages": "a secret"})).unwrap().check();
    assert!(!error.unwrap_err().to_string().contains("secret"));
}

#[test]
fn reading_another_kind_of_json_says_which_type_was_expected_and_what_was_found() {
    let message = |error: serde_json::Error| error.to_string();
    assert_eq!(
        message(serde_json::from_str::<ChatRequest>("\"a secret\"").unwrap_err()),
        "a string does not match `ChatRequest`"
    );
    let error = serde_json::from_str::<Page<openai_compatible::models::Model>>("7").unwrap_err();
    assert_eq!(message(error), "a number does not match `Page<Model>`");
}
