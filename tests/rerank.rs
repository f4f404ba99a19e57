//! Rerank, in the shapes of the servers that have it.

mod support;

use openai_compatible::rerank::{RerankRequest, RerankResponse};
use openai_compatible::{Client, ErrorKind, Result};
use serde_json::{Value, json};
use support::{Reply, Server};

const DOCUMENTS: [&str; 3] = ["The Alps are high.", "The Nile is long.", "The sea is salt."];

fn request() -> RerankRequest {
    RerankRequest::new("bge", "Which river is long?", DOCUMENTS)
}

async fn reranked(body: &Value) -> Result<RerankResponse> {
    let server = Server::start([Reply::ok_json(body)]).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
    let response = client.rerank().create(request().top_n(2)).await;
    let sent = server.requests().remove(0);
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/rerank"));
    assert_eq!(
        sent.json(),
        json!({"model": "bge", "query": "Which river is long?", "documents": DOCUMENTS, "top_n": 2})
    );
    response
}

#[tokio::test]
async fn results_of_all_servers_are_sorted_and_contain_their_documents() {
    let bodies = [
        // vLLM
        json!({"id": "rerank-1", "model": "bge", "usage": {"total_tokens": 30}, "results": [
            {"index": 1, "document": {"text": DOCUMENTS[1]}, "relevance_score": 0.9},
            {"index": 0, "document": {"text": DOCUMENTS[0]}, "relevance_score": 0.1},
        ]}),
        // llama.cpp and Cohere: not sorted, without documents.
        json!({"object": "list", "results": [{"index": 0, "relevance_score": 0.1}, {"index": 1, "relevance_score": 0.9}]}),
        // Voyage
        json!({"object": "list", "data": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}),
        // TEI and SGLang
        json!([{"index": 1, "score": 0.9, "text": DOCUMENTS[1]}, {"index": 0, "score": 0.1}]),
    ];
    for body in bodies {
        let response = reranked(&body).await.unwrap();
        let results: Vec<_> = response.results.iter().map(|result| (result.text(), result.relevance_score)).collect();
        assert_eq!(results, [(DOCUMENTS[1], 0.9), (DOCUMENTS[0], 0.1)], "{body}");
    }
}

#[tokio::test]
async fn result_without_a_document_in_the_request_is_an_error() {
    let error = reranked(&json!({"results": [{"index": 3, "relevance_score": 0.9}]})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("document 3"), "{error}");
}

#[tokio::test]
async fn failure_in_a_success_is_an_error() {
    for body in
        [json!({"results": [], "error": {"message": "no reranker"}}), json!({"error": "no reranker"}), json!([])]
    {
        let result = reranked(&body).await;
        match body.is_array() {
            true => assert_eq!(result.unwrap_err().kind(), ErrorKind::Decode),
            false => assert!(result.unwrap_err().to_string().contains("no reranker"), "{body}"),
        }
    }
}

#[tokio::test]
async fn request_without_a_model_is_refused() {
    let client = Client::builder().base_url("http://localhost:9/v1").build().unwrap();
    let error = client.rerank().create(RerankRequest::new("", "q", ["a"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
