//! One alert as an HTTP request, signed as Standard Webhooks ask for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use scheduler_core::store::alerts::LeasedAlert;
use sha2::Sha256;
use std::time::Duration;

/// What is sent, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlertRequest {
    /// The receiver.
    pub url: String,
    /// `webhook-id`: the same at every attempt, so that receivers can drop repetitions.
    pub id: String,
    /// `webhook-timestamp`: the time of this attempt, in Unix seconds.
    pub timestamp: i64,
    /// `webhook-signature`, if there is a secret to sign with.
    pub signature: Option<String>,
    /// JSON.
    pub body: String,
}

impl AlertRequest {
    /// The request for an alert.
    pub fn new(alert: &LeasedAlert, url: &str, secret: Option<&str>) -> Self {
        let (id, timestamp) = (alert.id.to_string(), alert.leased_at.timestamp());
        let signature = secret.map(|secret| sign(secret, &id, timestamp, &alert.body));
        Self { url: url.to_owned(), id, timestamp, signature, body: alert.body.clone() }
    }

    /// Sends it. Only an answer of 200 to 299 counts as taken; redirects are not followed.
    ///
    /// # Errors
    /// A sentence that names neither the URL nor anything that the receiver said.
    pub async fn send(self, client: &reqwest::Client, timeout: Duration) -> Result<(), String> {
        let mut request = client
            .post(self.url)
            .timeout(timeout)
            .header("content-type", "application/json")
            .header("webhook-id", self.id)
            .header("webhook-timestamp", self.timestamp);
        if let Some(signature) = self.signature {
            request = request.header("webhook-signature", signature);
        }
        match request.body(self.body).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("the receiver answered {}", answer.status().as_u16())),
            Err(error) => Err(explain(&error, timeout)),
        }
    }
}

fn explain(error: &reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        format!("no answer within {} s", timeout.as_secs_f64())
    } else if error.is_connect() {
        "no connection to the receiver".to_owned()
    } else if error.is_builder() {
        "the alert_url cannot be used".to_owned()
    } else {
        "the connection broke before the answer".to_owned()
    }
}

/// The signature of an alert: `v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`.
///
/// A secret `whsec_…` stands for the bytes whose base64 follows; any other is taken as it is.
pub fn sign(secret: &str, id: &str, timestamp: i64, body: &str) -> String {
    let decoded = secret.strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok());
    let key = decoded.unwrap_or_else(|| secret.as_bytes().to_vec());
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    for part in [id, ".", &timestamp.to_string(), ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_standard() {
        // Computed by another implementation.
        let (id, body) = ("0190163d-8694-739b-aea5-966c26f8ad91", r#"{"type":"job.dead"}"#);
        let signature = sign("whsec_dHdlbnR5LWZvdXIgYnl0ZXMgb2Yga2V5", id, 1_800_000_000, body);
        assert_eq!(signature, "v1,bDTkOv9o1ix4sn0zLq/fWvRi2p46Z6MwyU52anB7GIY=");
    }

    #[test]
    fn a_secret_without_the_prefix_is_the_key_itself() {
        let spelled_out = format!("whsec_{}", STANDARD.encode("a plain secret"));
        assert_eq!(sign("a plain secret", "1", 2, "{}"), sign(&spelled_out, "1", 2, "{}"));
        // Not base64: taken as it is instead of dropped.
        assert_ne!(sign("whsec_%", "1", 2, "{}"), sign("", "1", 2, "{}"));
    }
}
