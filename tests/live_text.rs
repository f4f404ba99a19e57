//! Completions, embeddings and models of a real server: `scripts/with-local-model cargo test -- --ignored`.

use futures::TryStreamExt;
use openai_compatible::Client;
use openai_compatible::completions::CompletionRequest;
use openai_compatible::embeddings::{EmbeddingRequest, EncodingFormat};

fn server() -> (Client, String) {
    let model = std::env::var("OPENAI_MODEL").expect("OPENAI_MODEL is set");
    (Client::from_env().expect("the environment names a server"), model)
}

fn completion(model: String) -> CompletionRequest {
    CompletionRequest::new(model, "One, two, three, four,").max_tokens(12).temperature(0.0).seed(7)
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model cargo test -- --ignored"]
async fn a_prompt_is_continued() {
    let (client, model) = server();

    let reply = client.completions().create(completion(model).logprobs(2)).await.unwrap();

    assert!(reply.text().contains("five"), "{}", reply.text());
    assert_eq!(reply.finish_reason().unwrap(), "length");
    assert_eq!(reply.usage.as_ref().unwrap().completion_tokens, 12);
    let logprobs = reply.choices[0].logprobs.as_ref().expect("log probabilities were asked for");
    assert_eq!(logprobs.iter().map(|(token, _)| token).collect::<String>(), reply.text());
    assert!(logprobs.iter().all(|(_, logprob)| logprob.is_some_and(|logprob| logprob <= 0.0)));
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model cargo test -- --ignored"]
async fn a_streamed_completion_is_the_same_in_pieces() {
    let (client, model) = server();
    let request = completion(model).include_usage(true);

    let whole = client.completions().create(&request).await.unwrap();
    let pieces: Vec<_> = client
        .completions()
        .stream(&request)
        .await
        .unwrap()
        .map_ok(|piece| piece.text().to_owned())
        .try_collect()
        .await
        .unwrap();
    let collected = client.completions().stream(&request).await.unwrap().collect().await.unwrap();

    assert!(pieces.len() > 3, "{pieces:?}");
    assert_eq!(pieces.concat(), whole.text());
    assert_eq!(collected.text(), whole.text());
    assert_eq!(collected.finish_reason(), whole.finish_reason());
    assert_eq!(collected.usage.unwrap().total_tokens, whole.usage.unwrap().total_tokens);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model cargo test -- --ignored"]
async fn several_prompts_get_an_answer_each() {
    let (client, model) = server();
    let request = CompletionRequest::new(model, ["Red, green and", "Spring, summer and"]).max_tokens(3);

    let reply = client.completions().create(&request).await.unwrap();

    assert_eq!(reply.choices.iter().map(|choice| choice.index).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model cargo test -- --ignored"]
async fn floats_and_base64_give_the_same_vectors() {
    let (client, model) = server();
    let request = EmbeddingRequest::new(model, ["A cat sleeps.", "Rust is a language."]);

    let floats = client.embeddings().create(request.clone().encoding_format(EncodingFormat::Float)).await.unwrap();
    let base64 = client.embeddings().create(request.encoding_format(EncodingFormat::Base64)).await.unwrap();

    for (float, base64) in floats.data.iter().zip(&base64.data) {
        assert!(!float.embedding.is_empty());
        assert_eq!(float.embedding.len(), base64.embedding.len());
        assert!(float.cosine_similarity(base64) > 0.9999);
    }
    assert!(floats.data[0].cosine_similarity(&floats.data[1]) < 0.9999);
    assert!(floats.usage.unwrap().prompt_tokens > 0);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model cargo test -- --ignored"]
async fn many_inputs_keep_their_order() {
    let (client, model) = server();
    let texts = [
        "The cat sleeps on the warm stone.",
        "let mut total = 0; for n in numbers { total += n; }",
        "1, 2, 3, 5, 8, 13, 21",
        "Dear Sir or Madam, I am writing about the invoice of last month.",
        "Wasser kocht bei hundert Grad.",
        "NO! STOP! DO NOT OPEN THAT DOOR!",
        "https://example.org/index.html?page=2",
    ];

    let request = EmbeddingRequest::new(&model, texts);
    let all = client.embeddings().create_all(request).batch_size(2).concurrency(2).await.unwrap().data;

    assert_eq!(all.len(), texts.len());
    for (index, text) in texts.iter().enumerate() {
        let alone = client.embeddings().create(EmbeddingRequest::new(&model, *text)).await.unwrap();
        let likeness: Vec<_> = all.iter().map(|found| found.cosine_similarity(&alone.data[0])).collect();
        let nearest = (0..all.len()).max_by(|one, other| likeness[*one].total_cmp(&likeness[*other]));
        assert_eq!(nearest, Some(index), "{text}: {likeness:?}");
    }
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model cargo test -- --ignored"]
async fn the_model_is_among_those_listed() {
    let (client, model) = server();

    let models = client.models().list().await.unwrap().data;

    assert!(models.iter().any(|listed| listed.id == model), "{models:?}");
}
