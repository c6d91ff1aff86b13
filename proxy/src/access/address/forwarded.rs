//! What one hop says of the one before it: an element of `X-Forwarded-For` or of `Forwarded`.
//!
//! Source: [RFC 7239](https://www.rfc-editor.org/rfc/rfc7239#section-4). `X-Forwarded-For` has no standard; clients, load balancers and
//! ingresses write an address, some with a port.

use std::net::{IpAddr, Ipv6Addr};

/// Takes the last element off a list, at its last comma that is outside quotes.
///
/// Read from the right, since what stands left of the last element may be anybody's: an open quote there cannot swallow what a trusted hop added behind it.
pub(super) fn last(list: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut quoted = false;
    for (at, byte) in list.iter().enumerate().rev() {
        match byte {
            b'"' if quoted => {
                let escapes = list[..at].iter().rev().take_while(|byte| **byte == b'\\');
                quoted = escapes.count() % 2 == 1;
            }
            b'"' => quoted = true,
            b',' if !quoted => return (Some(&list[..at]), &list[at + 1..]),
            _ => {}
        }
    }
    (None, list)
}

/// The address in an element of `X-Forwarded-For`.
pub(super) fn plain(element: &[u8]) -> Option<IpAddr> {
    let element = str::from_utf8(element).ok()?.trim_matches(OWS);
    let unquoted = element.strip_prefix('"').and_then(|e| e.strip_suffix('"'));
    node(unquoted.unwrap_or(element))
}

/// The address of `for` in an element of `Forwarded`.
pub(super) fn parameters(element: &[u8]) -> Option<IpAddr> {
    let mut rest = str::from_utf8(element).ok()?.trim_matches(OWS);
    let mut found = None;
    loop {
        let (name, after) = rest.split_once('=')?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let (value, after) = value(after)?;
        if name.eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            // Two of them: whoever wrote this does not say which it means.
            return None;
        }
        if after.is_empty() {
            return node(&found?);
        }
        rest = after.strip_prefix(';')?.trim_start_matches(OWS);
    }
}

const OWS: [char; 2] = [' ', '\t'];

/// A value and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        let value = value.trim_end_matches(OWS);
        // Brackets and colons belong into quotes; some leave them out, and nothing else can be meant.
        let is_value = |byte: u8| is_token(byte) || matches!(byte, b'[' | b']' | b':');
        let valid = !value.is_empty() && value.bytes().all(is_value);
        return valid.then(|| (value.to_owned(), after));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, quoted[at + 1..].trim_start_matches(OWS))),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(char),
        }
    }
    None
}

/// `tchar` of [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// An address, perhaps in brackets, perhaps with a port. `unknown` and names such as `_hidden` are none.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let fine = port.is_empty() || is_port(port.strip_prefix(':')?);
        return fine.then_some(IpAddr::V6(address).to_canonical());
    }
    let (address, port) = text.split_once(':')?;
    is_port(port).then_some(())?;
    address.parse().ok().map(IpAddr::V4)
}

fn is_port(text: &str) -> bool {
    let is_hidden = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match text.strip_prefix('_') {
        Some(hidden) => !hidden.is_empty() && hidden.bytes().all(is_hidden),
        None => {
            text.len() <= 5
                && text.bytes().all(|b| b.is_ascii_digit())
                && text.parse::<u16>().is_ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_ports_and_brackets_and_nothing_else_is() {
        for (element, address) in [
            ("192.0.2.1", Some("192.0.2.1")),
            (" 192.0.2.1\t", Some("192.0.2.1")),
            ("192.0.2.1:4711", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("\"[2001:db8::1]:443\"", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("[::ffff:192.0.2.1]:1", Some("192.0.2.1")),
            ("", None),
            ("unknown", None),
            ("_hidden", None),
            ("192.0.2", None),
            ("192.0.2.01", None),
            ("0x7f.0.0.1", None),
            ("192.0.2.1:", None),
            ("192.0.2.1:99999", None),
            ("192.0.2.1:+1", None),
            ("192.0.2.1 10.0.0.1", None),
            ("fe80::1%eth0", None),
            ("[192.0.2.1]", None),
            ("[2001:db8::1", None),
            ("[2001:db8::1]x", None),
            ("\"192.0.2.1", None),
            ("localhost", None),
        ] {
            let address = address.map(|text| text.parse().unwrap());
            assert_eq!(plain(element.as_bytes()), address, "{element}");
        }
        assert_eq!(plain(b"\xff192.0.2.1"), None);
    }

    #[test]
    fn for_is_found_among_other_parameters_and_once() {
        for (element, address) in [
            ("for=192.0.2.43", Some("192.0.2.43")),
            (
                " For=\"[2001:db8:cafe::17]:4711\"",
                Some("2001:db8:cafe::17"),
            ),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                Some("192.0.2.60"),
            ),
            ("proto=http; for=192.0.2.60 ;by=_x", Some("192.0.2.60")),
            ("for=\"192.0.2.43:_gazonk\"", Some("192.0.2.43")),
            ("for=\"192.0.\\2.43\"", Some("192.0.2.43")),
            ("for=[2001:db8::1]", Some("2001:db8::1")),
            ("host=\"a;for=1.1.1.1\";for=192.0.2.60", Some("192.0.2.60")),
            ("for=unknown", None),
            ("for=\"_gazonk\"", None),
            ("for=192.0.2.1;for=192.0.2.2", None),
            ("by=192.0.2.1", None),
            ("for", None),
            ("for=", None),
            ("for=\"192.0.2.1", None),
            ("for=\"192.0.2.1\"x", None),
            ("192.0.2.1", None),
            ("", None),
        ] {
            let address = address.map(|text| text.parse().unwrap());
            assert_eq!(parameters(element.as_bytes()), address, "{element}");
        }
    }

    #[test]
    fn what_stands_left_of_the_last_element_cannot_swallow_it() {
        for (list, element) in [
            ("for=\", for=192.0.2.1", " for=192.0.2.1"),
            ("for=\"x\\, for=\"[2001:db8::1]\"", " for=\"[2001:db8::1]\""),
            (
                "for=1.1.1.1, for=192.0.2.1;host=\"a, for=2.2.2.2\"",
                " for=192.0.2.1;host=\"a, for=2.2.2.2\"",
            ),
            (
                "a, for=192.0.2.1;host=\"x\\\", for=2.2.2.2\"",
                " for=192.0.2.1;host=\"x\\\", for=2.2.2.2\"",
            ),
            ("alone", "alone"),
            ("a,", ""),
        ] {
            assert_eq!(last(list.as_bytes()).1, element.as_bytes(), "{list}");
        }
    }
}
