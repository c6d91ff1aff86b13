//! The authorities as they stand in the Secret, and how they follow one another.
//!
//! A successor is trusted a day before it signs, and its predecessor until it ends: nobody is ever shown a
//! certificate whose authority it has not heard of.

use std::collections::BTreeMap;

use dragoman_ticket::Keys;
use jiff::{Timestamp, ToSpan};
use k8s_openapi::ByteString;

use super::{Authority, BadAuthority};

/// How long a successor is made known before it signs.
const NOTICE_HOURS: i64 = 24;

/// A Secret that cannot be used. Of whoever edited it; deleting it makes a new one.
#[derive(Debug, thiserror::Error)]
pub enum BadStore {
    /// A key is missing or is not what it should be.
    #[error(
        "key {0:?} of the Secret is missing or unusable; delete the Secret and it is made anew"
    )]
    Key(&'static str),
    /// An authority does not parse.
    #[error("key {0:?} of the Secret: {1}; delete the Secret and it is made anew")]
    Authority(&'static str, #[source] BadAuthority),
}

/// All authorities of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities {
    /// The one that signs.
    pub current: Authority,
    /// The one that will sign next, already trusted.
    pub next: Option<Authority>,
    /// The one that signed before, still trusted.
    pub previous: Option<Authority>,
    /// What item hashes are keyed with; it stays when authorities change.
    pub hash_key: [u8; 32],
}

impl Authorities {
    /// A first authority.
    ///
    /// # Errors
    /// [`BadAuthority`] when there is no randomness.
    pub fn generate(now: Timestamp) -> Result<Self, BadAuthority> {
        Ok(Self {
            current: Authority::generate(now)?,
            next: None,
            previous: None,
            hash_key: rand::random(),
        })
    }

    /// The next step of the rotation, if it is due at `now`.
    ///
    /// # Errors
    /// [`BadAuthority`] when a successor cannot be made.
    pub fn turn(&self, now: Timestamp) -> Result<Option<Self>, BadAuthority> {
        let mut turned = self.clone();
        if turned
            .previous
            .as_ref()
            .is_some_and(|previous| previous.ends <= now)
        {
            turned.previous = None;
        }
        match &self.next {
            Some(next) if self.notice_over(next, now) => {
                turned.previous = Some(self.current.clone()).filter(|former| former.ends > now);
                turned.current = next.clone();
                turned.next = None;
            }
            Some(_) => {}
            None if self.current.is_old(now) => turned.next = Some(Authority::generate(now)?),
            None => {}
        }
        Ok((turned != *self).then_some(turned))
    }

    fn notice_over(&self, next: &Authority, now: Timestamp) -> bool {
        // An authority begins a day before it was made, for the sake of slow clocks.
        now >= next
            .begins
            .saturating_add((48 + NOTICE_HOURS).hours())
            .unwrap_or(now)
            || self.current.ends <= now
    }

    /// What proxies trust: every authority, as PEM.
    #[must_use]
    pub fn bundle(&self) -> String {
        let others = self.next.iter().chain(&self.previous);
        std::iter::once(&self.current)
            .chain(others)
            .map(|authority| authority.certificate_pem.trim_end())
            .fold(String::new(), |bundle, pem| bundle + pem + "\n")
    }

    /// The public keys of the tickets that may be about, as a JSON Web Key Set.
    ///
    /// # Errors
    /// [`BadAuthority::Ticket`]; with ring, never.
    pub fn ticket_keys(&self) -> Result<String, BadAuthority> {
        let others = self.next.iter().chain(&self.previous);
        let keys = std::iter::once(&self.current)
            .chain(others)
            .map(|authority| Ok(authority.signer()?.public()))
            .collect::<Result<Vec<_>, BadAuthority>>()?;
        Ok(Keys::write(keys))
    }

    /// The Secret's data.
    #[must_use]
    pub fn write(&self) -> BTreeMap<String, ByteString> {
        let mut data = BTreeMap::new();
        let mut put = |name: &str, value: &[u8]| {
            data.insert(name.to_owned(), ByteString(value.to_vec()));
        };
        put("hash.key", &self.hash_key);
        let all = [
            ("ca", Some(&self.current)),
            ("next", self.next.as_ref()),
            ("previous", self.previous.as_ref()),
        ];
        for (name, authority) in all {
            if let Some(authority) = authority {
                put(&format!("{name}.crt"), authority.certificate_pem.as_bytes());
                put(&format!("{name}.key"), authority.key_pem.as_bytes());
            }
        }
        data
    }

