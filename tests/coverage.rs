//! Coverage of the OpenAI spec: every operation, every request field and every response field.

#[path = "support/requests.rs"]
mod requests;
#[path = "support/spec.rs"]
mod spec;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use openai_compatible::audio::{
    CustomVoice, DiarizedTranscription, SpeechEvent, Transcription, TranscriptionEvent, Translation,
    VerboseTranscription, VoiceConsent,
};
use openai_compatible::batches::Batch;
use openai_compatible::chat::{ChatChunk, ChatCompletion, StoredMessage};
use openai_compatible::completions::Completion;
use openai_compatible::conversations::Conversation;
use openai_compatible::embeddings::EmbeddingList;
use openai_compatible::files::File;
use openai_compatible::images::{ImageEvent, ImagesResponse};
use openai_compatible::models::Model;
use openai_compatible::responses::{CompactedResponse, InputTokens, Item, Response, ResponseEvent};
use openai_compatible::{Client, Deleted, Page};
use requests::{Case, cases, leftover};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use spec::Spec;
use support::{Recorded, Reply, Server, fixture_json};

/// Known differences between a sample of the spec and its round trip, with the reason. The test checks that each is still
/// needed.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "CreateTranscriptionResponseJson.logprobs.bytes: 2.5 is written back as 2",
        "the values are bytes: the other schemas define the same array as integers",
    ),
    (
        "CreateTranscriptionResponseVerboseJson.segments.id: 7 is written back as \"7\"",
        "ids are strings, as in the diarized response; some servers also send strings here",
    ),
    ("Response.completed_at: 2.5 is written back as 2", "whole seconds, as in every other object"),
    ("Response.created_at: 2.5 is written back as 2", "whole seconds, as in every other object"),
    ("ResponseStreamEvent.response.completed_at: 2.5 is written back as 2", "whole seconds, as in every other object"),
    ("ResponseStreamEvent.response.created_at: 2.5 is written back as 2", "whole seconds, as in every other object"),
    (
        "CreateTranslationResponseVerboseJson.segments.id: 7 is written back as \"7\"",
        "ids are strings, as in the diarized response; some servers also send strings here",
    ),
];

/// Items, tools and events that are kept whole as JSON and have no type of their own, by design (see `docs/design.md`): tools
/// that few programs use, and events of theirs.
const UNTYPED: &[&str] = &[
    // Items.
    "additional_tools",
    "apply_patch_call",
    "apply_patch_call_output",
    "computer_call",
    "computer_call_output",
    "local_shell_call",
    "local_shell_call_output",
    "program",
    "program_output",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    // Tools.
    "apply_patch",
    "computer",
    "computer_use_preview",
    "local_shell",
    "namespace",
    "programmatic_tool_calling",
    "shell",
    "tool_search",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "web_search_2025_08_26",
    // Parts, and roles of the server's own.
    "computer_screenshot",
    "critic",
    "discriminator",
    "unknown",
    // Events.
    "error",
    "response.shell_call_command.added",
    "response.shell_call_output_content.delta",
    "response.shell_call_output_content.done",
];

/// A sample without what is kept whole; `None` if that is all of it.
fn typed(sample: &Value) -> Option<Value> {
    match sample {
        Value::Object(members) => {
            let is_untyped =
                |name: &str| members.get(name).and_then(Value::as_str).is_some_and(|kind| UNTYPED.contains(&kind));
            if is_untyped("type") || is_untyped("role") {
                return None;
            }
            members.iter().map(|(name, value)| Some((name.clone(), typed(value)?))).collect()
        }
        Value::Array(items) => Some(items.iter().filter_map(typed).collect()),
        other => Some(other.clone()),
    }
}

/// Sends all requests of `requests.rs` to a server that only records them.
async fn sent() -> Vec<(&'static Case, Recorded)> {
    let server = Server::start([Reply::ok_json(&json!({}))]).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
    let mut sent = Vec::new();
    for case in cases() {
        let before = server.requests().len();
        let played = (case.play)(&client).await;
        let requests = server.requests();
        assert_eq!(requests.len(), before + 1, "{}, {}: {:?}", case.operation, case.name, played.error);
        sent.push((case, requests[before].clone()));
    }
    sent
}

// ---- Operations ----

