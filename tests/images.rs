//! Images: JSON and multipart requests, responses, events, files on disk.

mod support;

use openai_compatible::images::{
    Background, Image, ImageEditRequest, ImageEvent, ImageInput, ImageRequest, ImageVariationRequest, OutputFormat,
    Quality, ResponseFormat,
};
use openai_compatible::{Client, ErrorKind, EventStream, FileSource};
use serde_json::{Value, json};
use support::{Reply, Server, pairs};

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).build().unwrap()
}

fn png(name: &str) -> FileSource {
    FileSource::bytes(name.to_owned(), "PNG")
}

fn one_image() -> Reply {
    Reply::ok_json(&json!({ "created": 1, "data": [{ "b64_json": "UE5H" }] }))
}

fn events(events: &[Value]) -> String {
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

/// Collects the items of a stream and the error that ended it.
async fn drain(mut stream: EventStream<ImageEvent>) -> (Vec<ImageEvent>, Option<openai_compatible::Error>) {
    let mut items = Vec::new();
    loop {
        match stream.try_next().await {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return (items, None),
            Err(error) => return (items, Some(error)),
        }
    }
}

#[tokio::test]
async fn generation_sends_only_the_fields_that_are_set() {
    let server = Server::start([one_image()]).await;
    let images = client(&server).images();
    images.generate(ImageRequest::new("m", "A cat.").extra("stream", true)).await.unwrap();
    let request = ImageRequest::new("m", "A cat.")
        .background("transparent")
        .moderation("low")
        .n(2)
        .output_compression(80)
        .output_format(OutputFormat::Webp)
        .partial_images(0)
        .quality(Quality::Hd)
        .response_format(ResponseFormat::B64Json)
        .size("1536x864")
        .style("vivid")
        .user("u")
        .extra("steps", 20);
    images.generate(&request).await.unwrap();
    let requests = server.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].target.as_str()), ("POST", "/v1/images/generations"));
    assert_eq!(requests[0].json(), json!({ "model": "m", "prompt": "A cat." }));
    assert_eq!(
        requests[1].json(),
        json!({
            "model": "m", "prompt": "A cat.", "background": "transparent", "moderation": "low", "n": 2,
            "output_compression": 80, "output_format": "webp", "partial_images": 0, "quality": "hd",
            "response_format": "b64_json", "size": "1536x864", "style": "vivid", "user": "u", "steps": 20,
        })
    );
}

#[tokio::test]
async fn model_may_be_omitted_but_not_empty() {
    let server = Server::start([one_image()]).await;
    let images = client(&server).images();
    let mut request = ImageRequest::new("", "A cat.");
    assert_eq!(images.generate(&request).await.unwrap_err().kind(), ErrorKind::Config);
    request.model = None;
    images.generate(&request).await.unwrap();
    assert_eq!(server.requests()[0].json(), json!({ "prompt": "A cat." }));
}

#[tokio::test]
async fn edit_of_one_file_names_its_part_image() {
    let server = Server::start([one_image()]).await;
    let request = ImageEditRequest::new("m", "A hat.", [png("cat.png")]).mask(png("mask.png")).extra("stream", true);
    client(&server).images().edit(&request).await.unwrap();
    let sent = &server.requests()[0];
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/images/edits"));
    let part = |disposition: &str| json!({ "disposition": disposition, "content-type": "image/png", "data": "PNG" });
    assert_eq!(
        sent.form_vectors(),
        [
            json!({ "disposition": "form-data; name=\"model\"", "data": "m" }),
            json!({ "disposition": "form-data; name=\"prompt\"", "data": "A hat." }),
            part("form-data; name=\"image\"; filename=\"cat.png\""),
            part("form-data; name=\"mask\"; filename=\"mask.png\""),
        ]
    );
}

#[tokio::test]
async fn edit_of_several_files_names_parts_with_brackets() {
    let server = Server::start([one_image()]).await;
    let request = ImageEditRequest::new("m", "Together.", [png("a.png"), png("b.png")])
        .background(Background::Opaque)
        .input_fidelity("high")
        .n(1)
        .output_compression(50)
        .output_format("jpeg")
        .quality("low")
        .response_format("b64_json")
        .size("auto")
        .user("u")
        .extra("seed", 7);
    client(&server).images().edit(&request).await.unwrap();
    assert_eq!(
        server.requests()[0].form_fields(),
        pairs(&[
            ("background", "opaque"),
            ("input_fidelity", "high"),
            ("model", "m"),
            ("n", "1"),
            ("output_compression", "50"),
            ("output_format", "jpeg"),
            ("prompt", "Together."),
            ("quality", "low"),
            ("response_format", "b64_json"),
            ("seed", "7"),
            ("size", "auto"),
            ("user", "u"),
            ("image[]", "PNG"),
            ("image[]", "PNG"),
        ])
    );
}

