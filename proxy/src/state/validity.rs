//! When a certificate ends, as Prometheus asks.
//!
//! Source: [RFC 5280 §4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1). What is read has been read by the TLS library before, which does not tell.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of the first certificate of a chain in PEM, in seconds since the epoch.
pub(super) fn end(chain: &str) -> Option<i64> {
    let first = CertificateDer::pem_slice_iter(chain.as_bytes())
        .next()?
        .ok()?;
    let mut whole = &*first;
    let mut certificate = expect(&mut whole, SEQUENCE)?;
    let mut signed = expect(&mut certificate, SEQUENCE)?;
    if signed.first() == Some(&VERSION) {
        element(&mut signed)?;
    }
    // Serial number, signature algorithm, issuer.
    (0..3).try_for_each(|_| element(&mut signed).map(drop))?;
    let mut validity = expect(&mut signed, SEQUENCE)?;
    element(&mut validity)?;
    time(element(&mut validity)?)
}

/// The next element: its tag, and its content.
fn element<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, after) = rest.split_first()?;
    let (first, mut after) = after.split_first()?;
    let mut length = usize::from(*first);
    if length & 0x80 != 0 {
        let (bytes, content) = after.split_at_checked(length & 0x7f)?;
        if bytes.len() > 4 {
            return None;
        }
        length = bytes
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        after = content;
    }
    let (content, after) = after.split_at_checked(length)?;
    *rest = after;
    Some((*tag, content))
}

fn expect<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, content) = element(rest)?;
    (found == tag).then_some(content)
}

fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let whole = match tag {
        GENERALIZED_TIME => text.to_owned(),
        // Two digits stand for the years 1950 to 2049.
        UTC_TIME if text < "5" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", whole).ok()?;
    Offset::UTC
        .to_timestamp(time)
        .ok()
        .map(|time| time.as_second())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn pem(year: i32) -> String {
        let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 2, 3);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn the_end_is_read_in_either_of_its_forms() {
        assert_eq!(end(&pem(2030)), Some(1_896_307_200));
        assert_eq!(end(&pem(2060)), Some(2_842_992_000));
        // The first of a chain is the server's own.
        assert_eq!(end(&(pem(2030) + &pem(2060))), Some(1_896_307_200));
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        assert_eq!(end(""), None);
        assert_eq!(
            end("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
            None
        );
        assert_eq!(element(&mut &[0x30, 0x84, 0xff][..]), None);
        assert_eq!(element(&mut &[0x30, 0xff][..]), None);
    }
}
