//! `GET /api/bans` and `DELETE /api/bans/{address}`.

use std::net::IpAddr;
use std::time::Instant;

use ipnet::IpNet;
use jiff::{Timestamp, Unit};
use serde::Serialize;

use crate::access::Memory;
use crate::access::bans::{Banned, Bans};
use crate::serve::path::percent_decode;

/// What is answered to `GET`.
#[derive(Debug, Serialize)]
pub(super) struct List {
    bans: Vec<Entry>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// One address, or the /64 of IPv6.
    address: String,
    /// The AccessPolicy that bans, as `namespace/name`.
    policy: String,
    /// When the ban ends.
    until: Timestamp,
    seconds_left: u64,
}

/// What is answered to `DELETE`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Lifted {
    /// The AccessPolicies whose bans ended, as `namespace/name`.
    pub(super) lifted: Vec<String>,
}

/// All bans that run.
pub(super) fn list(bans: &Bans, now: Instant, time: Timestamp) -> List {
    let entry = |ban: Banned| {
        let until = time.checked_add(ban.left).unwrap_or(Timestamp::MAX);
        Entry {
            address: match ban.address {
                IpAddr::V4(v4) => v4.to_string(),
                IpAddr::V6(v6) => format!("{v6}/64"),
            },
            policy: ban.policy.to_string(),
            until: until.round(Unit::Second).unwrap_or(until),
            seconds_left: ban.left.as_secs(),
        }
    };
    List {
        bans: bans.list(now).into_iter().map(entry).collect(),
    }
}

/// Ends the bans of the address that stands in a path, which may be written as it is listed; none: it is no address.
pub(super) fn lift(memory: &Memory, text: &str, now: Instant) -> Option<Lifted> {
    let text = percent_decode(text);
    let address = match text.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => match text.parse::<IpNet>().ok()? {
            IpNet::V4(net) if net.prefix_len() == 32 => IpAddr::V4(net.addr()),
            IpNet::V6(net) if net.prefix_len() >= 64 => IpAddr::V6(net.addr()),
            // More than one ban at once is nothing that a typing error should do.
            _ => return None,
        },
    };
    let lifted = memory.bans.lift(address, now);
    memory.counters.lifted(&lifted, address);
    let lifted: Vec<String> = lifted.iter().map(ToString::to_string).collect();
    let policies = lifted.join(", ");
    if !lifted.is_empty() {
        tracing::info!(kind = "ban_lifted", %address, %policies, "a ban was lifted through the admin API");
    }
    Some(Lifted { lifted })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dragoman_config::ObjectKey;

    use super::*;

    #[test]
    fn bans_are_listed_with_their_end_and_lifted_as_they_are_listed() {
        let (memory, now) = (Memory::default(), Instant::now());
        let bans = &memory.bans;
        let policy = ObjectKey::new("team", "callers");
        for address in ["192.0.2.1", "2001:db8::7"] {
            bans.begin(
                &policy,
                address.parse().unwrap(),
                Duration::from_secs(90),
                now,
            );
        }
        let time = Timestamp::from_second(1_800_000_000).unwrap();
        let json = serde_json::to_value(list(bans, now, time)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"bans": [
                {"address": "192.0.2.1", "policy": "team/callers", "until": "2027-01-15T08:01:30Z", "secondsLeft": 90},
                {"address": "2001:db8::/64", "policy": "team/callers", "until": "2027-01-15T08:01:30Z", "secondsLeft": 90},
            ]})
        );
        for text in ["", "x", "192.0.2.0/24", "2001:db8::/32", "192.0.2.1/33"] {
            assert_eq!(lift(&memory, text, now), None, "{text}");
        }
        let lifted = |text| lift(&memory, text, now).unwrap().lifted;
        assert_eq!(lifted("192.0.2.1"), ["team/callers"]);
        assert_eq!(lifted("192.0.2.1"), Vec::<String>::new());
        assert_eq!(lifted("2001%3Adb8::%2F64"), ["team/callers"]);
        assert_eq!(bans.count(now), 0);
    }
}
