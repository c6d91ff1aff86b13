//! How it goes, for Prometheus.

use std::fmt::Write as _;

use dragoman_logbook::ship::receive::Counts;

/// The metrics' text.
pub(super) fn text(counts: Counts) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: &[(&str, u64)]| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    family(
        "dragoman_logbook_rows_total",
        "counter",
        "Rows that proxies sent: stored now, known already, or never to be stored.",
        &[
            ("{outcome=\"stored\"}", counts.stored),
            ("{outcome=\"known\"}", counts.known),
            ("{outcome=\"refused\"}", counts.refused),
        ],
    );
    family(
        "dragoman_logbook_batches_total",
        "counter",
        "Batches that the database has committed.",
        &[("", counts.batches)],
    );
    family(
        "dragoman_logbook_received_bytes_total",
        "counter",
        "Bytes of batches that arrived.",
        &[("", counts.bytes)],
    );
    family(
        "dragoman_logbook_turned_away_total",
        "counter",
        "Batches, and questions for replies, that were not taken: without a ticket that holds, at a time when there was no room or no database, or because they are none.",
        &[
            ("{reason=\"unauthorized\"}", counts.unauthorized),
            ("{reason=\"unavailable\"}", counts.unavailable),
            ("{reason=\"invalid\"}", counts.invalid),
        ],
    );
    family(
        "dragoman_logbook_replies_total",
        "counter",
        "Questions of proxies for replies to be replayed that were answered.",
        &[("", counts.replies)],
    );
    family(
        "dragoman_logbook_batches_in_flight",
        "gauge",
        "Batches that wait for room, or are under way to the database.",
        &[("", counts.in_flight)],
    );
    text
}