    /// Reads the Secret's data; an empty Secret holds nothing yet.
    ///
    /// # Errors
    /// [`BadStore`] when somebody edited it.
    pub fn read(data: &BTreeMap<String, ByteString>) -> Result<Option<Self>, BadStore> {
        if data.is_empty() {
            return Ok(None);
        }
        let text = |name: &'static str| {
            data.get(name)
                .and_then(|value| String::from_utf8(value.0.clone()).ok())
        };
        let authority = |certificate: &'static str, key: &'static str| {
            let Some(pem) = text(certificate) else {
                return Ok(None);
            };
            let key = text(key).ok_or(BadStore::Key(key))?;
            Authority::read(pem, key)
                .map(Some)
                .map_err(|fault| BadStore::Authority(certificate, fault))
        };
        let hash_key = data
            .get("hash.key")
            .and_then(|value| <[u8; 32]>::try_from(value.0.as_slice()).ok());
        Ok(Some(Self {
            current: authority("ca.crt", "ca.key")?.ok_or(BadStore::Key("ca.crt"))?,
            next: authority("next.crt", "next.key")?,
            previous: authority("previous.crt", "previous.key")?,
            hash_key: hash_key.ok_or(BadStore::Key("hash.key"))?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin() -> Timestamp {
        "2027-01-10T12:00:00Z".parse().unwrap()
    }

    fn after(days: i64) -> Timestamp {
        begin() + (24 * days).hours()
    }

    #[test]
    fn a_young_authority_stays() {
        let first = Authorities::generate(begin()).unwrap();
        assert_eq!(first.turn(after(200)).unwrap(), None);
    }

    #[test]
    fn a_successor_is_trusted_before_it_signs_and_its_predecessor_after() {
        let first = Authorities::generate(begin()).unwrap();
        let announced = first.turn(after(250)).unwrap().unwrap();
        assert_eq!(announced.current, first.current);
        assert_eq!(announced.bundle().matches("BEGIN CERTIFICATE").count(), 2);
        assert_eq!(announced.turn(after(250)).unwrap(), None);

        let turned = announced.turn(after(252)).unwrap().unwrap();
        assert_eq!(Some(&turned.current), announced.next.as_ref());
        assert_eq!(turned.previous.as_ref(), Some(&first.current));
        assert_eq!(turned.bundle().matches("BEGIN CERTIFICATE").count(), 2);
        assert_eq!(turned.hash_key, first.hash_key);

        let later = turned.turn(after(370)).unwrap().unwrap();
        assert_eq!(later.previous, None);
    }

    #[test]
    fn tickets_of_an_authority_are_believed_as_long_as_it_is_trusted() {
        let first = Authorities::generate(begin()).unwrap();
        let claims = dragoman_ticket::Claims {
            aud: dragoman_ticket::AUDIENCE.into(),
            sub: "ns/edge".into(),
            pod: "edge-1".into(),
            namespaces: ["ns".to_owned()].into(),
            nbf: 0,
            exp: 1,
        };
        let believes = |authorities: &Authorities, signed: &Authorities| {
            let keys = Keys::read(authorities.ticket_keys().unwrap().as_bytes()).unwrap();
            let ticket = signed.current.signer().unwrap().sign(&claims);
            keys.verify(&ticket, 0).is_ok()
        };
        let announced = first.turn(after(250)).unwrap().unwrap();
        let turned = announced.turn(after(252)).unwrap().unwrap();
        // The logbook may be behind by a step, as long as a step takes.
        assert!(believes(&first, &announced) && believes(&announced, &turned));
        assert!(believes(&turned, &first) && believes(&turned, &turned));
        assert!(!believes(&first, &turned));
        let again = Authorities::read(&turned.write()).unwrap().unwrap();
        assert!(
            believes(&again, &turned),
            "the Secret holds all that is needed"
        );
    }

    #[test]
    fn an_authority_that_ended_while_nobody_ran_is_replaced_at_once() {
        let first = Authorities::generate(begin()).unwrap();
        let announced = first.turn(after(400)).unwrap().unwrap();
        let turned = announced.turn(after(400)).unwrap().unwrap();
        assert_eq!(
            (Some(turned.current), turned.previous),
            (announced.next, None)
        );
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let first = Authorities::generate(begin()).unwrap();
        let announced = first.turn(after(250)).unwrap().unwrap();
        assert_eq!(
            Authorities::read(&announced.write()).unwrap(),
            Some(announced)
        );
        assert_eq!(Authorities::read(&BTreeMap::new()).unwrap(), None);
    }

    #[test]
    fn a_secret_that_somebody_edited_says_which_key_is_wrong() {
        let mut data = Authorities::generate(begin()).unwrap().write();
        data.remove("ca.key");
        let fault = Authorities::read(&data).unwrap_err().to_string();
        assert!(fault.contains("ca.key"), "{fault}");
    }
}
