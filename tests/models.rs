//! Models: what is asked, and every listing that servers are known to write.

mod support;

use openai_compatible::models::Model;
use openai_compatible::{Client, ErrorKind};
use serde_json::json;
use support::{Reply, Server, fixture};

async fn serving(reply: Reply) -> (Server, Client) {
    let server = Server::start([reply]).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
    (server, client)
}

#[tokio::test]
async fn a_list_has_all_models_in_the_servers_order() {
    let (server, client) = serving(Reply::ok_json(&json!({
        "object": "list",
        "data": [
            { "id": "b", "object": "model", "created": 1686935002, "owned_by": "openai", "shutdown_date": "2026-10-23" },
            { "id": "a", "object": "model", "created": 1686935003, "owned_by": "acme", "shutdown_date": null },
        ],
    })))
    .await;

    let models = client.models().list().await.unwrap().data;

    assert_eq!(server.requests()[0].method, "GET");
    assert_eq!(server.requests()[0].target, "/v1/models");
    assert_eq!(models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(models[0].created, Some(1_686_935_002));
    assert_eq!(models[0].owned_by, "openai");
    assert_eq!(models[0].shutdown_date.as_deref(), Some("2026-10-23"));
    assert_eq!(models[1].shutdown_date, None);
    assert!(models[0].extra.is_empty());
}

#[tokio::test]
async fn a_bare_array_is_a_list() {
    let together = json!([{ "id": "meta-llama/Llama-3.3-70B", "type": "chat", "pricing": { "input": 0.88 } }]);
    let (_server, client) = serving(Reply::ok_json(&together)).await;

    let models = client.models().list().await.unwrap().data;

    assert_eq!(models[0].id, "meta-llama/Llama-3.3-70B");
    assert_eq!(models[0].extra.get("pricing"), Some(&json!({ "input": 0.88 })));
}

#[tokio::test]
async fn a_server_without_models_lists_none() {
    for body in [json!({ "object": "list", "data": null }), json!({ "data": [] }), json!([])] {
        let (_server, client) = serving(Reply::ok_json(&body)).await;
        assert!(client.models().list().await.unwrap().data.is_empty(), "{body}");
    }
}

#[tokio::test]
async fn members_may_be_missing_null_or_of_another_type() {
    let (_server, client) = serving(Reply::ok_json(&json!({ "data": [
        { "id": "only-an-id" },
        { "id": "nulls", "object": null, "created": null, "owned_by": null },
        { "id": "float", "created": 1756892755.0, "owned_by": "" },
        { "id": "text", "created": "2024-01-01T00:00:00Z" },
    ] })))
    .await;

    let models = client.models().list().await.unwrap().data;

    assert_eq!(models.iter().map(|model| model.created).collect::<Vec<_>>(), [None, None, Some(1_756_892_755), None]);
    assert!(models.iter().all(|model| model.owned_by.is_empty()));
    assert_eq!(models[3].extra.get("created"), Some(&json!("2024-01-01T00:00:00Z")));
}

#[tokio::test]
async fn aliases_under_one_id_are_all_listed() {
    let mistral = json!({ "data": [{ "id": "mistral-large" }, { "id": "mistral-large" }] });
    let (_server, client) = serving(Reply::ok_json(&mistral)).await;

    assert_eq!(client.models().list().await.unwrap().data.len(), 2);
}

#[tokio::test]
async fn the_listings_of_other_servers_are_read() {
    for (name, first) in [
        ("gemini_models", "models/gemini-2.5-flash"),
        ("lmstudio_models", "qwen2.5-7b-instruct"),
        ("openrouter_models", "openai/gpt-4o"),
    ] {
        let body = fixture(&format!("dialects/{name}.json"));
        let (_server, client) = serving(Reply::status(200).body(body)).await;
        assert_eq!(client.models().list().await.unwrap().data[0].id, first, "{name}");
    }
}

#[tokio::test]
async fn vendor_members_of_a_model_are_kept() {
    let (_server, client) = serving(Reply::status(200).body(fixture("dialects/openrouter_models.json"))).await;

    let page = client.models().list().await.unwrap();

    assert_eq!(page.data[0].extra.get_as::<u64>("context_length"), Some(128_000));
    assert_eq!(page.data[0].extra.get("pricing").unwrap()["prompt"], "0.0000025");
}

#[tokio::test]
async fn a_list_of_models_has_one_page() {
    let (server, client) = serving(Reply::ok_json(&json!({ "data": [{ "id": "a" }] }))).await;

    let page = client.models().list().await.unwrap();

    assert!(page.next_page().await.unwrap().is_none());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_id_with_slashes_is_one_segment() {
    let (server, client) = serving(Reply::ok_json(&json!({ "id": "openai/gpt-4o:free" }))).await;

    let model = client.models().get("openai/gpt-4o:free").await.unwrap();

    assert_eq!(server.requests()[0].target, "/v1/models/openai%2Fgpt-4o:free");
    assert_eq!(model.id, "openai/gpt-4o:free");
}

#[tokio::test]
async fn deleting_says_what_is_gone() {
    let (server, client) =
        serving(Reply::ok_json(&json!({ "id": "ft:a:b", "object": "model", "deleted": true }))).await;

    let gone = client.models().delete("ft:a:b").await.unwrap();

    assert_eq!(server.requests()[0].method, "DELETE");
    assert_eq!(server.requests()[0].target, "/v1/models/ft:a:b");
    assert!(gone.deleted);
    assert_eq!(gone.id, "ft:a:b");
}

#[tokio::test]
async fn an_empty_id_is_refused_before_anything_is_sent() {
    let (server, client) = serving(Reply::status(200)).await;

    assert_eq!(client.models().get("").await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(client.models().delete("..").await.unwrap_err().kind(), ErrorKind::Config);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_model_that_is_not_there_is_not_found() {
    let body = json!({ "error": { "message": "The model 'x' does not exist", "code": "model_not_found" } });
    let (_server, client) = serving(Reply::status(404).json(&body)).await;

    let error = client.models().get("x").await.unwrap_err();

    assert!(error.is_not_found());
    assert_eq!(error.api_error().unwrap().code.as_deref(), Some("model_not_found"));
}

#[tokio::test]
async fn error_with_status_200_is_not_a_model() {
    let (_server, client) = serving(Reply::ok_json(&json!({ "error": "no such endpoint" }))).await;

    assert_eq!(client.models().get("x").await.unwrap_err().kind(), ErrorKind::Api);
    assert_eq!(client.models().list().await.unwrap_err().kind(), ErrorKind::Api);
}

#[test]
fn context_window_is_found_under_the_names_of_all_servers() {
    for (fields, expected) in [
        (json!({"context_length": 131_072}), Some(131_072)),
        (json!({"max_model_len": 32_768}), Some(32_768)),
        (json!({"context_window": 8192}), Some(8192)),
        (json!({"max_context_length": "4096"}), Some(4096)),
        (json!({"meta": {"n_ctx_train": 2048, "n_params": 1}}), Some(2048)),
        (json!({"context_length": null, "top_provider": {"context_length": 65_536}}), Some(65_536)),
        (json!({"context_length": 0, "max_model_len": 512}), Some(512)),
        (json!({"context_length": -1}), None),
        (json!({"context_length": {"in": 1}}), None),
        (json!({}), None),
    ] {
        let mut model = fields.clone();
        model["id"] = json!("m");
        let model: Model = serde_json::from_value(model).unwrap();
        assert_eq!(model.context_window(), expected, "{fields}");
    }
}
