//! Networks as manifests write them.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::Findings;

/// Bits before the IPv4 address within one of IPv6 that stands for it.
const MAPPED: u8 = 96;

/// Reads a list of networks, found at `field`.
pub(super) fn networks(texts: &[String], field: &str, findings: &mut Findings) -> Vec<IpNet> {
    let mut networks = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        match network(text) {
            Some(network) => networks.push(network),
            None => findings.invalid(
                &format!("{field}[{at}]"),
                format_args!("{text:?} is no network; write it like 10.0.0.0/8 or fd00::/8"),
            ),
        }
    }
    networks
}

/// A network, or one address as a network of its own. What is IPv4 within IPv6 is IPv4.
fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(address)?.trunc();
    let IpNet::V6(within) = network else {
        return Some(network);
    };
    let bits = within.prefix_len().checked_sub(MAPPED);
    let mapped = within.addr().to_ipv4_mapped().zip(bits);
    Some(mapped.map_or(network, |(address, bits)| {
        Ipv4Net::new(address, bits).map_or(network, IpNet::from)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_a_network_and_bits_behind_the_prefix_do_not_count() {
        for (text, same) in [
            ("10.1.2.3", "10.1.2.3/32"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(network(text), same.parse().ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_network_is_told() {
        for text in ["", "10.0.0.300/8", "10.0.0.0/33", "host", "::/129"] {
            assert_eq!(network(text), None, "{text}");
        }
    }
}
