//! Limits over calls: the rate limiter, the retry budget, clients made from clients.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use http::StatusCode;
use openai_compatible::chat::{ChatCompletion, ChatRequest, Message, ToolSet};
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::{
    CallOptions, Client, ErrorKind, Failover, FailoverTarget, HttpError, RateLimiter, RequestBody, ResponseBody, Result,
};
use serde_json::json;
use support::{Reply, Server};
use tokio::time::{Instant, sleep};

/// A server that accepts a number of requests in each period, and refuses the others.
#[derive(Clone)]
struct Limited {
    limit: usize,
    period: Duration,
    reports: Reports,
    seen: Arc<Mutex<Seen>>,
}

/// What the server says of its limits.
#[derive(Clone, Copy, PartialEq)]
enum Reports {
    Nothing,
    RetryAfter,
    Headers,
}

#[derive(Default)]
struct Seen {
    begun: Option<Instant>,
    period: u128,
    in_period: usize,
    attempts: usize,
    refused: usize,
    active: usize,
    most_active: usize,
}

impl Limited {
    fn new(limit: usize, period: Duration, reports: Reports) -> Self {
        Limited { limit, period, reports, seen: Arc::default() }
    }

    fn client(&self, limiter: Option<RateLimiter>) -> Client {
        let server = self.clone();
        let mut builder = Client::builder()
            .base_url("http://memory/v1")
            .max_retries(20)
            .http_service(move |_: http::Request<RequestBody>| server.clone().answer());
        if let Some(limiter) = limiter {
            builder = builder.rate_limiter(limiter);
        }
        builder.build().unwrap()
    }

