//! What the logbook's pod mounts: its certificate, and the keys that tickets are verified with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use x509_parser::extensions::GeneralName;

use super::authority::is_old;
use super::{Authorities, BadAuthority};

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITIES: &str = "ca.crt";
const TICKET_KEYS: &str = "ticket-keys.json";

/// The Secret's data, made anew.
///
/// # Errors
/// [`BadAuthority`] when the authority cannot sign.
pub(super) fn data(
    authorities: &Authorities,
    names: &[String],
    now: Timestamp,
) -> Result<BTreeMap<String, ByteString>, BadAuthority> {
    let (certificate, key) = authorities.current.leaf_pem(names, now)?;
    let all = [
        (CERTIFICATE, certificate),
        (KEY, key),
        (AUTHORITIES, authorities.bundle()),
        (TICKET_KEYS, authorities.ticket_keys()?),
    ];
    let data = all.map(|(name, text)| (name.to_owned(), ByteString(text.into_bytes())));
    Ok(data.into())
}

/// Whether the data is of these authorities and for these names, and good for a while.
pub(super) fn is_current(
    data: &BTreeMap<String, ByteString>,
    authorities: &Authorities,
    names: &[String],
    now: Timestamp,
) -> bool {
    let is = |name: &str, text: &str| data.get(name).is_some_and(|held| held.0 == text.as_bytes());
    // Whenever the authorities turn, this one changes with them.
    is(AUTHORITIES, &authorities.bundle())
        && authorities
            .ticket_keys()
            .is_ok_and(|keys| is(TICKET_KEYS, &keys))
        && data.contains_key(KEY)
        && data
            .get(CERTIFICATE)
            .is_some_and(|pem| is_young(&pem.0, names, now))
}

/// Whether a certificate is for these names, and not old.
fn is_young(pem: &[u8], names: &[String], now: Timestamp) -> bool {
    let young = || {
        let (_, pem) = x509_parser::pem::parse_x509_pem(pem).ok()?;
        let certificate = pem.parse_x509().ok()?;
        let time =
            |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        let begins = time(certificate.validity().not_before)?;
        let ends = time(certificate.validity().not_after)?;
        let bears = &certificate
            .subject_alternative_name()
            .ok()??
            .value
            .general_names;
        let named = |name: &String| bears.contains(&GeneralName::DNSName(name));
        Some(!is_old(begins, ends, now) && names.iter().all(named))
    };
    young().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::ToSpan;

    fn noon() -> Timestamp {
        "2027-01-10T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn what_was_made_is_current_until_anything_about_it_is_not() {
        let authorities = Authorities::generate(noon()).unwrap();
        let names = [
            "logbook.ns.svc".to_owned(),
            "logbook.ns.svc.cluster.local".to_owned(),
        ];
        let made = data(&authorities, &names, noon()).unwrap();
        let current =
            |data: &_, authorities: &_, names: &_, at| is_current(data, authorities, names, at);
        assert!(current(
            &made,
            &authorities,
            &names,
            noon() + (24 * 18).hours()
        ));
        assert!(!current(
            &made,
            &authorities,
            &names,
            noon() + (24 * 21).hours()
        ));
        let others = ["other.ns.svc".to_owned(), names[0].clone()];
        assert!(!current(&made, &authorities, &others, noon()));
        let later = noon() + (24 * 250).hours();
        let turned = authorities.turn(later).unwrap().unwrap();
        assert!(!current(&made, &turned, &names, noon()));
        for name in [CERTIFICATE, KEY, AUTHORITIES, TICKET_KEYS] {
            let mut less = made.clone();
            less.remove(name);
            assert!(!current(&less, &authorities, &names, noon()), "{name}");
        }
    }
}
