//! The whole contract is covered: every operation, every field of every request, every field of every reply.

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
use openai_compatible::embeddings::EmbeddingList;
use openai_compatible::files::File;
use openai_compatible::images::{ImageEvent, Images};
use openai_compatible::models::Model;
use openai_compatible::{Client, Deleted, Page};
use requests::{CASES, Case, leftover};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use spec::Spec;
use support::{Recorded, Reply, Server, fixture_json};

/// What is not written back as the contract has it, and why. Each is checked to be still needed.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "CreateTranscriptionResponseJson.logprobs.bytes: 2.5 comes back as 2",
        "they are bytes: the other schemas of the same list say integers",
    ),
    (
        "CreateTranscriptionResponseVerboseJson.segments.id: 7 comes back as \"7\"",
        "an id is text, as in the diarized form; some servers send text here, too",
    ),
    (
        "CreateTranslationResponseVerboseJson.segments.id: 7 comes back as \"7\"",
        "an id is text, as in the diarized form; some servers send text here, too",
    ),
];

/// All requests of `requests.rs`, sent to a server that only writes down what it gets.
async fn sent() -> Vec<(&'static Case, Recorded)> {
    let server = Server::start([Reply::ok_json(&json!({}))]).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
    let mut sent = Vec::new();
    for case in CASES {
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
async fn every_operation_is_there_under_its_method_and_path() {
    let spec = Spec::read();
    assert_eq!(spec.operations.len(), 32, "an operation was added or lost");
    let mut wrong = Vec::new();
    let mut found = BTreeSet::new();
    for (case, request) in sent().await {
        let Some(operation) = spec.operations.iter().find(|operation| operation["operationId"] == case.operation)
        else {
            wrong.push(format!("the contract has no operation {}", case.operation));
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
fn the_files_of_the_contract_say_the_same() {
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
    // By operation and by where the fields stand: in the query, or in a body of this type.
    let mut set: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    for (case, request) in sent().await {
        let operation = spec.operations.iter().find(|operation| operation["operationId"] == case.operation).unwrap();
        let mut add = |place: &str, value: Value, schema: &Value| {
            let paths = spec.members_of(&value, schema);
            set.entry((case.operation, place.to_owned())).or_default().extend(paths);
        };
        add("query", query(&request), &spec.query(operation));
        if let Some((place, body)) = body(&request) {
            add(place, body, &spec.describe(operation)["requestBody"]["content"][place]["schema"]);
        }
    }
    let mut wanted: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    for operation in &spec.operations {
        let id = operation["operationId"].as_str().unwrap();
        wanted.insert((id, "query".to_owned()), spec.members(&spec.query(operation)));
        for (place, content) in spec.describe(operation)["requestBody"]["content"].as_object().into_iter().flatten() {
            wanted.insert((id, place.clone()), spec.members(&content["schema"]));
        }
    }
    let differences: Vec<String> = wanted
        .iter()
        .flat_map(|(at, wanted)| {
            let none = BTreeSet::new();
            let set = set.get(at).unwrap_or(&none);
            let missing = wanted.difference(set).map(|path| format!("no setter: {path}"));
            let unknown = set.difference(wanted).map(|path| format!("not in the contract: {path}"));
            missing.chain(unknown).map(|what| format!("{}, {}: {what}", at.0, at.1)).collect::<Vec<_>>()
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(set.keys().all(|at| wanted.contains_key(at)), "a body of a type that the contract does not know");
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

/// `a[b]` and `a[]` as JSON.
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

// ---- Replies ----

type Read = fn(&Value) -> Result<(String, Value), String>;

/// The schemas of all replies and the types that read them.
const REPLIES: &[(&str, Read)] = &[
    ("Batch", read::<Batch>),
    ("ChatCompletionDeleted", read::<Deleted>),
    ("ChatCompletionList", read::<Page<ChatCompletion>>),
    ("ChatCompletionMessageList", read::<Page<StoredMessage>>),
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
    ("DeleteFileResponse", read::<Deleted>),
    ("DeleteModelResponse", read::<Deleted>),
    ("ImageEditStreamEvent", read::<ImageEvent>),
    ("ImageGenStreamEvent", read::<ImageEvent>),
    ("ImagesResponse", read::<Images>),
    ("ListBatchesResponse", read::<Page<Batch>>),
    ("ListFilesResponse", read::<Page<File>>),
    ("ListModelsResponse", read::<Page<Model>>),
    ("Model", read::<Model>),
    ("OpenAIFile", read::<File>),
    ("VoiceConsentDeletedResource", read::<Deleted>),
    ("VoiceConsentListResource", read::<Page<VoiceConsent>>),
    ("VoiceConsentResource", read::<VoiceConsent>),
    ("VoiceResource", read::<CustomVoice>),
];

/// What `Debug` shows of a value, and the value written back.
fn read<T: DeserializeOwned + Serialize + Debug>(sample: &Value) -> Result<(String, Value), String> {
    let value: T = serde_json::from_value(sample.clone()).map_err(|error| error.to_string())?;
    Ok((format!("{value:?}"), serde_json::to_value(&value).map_err(|error| error.to_string())?))
}

#[test]
fn every_reply_has_a_type() {
    let spec = Spec::read();
    let mut schemas = BTreeSet::new();
    let mut files = Vec::new();
    for operation in &spec.operations {
        for content in spec.describe(operation)["responses"]["200"]["content"].as_object().unwrap().values() {
            let schema = &content["schema"];
            for schema in schema["oneOf"].as_array().unwrap_or(&vec![schema.clone()]) {
                match schema["$ref"].as_str() {
                    Some(name) => drop(schemas.insert(name.rsplit('/').next().unwrap().to_owned())),
                    None => files.push(operation["operationId"].as_str().unwrap()),
                }
            }
        }
    }
    assert_eq!(schemas, REPLIES.iter().map(|(name, _)| (*name).to_owned()).collect());
    assert_eq!(files, ["createSpeech", "downloadFile"], "these are bytes");
}

#[test]
fn every_field_of_every_reply_is_typed_and_written_back_as_it_came() {
    let spec = Spec::read();
    let mut differences = BTreeSet::new();
    let mut count = 0;
    for (name, read) in REPLIES {
        for sample in spec.samples(spec.schema(name)) {
            count += 1;
            let (debug, back) = match read(&sample) {
                Ok(read) => read,
                Err(error) => panic!("{name}: {error}: {sample}"),
            };
            differences.extend(leftover(&debug).map(|leftover| format!("{name}: {leftover}")));
            compare(&sample, &back, name, &mut differences);
        }
    }
    let is_exception = |difference: &str| EXCEPTIONS.iter().any(|(exception, _)| *exception == difference);
    let unexpected: Vec<_> = differences.iter().map(String::as_str).filter(|what| !is_exception(what)).collect();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    for (exception, why) in EXCEPTIONS {
        assert!(differences.contains(*exception), "not needed any more: {exception}, {why}");
    }
    assert!(count > 150, "only {count} samples were read");
}

/// Where what was written back is not what came. Blank members may be added: numbers and lists are always written.
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
        (sample, back) => drop(differences.insert(format!("{path}: {sample} comes back as {back}"))),
    }
}
