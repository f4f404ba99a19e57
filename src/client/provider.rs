//! [`Provider`]: servers as data.

use std::fmt;
use std::str::FromStr;

use super::environment::variable;
use super::{Client, ClientBuilder};
use crate::error::{Error, Result};

/// How a provider expects its API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthScheme {
    /// Without a key; a key that is sent is ignored.
    None,
    /// With a bearer key, if the server was started with one.
    OptionalBearer,
    /// As `Authorization: Bearer KEY`.
    Bearer,
    /// As `api-key: KEY`, or as a bearer token of Microsoft Entra.
    ApiKeyHeader,
}

/// The facts about a provider.
struct Preset {
    name: &'static str,
    display_name: &'static str,
    base_url: &'static str,
    auth_scheme: AuthScheme,
    api_key_env_vars: &'static [&'static str],
    /// The variable of the base URL, and the path that it leaves out.
    base_url_env_var: Option<(&'static str, &'static str)>,
    limitations: &'static [&'static str],
}

macro_rules! providers {
    ($(
        $(#[$meta:meta])*
        $variant:ident = $name:literal, $display_name:literal, $base_url:literal, $auth_scheme:ident, [$($key:literal),*]
        $(, from $variable:literal + $path:literal)? ;
        $($gap:literal),*
    ;)+) => {
        /// A hosted provider or a kind of server, with its base URL, key variables and known limitations.
        ///
        /// ```
        /// use openai_compatible::Provider;
        ///
        /// let provider: Provider = "groq".parse().unwrap();
        /// assert_eq!(provider, Provider::Groq);
        /// for provider in Provider::ALL {
        ///     println!("{:12} {:50} {:?}", provider.name(), provider.base_url(), provider.api_key_env_vars());
        /// }
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Provider {
            $( $(#[$meta])* $variant, )+
        }

        impl Provider {
            /// All providers.
            pub const ALL: &[Provider] = &[$( Provider::$variant ),+];

            fn preset(self) -> &'static Preset {
                match self {$(
                    Provider::$variant => &Preset {
                        name: $name,
                        display_name: $display_name,
                        base_url: $base_url,
                        auth_scheme: AuthScheme::$auth_scheme,
                        api_key_env_vars: &[$($key),*],
                        base_url_env_var: providers!(@from $($variable, $path)?),
                        limitations: &[$($gap),*],
                    },
                )+}
            }
        }
    };
    (@from) => { None };
    (@from $variable:literal, $path:literal) => { Some(($variable, $path)) };
}

// Sources: the providers' documentation, as of 2026-11-27. `docs/providers.md` lists what has been verified.
providers! {
    /// api.openai.com.
    OpenAi = "openai", "OpenAI", "https://api.openai.com/v1", Bearer, ["OPENAI_API_KEY"], from "OPENAI_BASE_URL" + "";
    ;
    /// Azure OpenAI with its v1 paths. Put your resource into the base URL, or set `AZURE_OPENAI_ENDPOINT`.
    Azure = "azure", "Azure OpenAI", "https://{resource}.openai.azure.com/openai/v1", ApiKeyHeader,
        ["AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"], from "AZURE_OPENAI_ENDPOINT" + "/openai/v1";
    "no moderations", "the model is the name of your deployment";
    /// Azure OpenAI with its classic paths: the deployment in the path, `api-version` in the query
    /// (`OPENAI_API_VERSION`).
    AzureClassic = "azure-classic", "Azure OpenAI (classic)", "https://{resource}.openai.azure.com/openai", ApiKeyHeader,
        ["AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"], from "AZURE_OPENAI_ENDPOINT" + "/openai";
    "no moderations", "the model is the name of your deployment", "needs an API version";
    /// groq.com.
    Groq = "groq", "Groq", "https://api.groq.com/openai/v1", Bearer, ["GROQ_API_KEY"], from "GROQ_BASE_URL" + "/openai/v1";
    "no embeddings, completions or images", "n is 1", "logprobs and logit_bias are refused";
    /// openrouter.ai.
    OpenRouter = "openrouter", "OpenRouter", "https://openrouter.ai/api/v1", Bearer, ["OPENROUTER_API_KEY"];
    "no batches or files of its own", "errors may come with status 200";
    /// Ollama on this machine.
    Ollama = "ollama", "Ollama", "http://localhost:11434/v1", None, [], from "OLLAMA_HOST" + "/v1";
    "no files, batches or speech", "tool_choice, logit_bias, user and n are ignored", "images as base64 only";
    /// vLLM.
    Vllm = "vllm", "vLLM", "http://localhost:8000/v1", OptionalBearer, ["VLLM_API_KEY"];
    "no files, batches, speech or images";
    /// The server of llama.cpp.
    LlamaCpp = "llamacpp", "llama.cpp", "http://localhost:8080/v1", OptionalBearer, ["LLAMA_API_KEY"];
    "no files, batches, speech or images";
    /// LM Studio.
    LmStudio = "lmstudio", "LM Studio", "http://localhost:1234/v1", OptionalBearer, ["LM_API_TOKEN"];
    "no files, batches, audio or images";
    /// The LiteLLM proxy.
    LiteLlm = "litellm", "LiteLLM", "http://localhost:4000/v1", Bearer, ["LITELLM_API_KEY"];
    "what works depends on the model behind it";
    /// together.ai.
    Together = "together", "Together", "https://api.together.ai/v1", Bearer, ["TOGETHER_API_KEY"], from "TOGETHER_BASE_URL" + "";
    "logprobs is a number", "batches have a shape of their own";
    /// fireworks.ai.
    Fireworks = "fireworks", "Fireworks", "https://api.fireworks.ai/inference/v1", Bearer, ["FIREWORKS_API_KEY"];
    "no files, batches or speech", "images on routes of their own";
    /// deepseek.com.
    DeepSeek = "deepseek", "DeepSeek", "https://api.deepseek.com", Bearer, ["DEEPSEEK_API_KEY"];
    "no embeddings, batches, audio or images", "completions below /beta";
    /// mistral.ai.
    Mistral = "mistral", "Mistral", "https://api.mistral.ai/v1", Bearer, ["MISTRAL_API_KEY"];
    "no completions or images", "random_seed in place of seed", "tool call ids have 9 characters",
    "batches have a shape of their own";
    /// Gemini with its OpenAI paths.
    Gemini = "gemini", "Gemini", "https://generativelanguage.googleapis.com/v1beta/openai", Bearer,
        ["GEMINI_API_KEY", "GOOGLE_API_KEY"];
    "no completions or audio", "unknown request fields are refused", "tool calls end with stop";
    /// x.ai.
    XAi = "xai", "xAI", "https://api.x.ai/v1", Bearer, ["XAI_API_KEY"];
    "no embeddings", "errors may come with status 200";
    /// cerebras.ai.
    Cerebras = "cerebras", "Cerebras", "https://api.cerebras.ai/v1", Bearer, ["CEREBRAS_API_KEY"], from "CEREBRAS_BASE_URL" + "/v1";
    "no embeddings, files, batches, audio or images";
    /// SGLang.
    SgLang = "sglang", "SGLang", "http://localhost:30000/v1", OptionalBearer, [];
    "no speech or images", "errors of streams may come with status 200";
    /// Text Generation Inference of Hugging Face.
    Tgi = "tgi", "TGI", "http://localhost:8080/v1", OptionalBearer, ["HF_TOKEN"];
    "chat, completions and models only";
    /// LocalAI.
    LocalAi = "localai", "LocalAI", "http://localhost:8080/v1", OptionalBearer, ["LOCALAI_API_KEY"];
    "no files or batches";
    /// Claude with Anthropic's OpenAI paths.
    Anthropic = "anthropic", "Anthropic", "https://api.anthropic.com/v1", Bearer, ["ANTHROPIC_API_KEY"];
    "chat only", "n is 1", "response_format, seed and logprobs are ignored";
    /// mistral.rs.
    MistralRs = "mistralrs", "mistral.rs", "http://localhost:1234/v1", OptionalBearer, [];
    "no files, batches or audio";
    /// perplexity.ai.
    Perplexity = "perplexity", "Perplexity", "https://api.perplexity.ai", Bearer, ["PERPLEXITY_API_KEY"];
    "chat and responses only", "usage is cumulative in every chunk";
    /// moonshot.ai.
    Moonshot = "moonshot", "Moonshot", "https://api.moonshot.ai/v1", Bearer, ["MOONSHOT_API_KEY"];
    "no embeddings, batches, audio or images";
    /// Alibaba Cloud's DashScope, international.
    DashScope = "dashscope", "DashScope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", Bearer, ["DASHSCOPE_API_KEY"];
    "no speech or images";
    /// deepinfra.com.
    DeepInfra = "deepinfra", "DeepInfra", "https://api.deepinfra.com/v1/openai", Bearer, ["DEEPINFRA_API_KEY"];
    "no files or batches";
    /// The router of Hugging Face.
    HuggingFace = "huggingface", "Hugging Face", "https://router.huggingface.co/v1", Bearer, ["HF_TOKEN"];
    "chat, responses (beta) and models only";
    /// The AI Gateway of Vercel.
    Vercel = "vercel", "Vercel AI Gateway", "https://ai-gateway.vercel.sh/v1", Bearer, ["AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"];
    "no files, batches or audio";
}

impl Provider {
    /// Returns the short name, as [`FromStr`] reads it.
    pub fn name(self) -> &'static str {
        self.preset().name
    }

    /// Returns the name as the provider writes it.
    pub fn display_name(self) -> &'static str {
        self.preset().display_name
    }

    /// Returns the base URL. Those of Azure contain `{resource}` for the name of your resource.
    pub fn base_url(self) -> &'static str {
        self.preset().base_url
    }

    /// Returns how the provider expects the API key.
    pub fn auth_scheme(self) -> AuthScheme {
        self.preset().auth_scheme
    }

    /// Returns the environment variables that may contain the key; the first that is set counts.
    pub fn api_key_env_vars(self) -> &'static [&'static str] {
        self.preset().api_key_env_vars
    }

    /// Returns the environment variable of the base URL, if there is one.
    pub fn base_url_env_var(self) -> Option<&'static str> {
        self.preset().base_url_env_var.map(|(name, _)| name)
    }

    /// Returns the known limitations.
    pub fn limitations(self) -> &'static [&'static str] {
        self.preset().limitations
    }

    /// True if the provider is known to send embeddings as base64.
    pub(crate) fn has_base64_embeddings(self) -> bool {
        // Seen from the real server, or in the official clients of these.
        matches!(self, Provider::OpenAi | Provider::Azure | Provider::AzureClassic | Provider::LlamaCpp)
    }

    /// The base URL from the environment, if it is set.
    fn base_url_from_env(self) -> Option<String> {
        let (name, path) = self.preset().base_url_env_var?;
        let mut url = variable(name)?;
        if self == Provider::Ollama {
            url = ollama_url(&url);
        }
        let url = url.trim_end_matches('/');
        Some(if url.ends_with(path) { url.to_owned() } else { format!("{url}{path}") })
    }
}

