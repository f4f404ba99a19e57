//! A tower stack around the connection: here two requests at a time, and a line per attempt.
//!
//! `scripts/with-local-model cargo run --example tower`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where the server
//! needs one, `OPENAI_API_KEY`.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{ClientBuilder, DefaultHttp, HttpError, HttpErrorKind, HttpService, RequestBody};
use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let started = Instant::now();
    let http = DefaultHttp::new(Duration::from_secs(5));
    // Any layer fits: limits, metrics, signatures, a cache. Retries are the client's, above it.
    let stack = ServiceBuilder::new()
        .concurrency_limit(2)
        .map_request(move |request: http::Request<RequestBody>| {
            println!("{:>5.1} s  {} {}", started.elapsed().as_secs_f64(), request.method(), request.uri().path());
            request
        })
        .timeout(Duration::from_secs(60))
        .service(service_fn(move |request| http.call(request)));

    let client = ClientBuilder::from_env()
        .http_service(move |request: http::Request<RequestBody>| {
            let stack = stack.clone();
            async move {
                stack.oneshot(request).await.map_err(|error: BoxError| match error.downcast::<HttpError>() {
                    Ok(own) => *own,
                    Err(other) => HttpError::new(HttpErrorKind::Timeout, other),
                })
            }
        })
        .build()?;

    let model = frame::model(frame::models::CHAT);
    let ask = |river| {
        let request = ChatRequest::new(&model, [Message::user(format!("Where is the {river}?"))]).max_tokens(24);
        client.chat().create(request)
    };
    for response in try_join_all(["Nile", "Rhine", "Loire", "Tiber"].map(ask)).await? {
        println!("{}", response.text().trim());
    }
    Ok(())
}
