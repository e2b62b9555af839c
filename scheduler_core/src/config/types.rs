//! Types that settings hold: secrets that do not show themselves, lanes, listen addresses.

use std::fmt;
use std::net::SocketAddr;

use url::Url;

use crate::telemetry::LogFormat;

/// Text that `Debug` and `Display` show as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself. Never log or store it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A URL that may hold a password: shown are its scheme, user, host and port. Of the rest only
/// the database name of a server is shown, because paths and queries of webhooks hold tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// Wraps a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL itself, password included. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(url) = Url::parse(&self.0) else {
            return f.write_str("***");
        };
        write!(f, "{}://", url.scheme())?;
        if !url.username().is_empty() {
            f.write_str(url.username())?;
        }
        if url.password().is_some() {
            f.write_str(":***")?;
        }
        if !url.username().is_empty() || url.password().is_some() {
            f.write_str("@")?;
        }
        f.write_str(url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        let hook = matches!(url.scheme(), "http" | "https");
        match url.path() {
            "" | "/" => {}
            _ if hook => f.write_str("/***")?,
            path => f.write_str(path)?,
        }
        if url.query().is_some() { f.write_str("?***") } else { Ok(()) }
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where to listen, if at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenAt {
    /// Where the program finds it right.
    Auto,
    /// Nowhere.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl ListenAt {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(ListenAt::Auto),
            "off" => Some(ListenAt::Off),
            address => address.parse().ok().map(ListenAt::At),
        }
    }

    /// The address to listen on; `auto` is what the program finds right.
    pub fn resolve(self, auto: Option<SocketAddr>) -> Option<SocketAddr> {
        match self {
            ListenAt::Auto => auto,
            ListenAt::Off => None,
            ListenAt::At(address) => Some(address),
        }
    }
}

/// One lane that an executor serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// The most executions of this lane at once; without it the limit of the process counts.
    pub concurrency: Option<usize>,
}

/// The lanes that an executor serves: at least one, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lanes(Vec<Lane>);

impl Lanes {
    /// Reads `name` or `name=limit` for each lane.
    pub(super) fn parse(items: &[String]) -> Option<Self> {
        let lanes: Vec<Lane> = items.iter().map(|item| Lane::parse(item)).collect::<Option<_>>()?;
        let unique =
            lanes.iter().enumerate().all(|(n, lane)| lanes[..n].iter().all(|earlier| earlier.name != lane.name));
        (!lanes.is_empty() && unique).then_some(Self(lanes))
    }

    /// Lanes without limits of their own, for tests and tools. An empty list stays empty.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let lane = |name: &str| Lane { name: name.to_owned(), concurrency: None };
        Self(names.into_iter().map(lane).collect())
    }

    /// The lanes in the order of the setting.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Lane> {
        self.0.iter()
    }
}

impl Lane {
    fn parse(text: &str) -> Option<Self> {
        let (name, limit) = match text.split_once('=') {
            Some((name, limit)) => (name.trim(), Some(limit.trim())),
            None => (text.trim(), None),
        };
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
        let valid = (1..=64).contains(&name.len()) && name.chars().all(letter);
        let concurrency = match limit {
            None => None,
            Some(limit) => Some(limit.parse().ok().filter(|n| (1..=100_000).contains(n))?),
        };
        valid.then(|| Lane { name: name.to_owned(), concurrency })
    }
}

impl fmt::Display for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, lane) in self.0.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{}", lane.name)?;
            if let Some(limit) = lane.concurrency {
                write!(f, "={limit}")?;
            }
        }
        Ok(())
    }
}

impl LogFormat {
    /// The words of the setting.
    pub const WORDS: &'static [&'static str] = &["auto", "compact", "pretty", "json"];

    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "auto" => LogFormat::Auto,
            "compact" => LogFormat::Compact,
            "pretty" => LogFormat::Pretty,
            "json" => LogFormat::Json,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn secrets_do_not_show_themselves() {
        assert_eq!(format!("{:?} {}", Secret::new("abc"), Secret::new("abc")), "*** ***");
        for (url, shown) in [
            ("postgres://u:pw@db:5433/x?password=pw", "postgres://u:***@db:5433/x?***"),
            ("redis://:pw@localhost/2", "redis://:***@localhost/2"),
            ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
            ("https://hooks.example/T0/secret?k=1", "https://hooks.example/***?***"),
            ("not a url", "***"),
        ] {
            assert_eq!(format!("{:?}", SecretUrl::new(url)), shown);
        }
    }

    #[test]
    fn lanes_are_named_once_with_an_optional_limit() {
        let parse = |text: &str| Lanes::parse(&text.split(',').map(str::to_owned).collect::<Vec<_>>());
        let lanes = parse("default, slow=32").unwrap();
        assert_eq!(lanes.to_string(), "default,slow=32");
        assert_eq!(lanes.iter().next().unwrap().concurrency, None);
        for bad in ["", "a,a=2", "A", "a=0", "a=x", "a b", "a=1=2"] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_listen_address_may_be_left_to_the_program() {
        let own: SocketAddr = "127.0.0.1:9101".parse().unwrap();
        assert_eq!(ListenAt::parse("auto").unwrap().resolve(Some(own)), Some(own));
        assert_eq!(ListenAt::parse("off").unwrap().resolve(Some(own)), None);
        let other = ListenAt::parse("0.0.0.0:1").unwrap();
        assert_eq!(other.resolve(None), Some("0.0.0.0:1".parse().unwrap()));
    }
}