/// `OLLAMA_HOST` is the address to listen on, such as `0.0.0.0`. Scheme and port may be missing; the port is Ollama's
/// own if there is no scheme.
fn ollama_url(host: &str) -> String {
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let (name, port) = match address.rsplit_once(':') {
        // Several colons without brackets belong to an IPv6 address.
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => (name, port),
        _ => (address, if host.contains("://") { "" } else { "11434" }),
    };
    let name = match name {
        "" | "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" | "[::]" => "[::1]".to_owned(),
        name if name.contains(':') && !name.starts_with('[') => format!("[{name}]"),
        name => name.to_owned(),
    };
    let colon = if port.is_empty() { "" } else { ":" };
    format!("{scheme}://{name}{colon}{port}{path}")
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.display_name())
    }
}

impl FromStr for Provider {
    type Err = Error;

    /// Parses a name in any case, with or without spaces, dots and dashes: `OpenAI`, `llama.cpp`, `lm-studio`.
    fn from_str(name: &str) -> Result<Self> {
        let plain = |name: &str| -> String {
            name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
        };
        let wanted = plain(name);
        let mut all = Provider::ALL.iter().copied();
        all.find(|known| plain(known.name()) == wanted || plain(known.display_name()) == wanted).ok_or_else(|| {
            let known: Vec<_> = Provider::ALL.iter().map(|known| known.name()).collect();
            Error::config(format!("unknown provider `{}`; expected one of: {}", name.escape_debug(), known.join(", ")))
        })
    }
}

