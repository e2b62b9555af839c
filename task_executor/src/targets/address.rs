//! Which addresses a merchant's target may be at: public ones only, unless the settings allow the others.
//!
//! What is judged is the address that is connected to. Names are resolved by [`GuardedResolver`], whose answer is what
//! the HTTP client connects to, so no second look-up can answer differently. Literal addresses never reach a
//! resolver; [`AddressGuard::check_url`] judges them before each request, redirects included.

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::{Host, Url};

/// A target at an address that is not allowed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the address {address} is {kind}; set executor.allow_private_addresses to allow it")]
pub struct AddressRefused {
    /// The address.
    pub address: IpAddr,
    /// What kind of address it is.
    pub kind: &'static str,
}

/// A name without an address.
#[derive(Debug, thiserror::Error)]
#[error("the name {name} could not be resolved")]
pub struct NotResolved {
    /// The name.
    pub name: String,
    /// Why, if the system said.
    #[source]
    pub source: Option<std::io::Error>,
}

/// Judges addresses.
#[derive(Clone, Copy, Debug)]
pub struct AddressGuard {
    /// Let every address pass.
    pub allow_private: bool,
}

impl AddressGuard {
    /// Whether this address may be connected to.
    pub fn check(self, address: IpAddr) -> Result<(), AddressRefused> {
        match kind_of(address) {
            Some(kind) if !self.allow_private => Err(AddressRefused { address, kind }),
            _ => Ok(()),
        }
    }

    /// Judges a URL whose host is an address; names pass, their addresses are judged when they are resolved.
    pub fn check_url(self, url: &Url) -> Result<(), AddressRefused> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }
}

/// Resolves names for the HTTP client and leaves out what is not allowed.
#[derive(Clone, Copy, Debug)]
pub struct GuardedResolver(
    /// The judge.
    pub AddressGuard,
);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0;
        Box::pin(async move {
            let host = name.as_str();
            // The port is the client's business: it replaces port 0.
            let found = tokio::net::lookup_host((host, 0))
                .await
                .map_err(|error| NotResolved { name: host.to_owned(), source: Some(error) })?;
            let mut allowed: Vec<SocketAddr> = Vec::new();
            let mut refused = None;
            for address in found {
                match guard.check(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(refusal) => refused = Some(refusal),
                }
            }
            match (allowed.is_empty(), refused) {
                (false, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
                (true, Some(refusal)) => Err(refusal.into()),
                (true, None) => Err(NotResolved { name: host.to_owned(), source: None }.into()),
            }
        })
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(first: u16, second: u16, third: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), length)
}

/// The special blocks of IPv4 (IANA registry).
const SPECIAL_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "unspecified"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "private (carrier-grade NAT)"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved"),
    (v4(192, 0, 2, 0, 24), "for documentation only"),
    (v4(192, 88, 99, 0, 24), "reserved"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "for benchmarks only"),
    (v4(198, 51, 100, 0, 24), "for documentation only"),
    (v4(203, 0, 113, 0, 24), "for documentation only"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// The special blocks of IPv6. Tunnels (Teredo, 6to4) are refused whole: what they lead to depends on the network.
const SPECIAL_V6: &[(Ipv6Net, &str)] = &[
    (v6(0x0064, 0xff9b, 1, 48), "private (local NAT64)"),
    (v6(0x0100, 0, 0, 64), "reserved"),
    (v6(0x2001, 0, 0, 32), "a Teredo tunnel"),
    (v6(0x2001, 0, 0, 23), "reserved"),
    (v6(0x2001, 0x0db8, 0, 32), "for documentation only"),
    (v6(0x2002, 0, 0, 16), "a 6to4 tunnel"),
    (v6(0x3fff, 0, 0, 20), "for documentation only"),
    (v6(0x5f00, 0, 0, 16), "reserved"),
    (v6(0xfc00, 0, 0, 7), "private"),
    (v6(0xfe80, 0, 0, 10), "link-local"),
    (v6(0xfec0, 0, 0, 10), "private (site-local)"),
    (v6(0xff00, 0, 0, 8), "multicast"),
];

/// What is special about an address; `None` for a public one.
fn kind_of(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Option<&'static str> {
    SPECIAL_V4.iter().find(|(block, _)| block.contains(&address)).map(|(_, kind)| *kind)
}

fn kind_of_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    let embedded = || {
        let [.., a, b, c, d] = address.octets();
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        // IPv4-mapped, and the well-known prefix of NAT64: the IPv4 address is what is reached.
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0x0064, 0xff9b, 0, 0, 0, 0, _, _] => kind_of_v4(embedded()),
        // IPv4-compatible and the rest of ::/8.
        [0..=0x00ff, ..] if segments[..2] != [0x0064, 0xff9b] => Some("reserved"),
        _ => SPECIAL_V6.iter().find(|(block, _)| block.contains(&address)).map(|(_, kind)| *kind),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STRICT: AddressGuard = AddressGuard { allow_private: false };

    #[test]
    fn special_addresses_are_refused_whatever_their_clothes() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "2001:0:1234::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
        ] {
            assert!(STRICT.check(text.parse().unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for text in [
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.1.0.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(STRICT.check(text.parse().unwrap()), Ok(()), "{text}");
        }
    }

    #[test]
    fn urls_with_odd_spellings_of_addresses_are_seen_through() {
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1:8080/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
            "https://169.254.169.254/latest/meta-data",
        ] {
            assert!(STRICT.check_url(&Url::parse(text).unwrap()).is_err(), "{text}");
        }
        assert_eq!(STRICT.check_url(&Url::parse("http://example.com/").unwrap()), Ok(()));
    }

    #[test]
    fn the_settings_may_allow_all_of_them() {
        let lax = AddressGuard { allow_private: true };
        assert_eq!(lax.check("127.0.0.1".parse().unwrap()), Ok(()));
    }

    #[tokio::test]
    async fn names_are_judged_by_the_addresses_they_resolve_to() {
        let resolve = |guard| GuardedResolver(guard).resolve("localhost".parse().unwrap());
        let error = resolve(STRICT).await.err().unwrap();
        assert_eq!(error.downcast_ref::<AddressRefused>().unwrap().kind, "loopback");
        let error = error.to_string();
        assert!(error.contains("executor.allow_private_addresses"), "{error}");
        assert!(resolve(AddressGuard { allow_private: true }).await.unwrap().next().is_some());
    }
}
