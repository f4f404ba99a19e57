//! Against a mock that checks every request by OpenAI's description of its API and answers at random:
//! `scripts/with-mock-server cargo test --test contract -- --ignored`.

#[path = "support/requests.rs"]
mod requests;
mod support;

use std::collections::BTreeSet;

use openai_compatible::{Client, ErrorKind};
use requests::{CASES, Case, Played, leftover};
use serde_json::Value;
use support::fixture_json;

/// Each seed gives other replies.
const SEEDS: [&str; 5] = ["1", "2", "3", "4", "5"];

/// A good request that the mock refuses: the fields of a form are text, and the mock makes numbers of them, but not
/// inside an `anyOf` as there is one around this member. Checked to be still needed.
const MISREAD: (&str, &str, &str) = ("createTranscription", "server VAD", "body.chunking_strategy");

/// Streams of the mock have no end mark: it sends the first kind of event over and over, and these end with another.
/// Each is checked to be still needed.
const ENDLESS: [&str; 4] = ["createSpeech", "createTranscription", "createImage", "createImageEdit"];

/// All requests, under each seed.
async fn play() -> Vec<(&'static Case, Played)> {
    let url = std::env::var("MOCK_SERVER_URL").expect("run this under scripts/with-mock-server");
    let mut all = Vec::new();
    for seed in SEEDS {
        let client =
            Client::builder().base_url(&url).max_retries(0).header("x-steady-seed", seed).build().expect("a client");
        for case in CASES {
            all.push((case, (case.play)(&client).await));
        }
    }
    all
}

fn is_misread(case: &Case) -> bool {
    (case.operation, case.name) == (MISREAD.0, MISREAD.1)
}

#[tokio::test]
#[ignore = "needs the mock server: scripts/with-mock-server"]
async fn every_request_is_accepted() {
    let operations = fixture_json("wire/operations.json");
    let mut complaints = BTreeSet::new();
    for (case, played) in play().await {
        let header = |name: &str| played.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        if is_misread(case) {
            assert_eq!(header("x-steady-error-1-path"), MISREAD.2, "the mock reads it now");
            continue;
        }
        let is_ours = |operation: &&Value| operation["operationId"] == case.operation;
        let operation = operations.as_array().unwrap().iter().find(is_ours).unwrap();
        let mut complain = |what: String| complaints.insert(format!("{}, {}: {what}", case.operation, case.name));
        if operation["path"] != header("x-steady-matched-path") {
            complain(format!("it went to `{}`, {:?}", header("x-steady-matched-path"), played.error));
        }
        for n in 1..=header("x-steady-error-count").parse().unwrap_or(0) {
            let said = |what: &str| header(&format!("x-steady-error-{n}-{what}"));
            complain(format!("{} at {}, {}", said("code"), said("path"), said("message")));
        }
    }
    assert_eq!(complaints, BTreeSet::new());
}

#[tokio::test]
#[ignore = "needs the mock server: scripts/with-mock-server"]
async fn every_reply_is_read_to_its_last_member() {
    let mut complaints = BTreeSet::new();
    for (case, played) in play().await.iter().filter(|(case, _)| !is_misread(case)) {
        let mut complain = |what: &str| complaints.insert(format!("{}, {}: {what}", case.operation, case.name));
        let is_endless = case.name.contains("stream") && ENDLESS.contains(&case.operation);
        match &played.error {
            Some(error) if is_endless && error.kind() == ErrorKind::Stream && played.read.len() == 5 => {}
            Some(error) => drop(complain(&error.to_string())),
            None if is_endless => drop(complain("it ends now: take it out of the list")),
            None => {}
        }
        if played.read.is_empty() {
            complain("nothing was read");
        }
        for leftover in played.read.iter().filter_map(|read| leftover(read)) {
            complain(&leftover);
        }
    }
    assert_eq!(complaints, BTreeSet::new());
}
