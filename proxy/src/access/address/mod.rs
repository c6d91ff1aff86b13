//! Where a request comes from: the connection's other end, or whom the trusted proxies in front of us tell.
//!
//! Each proxy on the way adds the address of whoever called it at the right of `X-Forwarded-For` or
//! [`Forwarded`](https://www.rfc-editor.org/rfc/rfc7239). So the list is read from the right, and only for as long as the one who wrote is trusted; what stands
//! further left is anybody's word.
//!
//! Where a request has both headers `X-Forwarded-For` is believed and the other is not looked at. Most load balancers and ingresses write that one and pass a
//! client's `Forwarded` on untouched, as nginx, Envoy and Traefik do. One that writes `Forwarded` must take clients' `X-Forwarded-For` out.

mod forwarded;

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, HeaderName, header};

use super::networks::Networks;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The most proxies that are believed one after another; no installation has so many.
const MOST_HOPS: usize = 32;

/// The address of the caller, as far as it is known from those who are trusted.
///
/// Starting from `peer`, the caller is whoever the last trusted hop names. Where that is no address (`unknown`, `_hidden`, a gap, garbage), it is that hop itself;
/// where every hop is trusted, it is the left-most.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> IpAddr {
    let mut believed = peer.to_canonical();
    if !trusted.contains(believed) {
        return believed;
    }
    type Read = fn(&[u8]) -> Option<IpAddr>;
    let (name, read) = if headers.contains_key(&X_FORWARDED_FOR) {
        (&X_FORWARDED_FOR, forwarded::plain as Read)
    } else {
        (&header::FORWARDED, forwarded::parameters as Read)
    };
    let mut hops = 0;
    // Several lines are one list (RFC 9110 §5.3).
    for line in headers.get_all(name).iter().rev() {
        let mut rest = Some(line.as_bytes());
        while let Some(list) = rest {
            let (before, element) = forwarded::last(list);
            let Some(address) = read(element) else {
                return believed;
            };
            believed = address;
            hops += 1;
            if hops == MOST_HOPS || !trusted.contains(believed) {
                return believed;
            }
            rest = before;
        }
    }
    believed
}

