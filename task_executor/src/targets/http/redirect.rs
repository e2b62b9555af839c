//! Which redirects are followed, and what of the request goes along.
//!
//! 307 and 308 repeat the request, as the standard demands. So do 301 and 302: turning the `POST` into a `GET`, as
//! browsers do, would deliver nothing and look like a success. 303 asks for a `GET` without body. A way from `https`
//! to `http` is not followed.

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, Response, StatusCode};
use url::Url;

/// What an answer means for the next step.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// It is the answer.
    Final,
    /// It points elsewhere.
    Follow(Hop),
    /// It points where one may not go; a sentence why.
    Refused(String),
}

/// One step of a redirect.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) drops_body: bool,
    pub(super) leaves_origin: bool,
}

/// Judges an answer to a request with `method` to `url`.
pub(super) fn next(url: &Url, method: &Method, response: &Response) -> Next {
    judge(url, method, response.status(), response.headers())
}

fn judge(url: &Url, method: &Method, status: StatusCode, headers: &HeaderMap) -> Next {
    let method = match status.as_u16() {
        301 | 302 | 307 | 308 => method.clone(),
        303 => Method::GET,
        _ => return Next::Final,
    };
    let Some(location) = headers.get(LOCATION) else {
        return Next::Final;
    };
    let target = std::str::from_utf8(location.as_bytes()).ok().and_then(|text| url.join(text).ok());
    let Some(target) = target.filter(|target| matches!(target.scheme(), "http" | "https")) else {
        return Next::Refused(format!("answered {} with a Location that is no web address", status.as_u16()));
    };
    if url.scheme() == "https" && target.scheme() == "http" {
        return Next::Refused(format!("answered {} from https to http, which is not followed", status.as_u16()));
    }
    let leaves_origin = url.origin() != target.origin();
    Next::Follow(Hop { drops_body: status == StatusCode::SEE_OTHER, method, url: target, leaves_origin })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answer(from: &str, status: u16, location: &str) -> Next {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().unwrap());
        judge(&from.parse().unwrap(), &Method::POST, StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn permanent_and_temporary_redirects_repeat_the_request() {
        for status in [301, 302, 307, 308] {
            let Next::Follow(hop) = answer("http://a.test/x", status, "/y") else { panic!("{status}") };
            assert_eq!((hop.method, hop.url.as_str()), (Method::POST, "http://a.test/y"), "{status}");
            assert!(!hop.drops_body && !hop.leaves_origin, "{status}");
        }
    }

    #[test]
    fn see_other_asks_for_a_get_without_body() {
        let Next::Follow(hop) = answer("http://a.test/x", 303, "/y") else { panic!() };
        assert!(hop.drops_body && hop.method == Method::GET);
    }

    #[test]
    fn another_host_port_or_scheme_is_another_origin() {
        for location in ["http://b.test/", "http://a.test:81/", "https://a.test/", "//b.test/"] {
            let Next::Follow(hop) = answer("http://a.test/x", 307, location) else { panic!("{location}") };
            assert!(hop.leaves_origin, "{location}");
        }
    }

    #[test]
    fn downgrades_and_foreign_schemes_are_not_followed() {
        assert!(matches!(answer("https://a.test/", 307, "http://a.test/"), Next::Refused(_)));
        assert!(matches!(answer("https://a.test/", 307, "file:///etc/passwd"), Next::Refused(_)));
        assert!(matches!(answer("https://a.test/", 307, "http://["), Next::Refused(_)));
    }

    #[test]
    fn other_answers_are_final() {
        for status in [200, 300, 304, 400] {
            assert_eq!(answer("http://a.test/", status, "/y"), Next::Final);
        }
        let nowhere = judge(&"http://a.test/".parse().unwrap(), &Method::POST, StatusCode::FOUND, &HeaderMap::new());
        assert_eq!(nowhere, Next::Final);
    }
}
