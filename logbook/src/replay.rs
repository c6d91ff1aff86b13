//! Replies that are on record, given once more to whoever got them.
//!
//! Whose a reply is stands in its row: the user, or, where there are no users, the client's address. What is not there and what is somebody else's have one answer.

use crate::fault::Fault;
use crate::record::{LONGEST_NAME, Record};
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::future::Future;

/// What an attempt names in the place of a backend when a reply was replayed. Backends have a slash in their names.
pub const REPLAY: &str = "replay";

/// Which reply is asked for, and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// The id of the request that got it.
    pub id: String,
    /// The LLMProxy that is asked for it, `namespace/name`. A logbook takes it from the ticket.
    pub proxy: String,
    /// The route's namespace.
    pub namespace: String,
    /// The route's name.
    pub route: String,
    /// Who asks; none where there are no users.
    pub user: Option<String>,
    /// From where.
    pub address: String,
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The reply.
    Reply(Reply),
    /// It is on record, but not to the byte as it was sent, or its route did not replay.
    NotWhole,
    /// It is not there, or somebody else's.
    Nothing,
}

/// A reply as its client got it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The method of the request that got it.
    pub method: String,
    /// That request's path and query, keys within it masked.
    pub path: String,
    /// Whether that request asked for a stream.
    pub stream: bool,
    /// Its status.
    pub status: u16,
    /// Its content type; empty where it had none.
    pub content_type: String,
    /// Its body.
    pub body: String,
}

/// Who has replies: a store, or the way to a logbook that has one.
pub trait Replies: Clone + Send + Sync + 'static {
    /// Looks for one.
    fn reply(&self, wanted: &Wanted) -> impl Future<Output = Result<Found, Fault>> + Send;
}

impl Replies for Store {
    async fn reply(&self, wanted: &Wanted) -> Result<Found, Fault> {
        let namespace = std::slice::from_ref(&wanted.namespace);
        let record = self.get(&wanted.id, Some(namespace)).await?;
        let record = record.filter(|record| wanted.is_of(record));
        Ok(record.map_or(Found::Nothing, |record| {
            whole(record).map_or(Found::NotWhole, Found::Reply)
        }))
    }
}

impl Wanted {
    /// Whether whoever asks made the request of this row.
    fn is_of(&self, record: &Record) -> bool {
        let same_route = record.proxy == self.proxy
            && record.namespace == self.namespace
            && record.route.as_ref() == Some(&self.route);
        let same_caller = match (&record.user_name, &self.user) {
            (Some(made), Some(asks)) => made == asks && is_on_record_as_it_is(asks),
            (None, None) => record.client_address.as_ref() == Some(&self.address),
            _ => false,
        };
        same_route && same_caller
    }
}

/// Whether nobody else's name is on record as this one. Long names are cut there, and a NUL is replaced.
fn is_on_record_as_it_is(name: &str) -> bool {
    name.len() + '…'.len_utf8() < LONGEST_NAME
        && !name.contains(['\0', char::REPLACEMENT_CHARACTER])
}

/// The reply of a row that has all of it.
fn whole(record: Record) -> Option<Reply> {
    let content_type = record.replay_as?;
    let status = record.status.filter(|status| (200..600).contains(status))?;
    let body = record.response_body.unwrap_or_default();
    if i64::try_from(body.len()) != Ok(record.response_bytes) {
        return None;
    }
    Some(Reply {
        method: record.method,
        path: record.path,
        stream: record.stream,
        status,
        content_type,
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(user: Option<&str>) -> Record {
        Record {
            proxy: "system/default".into(),
            namespace: "team".into(),
            route: Some("chat".into()),
            user_name: user.map(Into::into),
            client_address: Some("10.0.0.1".into()),
            status: Some(200),
            response_bytes: 2,
            response_body: Some("{}".into()),
            replay_as: Some("application/json".into()),
            ..Record::default()
        }
    }

    fn wanted(user: Option<&str>) -> Wanted {
        Wanted {
            id: "a".into(),
            proxy: "system/default".into(),
            namespace: "team".into(),
            route: "chat".into(),
            user: user.map(Into::into),
            address: "10.0.0.1".into(),
        }
    }

    #[test]
    fn a_reply_is_of_whoever_made_the_request_and_nobody_elses() {
        let elsewhere = Wanted {
            address: "10.0.0.2".into(),
            ..wanted(None)
        };
        assert!(wanted(Some("ann")).is_of(&row(Some("ann"))));
        assert!(wanted(None).is_of(&row(None)));
        assert!(!wanted(Some("bob")).is_of(&row(Some("ann"))));
        // Whoever was nobody is not everybody who has a name, nor the other way round.
        assert!(!wanted(Some("ann")).is_of(&row(None)));
        assert!(!wanted(None).is_of(&row(Some("ann"))));
        assert!(!elsewhere.is_of(&row(None)));
        let from_elsewhere = Wanted {
            user: Some("ann".into()),
            ..elsewhere
        };
        assert!(from_elsewhere.is_of(&row(Some("ann"))));
    }

    #[test]
    fn a_reply_is_of_its_route_and_its_proxy() {
        for other in [
            Wanted {
                proxy: "team/sidecar".into(),
                ..wanted(None)
            },
            Wanted {
                namespace: "other".into(),
                ..wanted(None)
            },
            Wanted {
                route: "other".into(),
                ..wanted(None)
            },
        ] {
            assert!(!other.is_of(&row(None)), "{other:?}");
        }
        let lost = Record {
            route: None,
            ..row(None)
        };
        assert!(!wanted(None).is_of(&lost));
    }

    #[test]
    fn nobody_is_taken_for_another_whose_name_is_on_record_alike() {
        let long = "a".repeat(LONGEST_NAME);
        for name in [&*long, "a\u{fffd}", "a\0"] {
            assert!(!wanted(Some(name)).is_of(&row(Some(name))), "{name:?}");
        }
    }

    #[test]
    fn what_is_not_there_to_the_byte_is_no_reply() {
        assert_eq!(whole(row(None)).unwrap().body, "{}");
        let empty = Record {
            response_body: None,
            response_bytes: 0,
            ..row(None)
        };
        assert_eq!(whole(empty).unwrap().body, "");
        for part in [
            Record {
                replay_as: None,
                ..row(None)
            },
            Record {
                response_bytes: 3,
                ..row(None)
            },
            Record {
                status: None,
                ..row(None)
            },
        ] {
            assert_eq!(whole(part), None);
        }
    }
}
