//! TLS of this crate's own clients.

#[cfg(feature = "__rustls")]
pub(super) use self::rustls::{none, prepare, system};

#[cfg(feature = "__rustls")]
mod rustls {
    use std::sync::Arc;

    use rustls_crate::client::danger::ServerCertVerifier;
    use rustls_crate::crypto::CryptoProvider;
    use rustls_crate::{ClientConfig, RootCertStore};

    #[cfg(feature = "rustls")]
    use rustls_crate::crypto::aws_lc_rs::default_provider;
    #[cfg(not(feature = "rustls"))]
    use rustls_crate::crypto::ring::default_provider;

    /// With `rustls-ring` alone, reqwest has no provider of its own: all reqwest clients of the program need that of the
    /// process, and panic without one.
    pub(in crate::transport::http) fn prepare() {
        if cfg!(not(feature = "rustls")) && CryptoProvider::get_default().is_none() {
            // Another thread may have been faster.
            drop(default_provider().install_default());
        }
    }

    /// The crypto provider: that of the process, if it has one.
    fn provider() -> Arc<CryptoProvider> {
        CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(default_provider()))
    }

    fn config(verifier: Option<Arc<dyn ServerCertVerifier>>) -> Result<ClientConfig, rustls_crate::Error> {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        Ok(match verifier {
            Some(verifier) => builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth(),
            None => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
        })
    }

    /// Trusts no certificate and loads none: for plain HTTP only.
    pub(in crate::transport::http) fn none(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        match config(None) {
            Ok(config) => builder.tls_backend_preconfigured(config),
            Err(_) => builder,
        }
    }

    /// Trusts the certificates of the operating system.
    pub(in crate::transport::http) fn system(
        builder: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, String> {
        let verifier = rustls_platform_verifier::Verifier::new(provider()).map_err(|error| error.to_string())?;
        let config = config(Some(Arc::new(verifier))).map_err(|error| error.to_string())?;
        Ok(builder.tls_backend_preconfigured(config))
    }
}

#[cfg(not(feature = "__rustls"))]
pub(super) use self::other::{none, prepare, system};

#[cfg(not(feature = "__rustls"))]
mod other {
    pub(in crate::transport::http) fn prepare() {}

    pub(in crate::transport::http) fn none(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        builder
    }

    pub(in crate::transport::http) fn system(
        builder: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, String> {
        if cfg!(feature = "native-tls") {
            Ok(builder)
        } else {
            Err("HTTPS requires the `rustls` or `native-tls` feature of this crate".to_owned())
        }
    }
}
