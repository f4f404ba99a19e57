//! Providers as data: names, addresses, keys and headers.

use std::process::Command;

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::testing::{self, MockService};
use openai_compatible::{AuthScheme, Client, ClientBuilder, ErrorKind, Provider};
use serde_json::{Value, json};

mod support;
use support::{Reply, Server};

#[test]
fn every_preset_has_a_name_that_finds_it_and_a_base_url() {
    for &provider in Provider::ALL {
        assert_eq!(provider.name().parse::<Provider>().unwrap(), provider);
        assert_eq!(provider.display_name().to_uppercase().parse::<Provider>().unwrap(), provider);
        let url = provider.base_url().replace("{resource}", "mine");
        assert!(Client::builder().base_url(url).build().is_ok(), "{provider}");
        assert_eq!(provider.auth_scheme() == AuthScheme::None, provider == Provider::Ollama, "{provider}");
    }
    assert_eq!("LM-Studio".parse::<Provider>().unwrap(), Provider::LmStudio);
    let error = "no such".parse::<Provider>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("openrouter"), "{error}");
}

#[test]
fn presets_agree_with_the_list_of_providers() {
    let listed = support::fixture_json("wire/providers.json");
    // Documented by the provider since the list was written.
    let moved = [(Provider::Together, "https://api.together.ai/v1")];
    for entry in listed.as_array().unwrap() {
        let provider: Provider = entry["name"].as_str().unwrap().parse().unwrap();
        let moved = moved.iter().find(|(moved, _)| *moved == provider).map(|(_, base_url)| *base_url);
        assert_eq!(Some(provider.base_url()), moved.or(entry["base_url"].as_str()), "{provider}");
        for key in entry["key_env"].as_array().unwrap() {
            assert!(provider.api_key_env_vars().contains(&key.as_str().unwrap()), "{provider}: {key}");
        }
        if let Some(variable) = entry["base_url_env"].as_str() {
            assert_eq!(provider.base_url_env_var(), Some(variable), "{provider}");
        }
        let auth_scheme = match entry["auth"].as_str().unwrap() {
            "none" => AuthScheme::None,
            "optional-bearer" => AuthScheme::OptionalBearer,
            "api-key" => AuthScheme::ApiKeyHeader,
            _ => AuthScheme::Bearer,
        };
        assert_eq!(provider.auth_scheme(), auth_scheme, "{provider}");
    }
}

/// Environment variables are of the whole process, so that each case runs in one of its own.
fn with_environment(provider: &str, variables: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_prints_the_base_url", "--nocapture"])
        .env_clear()
        .env("CHILD_PROVIDER", provider)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("child: ")).unwrap_or(&text).to_owned()
}

/// The child's part; by itself it has nothing to do.
#[test]
fn child_prints_the_base_url() {
    let Ok(name) = std::env::var("CHILD_PROVIDER") else { return };
    let provider: Provider = name.parse().unwrap();
    match Client::for_provider(provider) {
        Ok(client) => println!("\nchild: {}", client.base_url()),
        Err(error) => println!("\nchild: {error}"),
    }
}

#[test]
fn the_environment_gives_address_and_key() {
    assert_eq!(with_environment("groq", &[("GROQ_API_KEY", "k")]), "https://api.groq.com/openai/v1");
    assert!(with_environment("groq", &[]).contains("set GROQ_API_KEY"));
    assert_eq!(with_environment("ollama", &[]), "http://localhost:11434/v1");
    assert_eq!(with_environment("ollama", &[("OLLAMA_HOST", "0.0.0.0:9999")]), "http://127.0.0.1:9999/v1");
    assert_eq!(with_environment("ollama", &[("OLLAMA_HOST", "https://box/")]), "https://box/v1");
    assert_eq!(with_environment("vllm", &[]), "http://localhost:8000/v1");
    let no_scheme = [("GROQ_API_KEY", "k"), ("GROQ_BASE_URL", "api.groq.com")];
    assert!(
        with_environment("groq", &no_scheme).contains("`https://`"),
        "a key does not travel in the clear by itself"
    );
    assert!(with_environment("azure", &[("AZURE_OPENAI_API_KEY", "k")]).contains("AZURE_OPENAI_ENDPOINT"));
    let azure = [("AZURE_OPENAI_API_KEY", "k"), ("AZURE_OPENAI_ENDPOINT", "https://r.openai.azure.com/")];
    assert_eq!(with_environment("azure", &azure), "https://r.openai.azure.com/openai/v1");
    assert!(with_environment("azure-classic", &azure).contains("OPENAI_API_VERSION"));
}

