//! A reqwest client with a proxy, a header per tenant, and a line in the log for each attempt.

use std::time::{Duration, Instant};

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Client, HttpService, RequestBody, http};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let http = reqwest::Client::builder()
        .proxy(reqwest::Proxy::all("http://proxy.company.example:3128")?)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .build()?;
    let logged = move |request: http::Request<RequestBody>| {
        let (started, path) = (Instant::now(), request.uri().path().to_owned());
        let response = http.call(request);
        async move {
            let response = response.await;
            let status = response.as_ref().map(|response| response.status());
            eprintln!("{path}: {status:?} after {:?}", started.elapsed());
            response
        }
    };
    let client = Client::builder().base_url("http://llm.company.example/v1").http_service(logged).build()?;
    for tenant in ["acme", "globex"] {
        let client = client.with(|settings| settings.header("x-tenant", tenant))?;
        let request = ChatRequest::new("gpt-6-luna", [Message::user("Name a river.")]);
        println!("{tenant}: {}", client.chat().create(&request).await?.text());
    }
    Ok(())
}
