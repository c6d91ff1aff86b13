//! Errors: from each upstream to each client.

use dragoman_dialects::form::{ErrorKind, Failure};

use crate::wires::{SIDES, clients};

const KINDS: [ErrorKind; 9] = [
    ErrorKind::InvalidRequest,
    ErrorKind::Authentication,
    ErrorKind::Permission,
    ErrorKind::NotFound,
    ErrorKind::TooLarge,
    ErrorKind::RateLimit,
    ErrorKind::Overloaded,
    ErrorKind::Timeout,
    ErrorKind::Server,
];

#[test]
fn an_error_keeps_its_kind_and_its_message_from_every_upstream_to_every_client() {
    for kind in KINDS {
        let failure = Failure {
            kind,
            ..Failure::new(kind.status(), "The cat sits on the switch.")
        };
        for upstream in &SIDES {
            let (status, body) = upstream.codec().write_error(&failure, "request-1");
            let read = upstream.codec().read_error(status, &body);
            for client in clients() {
                let (status, body) = client.codec().write_error(&read, "request-1");
                let told = client.codec().read_error(status, &body);
                let shown = String::from_utf8_lossy(&body);
                let pair = format!(
                    "{kind:?}, {} to {}: {status} {shown}",
                    upstream.file, client.file
                );
                // Bedrock has no word of its own for what is too large, nor TGI for too many requests; the status says it.
                let told_so = told.kind == kind || status == kind.status();
                assert!(told_so, "{pair}");
                assert!(
                    told.message.contains("The cat sits on the switch."),
                    "{pair}"
                );
                assert!((400..600).contains(&status), "{pair}");
            }
        }
    }
}

#[test]
fn a_page_of_a_proxy_in_between_is_an_error_with_its_status() {
    for upstream in &SIDES {
        let read = upstream
            .codec()
            .read_error(502, b"<html><h1>Bad Gateway</h1></html>");
        assert_eq!(
            (read.kind, read.status),
            (ErrorKind::Server, 502),
            "{}",
            upstream.file
        );
        assert!(!read.message.is_empty(), "{}", upstream.file);
    }
}