#[test]
fn the_address_of_ollama_is_read_as_ollama_reads_it() {
    for (host, url) in [
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        (":9999", "http://127.0.0.1:9999/v1"),
        ("box", "http://box:11434/v1"),
        ("box:9999/ollama/", "http://box:9999/ollama/v1"),
        ("http://box", "http://box/v1"),
        ("http://box:9999/v1", "http://box:9999/v1"),
        ("::", "http://[::1]:11434/v1"),
        ("[::]:9999", "http://[::1]:9999/v1"),
        ("fe80::1", "http://[fe80::1]:11434/v1"),
    ] {
        assert_eq!(with_environment("ollama", &[("OLLAMA_HOST", host)]), url, "{host}");
    }
}

async fn sent_by(
    builder: openai_compatible::ClientBuilder,
    server: &Server,
) -> (String, Option<String>, Option<String>) {
    let client = builder.build().unwrap();
    let request = ChatRequest::new("my/model", [Message::user("Hi")]);
    client.chat().create(request).await.unwrap();
    let sent = server.requests().pop().unwrap();
    let header = |name: &str| sent.header(name).map(str::to_owned);
    (sent.target.clone(), header("api-key"), header("authorization"))
}

async fn server() -> Server {
    Server::start([Reply::ok_json(&json!({"choices": []}))]).await
}

#[tokio::test]
async fn azure_v1_sends_the_key_in_its_own_header() {
    let server = server().await;
    let (target, key, bearer) = sent_by(Client::builder().azure(server.url()).api_key("k"), &server).await;
    assert_eq!((target.as_str(), key.as_deref(), bearer), ("/openai/v1/chat/completions", Some("k"), None));
}

#[tokio::test]
async fn azure_classic_puts_the_model_into_the_path() {
    let server = server().await;
    let builder = Client::builder().azure_classic(server.url(), "v").api_key("k");
    let (target, ..) = sent_by(builder.clone(), &server).await;
    assert_eq!(target, "/openai/deployments/my%2Fmodel/chat/completions?api-version=v");
    let (target, ..) = sent_by(builder.clone().azure_deployment("dep"), &server).await;
    assert_eq!(target, "/openai/deployments/dep/chat/completions?api-version=v");
    let client = builder.build().unwrap();
    client.get::<Value>("models").await.unwrap();
    assert_eq!(server.requests().pop().unwrap().target, "/openai/models?api-version=v");
}

#[tokio::test]
async fn an_entra_token_travels_as_a_bearer() {
    let server = server().await;
    let builder = Client::builder().azure(server.url()).entra_token_provider(|| async { Ok("tok".to_owned()) });
    let (_, key, bearer) = sent_by(builder, &server).await;
    assert_eq!((key, bearer.as_deref()), (None, Some("Bearer tok")));
}

#[tokio::test]
async fn preset_takes_a_key_of_ones_own_wherever_it_is_set() {
    let builders = [
        ClientBuilder::for_provider(Provider::Cerebras).api_key("mine"),
        Client::builder().api_key("mine").provider(Provider::Cerebras),
        Client::builder().provider(Provider::Cerebras).header("authorization", "Bearer mine"),
    ];
    for builder in builders {
        let replies = MockService::new([testing::json(200, json!({"data": []}))]);
        let client = builder.http_service(replies.clone()).build().unwrap();
        client.models().list().await.unwrap();
        assert_eq!(replies.requests()[0].header("authorization"), Some("Bearer mine"));
    }
}

#[test]
fn missing_key_or_address_is_an_error_of_build() {
    let error = |builder: ClientBuilder| match builder.build() {
        Ok(client) => panic!("built for {}", client.base_url()),
        Err(error) => error.to_string(),
    };
    assert!(error(Client::builder().provider(Provider::Cerebras)).contains("set CEREBRAS_API_KEY, or call `api_key`"));
    assert!(error(Client::builder().azure("https://r.openai.azure.com")).contains("AZURE_OPENAI_API_KEY"));
    assert!(error(Client::builder().provider(Provider::Azure).api_key("k")).contains("AZURE_OPENAI_ENDPOINT"));
    let classic = Client::builder().provider(Provider::AzureClassic).api_key("k");
    assert!(error(classic).contains("AZURE_OPENAI_ENDPOINT"));
    assert!(error(Client::builder()).contains("`api_key` for api.openai.com, or `base_url`"));
    // No key is needed.
    Client::builder().provider(Provider::Ollama).build().unwrap();
    Client::builder().base_url("http://localhost:8000/v1").build().unwrap();
    Client::builder().provider(Provider::Cerebras).base_url("http://proxy.invalid/v1").build().unwrap();
    Client::builder()
        .azure("https://r.openai.azure.com")
        .entra_token_provider(|| async { Ok("t".into()) })
        .build()
        .unwrap();
}