impl Client {
    /// Creates a client for a provider, with the key from the provider's environment variable.
    ///
    /// ```no_run
    /// # fn main() -> openai_compatible::Result<()> {
    /// use openai_compatible::{Client, Provider};
    ///
    /// let client = Client::for_provider(Provider::Groq)?; // GROQ_API_KEY
    /// # let _ = client; Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a required key is not set; the error names the variable.
    pub fn for_provider(provider: Provider) -> Result<Self> {
        ClientBuilder::for_provider(provider).build()
    }
}

impl ClientBuilder {
    /// Creates a builder for a provider from its environment variables. What is missing is an error of
    /// [`build`](ClientBuilder::build), unless it is set before: `ClientBuilder::for_provider(Provider::Groq).api_key(key)`.
    pub fn for_provider(provider: Provider) -> Self {
        let mut builder = ClientBuilder::default().provider(provider);
        if let Some(url) = provider.base_url_from_env() {
            builder = builder.at(url);
        }
        if let Some(version) = variable("OPENAI_API_VERSION").filter(|_| provider == Provider::AzureClassic) {
            builder = builder.query("api-version", version);
        }
        let found = provider.api_key_env_vars().iter().find_map(|name| Some((*name, variable(name)?)));
        match found {
            Some((name, token)) if name.ends_with("_AD_TOKEN") => builder.entra_token(token),
            Some((_, key)) => builder.api_key(key),
            None => builder,
        }
    }
}

impl Provider {
    /// An error if the address or the version of a resource is missing.
    pub(super) fn check(self, builder: &ClientBuilder) -> Result<()> {
        if builder.has_address(self.base_url()) && self.base_url().contains('{') {
            let name = self.base_url_env_var().unwrap_or_default();
            return Err(Error::config(format!("set {name} to the address of your {self} resource")));
        }
        if self == Provider::AzureClassic && !builder.has_query("api-version") {
            return Err(Error::config(
                "OPENAI_API_VERSION is not set: classic Azure endpoints need it (for example 2024-10-21)",
            ));
        }
        Ok(())
    }

    /// The error of a key that is needed and missing.
    pub(super) fn check_key(self) -> Result<()> {
        match self.auth_scheme() {
            AuthScheme::Bearer | AuthScheme::ApiKeyHeader => {
                let names = self.api_key_env_vars().join(" or ");
                Err(Error::config(format!("API key for {self} not found: set {names}, or call `api_key`")))
            }
            _ => Ok(()),
        }
    }
}