    async fn answer(self) -> std::result::Result<http::Response<ResponseBody>, HttpError> {
        let (accepted, left, reset) = {
            let mut seen = self.seen.lock().unwrap();
            let begun = *seen.begun.get_or_insert_with(Instant::now);
            let since = begun.elapsed();
            let period = since.as_nanos() / self.period.as_nanos();
            if period != seen.period {
                (seen.period, seen.in_period) = (period, 0);
            }
            seen.attempts += 1;
            seen.active += 1;
            seen.most_active = seen.most_active.max(seen.active);
            let accepted = seen.in_period < self.limit;
            if accepted {
                seen.in_period += 1;
            } else {
                seen.refused += 1;
            }
            let end = self.period * u32::try_from(period + 1).unwrap();
            (accepted, self.limit - seen.in_period, end - since)
        };
        sleep(Duration::from_millis(if accepted { 20 } else { 2 })).await;
        self.seen.lock().unwrap().active -= 1;
        let mut response = http::Response::builder().status(if accepted { 200 } else { 429 });
        if self.reports == Reports::Headers {
            response = response
                .header("x-ratelimit-limit-requests", self.limit)
                .header("x-ratelimit-remaining-requests", left)
                .header("x-ratelimit-reset-requests", format!("{}ms", reset.as_millis()));
        }
        if !accepted && self.reports != Reports::Nothing {
            response = response.header("retry-after-ms", reset.as_millis().to_string());
        }
        let body = json!({"choices":[{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]});
        Ok(response.body(ResponseBody::from(body.to_string())).unwrap())
    }
}

fn ask() -> ChatRequest {
    ChatRequest::new("m", [Message::user("Hi")])
}

/// A body that is a completion, a list of embeddings and a batch.
fn good() -> Reply {
    Reply::ok_json(&json!({
        "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
        "data": [{"embedding": [1.0]}],
        "id": "b",
        "status": "completed",
    }))
}

async fn run(client: &Client, calls: usize) -> Vec<Result<ChatCompletion>> {
    join_all((0..calls).map(|_| client.clone().chat().create(ask()))).await
}

#[tokio::test(start_paused = true)]
async fn two_hundred_calls_at_forty_a_second_end_without_a_storm() {
    for (reports, most_refused) in [(Reports::Headers, 10), (Reports::RetryAfter, 40), (Reports::Nothing, 40)] {
        let server = Limited::new(40, Duration::from_secs(1), reports);
        let started = Instant::now();
        let answers = run(&server.client(Some(RateLimiter::new())), 200).await;
        let (took, seen) = (started.elapsed(), server.seen.lock().unwrap());
        assert!(answers.iter().all(Result::is_ok));
        assert!(seen.refused <= most_refused, "{} of {} refused", seen.refused, seen.attempts);
        // Five seconds at the limit.
        assert!(took < Duration::from_secs(9), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_limiter_the_same_calls_are_refused_again_and_again() {
    let server = Limited::new(40, Duration::from_secs(1), Reports::Nothing);
    run(&server.client(None).with(|settings| settings.retry_budget(u32::MAX)).unwrap(), 200).await;
    assert!(server.seen.lock().unwrap().refused > 200);
}

#[tokio::test(start_paused = true)]
async fn fixed_limits_hold_from_the_first_call() {
    let server = Limited::new(usize::MAX, Duration::from_secs(60), Reports::Nothing);
    let client = server.client(Some(RateLimiter::new().requests_per_minute(60).max_concurrency(4)));
    let started = Instant::now();
    run(&client, 120).await;
    assert_eq!(started.elapsed().as_secs(), 60, "sixty at once, and one more each second");
    assert!(server.seen.lock().unwrap().most_active <= 4);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_estimated_from_the_length_of_a_request() {
    let server = Limited::new(usize::MAX, Duration::from_secs(60), Reports::Nothing);
    let client = server.client(Some(RateLimiter::new().tokens_per_minute(6_000)));
    let long = ChatRequest::new("m", [Message::user("word ".repeat(4_000))]);
    let started = Instant::now();
    for _ in 0..2 {
        client.chat().create(&long).await.unwrap();
    }
    let waited = started.elapsed().as_secs();
    assert!((35..45).contains(&waited), "5,000 of 6,000 tokens a minute twice: {waited} s");
}

#[tokio::test(start_paused = true)]
async fn calls_start_in_their_order_and_a_dropped_one_gives_up_its_place() {
    let server = Limited::new(usize::MAX, Duration::from_secs(60), Reports::Nothing);
    let client = server.client(Some(RateLimiter::new().max_concurrency(1)));
    let order = Mutex::new(Vec::new());
    let (client, order) = (&client, &order);
    let call = |n: usize| async move {
        client.chat().create(ask()).await.unwrap();
        order.lock().unwrap().push(n);
    };
    let dropped = tokio::time::timeout(Duration::from_millis(5), call(9));
    tokio::join!(call(0), call(1), async { dropped.await.unwrap_err() }, call(2));
    assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_wait_counts_towards_the_total_timeout_only() {
    let server = Limited::new(usize::MAX, Duration::from_secs(60), Reports::Nothing);
    let client = server.client(Some(RateLimiter::new().requests_per_minute(1)));
    client.chat().create(ask()).await.unwrap();
    client.chat().create(ask()).timeout(Duration::from_secs(1)).await.unwrap();
    let error = client.chat().create(ask()).total_timeout(Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("rate limits"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_multiplied() {
    let server = Server::start([Reply::status(503)]).await;
    let client = Client::builder().base_url(server.base_url()).retry_budget(10).build().unwrap();
    for answer in run(&client, 50).await {
        assert_eq!(answer.unwrap_err().status(), Some(StatusCode::SERVICE_UNAVAILABLE));
    }
    assert_eq!(server.requests().len(), 60);
}

#[tokio::test(start_paused = true)]
async fn successes_earn_retries_again() {
    let script = (0..2).map(|_| Reply::status(503)).chain((0..6).map(|_| good())).chain([Reply::status(503)]);
    let server = Server::start(script.chain([good()])).await;
    let client = Client::builder().base_url(server.base_url()).retry_budget(1).build().unwrap();
    client.chat().create(ask()).await.unwrap_err();
    for _ in 0..6 {
        client.chat().create(ask()).await.unwrap();
    }
    assert_eq!(client.chat().create(ask()).with_response().await.unwrap().attempts(), 2);
}

#[tokio::test]
async fn a_client_from_a_client_shares_connections_and_changes_what_it_names() {
    let server = Server::start([good()]).await;
    let client = Client::builder().base_url(server.base_url()).api_key("sk-1").header("x-app", "a").build().unwrap();
    client.chat().create(ask()).await.unwrap();
    let tenant = client.with(|settings| settings.api_key("sk-2").header("x-tenant", "7")).unwrap();
    tenant.chat().create(ask()).await.unwrap();
    client.chat().create(ask()).await.unwrap();
    let requests = server.requests();
    let header = |n: usize, name: &str| requests[n].header(name).map(str::to_owned);
    assert_eq!(header(1, "authorization").as_deref(), Some("Bearer sk-2"));
    assert_eq!(header(1, "x-app").as_deref(), Some("a"));
    assert_eq!(header(1, "x-tenant").as_deref(), Some("7"));
    assert_eq!(header(2, "x-tenant"), None, "the first client is as it was");
    assert_eq!(server.connections(), 1);
    let error = client.with(|settings| settings.base_url("nowhere")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn options_are_the_same_on_a_call_and_on_every_helper() {
    let server = Server::start([good()]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let options = CallOptions::new().header("x-tenant", "7").query("v", "1").timeout(Duration::from_secs(5));
    client.chat().create(ask()).options(options.clone()).await.unwrap();
    client.embeddings().create_all(EmbeddingRequest::new("m", ["a"])).options(options.clone()).await.unwrap();
    client.chat().run_tools(ask(), &ToolSet::new()).options(options.clone()).await.unwrap();
    client.batches().wait("b").options(options.clone()).await.unwrap();
    let targets = Failover::new([FailoverTarget::new(client.clone(), "m")]);
    targets.options(options.clone()).chat(ask()).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 5);
    for request in &requests {
        assert_eq!(request.header("x-tenant"), Some("7"), "{}", request.target);
        assert!(request.target.ends_with("?v=1"), "{}", request.target);
    }
    let bad = CallOptions::new().header("x tenant", "7");
    assert!(!format!("{:?}", CallOptions::new().header("authorization", "sk-1")).contains("sk-1"));
    for error in [
        client.chat().create(ask()).options(bad.clone()).await.unwrap_err(),
        client.batches().wait("b").options(bad).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    assert_eq!(server.requests().len(), 5);
}
