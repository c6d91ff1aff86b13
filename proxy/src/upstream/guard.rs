//! Addresses that must not be called, whatever name leads there.
//!
//! The rule is applied to each resolved address, the very one that is dialled: a name that changes its mind between
//! check and use gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// What an upstream must not resolve to. Link-local addresses (cloud metadata lives there) are always denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denied {
    /// Denied ranges.
    pub ranges: Vec<IpNet>,
    /// Whether loopback and unspecified addresses are denied: in a cluster they would lead to the proxy's own pod.
    pub loopback: bool,
}

/// The IPv6 address of the metadata service of AWS, the one that is not link-local.
const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254);

impl Denied {
    /// The rule that denies `address`, in words; `None` if it may be called.
    pub fn rule(&self, address: IpAddr) -> Option<String> {
        let embedded = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => embedded(v6).map(IpAddr::V4),
        };
        [Some(address), embedded]
            .into_iter()
            .flatten()
            .find_map(|each| self.plain_rule(each))
    }

    fn plain_rule(&self, address: IpAddr) -> Option<String> {
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6 == METADATA,
        };
        if link_local {
            return Some("link-local and metadata addresses are never called".into());
        }
        if self.loopback {
            let this_network = matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0);
            if address.is_loopback() || address.is_unspecified() || this_network {
                return Some("loopback addresses are denied here".into());
            }
        }
        let range = self.ranges.iter().find(|range| range.contains(&address))?;
        Some(format!("the range {range} is denied"))
    }
}

/// The IPv4 address within an IPv6 one that a network may deliver to it:
/// mapped, compatible, [NAT64](https://www.rfc-editor.org/rfc/rfc6052#section-2.1), [6to4](https://www.rfc-editor.org/rfc/rfc3056#section-2).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0) if address.is_loopback() || address.is_unspecified() => None,
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(from(g, h)),
        (0x2002, ..) => Some(from(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(rules: &Denied, address: &str) -> bool {
        rules.rule(address.parse().unwrap()).is_some()
    }

    #[test]
    fn metadata_is_denied_in_every_spelling() {
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
        ] {
            assert!(denied(&Denied::default(), address), "{address}");
        }
    }

    #[test]
    fn loopback_is_denied_only_where_asked() {
        let strict = Denied {
            loopback: true,
            ..Denied::default()
        };
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::",
            "0.0.0.0",
            "0.1.2.3",
            "::ffff:127.0.0.1",
        ] {
            assert!(denied(&strict, address), "{address}");
            assert!(!denied(&Denied::default(), address), "{address}");
        }
    }

    #[test]
    fn a_range_covers_the_mapped_form_too_and_is_named() {
        let rules = Denied {
            ranges: vec!["10.0.0.0/8".parse().unwrap()],
            loopback: false,
        };
        assert_eq!(
            rules.rule("::ffff:10.1.2.3".parse().unwrap()).unwrap(),
            "the range 10.0.0.0/8 is denied"
        );
        assert!(!denied(&rules, "11.0.0.1"));
        assert!(!denied(&rules, "2001:db8::1"));
    }
}
