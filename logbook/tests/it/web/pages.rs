//! The dashboard's pages, without a browser.

use super::hostile::{HOSTILE, hostile};
use super::signing_in::send;
use super::viewers::guarded;
use super::{Runs, full, get, get_as, namespaces, open, request};
use crate::fixture::{Fixture, at, on_both};
use dragoman_logbook::record::Record;
use dragoman_logbook::web::{Entrance, NoneLive, Running, Web};
use serde_json::json;
use std::sync::Arc;

on_both!(
    every_page_shows_what_is_on_record,
    no_text_of_a_record_becomes_markup_on_any_page,
    a_list_goes_on_where_its_page_ended,
    a_viewer_of_one_namespace_sees_no_row_of_another_on_any_page,
);

fn path_of(id: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("/requests/{}", encoded.replace('+', "%20"))
}

async fn every_page_shows_what_is_on_record(fixture: Fixture) {
    let record = Record {
        request_body: Some(
            json!({"messages": [{"role": "user", "content": "What is a dragoman?"}]}).to_string(),
        ),
        response_content: Some("An interpreter.".into()),
        ..full(0)
    };
    fixture
        .store
        .insert(&[record.clone(), at(1)])
        .await
        .unwrap();
    let web = open(&fixture);
    for (path, texts) in [
        (
            "/?from=3d",
            vec!["Overview", "team/chat", "gpt-4o", "alice", "<svg", "<table"],
        ),
        ("/", vec!["Last", "In all"]),
        (
            "/requests",
            vec![
                "gpt-4o",
                "sent as",
                "the upstream closed the stream",
                "/api/logs.csv?",
            ],
        ),
        (
            &path_of(&record.id),
            vec![
                "What is a dragoman?",
                "An interpreter.",
                "team/vllm",
                "busy",
                "curl --request",
                "x-dragoman-replay",
                "Attribute",
                "red",
                "Timeline",
            ],
        ),
        ("/inflight", vec!["Nothing is in flight."]),
    ] {
        let page = get(&web, path).await;
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        for text in texts {
            assert!(page.text.contains(text), "{path} lacks {text}");
        }
    }
    for (path, status) in [
        ("/requests/another", 404),
        ("/other", 404),
        ("/requests?status=odd", 400),
        ("/?from=x", 400),
    ] {
        let page = get(&web, path).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.text.contains("role=\"alert\""), "{path}");
    }
    let empty = get(&web, "/requests?user=nobody&from=&route=&status=").await;
    assert!(empty.text.contains("No request matches"));
}

async fn no_text_of_a_record_becomes_markup_on_any_page(fixture: Fixture) {
    let evil = Record {
        request_body: Some(
            json!({
                "system": HOSTILE, "tools": [{"name": HOSTILE}],
                "messages": [{"role": HOSTILE, "content": [{"type": "text", "text": HOSTILE}, {"type": "image_url", "image_url": {"url": HOSTILE}}],
                    "tool_calls": [{"function": {"name": HOSTILE, "arguments": HOSTILE}}], "thinking": HOSTILE}]
            })
            .to_string(),
        ),
        ..hostile()
    };
    fixture.store.insert(&[evil, hostile()]).await.unwrap();
    let runs = Arc::new(Runs::default());
    runs.0.lock().unwrap().push(Running {
        id: HOSTILE.into(),
        namespace: HOSTILE.into(),
        route: Some(HOSTILE.into()),
        user_name: Some(HOSTILE.into()),
        model_requested: Some(HOSTILE.into()),
        backend: Some(HOSTILE.into()),
        path: HOSTILE.into(),
        ..Running::default()
    });
    let web = Web::new(fixture.store.clone(), runs, Entrance::open());
    let stored = HOSTILE.replace('\0', "\u{fffd}");
    let query: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    let filters =
        format!("user={query}&route={query}&model={query}&namespace={query}&text={query}&from=3d");
    for path in [
        "/?from=3d",
        &format!("/?{filters}"),
        "/requests",
        &format!("/requests?{filters}"),
        &format!("/requests?status={query}"),
        &path_of(&stored),
        "/inflight",
    ] {
        let page = get(&web, path).await;
        assert!(page.text.contains("&lt;img"), "{path} shows it");
        for markup in ["<img", "</textarea", "\"'`", "alert(1)>"] {
            assert!(!page.text.contains(markup), "{path} has {markup}");
        }
        assert_eq!(page.text.matches("<script").count(), 1, "{path}");
        // Nothing that the policy would have to allow: no style or handler within a tag.
        for tag in page
            .text
            .split('<')
            .skip(1)
            .filter_map(|tag| tag.split_once('>'))
        {
            let names = tag.0.split('"').step_by(2).collect::<String>();
            assert!(
                !names.contains(" style=") && !names.contains(" on"),
                "{path}: {}",
                tag.0
            );
        }
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"));
        assert!(!policy.contains("unsafe") && !policy.contains("data:"));
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert_eq!(page.headers["cache-control"], "no-store");
    }
}

