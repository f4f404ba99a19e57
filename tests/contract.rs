//! Contract tests against a mock server that validates every request with the OpenAPI description of the OpenAI API and
//! returns random responses: `scripts/with-mock-server cargo test --test contract -- --ignored`.

#[path = "support/requests.rs"]
mod requests;
#[path = "support/spec.rs"]
mod spec;
mod support;

use std::collections::BTreeSet;

use openai_compatible::{Client, ErrorKind};
use requests::{Case, Played, cases, leftover};
use serde_json::Value;
use support::fixture_json;

/// Seeds of the mock; each produces different responses.
const SEEDS: [&str; 5] = ["1", "2", "3", "4", "5"];

/// A valid request that the mock rejects: the mock converts form fields to numbers, but not inside an `anyOf`, as in this
/// field. The test checks that this exception is still needed.
const REJECTED: (&str, &str, &str) = ("createTranscription", "server VAD", "body.chunking_strategy");

/// Cases with every variant of the unions of items and tools, whose nested unions the mock cannot tell apart (`E3008`, `E3011`,
/// `E3012`), nor their recursion (`$recursiveRef`). The coverage test counts them. The test checks that each exception is
/// still needed.
const UNDECIDED: [(&str, &str); 7] = [
    ("createResponse", "every item"),
    ("createResponse", "every tool"),
    ("Getinputtokencounts", "every item"),
    ("Getinputtokencounts", "every tool"),
    ("Compactconversation", "full"),
    ("createConversation", "full"),
    ("createConversationItems", "full"),
];

/// Operations whose streams the mock never ends: it repeats the first type of event, but these streams end with another
/// type. The test checks that each exception is still needed.
const ENDLESS: [&str; 4] = ["createSpeech", "createTranscription", "createImage", "createImageEdit"];

/// Sends all requests with each seed.
async fn play() -> Vec<(&'static Case, Played)> {
    let url = std::env::var("MOCK_SERVER_URL").expect("run this under scripts/with-mock-server");
    let mut all = Vec::new();
    for seed in SEEDS {
        let client =
            Client::builder().base_url(&url).max_retries(0).header("x-steady-seed", seed).build().expect("a client");
        for case in cases() {
            all.push((case, (case.play)(&client).await));
        }
    }
    all
}

fn is_rejected(case: &Case) -> bool {
    (case.operation, case.name) == (REJECTED.0, REJECTED.1)
}

fn is_undecided(case: &Case) -> bool {
    UNDECIDED.contains(&(case.operation, case.name))
}

#[tokio::test]
#[ignore = "needs the mock server: scripts/with-mock-server"]
async fn every_request_is_accepted_by_the_mock() {
    let operations = fixture_json("wire/operations.json");
    let mut complaints = BTreeSet::new();
    for (case, played) in play().await {
        let header = |name: &str| played.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        if is_rejected(case) {
            assert_eq!(header("x-steady-error-1-path"), REJECTED.2, "the mock accepts this request now");
            continue;
        }
        if is_undecided(case) {
            let code = header("x-steady-error-1-code");
            assert!(["E3008", "E3011", "E3012", "E4005"].contains(&code), "the mock accepts {} now: {code}", case.name);
            continue;
        }
        let is_ours = |operation: &&Value| operation["operationId"] == case.operation;
        let operation = operations.as_array().unwrap().iter().find(is_ours).unwrap();
        let mut complain = |what: String| complaints.insert(format!("{}, {}: {what}", case.operation, case.name));
        if operation["path"] != header("x-steady-matched-path") {
            complain(format!("the path was `{}`, {:?}", header("x-steady-matched-path"), played.error));
        }
        for n in 1..=header("x-steady-error-count").parse().unwrap_or(0) {
            let error = |what: &str| header(&format!("x-steady-error-{n}-{what}"));
            complain(format!("{} at {}, {}", error("code"), error("path"), error("message")));
        }
    }
    assert_eq!(complaints, BTreeSet::new());
}

#[tokio::test]
#[ignore = "needs the mock server: scripts/with-mock-server"]
async fn every_response_field_of_the_mock_is_decoded() {
    let mut complaints = BTreeSet::new();
    for (case, played) in play().await.iter().filter(|(case, _)| !is_rejected(case) && !is_undecided(case)) {
        let mut complain = |what: &str| complaints.insert(format!("{}, {}: {what}", case.operation, case.name));
        let is_endless = case.name.contains("stream") && ENDLESS.contains(&case.operation);
        match &played.error {
            Some(error) if is_endless && error.kind() == ErrorKind::Stream && played.read.len() == 5 => {}
            Some(error) => drop(complain(&error.to_string())),
            None if is_endless => drop(complain("the stream ends now: remove it from `ENDLESS`")),
            None => {}
        }
        if played.read.is_empty() {
            complain("nothing was decoded");
        }
        for leftover in played.read.iter().filter_map(|read| leftover(read)) {
            complain(&leftover);
        }
    }
    assert_eq!(complaints, BTreeSet::new());
}
