//! The caller's W3C trace context.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use std::convert::Infallible;

/// A valid `traceparent` header; anything else counts as absent, as the specification asks.
pub struct Traceparent(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Traceparent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(traceparent(&parts.headers)))
    }
}

fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?.trim();
    is_valid(text).then(|| text.to_owned())
}

/// `version-trace-parent-flags` in lower-case hex, with nothing all zero and version `ff` forbidden. Later versions may
/// append fields.
fn is_valid(text: &str) -> bool {
    let mut fields = text.split('-');
    let mut next = |length: usize| fields.next().filter(|field| is_hex(field, length));
    let (Some(version), Some(trace), Some(parent), Some(_flags)) = (next(2), next(32), next(16), next(2)) else {
        return false;
    };
    let zero = |field: &str| field.bytes().all(|b| b == b'0');
    let ends = fields.next().is_none();
    version != "ff" && !zero(trace) && !zero(parent) && (ends || version != "00") && text.len() <= 256
}

fn is_hex(field: &str, length: usize) -> bool {
    field.len() == length && field.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn only_what_the_specification_allows_is_kept() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(is_valid(good));
        assert!(is_valid(&good.replace("00-0a", "01-0a").replace("-01", "-01-more")));
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