#[tokio::test]
async fn edit_of_images_by_id_or_url_is_json() {
    let server = Server::start([one_image()]).await;
    let images = [ImageInput::file_id("file-1"), ImageInput::url("https://example.com/a.png")];
    let request = ImageEditRequest::new("m", "A hat.", images).mask(ImageInput::file_id("file-2")).moderation("low");
    client(&server).images().edit(&request).await.unwrap();
    let expected = json!({
        "model": "m", "prompt": "A hat.", "moderation": "low",
        "images": [{ "file_id": "file-1" }, { "image_url": "https://example.com/a.png" }],
        "mask": { "file_id": "file-2" },
    });
    assert_eq!(server.requests()[0].json(), expected);
    assert_eq!(serde_json::from_value::<ImageEditRequest>(expected).unwrap(), request);
}

#[tokio::test]
async fn edit_of_mixed_files_and_references_fails_before_sending() {
    let server = Server::start([one_image()]).await;
    let request = ImageEditRequest::new("m", "A hat.", [png("a.png")]).mask(ImageInput::file_id("file-2"));
    let error = client(&server).images().edit(&request).await.unwrap_err();
    assert_eq!((error.kind(), server.requests().len()), (ErrorKind::Config, 0));
}

#[tokio::test]
async fn variation_is_a_form_with_one_image() {
    let server =
        Server::start([Reply::ok_json(&json!({ "created": 1, "data": [{ "url": "https://x.test/1" }] }))]).await;
    let request = ImageVariationRequest::new("dall-e-2", png("cat.png"))
        .n(2)
        .response_format(ResponseFormat::Url)
        .size("256x256")
        .user("u");
    let images = client(&server).images().variation(&request).await.unwrap();
    assert_eq!(images.data[0].url.as_deref(), Some("https://x.test/1"));
    let sent = &server.requests()[0];
    assert_eq!(sent.target, "/v1/images/variations");
    let expected = [
        ("model", "dall-e-2"),
        ("n", "2"),
        ("response_format", "url"),
        ("size", "256x256"),
        ("user", "u"),
        ("image", "PNG"),
    ];
    assert_eq!(sent.form_fields(), pairs(&expected));
}

#[tokio::test(start_paused = true)]
async fn edit_is_resent_completely_after_status_503() {
    let server = Server::start([Reply::status(503), one_image()]).await;
    let request = ImageEditRequest::new("m", "A hat.", [png("cat.png")]);
    let response = client(&server).images().edit(&request).with_response().await.unwrap();
    assert_eq!(response.attempts(), 2);
    let requests = server.requests();
    assert_eq!(requests[0].form_fields(), pairs(&[("model", "m"), ("prompt", "A hat."), ("image", "PNG")]));
    assert_eq!(requests[1].form_fields(), requests[0].form_fields());
}

#[tokio::test]
async fn images_response_exposes_settings_and_usage() {
    let server = Server::start([Reply::ok_json(&json!({
        "created": 1_713_833_628, "background": "transparent", "output_format": "png", "size": "1024x1536", "quality": "high",
        "data": [{ "b64_json": "UE5H", "revised_prompt": "A grey cat." }],
        "usage": {
            "total_tokens": 100, "input_tokens": 50, "output_tokens": 50,
            "input_tokens_details": { "text_tokens": 10, "image_tokens": 40 },
            "output_tokens_details": { "text_tokens": 1, "image_tokens": 49 },
        },
    }))])
    .await;
    let images = client(&server).images().generate(ImageRequest::new("m", "A cat.")).await.unwrap();
    assert_eq!((images.created, images.size.as_deref()), (Some(1_713_833_628), Some("1024x1536")));
    assert_eq!(images.background, Some(Background::Transparent));
    assert_eq!((images.output_format, images.quality), (Some(OutputFormat::Png), Some(Quality::High)));
    assert_eq!(images.data[0].revised_prompt.as_deref(), Some("A grey cat."));
    assert_eq!(images.data[0].bytes().unwrap(), "PNG");
    let usage = images.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.total_tokens), (50, 50, 100));
    assert_eq!(usage.input_tokens_details.unwrap().image_tokens, 40);
    assert_eq!(usage.output_tokens_details.unwrap().image_tokens, 49);
}

