//! Who comes in, and what they see.

use super::{Reply, Runs, full, get_as, namespaces, request};
use crate::fixture::{Fixture, on_both};
use dragoman_logbook::record::Record;
use dragoman_logbook::web::{AdminToken, Door, Entrance, NoneLive, Refusal, Running, Viewer, Web};
use futures::future::{BoxFuture, FutureExt as _};
use http::Request;
use std::sync::Arc;

on_both!(a_viewer_of_one_namespace_sees_no_row_of_another_by_any_path);

const SECRET: &str = "theirs-alone";

async fn a_viewer_of_one_namespace_sees_no_row_of_another_by_any_path(fixture: Fixture) {
    let theirs = Record {
        id: "their-id".into(),
        namespace: "them".into(),
        route: Some(SECRET.into()),
        user_name: Some(SECRET.into()),
        model_requested: Some(SECRET.into()),
        response_content: Some(SECRET.into()),
        ..full(0)
    };
    let ours = full(1);
    fixture.store.insert(&[ours.clone(), theirs]).await.unwrap();
    let runs = Arc::new(Runs::default());
    let running = |id: &str, namespace: &str, path: &str| Running {
        id: id.into(),
        namespace: namespace.into(),
        path: path.into(),
        ..Running::default()
    };
    *runs.0.lock().unwrap() = vec![
        running("run-ours", "team", "/ours"),
        running("run-theirs", "them", SECRET),
    ];
    let web = Web::new(
        fixture.store.clone(),
        Arc::clone(&runs) as _,
        Entrance::open(),
    );
    let team = namespaces(&["team", "empty"]);
    for path in [
        "/api/logs",
        "/api/logs?namespace=them",
        "/api/logs?namespace=them&namespace=team",
        "/api/logs?route=theirs-alone",
        "/api/logs?from=3d&text=theirs",
        "/api/logs.csv?bodies=true",
        "/api/logs.jsonl?bodies=true&namespace=them",
        "/api/stats?from=3d",
        "/api/stats?from=3d&namespace=them",
        "/api/logs/their-id",
        "/api/inflight",
    ] {
        let reply = get_as(&web, &team, path).await;
        assert!(!reply.text.contains(SECRET), "{path}: {}", reply.text);
    }
    let stats = get_as(&web, &team, "/api/stats?from=3d").await.json();
    assert_eq!(stats["totals"]["requests"], 1);
    assert_eq!(get_as(&web, &team, "/api/logs/their-id").await.status, 404);
    let found = get_as(&web, &team, &format!("/api/logs/{}", ours.id)).await;
    assert_eq!(found.status, 200);
    let cancel = |id: &str| web.answer(request("DELETE", &format!("/api/inflight/{id}")), &team);
    assert_eq!(cancel("run-theirs").await.status(), 404);
    assert_eq!(cancel("run-ours").await.status(), 200);
    assert_eq!(runs.0.lock().unwrap()[0].id, "run-theirs");
    let nobody = namespaces(&[]);
    let page = get_as(&web, &nobody, "/api/logs").await.json();
    assert_eq!(page["logs"].as_array().unwrap().len(), 0);
}

/// Opens to tokens that say for which namespace they are.
pub(super) struct Team;

impl Door for Team {
    fn open<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Viewer, Refusal>> {
        let opened = match token.split_once(':') {
            Some(("team", "")) => Err(Refusal::Nothing("grant get llmroutes/log".into())),
            Some(("team", name)) => Ok(namespaces(&[name])),
            Some(("away", _)) => Err(Refusal::Away("the API server is away".into())),
            _ => Err(Refusal::Unknown),
        };
        std::future::ready(opened).boxed()
    }
}

pub(super) fn guarded(store: dragoman_logbook::store::Store) -> Web {
    let admin = AdminToken::new("s3cret\n").unwrap();
    let entrance = Entrance::behind(vec![Arc::new(Team), Arc::new(admin)]);
    Web::new(store, Arc::new(NoneLive), entrance)
}

async fn with(web: &Web, name: &str, value: &str) -> Reply {
    let mut request = request("GET", "/api/logs");
    request.headers_mut().insert(
        http::HeaderName::try_from(name).unwrap(),
        value.parse().unwrap(),
    );
    Reply::of(web.serve(request, false).await).await
}

#[tokio::test]
async fn a_token_opens_and_what_it_opens_to_is_its_doors_to_say() {
    let fixture = crate::fixture::sqlite();
    fixture.store.insert(&[full(0)]).await.unwrap();
    let web = guarded(fixture.store.clone());
    for (value, seen) in [
        ("Bearer s3cret", 1),
        ("bearer  s3cret", 1),
        ("Bearer team:team", 1),
        ("Bearer team:other", 0),
    ] {
        let page = with(&web, "authorization", value).await.json();
        assert_eq!(page["logs"].as_array().unwrap().len(), seen, "{value}");
    }
    for value in [
        "Bearer s3cre",
        "Bearer s3crett",
        "Bearer ",
        "Bearer",
        "s3cret",
        "Basic s3cret",
    ] {
        let reply = with(&web, "authorization", value).await;
        assert_eq!(reply.refusal().0, 401, "{value}");
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
    let nothing = with(&web, "authorization", "Bearer team:").await;
    assert_eq!(nothing.refusal().0, 403);
    assert!(nothing.text.contains("llmroutes/log"));
    let away = with(&web, "authorization", "Bearer away:").await;
    assert_eq!(away.refusal().0, 503);
    assert!(away.headers.contains_key("retry-after"));
    let another = with(&web, "cookie", "dragoman_session=0123").await;
    assert_eq!(another.refusal().0, 401);
}

#[tokio::test]
async fn without_a_door_nobody_comes_in_and_the_cure_is_told() {
    let store = crate::fixture::sqlite().store;
    let web = Web::new(store, Arc::new(NoneLive), Entrance::behind(Vec::new()));
    let reply = with(&web, "authorization", "Bearer x").await;
    assert_eq!(reply.refusal().0, 403);
    assert!(reply.text.contains("DRAGOMAN_ADMIN_TOKEN"));
}

#[tokio::test]
async fn where_no_token_is_asked_for_pages_of_other_sites_stay_outside() {
    let web = super::open(&crate::fixture::sqlite());
    let evil = with(&web, "host", "evil.example").await;
    assert_eq!(evil.refusal().0, 403);
    let cancel = |headers: &[(&str, &str)]| {
        let mut request = Request::builder().method("DELETE").uri("/api/inflight/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        web.serve(request.body(bytes::Bytes::new()).unwrap(), false)
    };
    let host = ("host", "localhost:9090");
    let evil = ("origin", "http://evil.example");
    let cross = ("sec-fetch-site", "cross-site");
    assert_eq!(cancel(&[host, evil]).await.status(), 403);
    assert_eq!(cancel(&[host, cross]).await.status(), 403);
    // Curl, and the dashboard: there is only no such request.
    let ours = ("origin", "http://localhost:9090");
    assert_eq!(cancel(&[host]).await.status(), 404);
    assert_eq!(cancel(&[host, ours]).await.status(), 404);
}
