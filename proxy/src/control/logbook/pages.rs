//! What people see: the dashboard and the APIs, for whoever has the admin token or a Kubernetes token.

use std::sync::Arc;

use dragoman_logbook::store::Store;
use dragoman_logbook::web::{AdminToken, Door, Entrance, LONGEST_BODY, NoneLive, Web};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

use super::answer::{Body, text};
use super::args::LogbookArgs;
use super::kubernetes::Kubernetes;

/// The pages over a store. Without a door nobody comes in.
pub(super) fn pages(store: Store, token: Option<&str>, args: &LogbookArgs) -> Web {
    // First, because it opens when the API server is away.
    let admin = token.and_then(AdminToken::new);
    let admin = admin.map(|door| Arc::new(door) as Arc<dyn Door>);
    let account = args.service_account.clone();
    let kubernetes =
        account.map(|account| Kubernetes::new(&args.api_server, account, store.clone()));
    let kubernetes = kubernetes.map(|door| Arc::new(door) as Arc<dyn Door>);
    let doors = admin.into_iter().chain(kubernetes).collect();
    // Proxies know what runs; here it is not known.
    Web::new(store, Arc::new(NoneLive), Entrance::behind(doors))
}

/// Answers whatever is neither a batch nor for a machine. `secure` says that the request came over TLS.
pub(super) async fn answer(web: &Web, request: Request<Incoming>, secure: bool) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LONGEST_BODY).collect().await else {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return text(
            status,
            "text/plain; charset=utf-8",
            "the body is too long\n",
        );
    };
    let request = Request::from_parts(head, body.to_bytes());
    let answer = web.serve(request, secure).await;
    answer.map(|body| body.map_err(Into::into).boxed_unsync())
}
