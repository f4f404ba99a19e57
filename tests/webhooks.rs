//! Signatures of webhooks, by the vectors of Standard Webhooks, and their events.

mod support;

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use openai_compatible::ErrorKind;
use openai_compatible::webhooks::{WebhookKind, Webhooks};
use serde_json::Value;
use support::fixture_json;

fn headers(case: &Value) -> HeaderMap {
    let headers = case["headers"].as_object().unwrap().iter();
    headers
        .map(|(name, value)| {
            let name = HeaderName::try_from(name.as_str()).unwrap();
            (name, HeaderValue::try_from(value.as_str().unwrap()).unwrap())
        })
        .collect()
}

fn body(case: &Value) -> Vec<u8> {
    use base64::Engine;
    match case["payload_b64"].as_str() {
        Some(encoded) => base64::engine::general_purpose::STANDARD.decode(encoded).unwrap(),
        None => case["payload"].as_str().unwrap().as_bytes().to_vec(),
    }
}

#[test]
fn every_vector_is_accepted_or_refused_as_by_the_official_libraries() {
    let vectors = fixture_json("vectors/webhooks.json");
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(case["now"].as_u64().unwrap());
        let verified = Webhooks::new(case["secret"].as_str().unwrap()).and_then(|webhooks| {
            let tolerance = case["tolerance_s"].as_u64().unwrap_or(300);
            // A fraction of a second does not count.
            let now = now + Duration::from_millis(900);
            webhooks.tolerance(Duration::from_secs(tolerance)).verify_at(&headers(case), &body(case), now)
        });
        assert_eq!(verified.is_ok(), case["valid"].as_bool().unwrap(), "{name}: {verified:?}");
        if let Err(error) = verified {
            assert!(matches!(error.kind(), ErrorKind::Signature | ErrorKind::Config), "{name}: {error:?}");
        }
    }
    assert_eq!(cases.len(), 35);
}

#[test]
fn while_secrets_are_rotated_both_are_accepted() {
    let vectors = fixture_json("vectors/webhooks.json");
    let case = &vectors["cases"][1];
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(case["now"].as_u64().unwrap());
    let verify = |webhooks: Webhooks| webhooks.verify_at(&headers(case), &body(case), now);
    let own = case["secret"].as_str().unwrap();
    verify(Webhooks::new("whsec_bmV3").unwrap().secret(own).unwrap()).unwrap();
    verify(Webhooks::new(own).unwrap().secret("another").unwrap()).unwrap();
    assert_eq!(verify(Webhooks::new("whsec_bmV3").unwrap()).unwrap_err().kind(), ErrorKind::Signature);
}

#[test]
fn an_event_is_read_once_its_signature_is_known_to_be_good() {
    use hmac::{Hmac, KeyInit, Mac};
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().to_string();
    let signed = |body: &str| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"secret").unwrap();
        mac.update(format!("wh_1.{now}.{body}").as_bytes());
        use base64::Engine;
        let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "wh_1".parse().unwrap());
        headers.insert("webhook-timestamp", now.parse().unwrap());
        headers.insert("webhook-signature", format!("v1,{signature}").parse().unwrap());
        headers
    };
    let webhooks = Webhooks::new("secret").unwrap();
    let body = r#"{"id":"evt_1","type":"response.completed","created_at":1,"data":{"id":"resp_1","zz":7}}"#;
    let event = webhooks.unwrap(&signed(body), body.as_bytes()).unwrap();
    assert_eq!((event.type_, event.data.id.as_str()), (WebhookKind::ResponseCompleted, "resp_1"));
    let new = r#"{"type":"something.new","data":{"id":"x"}}"#;
    let event = webhooks.unwrap(&signed(new), new.as_bytes()).unwrap();
    assert_eq!(event.type_.as_str(), "something.new");
    assert_eq!(webhooks.unwrap(&signed("none"), b"none").unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(webhooks.unwrap(&signed(body), b"other").unwrap_err().kind(), ErrorKind::Signature);
}

#[test]
fn a_secret_is_never_shown() {
    let debug = format!("{:?}", Webhooks::new("very-secret").unwrap());
    assert!(!debug.contains("secret"), "{debug}");
    for bad in ["", "whsec_", "whsec_!!"] {
        assert_eq!(Webhooks::new(bad).unwrap_err().kind(), ErrorKind::Config);
    }
}