#[tokio::test]
async fn images_response_requires_data_or_created() {
    let bodies = [json!({ "created": 1 }), json!({ "created": 1, "error": { "message": "full" } }), json!({})];
    let server = Server::start(bodies.iter().map(Reply::ok_json)).await;
    let images = client(&server).images();
    assert_eq!(images.generate(ImageRequest::new("m", "A cat.")).await.unwrap().data, []);
    for kind in [ErrorKind::Api, ErrorKind::Decode] {
        assert_eq!(images.generate(ImageRequest::new("m", "A cat.")).await.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn images_responses_of_other_servers_decode() {
    let server = Server::start([
        // xAI, a withheld image
        Reply::ok_json(&json!({ "data": [{ "b64_json": null, "url": null, "respect_moderation": false }],
            "usage": { "cost_in_usd_ticks": 700_000_000_000_u64 } })),
        // Together, LocalAI
        Reply::ok_json(&json!({ "id": "i", "model": "m", "object": "list", "quality": "ultra", "size": null,
            "data": [{ "index": 0, "url": "https://x.test/1", "embedding": null }] })),
        Reply::ok_json(&json!({ "code": "bad", "error": "no such size" })),
    ])
    .await;
    let client = client(&server);
    let request = ImageRequest::new("m", "A cat.");

    let withheld = client.images().generate(&request).await.unwrap();
    assert_eq!((withheld.created, withheld.data.len()), (None, 1));
    assert_eq!((&withheld.data[0].b64_json, &withheld.data[0].url), (&None, &None));
    assert_eq!(withheld.usage.unwrap().extra.get("cost_in_usd_ticks"), Some(&json!(700_000_000_000_u64)));

    let by_url = client.images().generate(&request).await.unwrap();
    assert_eq!(by_url.quality, Some(Quality::Other("ultra".into())));
    assert_eq!(by_url.data[0].url.as_deref(), Some("https://x.test/1"));
    assert_eq!(by_url.data[0].extra.get("index"), Some(&json!(0)));

    let error = client.images().generate(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.api_error().unwrap().message.as_str()), (ErrorKind::Api, "no such size"));
}

#[tokio::test]
async fn image_is_saved_completely_or_not_at_all() {
    let folder = std::env::temp_dir().join(format!("openai-compatible-images-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("cat.png");
    let image = |members: Value| serde_json::from_value::<Image>(members).unwrap();

    assert_eq!(image(json!({ "b64_json": "UE5H" })).save_to(&path).await.unwrap(), 3);
    let invalid = image(json!({ "b64_json": "%%%" })).save_to(&path).await.unwrap_err();
    let by_url = image(json!({ "url": "https://x.test/1" })).save_to(&path).await.unwrap_err();
    assert_eq!((invalid.kind(), by_url.kind()), (ErrorKind::Decode, ErrorKind::Decode));
    let no_folder = image(json!({ "b64_json": "UE5H" })).save_to(folder.join("no/cat.png")).await.unwrap_err();
    assert_eq!(no_folder.kind(), ErrorKind::Io);

    assert_eq!(std::fs::read(&path).unwrap(), b"PNG");
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["cat.png"]);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn base64_decodes_without_padding_and_from_data_urls() {
    for base64 in ["UE5HIQ==", "UE5HIQ", "data:image/png;base64,UE5HIQ=="] {
        let image: Image = serde_json::from_value(json!({ "b64_json": base64 })).unwrap();
        assert_eq!(image.bytes().unwrap(), "PNG!", "{base64}");
    }
}

#[tokio::test]
async fn generation_stream_yields_previews_and_the_image() {
    let server = Server::start([Reply::sse(&events(&[
        json!({ "type": "image_generation.partial_image", "b64_json": "UA==", "created_at": 1, "size": "1024x1024",
            "quality": "high", "background": "opaque", "output_format": "png", "partial_image_index": 0 }),
        json!({ "type": "vendor.news", "color": "red" }),
        json!({ "type": "image_generation.completed", "b64_json": "UE5H", "created_at": 2, "size": "1024x1024",
            "quality": "high", "background": "opaque", "output_format": "png",
            "usage": { "total_tokens": 3, "input_tokens": 1, "output_tokens": 2,
                "input_tokens_details": { "text_tokens": 1, "image_tokens": 0 } } }),
    ]))])
    .await;
    let request = ImageRequest::new("m", "A cat.").partial_images(1);
    let (events, error) = drain(client(&server).images().generate_stream(&request).await.unwrap()).await;
    assert!(error.is_none(), "{error:?}");
    let [ImageEvent::Partial(preview), ImageEvent::Other(_), ImageEvent::Completed(image)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((preview.partial_image_index, preview.created_at, preview.bytes().unwrap()), (0, Some(1), "P".into()));
    assert_eq!((preview.quality.as_ref(), preview.size.as_deref()), (Some(&Quality::High), Some("1024x1024")));
    assert_eq!(
        (image.output_format.as_ref(), image.background.as_ref()),
        (Some(&OutputFormat::Png), Some(&Background::Opaque))
    );
    assert_eq!((image.bytes().unwrap(), image.usage.as_ref().unwrap().total_tokens), ("PNG".into(), 3));
    assert_eq!(events[1].kind(), "vendor.news");
    let sent = server.requests()[0].json();
    assert_eq!(sent, json!({ "model": "m", "prompt": "A cat.", "partial_images": 1, "stream": true }));
}

#[tokio::test]
async fn streamed_edit_is_sent_as_form_or_json() {
    let done = events(&[json!({ "type": "image_edit.completed", "b64_json": "UE5H" })]);
    let server = Server::start([Reply::sse(&done)]).await;
    let images = client(&server).images();
    let by_form = ImageEditRequest::new("m", "A hat.", [png("cat.png")]);
    let by_json = ImageEditRequest::new("m", "A hat.", [ImageInput::file_id("file-1")]);
    for request in [by_form, by_json] {
        let (events, error) = drain(images.edit_stream(&request).await.unwrap()).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(events[0].kind(), "image_edit.completed");
        assert!(matches!(&events[..], [ImageEvent::Completed(image)] if image.bytes().unwrap() == "PNG"));
    }
    let requests = server.requests();
    let form = [("model", "m"), ("prompt", "A hat."), ("stream", "true"), ("image", "PNG")];
    assert_eq!(requests[0].form_fields(), pairs(&form));
    assert_eq!(requests[1].json()["stream"], true);
}

#[tokio::test]
async fn truncated_or_failed_image_stream_is_an_error() {
    let preview =
        events(&[json!({ "type": "image_edit.partial_image", "b64_json": "UA==", "partial_image_index": 0 })]);
    let failed = preview.clone() + &events(&[json!({ "type": "error", "error": { "message": "boom", "code": "x" } })]);
    let server = Server::start([Reply::sse(&preview), Reply::sse(&failed)]).await;
    let images = client(&server).images();
    let request = ImageRequest::new("m", "A cat.");
    let (items, error) = drain(images.generate_stream(&request).await.unwrap()).await;
    assert_eq!((items.len(), error.unwrap().kind()), (1, ErrorKind::Stream));
    let (items, error) = drain(images.generate_stream(&request).await.unwrap()).await;
    assert_eq!((items.len(), error.unwrap().api_error().unwrap().message.as_str()), (1, "boom"));
}

#[tokio::test]
async fn json_response_becomes_a_single_image_event() {
    let server = Server::start([
        Reply::ok_json(&json!({ "created": 5, "size": "512x512", "data": [{ "url": "https://x.test/1" }] })),
        one_image(),
    ])
    .await;
    let images = client(&server).images();
    let request = ImageRequest::new("m", "A cat.");
    let (events, error) = drain(images.generate_stream(&request).await.unwrap()).await;
    assert!(error.is_none(), "{error:?}");
    let [ImageEvent::Completed(image)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((image.created_at, image.size.as_deref()), (Some(5), Some("512x512")));
    assert_eq!(image.extra.get("url"), Some(&json!("https://x.test/1")));
    let (events, _) = drain(images.generate_stream(&request).await.unwrap()).await;
    assert!(matches!(&events[..], [ImageEvent::Completed(image)] if image.bytes().unwrap() == "PNG"));
}

#[test]
fn image_requests_round_trip_through_serde() {
    let request = ImageEditRequest::new("m", "A hat.", [FileSource::path("cat.png")]).n(2).extra("seed", 7);
    let written = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<ImageEditRequest>(&written).unwrap(), request);
    let request = ImageRequest::new("m", "A cat.").quality("ultra").extra("steps", 20);
    let written = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<ImageRequest>(&written).unwrap(), request);
}

#[tokio::test]
async fn image_without_extension_is_sent_with_the_type_of_its_content() {
    let folder = support::Folder::new();
    for (start, media_type) in [
        (b"\x89PNG\r\n\x1a\n".as_slice(), "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"something else", "application/octet-stream"),
    ] {
        let path = folder.path().join("upload");
        std::fs::write(&path, start).unwrap();
        for source in [FileSource::path(&path), FileSource::bytes("upload", start.to_vec())] {
            let server = Server::start([Reply::ok_json(&json!({ "data": [] , "created": 1 }))]).await;
            let client = Client::builder().base_url(server.base_url()).build().unwrap();
            client.images().edit(ImageEditRequest::new("m", "A hat.", [source])).await.unwrap();
            let body = String::from_utf8_lossy(&server.requests()[0].body).into_owned();
            assert!(body.contains(&format!("Content-Type: {media_type}\r\n")), "{body}");
        }
    }
}