#[tokio::test]
async fn every_operation_has_a_method_with_its_path() {
    let spec = Spec::read();
    assert_eq!(spec.operations.len(), 47, "the number of operations changed");
    let mut wrong = Vec::new();
    let mut found = BTreeSet::new();
    for (case, request) in sent().await {
        let Some(operation) = spec.operations.iter().find(|operation| operation["operationId"] == case.operation)
        else {
            wrong.push(format!("the spec has no operation {}", case.operation));
            continue;
        };
        found.insert(case.operation);
        let path = request.target.split('?').next().unwrap();
        let template = format!("/v1{}", operation["path"].as_str().unwrap());
        if request.method != operation["method"] || !fits(path, &template) {
            wrong.push(format!("{}: {} {path} is not {}", case.operation, request.method, operation["path"]));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let all = spec.operations.iter().map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(found, all);
}

fn fits(path: &str, template: &str) -> bool {
    let (path, template): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
    let same = |(part, wanted): (&&str, &&str)| part == wanted || wanted.starts_with('{') && !part.is_empty();
    path.len() == template.len() && path.iter().zip(&template).all(same)
}

#[test]
fn spec_fixture_files_agree() {
    let spec = Spec::read();
    for (name, schema) in fixture_json("wire/schemas.json").as_object().unwrap() {
        let Some(fields) = schema["fields"].as_array() else { continue };
        let names: BTreeSet<_> = fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect();
        let mut described = spec.members(spec.schema(name));
        described.retain(|path| !path.contains('.'));
        assert_eq!(names, described, "{name}");
    }
}

// ---- Requests ----

#[tokio::test]
async fn every_field_of_every_request_has_a_setter() {
    let spec = Spec::read();
    // Keyed by operation and location: the query, or the content type of the body.
    let mut set: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    for (case, request) in sent().await {
        let operation = spec.operations.iter().find(|operation| operation["operationId"] == case.operation).unwrap();
        let mut add = |location: &str, value: Value, schema: &Value| {
            let paths = spec.members_of(&value, schema);
            set.entry((case.operation, location.to_owned())).or_default().extend(paths);
        };
        add("query", query(&request), &spec.query(operation));
        if let Some((content_type, body)) = body(&request) {
            add(content_type, body, &spec.describe(operation)["requestBody"]["content"][content_type]["schema"]);
        }
    }
    let mut wanted: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    for operation in &spec.operations {
        let id = operation["operationId"].as_str().unwrap();
        wanted.insert((id, "query".to_owned()), spec.members(&spec.query(operation)));
        let contents = &spec.describe(operation)["requestBody"]["content"];
        for (content_type, content) in contents.as_object().into_iter().flatten() {
            wanted.insert((id, content_type.clone()), spec.members(&content["schema"]));
        }
    }
    let differences: Vec<String> = wanted
        .iter()
        .flat_map(|(at, wanted)| {
            let none = BTreeSet::new();
            let set = set.get(at).unwrap_or(&none);
            let missing = wanted.difference(set).map(|path| format!("no setter: {path}"));
            let unknown = set.difference(wanted).map(|path| format!("not in the spec: {path}"));
            missing.chain(unknown).map(|what| format!("{}, {}: {what}", at.0, at.1)).collect::<Vec<_>>()
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(set.keys().all(|at| wanted.contains_key(at)), "a request has a body whose content type is not in the spec");
    let fields: usize = wanted.values().map(BTreeSet::len).sum();
    assert!(fields > 200, "only {fields} fields were compared");
}

fn query(request: &Recorded) -> Value {
    let url = url::Url::parse(&format!("http://host{}", request.target)).unwrap();
    nested(url.query_pairs().into_owned())
}

fn body(request: &Recorded) -> Option<(&'static str, Value)> {
    match request.header("content-type") {
        None => None,
        Some("application/json") => Some(("application/json", request.json())),
        Some(_) => Some(("multipart/form-data", nested(request.form_fields().into_iter()))),
    }
}

/// Converts form fields such as `a[b]` and `a[]` to JSON.
fn nested(fields: impl Iterator<Item = (String, String)>) -> Value {
    let mut all = Map::new();
    for (name, value) in fields {
        match name.trim_end_matches("[]").split_once('[') {
            Some((object, member)) => {
                let members = all.entry(object).or_insert_with(|| json!({}));
                members[member.trim_end_matches(']')] = value.into();
            }
            None => drop(all.insert(name.trim_end_matches("[]").to_owned(), value.into())),
        }
    }
    all.into()
}

// ---- Responses ----

type Read = fn(&Value) -> Result<(String, Value), String>;

/// The schemas of all responses and the functions that decode them.
const RESPONSES: &[(&str, Read)] = &[
    ("Batch", read::<Batch>),
    ("ChatCompletionDeleted", read::<Deleted>),
    ("ChatCompletionList", read::<Page<ChatCompletion>>),
    ("ChatCompletionMessageList", read::<Page<StoredMessage>>),
    ("CompactResource", read::<CompactedResponse>),
    ("ConversationItem", read::<Item>),
    ("ConversationItemList", read::<Page<Item>>),
    ("ConversationResource", read::<Conversation>),
    ("CreateChatCompletionResponse", read::<ChatCompletion>),
    ("CreateChatCompletionStreamResponse", read::<ChatChunk>),
    ("CreateCompletionResponse", read::<Completion>),
    ("CreateEmbeddingResponse", read::<EmbeddingList>),
    ("CreateSpeechResponseStreamEvent", read::<SpeechEvent>),
    ("CreateTranscriptionResponseDiarizedJson", read::<DiarizedTranscription>),
    ("CreateTranscriptionResponseJson", read::<Transcription>),
    ("CreateTranscriptionResponseStreamEvent", read::<TranscriptionEvent>),
    ("CreateTranscriptionResponseVerboseJson", read::<VerboseTranscription>),
    ("CreateTranslationResponseJson", read::<Translation>),
    ("CreateTranslationResponseVerboseJson", read::<VerboseTranscription>),
    ("DeletedConversationResource", read::<Deleted>),
    ("DeleteFileResponse", read::<Deleted>),
    ("DeleteModelResponse", read::<Deleted>),
    ("ImageEditStreamEvent", read::<ImageEvent>),
    ("ImageGenStreamEvent", read::<ImageEvent>),
    ("ImagesResponse", read::<ImagesResponse>),
    ("ListBatchesResponse", read::<Page<Batch>>),
    ("ListFilesResponse", read::<Page<File>>),
    ("ListModelsResponse", read::<Page<Model>>),
    ("Model", read::<Model>),
    ("OpenAIFile", read::<File>),
    ("Response", read::<Response>),
    ("ResponseItemList", read::<Page<Item>>),
    ("ResponseStreamEvent", read::<ResponseEvent>),
    ("TokenCountsResource", read::<InputTokens>),
    ("VoiceConsentDeletedResource", read::<Deleted>),
    ("VoiceConsentListResource", read::<Page<VoiceConsent>>),
    ("VoiceConsentResource", read::<VoiceConsent>),
    ("VoiceResource", read::<CustomVoice>),
];

/// Decodes a sample; returns its `Debug` output and the value serialized again.
fn read<T: DeserializeOwned + Serialize + Debug>(sample: &Value) -> Result<(String, Value), String> {
    let value: T = serde_json::from_value(sample.clone()).map_err(|error| error.to_string())?;
    Ok((format!("{value:?}"), serde_json::to_value(&value).map_err(|error| error.to_string())?))
}

#[test]
fn every_response_schema_has_a_type() {
    let spec = Spec::read();
    let mut schemas = BTreeSet::new();
    let mut files = Vec::new();
    for operation in &spec.operations {
        for content in
            spec.describe(operation)["responses"]["200"]["content"].as_object().into_iter().flat_map(Map::values)
        {
            let schema = &content["schema"];
            for schema in schema["oneOf"].as_array().unwrap_or(&vec![schema.clone()]) {
                match schema["$ref"].as_str() {
                    Some(name) => drop(schemas.insert(name.rsplit('/').next().unwrap().to_owned())),
                    None => files.push(operation["operationId"].as_str().unwrap()),
                }
            }
        }
    }
    assert_eq!(schemas, RESPONSES.iter().map(|(name, _)| (*name).to_owned()).collect());
    assert_eq!(files, ["createSpeech", "downloadFile"], "only these return bytes");
}

#[test]
fn every_response_field_is_typed_and_round_trips() {
    let spec = Spec::read();
    let mut differences = BTreeSet::new();
    let mut count = 0;
    for (name, read) in RESPONSES {
        for sample in spec.samples(spec.schema(name)) {
            count += 1;
            let (_, back) = match read(&sample) {
                Ok(read) => read,
                Err(error) => panic!("{name}: {error}: {sample}"),
            };
            if let Some(sample) = typed(&sample) {
                let (debug, _) = read(&sample).unwrap();
                differences.extend(leftover(&debug).map(|leftover| format!("{name}: {leftover}")));
            }
            compare(&sample, &back, name, &mut differences);
        }
    }
    let is_exception = |difference: &str| EXCEPTIONS.iter().any(|(exception, _)| *exception == difference);
    let unexpected: Vec<_> = differences.iter().map(String::as_str).filter(|what| !is_exception(what)).collect();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    for (exception, why) in EXCEPTIONS {
        assert!(differences.contains(*exception), "exception no longer needed: {exception}, {why}");
    }
    assert!(count > 150, "only {count} samples were decoded");
}

/// Collects the differences between a sample and its round trip. Default values may be added, because numbers and arrays
/// are always serialized.
fn compare(sample: &Value, back: &Value, path: &str, differences: &mut BTreeSet<String>) {
    match (sample, back) {
        (Value::Object(members), Value::Object(written)) => {
            for (name, value) in members {
                compare(value, &written[name], &format!("{path}.{name}"), differences);
            }
            for (name, value) in written.iter().filter(|(name, _)| !members.contains_key(*name)) {
                if ![json!(0), json!(0.0), json!(false), json!(""), json!([])].contains(value) {
                    differences.insert(format!("{path}.{name} is added"));
                }
            }
        }
        (Value::Array(items), Value::Array(written)) if items.len() == written.len() => {
            items.iter().zip(written).for_each(|(item, written)| compare(item, written, path, differences));
        }
        (sample, back) if sample == back => {}
        (sample, back) => drop(differences.insert(format!("{path}: {sample} is written back as {back}"))),
    }
}
