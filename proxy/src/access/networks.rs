//! Many networks, searched in the logarithm of their number.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

/// A set of networks. An IPv4 address in IPv6's clothes (`::ffff:10.0.0.1`) is the IPv4 address, in the set and in the question; `::/0` holds no IPv4 address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// Ranges that neither overlap nor touch, in order: first and last address.
type Ranges<T> = Box<[(T, T)]>;

impl Networks {
    /// The set of all addresses of `networks`.
    #[must_use]
    pub fn new(networks: &[IpNet]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match unmapped(*network) {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        Self {
            v4: merged(v4, |last| last.checked_add(1)),
            v6: merged(v6, |last| last.checked_add(1)),
        }
    }

    /// Whether an address is in one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(v4) => holds(&self.v4, v4.to_bits()),
            IpAddr::V6(v6) => holds(&self.v6, v6.to_bits()),
        }
    }

    /// Whether it holds no address at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

/// The IPv4 network that an IPv6 one within `::ffff:0:0/96` is.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let v4: Option<Ipv4Addr> = v6.network().to_ipv4_mapped();
    let v4 = v4.zip(v6.prefix_len().checked_sub(96));
    let v4 = v4.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    v4.map_or(network, IpNet::V4)
}

fn merged<T: Copy + Ord>(mut ranges: Vec<(T, T)>, next: impl Fn(T) -> Option<T>) -> Ranges<T> {
    ranges.sort_unstable();
    let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            // Where nothing can follow, whatever comes is within.
            Some((_, end)) if next(*end).is_none_or(|next| first <= next) => {
                *end = last.max(*end);
            }
            _ => merged.push((first, last)),
        }
    }
    merged.into()
}

fn holds<T: Copy + Ord>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after > 0
        && ranges
            .get(after - 1)
            .is_some_and(|(_, last)| address <= *last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        let nets: Vec<IpNet> = texts.iter().map(|text| text.parse().unwrap()).collect();
        Networks::new(&nets)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn first_and_last_address_belong_to_a_network_and_their_neighbours_do_not() {
        let set = networks(&["10.1.0.0/16", "2001:db8::/32", "192.0.2.7/32"]);
        for inside in [
            "10.1.0.0",
            "10.1.255.255",
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "192.0.2.7",
        ] {
            assert!(set.contains(address(inside)), "{inside}");
        }
        for outside in [
            "10.0.255.255",
            "10.2.0.0",
            "2001:db7:ffff::",
            "2001:db9::",
            "192.0.2.6",
            "192.0.2.8",
            "::1",
        ] {
            assert!(!set.contains(address(outside)), "{outside}");
        }
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address_on_both_sides() {
        assert!(networks(&["10.0.0.0/8"]).contains(address("::ffff:10.1.2.3")));
        let mapped = networks(&["::ffff:10.0.0.0/104"]);
        assert!(mapped.contains(address("10.1.2.3")));
        assert!(!mapped.contains(address("11.1.2.3")));
    }

    #[test]
    fn everything_of_one_family_says_nothing_of_the_other() {
        let v6 = networks(&["::/0"]);
        assert!(v6.contains(address("2001:db8::1")));
        assert!(!v6.contains(address("10.0.0.1")));
        assert!(!v6.contains(address("::ffff:10.0.0.1")));
        let v4 = networks(&["0.0.0.0/0"]);
        assert!(v4.contains(address("255.255.255.255")) && v4.contains(address("0.0.0.0")));
        assert!(!v4.contains(address("::1")));
    }

    #[test]
    fn host_bits_of_a_network_do_not_count() {
        assert!(networks(&["10.1.2.3/8"]).contains(address("10.0.0.0")));
    }

    #[test]
    fn no_networks_hold_nothing() {
        assert!(networks(&[]).is_empty());
        assert!(!networks(&[]).contains(address("0.0.0.0")));
        assert!(!networks(&["0.0.0.0/0"]).is_empty());
    }

    fn any_network() -> impl Strategy<Value = IpNet> {
        prop_oneof![
            // Few distinct bits, so that they overlap, touch and nest.
            (0_u32..16, 28_u8..=32).prop_map(|(low, prefix)| {
                IpNet::new(IpAddr::from((0x0a00_0000 | low).to_be_bytes()), prefix).unwrap()
            }),
            (0_u128..16, 124_u8..=128).prop_map(|(low, prefix)| {
                IpNet::new(IpAddr::from(low.to_be_bytes()), prefix).unwrap()
            }),
        ]
    }

    proptest! {
        #[test]
        fn it_holds_exactly_what_one_of_its_networks_holds(
            nets in proptest::collection::vec(any_network(), 0..24),
            low in 0_u8..18,
        ) {
            let set = Networks::new(&nets);
            for address in [IpAddr::from([10, 0, 0, low]), IpAddr::from(u128::from(low).to_be_bytes())] {
                let told = nets.iter().any(|net| net.contains(&address));
                prop_assert_eq!(set.contains(address), told);
            }
        }
    }
}