async fn a_list_goes_on_where_its_page_ended(fixture: Fixture) {
    let batch: Vec<_> = (0..120).map(at).collect();
    fixture.store.insert(&batch).await.unwrap();
    let web = open(&fixture);
    let (mut path, mut seen) = (
        "/requests?user=alice&status=succeeded".to_owned(),
        Vec::new(),
    );
    loop {
        let page = get(&web, &path).await.text;
        let ids = page.split("href=\"/requests/").skip(1);
        seen.extend(ids.map(|rest| rest.split('"').next().unwrap().replace("%2D", "-")));
        fixture.store.insert(&[at(500)]).await.unwrap();
        let Some((before, _)) = page.split_once("\" rel=\"next\"") else {
            break;
        };
        let next = before.rsplit("href=\"").next().unwrap();
        assert!(next.contains("user=alice&amp;status=succeeded"));
        path = next.replace("&amp;", "&");
    }
    let mut expected: Vec<_> = batch.into_iter().map(|record| record.id).collect();
    expected.reverse();
    assert_eq!(seen, expected);
}

async fn a_viewer_of_one_namespace_sees_no_row_of_another_on_any_page(fixture: Fixture) {
    const SECRET: &str = "theirs-alone";
    let theirs = Record {
        id: "their-id".into(),
        namespace: "them".into(),
        route: Some(SECRET.into()),
        user_name: Some(SECRET.into()),
        model_requested: Some(SECRET.into()),
        error: Some(SECRET.into()),
        ..full(0)
    };
    fixture.store.insert(&[full(1), theirs]).await.unwrap();
    let runs = Arc::new(Runs::default());
    runs.0.lock().unwrap().push(Running {
        id: "run".into(),
        namespace: "them".into(),
        user_name: Some(SECRET.into()),
        ..Running::default()
    });
    let web = Web::new(
        fixture.store.clone(),
        Arc::clone(&runs) as _,
        Entrance::open(),
    );
    let team = namespaces(&["team"]);
    for path in [
        "/?from=3d",
        "/?from=3d&namespace=them",
        "/requests",
        "/requests?namespace=them",
        "/requests/their-id",
        "/inflight",
    ] {
        let page = get_as(&web, &team, path).await;
        assert!(!page.text.contains(SECRET), "{path}");
    }
    assert_eq!(get_as(&web, &team, "/requests/their-id").await.status, 404);
    let cancel = web
        .answer(request("POST", "/inflight/run/cancel"), &team)
        .await;
    assert_eq!(cancel.status(), 404);
    assert_eq!(runs.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn style_and_script_need_no_token_and_are_sent_once() {
    let web = guarded(crate::fixture::sqlite().store);
    for (path, kind) in [
        ("/assets/style.css", "text/css; charset=utf-8"),
        ("/assets/script.js", "text/javascript; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let first = send(&web, "GET", path, &[], "").await;
        assert_eq!(
            (first.status.as_u16(), &first.headers["content-type"]),
            (200, &kind.parse().unwrap())
        );
        let tag = first.headers["etag"].to_str().unwrap();
        let again = send(&web, "GET", path, &[("if-none-match", tag)], "").await;
        assert_eq!((again.status.as_u16(), again.text.len()), (304, 0));
        // Nothing on any other host.
        assert!(
            !first.text.contains("//cdn") && !first.text.contains("@import"),
            "{path}"
        );
    }
    let open = Web::new(
        crate::fixture::sqlite().store,
        Arc::new(NoneLive),
        Entrance::open(),
    );
    assert_eq!(get(&open, "/signin").await.headers["location"], "/");
}

#[tokio::test]
async fn a_page_whose_question_is_not_answered_says_why_and_keeps_its_form() {
    let options = dragoman_logbook::store::Options::default();
    let store = dragoman_logbook::store::Store::open("postgres://log@127.0.0.1:1/log", &options);
    let web = Web::new(store.unwrap(), Arc::new(NoneLive), Entrance::open());
    for path in ["/?user=alice", "/requests?user=alice"] {
        let page = get(&web, path).await;
        assert_eq!(
            (page.status.as_u16(), &page.headers["retry-after"]),
            (503, &"5".parse().unwrap())
        );
        assert!(page.text.contains("database is away") && page.text.contains("value=\"alice\""));
        assert!(!page.text.contains("127.0.0.1"));
    }
}