/// The address that stands for `address` where addresses are counted: an IPv6 one stands for its /64, since each client has as many of those
/// addresses as it likes. IPv4 is never mapped into IPv6 here.
pub fn of_ban(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn trusted() -> Networks {
        let nets = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        Networks::new(&nets)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn told(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let headers = lines.iter().map(|(name, value)| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            (HeaderName::from_static(name), value)
        });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        client(address(peer), &map, &trusted()).to_string()
    }

    const XFF: &str = "x-forwarded-for";

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(told("192.0.2.9", &[(XFF, "1.1.1.1")]), "192.0.2.9");
        assert_eq!(
            told("192.0.2.9", &[("forwarded", "for=1.1.1.1")]),
            "192.0.2.9"
        );
        let map =
            HeaderMap::from_iter([(X_FORWARDED_FOR.clone(), HeaderValue::from_static("1.1.1.1"))]);
        let nobody = Networks::new(&[]);
        assert_eq!(
            client(address("10.0.0.1"), &map, &nobody),
            address("10.0.0.1")
        );
    }

    #[test]
    fn the_walk_from_the_right_ends_at_the_first_hop_that_is_not_trusted() {
        for (value, caller) in [
            ("192.0.2.1", "192.0.2.1"),
            ("1.1.1.1, 192.0.2.1", "192.0.2.1"),
            ("1.1.1.1, 192.0.2.1, 10.9.9.9", "192.0.2.1"),
            ("10.1.1.1, 192.0.2.1, 10.9.9.9", "192.0.2.1"),
            ("1.1.1.1,[fd00::1]:80,10.9.9.9:1", "1.1.1.1"),
            ("::ffff:1.1.1.1, ::ffff:10.0.0.2", "1.1.1.1"),
        ] {
            assert_eq!(told("10.0.0.1", &[(XFF, value)]), caller, "{value}");
            assert_eq!(told("::ffff:10.0.0.1", &[(XFF, value)]), caller, "{value}");
        }
    }

    #[test]
    fn where_every_hop_is_trusted_the_left_most_is_the_caller() {
        assert_eq!(told("10.0.0.1", &[(XFF, "10.0.0.3, 10.0.0.2")]), "10.0.0.3");
        assert_eq!(told("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn several_lines_are_one_list() {
        let lines = [
            (XFF, "1.1.1.1, 192.0.2.1"),
            (XFF, "10.0.0.3"),
            (XFF, "10.0.0.2"),
        ];
        assert_eq!(told("10.0.0.1", &lines), "192.0.2.1");
    }

    #[test]
    fn garbage_ends_the_walk_at_the_last_address_that_is_believed() {
        for garbage in ["unknown", "_x", "", " ", "localhost", "10.0.0", "é", "\""] {
            let value = format!("1.1.1.1, {garbage}, 10.0.0.2");
            assert_eq!(told("10.0.0.1", &[(XFF, &value)]), "10.0.0.2", "{garbage}");
            assert_eq!(told("10.0.0.1", &[(XFF, garbage)]), "10.0.0.1", "{garbage}");
            // Left of the caller it is nobody's business.
            let value = format!("{garbage}, 192.0.2.1");
            assert_eq!(told("10.0.0.1", &[(XFF, &value)]), "192.0.2.1", "{garbage}");
        }
    }

    #[test]
    fn forwarded_is_read_like_its_elder() {
        for (value, caller) in [
            ("for=192.0.2.1", "192.0.2.1"),
            (
                "for=1.1.1.1, for=192.0.2.1;proto=https, for=\"[fd00::2]:80\"",
                "192.0.2.1",
            ),
            ("for=1.1.1.1, for=unknown, for=10.0.0.2", "10.0.0.2"),
            ("for=1.1.1.1, by=10.0.0.9, for=10.0.0.2", "10.0.0.2"),
            ("for=\", for=192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(told("10.0.0.1", &[("forwarded", value)]), caller, "{value}");
        }
    }

    #[test]
    fn of_both_headers_x_forwarded_for_is_believed_alone() {
        let lines = [("forwarded", "for=1.1.1.1"), (XFF, "192.0.2.1")];
        assert_eq!(told("10.0.0.1", &lines), "192.0.2.1");
        let lines = [("forwarded", "for=1.1.1.1"), (XFF, "unknown")];
        assert_eq!(told("10.0.0.1", &lines), "10.0.0.1");
    }

    #[test]
    fn a_chain_without_end_is_not_followed_for_ever() {
        let value = vec!["10.0.0.2"; 10_000].join(",");
        let value = format!("1.1.1.1,{value}");
        assert_eq!(told("10.0.0.1", &[(XFF, &value)]), "10.0.0.2");
    }

    #[test]
    fn an_ipv6_address_stands_for_its_64() {
        assert_eq!(
            of_ban(address("2001:db8:1:2:3:4:5:6")),
            address("2001:db8:1:2::")
        );
        assert_eq!(of_ban(address("192.0.2.1")), address("192.0.2.1"));
        assert_eq!(of_ban(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }

    fn hop() -> impl Strategy<Value = String> {
        prop_oneof![
            (1_u8..255).prop_map(|last| format!("10.0.0.{last}")),
            (1_u8..255).prop_map(|last| format!("[fd00::{last}]:443")),
            (1_u8..255).prop_map(|last| format!("192.0.2.{last}")),
            Just("unknown".to_owned()),
            "[ -~]{0,12}",
        ]
    }

    proptest! {
        /// Whatever an untrusted caller sends, in whatever lines, the trusted proxy's own word behind it decides.
        #[test]
        fn no_word_of_an_untrusted_hop_is_ever_believed(
            lines in proptest::collection::vec(proptest::collection::vec(hop(), 0..4), 0..3),
            joined in any::<bool>(),
            classic in any::<bool>(),
            hops in 0_usize..3,
        ) {
            let name = if classic { XFF } else { "forwarded" };
            let mut lines: Vec<String> = lines.iter().map(|line| line.join(", ")).collect();
            // What the trusted proxies add: the caller, then each other.
            let node = |text: &str| if classic { text.to_owned() } else { format!("for=\"{text}\";proto=https") };
            let mut told_by_trusted = vec![node("203.0.113.7")];
            told_by_trusted.extend((0..hops).map(|hop| node(&format!("10.0.1.{hop}"))));
            let told_by_trusted = told_by_trusted.join(", ");
            match lines.last_mut() {
                Some(line) if joined => *line = format!("{line}, {told_by_trusted}"),
                _ => lines.push(told_by_trusted),
            }
            let lines: Vec<(&'static str, &str)> = lines.iter().map(|line| (name, line.as_str())).collect();
            prop_assert_eq!(told("10.0.0.1", &lines), "203.0.113.7");
        }
    }
}
