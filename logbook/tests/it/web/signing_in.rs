//! Sessions: how one begins and ends, what it sees, and who may act in its name.

use super::viewers::guarded;
use super::{Reply, Runs, full};
use bytes::Bytes;
use dragoman_logbook::web::{Entrance, Peer, Running, Web};
use http::Request;
use serde_json::json;
use std::sync::Arc;

pub(super) async fn send(
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
async fn whoever_brings_too_many_wrong_tokens_waits_wherever_they_bring_them() {
    let web = guarded(crate::fixture::sqlite().store);
    let (_, cookie) = signed_in(&web, "token=s3cret", &[OURS]).await;
    let wrong = ("authorization", "Bearer guess");
    for _ in 0..10 {
        assert_eq!(
            send(&web, "GET", "/api/logs", &[wrong], "").await.status,
            401
        );
        assert_eq!(signed_in(&web, "token=guess", &[OURS]).await.0.status, 401);
    }
    let right = ("authorization", "Bearer s3cret");
    let api = send(&web, "GET", "/api/logs", &[right], "").await;
    assert_eq!(api.refusal().0, 429);
    let (page, none) = signed_in(&web, "token=s3cret", &[OURS]).await;
    assert!(none.is_empty());
    for reply in [api, page] {
        let seconds = reply.headers["retry-after"].to_str().unwrap();
        assert!((1..=60).contains(&seconds.parse().unwrap()), "{seconds}");
        assert!(reply.text.contains("too many tokens"), "{}", reply.text);
    }
    // Whoever was let in before stays.
    let signed = ("cookie", cookie.as_str());
    assert_eq!(
        send(&web, "GET", "/requests", &[signed], "").await.status,
        200
    );
    // Another address is another's.
    let mut other = Request::get("/api/logs")
        .header(right.0, right.1)
        .body(Bytes::new())
        .unwrap();
    other.extensions_mut().insert(Peer([192, 0, 2, 1].into()));
    assert_eq!(web.serve(other, false).await.status(), 200);
}
