//! Moderations, lists of voices, and parts of messages that compatible servers share.

mod support;

use openai_compatible::Client;
use openai_compatible::audio::VoicePromptRequest;
use openai_compatible::chat::{ChatRequest, Message, Part};
use openai_compatible::images::{ImageRequest, OutputFormat, SvgOptions};
use openai_compatible::moderations::ModerationRequest;
use serde_json::{Value, json};
use support::{Reply, Server};

async fn client(replies: impl IntoIterator<Item = Value>) -> (Server, Client) {
    let server = Server::start(replies.into_iter().map(|reply| Reply::ok_json(&reply))).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
    (server, client)
}

#[tokio::test]
async fn texts_and_images_are_moderated_together_or_each_alone() {
    let result = json!({"flagged": true, "categories": {"violence": true, "hate": false, "illicit": null}, "category_scores": {"violence": 0.9}});
    let (server, client) = client([json!({"id": "m", "model": "omni", "results": [result]})]).await;
    let parts = [Part::text("text"), Part::image_url("https://example.com/x.png")];
    let requests = [
        (ModerationRequest::new("text"), json!("text")),
        (ModerationRequest::new(["a", "b"]), json!(["a", "b"])),
        (
            ModerationRequest::new(parts),
            json!([{"type": "text", "text": "text"}, {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]),
        ),
    ];
    for (number, (request, input)) in requests.into_iter().enumerate() {
        let request = request.model("omni-moderation-latest");
        let result = client.moderations().create(&request).await.unwrap().results.remove(0);
        assert!(result.flagged);
        assert_eq!(result.flagged_categories().collect::<Vec<_>>(), ["violence"]);
        assert_eq!((result.score("violence"), result.score("hate")), (Some(0.9), None));
        let sent = &server.requests()[number];
        assert_eq!(sent.target, "/v1/moderations");
        assert_eq!(sent.json()["input"], input);
        let again: ModerationRequest = serde_json::from_value(sent.json()).unwrap();
        assert_eq!(again, request);
    }
}

#[tokio::test]
async fn voices_are_listed_in_every_form_that_servers_send() {
    for list in [
        json!(["ada", "bob"]),
        json!({"voices": ["ada", "bob"]}),
        json!({"voices": [{"id": "ada", "name": "ada"}, {"voice_id": "bob"}]}),
        json!({"object": "list", "data": [{"name": "ada"}, {"id": "bob", "name": "bob", "language": "en"}]}),
    ] {
        let (server, client) = client([list.clone()]).await;
        let voices = client.audio().voices().list().await.unwrap();
        let names: Vec<_> = voices.iter().map(|voice| (voice.id.as_str(), voice.name.as_str())).collect();
        assert_eq!(names, [("ada", "ada"), ("bob", "bob")], "{list}");
        assert_eq!(server.requests()[0].target, "/v1/audio/voices");
    }
    let (_server, client) = client([json!({"object": "list"})]).await;
    assert!(client.audio().voices().list().await.unwrap_err().to_string().contains("no list of voices"));
}

#[tokio::test]
async fn voices_are_made_from_a_description_and_deleted() {
    let (server, client) =
        client([json!({"id": "v", "name": "Ada", "type": "prompt"}), json!({"id": "v", "deleted": true})]).await;
    let request = VoicePromptRequest::new("Ada", "Calm.").script_hint("news");
    assert_eq!(client.audio().voices().create_from_prompt(&request).await.unwrap().type_, "prompt");
    assert!(client.audio().voices().delete("v").await.unwrap().deleted);
    let requests = server.requests();
    assert_eq!(requests[0].json(), json!({"type": "prompt", "name": "Ada", "prompt": "Calm.", "script_hint": "news"}));
    assert_eq!((requests[1].method.as_str(), requests[1].target.as_str()), ("DELETE", "/v1/audio/voices/v"));
}

#[test]
fn a_video_is_a_part_of_a_message() {
    let request = ChatRequest::new("m", [Message::user(vec![Part::video_url("https://example.com/x.mp4")])]);
    let part = json!({"type": "video_url", "video_url": {"url": "https://example.com/x.mp4"}});
    assert_eq!(serde_json::to_value(&request).unwrap()["messages"][0]["content"][0], part);
}

#[test]
fn animations_and_vector_graphics_have_their_parameters() {
    let request = ImageRequest::new("gpt-image-2.5", "A river.")
        .output_format(OutputFormat::Svg)
        .svg(SvgOptions::new("gpt-5").reasoning(json!({"effort": "low"})))
        .frame_count(4)
        .frame_duration_ms(100)
        .complexity("low")
        .safety_identifier("u1");
    let expected = json!({
        "model": "gpt-image-2.5", "prompt": "A river.", "output_format": "svg", "frame_count": 4, "frame_duration_ms": 100,
        "svg": {"model": "gpt-5", "reasoning": {"effort": "low"}}, "complexity": "low", "safety_identifier": "u1",
    });
    assert_eq!(serde_json::to_value(&request).unwrap(), expected);
}
