//! The dashboard's pages, without a browser.

use super::hostile::{HOSTILE, hostile};
use super::viewers::guarded;
use super::{Reply, Runs, full, get, get_as, namespaces, open, request};
use crate::fixture::{Fixture, at, on_both};
use bytes::Bytes;
use dragoman_logbook::record::Record;
use dragoman_logbook::web::{Entrance, NoneLive, Running, Web};
use http::Request;
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

async fn send(
    web: &Web,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in [&[("host", "log.example")], headers].concat() {
        request = request.header(name, value);
    }
    let request = request.body(Bytes::from(body)).unwrap();
    Reply::of(web.serve(request, false).await).await
}

/// Signs in and says the cookie as a browser sends it.
async fn signed_in(web: &Web, form: &'static str, headers: &[(&str, &str)]) -> (Reply, String) {
    let reply = send(web, "POST", "/signin", headers, form).await;
    let cookie = reply
        .headers
        .get("set-cookie")
        .map(|cookie| cookie.to_str().unwrap());
    let cookie = cookie
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    (reply, cookie)
}

const OURS: (&str, &str) = ("origin", "http://log.example");

#[tokio::test]
async fn a_token_begins_a_session_that_ends_when_one_signs_out() {
    let fixture = crate::fixture::sqlite();
    fixture.store.insert(&[full(0)]).await.unwrap();
    let web = guarded(fixture.store.clone());
    let outside = send(&web, "GET", "/requests?user=a%20b", &[], "").await;
    assert_eq!(outside.status, 303);
    assert_eq!(
        outside.headers["location"],
        "/signin?next=%2Frequests%3Fuser%3Da%2520b"
    );
    let form = send(
        &web,
        "GET",
        "/signin?next=%2Frequests%3Fuser%3Da%2520b",
        &[],
        "",
    )
    .await;
    assert!(form.text.contains("value=\"/requests?user=a%20b\""));
    let (reply, _) = signed_in(&web, "token=wrong&next=/requests", &[OURS]).await;
    assert_eq!(reply.status, 401);
    assert!(!reply.headers.contains_key("set-cookie") && !reply.text.contains("wrong"));
    let (reply, cookie) = signed_in(&web, "token=s3cret&next=%2Frequests", &[OURS]).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["location"]),
        (303, &"/requests".parse().unwrap())
    );
    let set = reply.headers["set-cookie"].to_str().unwrap();
    assert!(set.contains("; Path=/; HttpOnly; SameSite=Strict") && !set.contains("Secure"));
    assert!(!set.contains("s3cret"));
    let signed = ("cookie", cookie.as_str());
    assert_eq!(
        send(&web, "GET", "/requests", &[signed], "").await.status,
        200
    );
    assert_eq!(
        send(&web, "GET", "/api/logs", &[signed], "").await.status,
        200
    );
    // A page of another site cannot end it.
    let evil = ("origin", "http://evil.example");
    assert_eq!(
        send(&web, "POST", "/signout", &[signed, evil], "")
            .await
            .status,
        403
    );
    assert_eq!(
        send(&web, "GET", "/requests", &[signed], "").await.status,
        200
    );
    let out = send(&web, "POST", "/signout", &[signed, OURS], "").await;
    assert_eq!(out.headers["location"], "/signin");
    assert!(
        out.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(
        send(&web, "GET", "/requests", &[signed], "").await.status,
        303
    );
    assert_eq!(
        send(&web, "GET", "/api/logs", &[signed], "").await.status,
        401
    );
}

#[tokio::test]
async fn a_session_sees_what_its_token_sees_and_its_cookie_is_for_tls_where_that_is() {
    let fixture = crate::fixture::sqlite();
    fixture.store.insert(&[full(0)]).await.unwrap();
    let web = guarded(fixture.store.clone());
    let tls = ("x-forwarded-proto", "https");
    let (reply, cookie) = signed_in(&web, "token=team:other", &[OURS, tls]).await;
    assert!(
        reply.headers["set-cookie"]
            .to_str()
            .unwrap()
            .ends_with("; Secure")
    );
    let page = send(&web, "GET", "/api/logs", &[("cookie", &cookie)], "").await;
    assert_eq!(page.json()["logs"], json!([]));
    let (nothing, _) = signed_in(&web, "token=team:", &[OURS]).await;
    assert_eq!(nothing.status, 403);
    assert!(nothing.text.contains("llmroutes/log"));
    let (away, _) = signed_in(&web, "token=away:", &[OURS]).await;
    assert_eq!(away.status, 503);
    let (evil, _) = signed_in(&web, "token=s3cret", &[("origin", "http://evil.example")]).await;
    assert_eq!(evil.status, 403);
    let (evil, _) = signed_in(&web, "token=s3cret&next=//evil.example", &[OURS]).await;
    assert_eq!(evil.headers["location"], "/");
}

#[tokio::test]
async fn with_a_session_only_the_dashboards_own_pages_cancel() {
    let runs = Arc::new(Runs::default());
    let admin = dragoman_logbook::web::AdminToken::new("s3cret").unwrap();
    let entrance = Entrance::behind(vec![Arc::new(admin)]);
    let store = crate::fixture::sqlite().store;
    let web = Web::new(store, Arc::clone(&runs) as _, entrance);
    let (_, cookie) = signed_in(&web, "token=s3cret", &[OURS]).await;
    let signed = ("cookie", cookie.as_str());
    let begin = || {
        *runs.0.lock().unwrap() = vec![Running {
            id: "a-1".into(),
            ..Running::default()
        }];
    };
    begin();
    for (method, path) in [
        ("POST", "/inflight/a-1/cancel"),
        ("DELETE", "/api/inflight/a-1"),
    ] {
        for headers in [
            vec![signed],
            vec![signed, ("origin", "http://evil.example")],
            vec![signed, ("origin", "null")],
            vec![signed, OURS, ("sec-fetch-site", "same-site")],
        ] {
            let refused = send(&web, method, path, &headers, "").await;
            assert_eq!(refused.status, 403, "{method} {headers:?}");
        }
        assert_eq!(runs.0.lock().unwrap().len(), 1);
        let done = send(&web, method, path, &[signed, OURS], "").await;
        assert!(done.status == 303 || done.status == 200);
        assert!(runs.0.lock().unwrap().is_empty());
        begin();
    }
    let bearer = ("authorization", "Bearer s3cret");
    assert_eq!(
        send(&web, "DELETE", "/api/inflight/a-1", &[bearer], "")
            .await
            .status,
        200
    );
    assert_eq!(
        send(&web, "GET", "/inflight/a-1/cancel", &[signed], "")
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn a_link_from_elsewhere_brings_the_cookie_with_a_second_look() {
    let web = guarded(crate::fixture::sqlite().store);
    let cross = ("sec-fetch-site", "cross-site");
    let first = send(&web, "GET", "/requests", &[cross], "").await;
    assert_eq!(first.status, 200);
    assert!(first.text.contains("http-equiv=\"refresh\""));
    let ours = ("sec-fetch-site", "same-origin");
    assert_eq!(
        send(&web, "GET", "/requests", &[ours], "").await.status,
        303
    );
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
