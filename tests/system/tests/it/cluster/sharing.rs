//! Who counts with whom: limits and bans that the pods of an LLMProxy share in a Redis, and namespaces that are counted apart (features A2, C3, C4).

use std::fmt::Write as _;

use dragoman_simulator::Simulator;
use dragoman_system::{Kubectl, Redis, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::pod::{AUDIENCE, Pod};
use super::{NODE, backend, base_url, call, client, object, pods, question, route, simulator};

/// What the limit of a user is.
const MOST: usize = 4;
/// Users whose limits are there to be used up.
const USERS: usize = 100;
const ADMIN: &str = "admin-0123456789abcdef";
const OWN: &str = "  proxyRefs: [{name: own}]\n  accessPolicyRefs: [{name: callers}]\n";

fn key(user: usize) -> String {
    format!("sk-0123456789abcdef-{user}")
}

/// A Secret with the keys of so many users.
fn keys(users: usize) -> String {
    let mut manifest =
        String::from("apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData:\n");
    for user in 0..users {
        let _ = writeln!(manifest, "  user-{user}: {}", key(user));
    }
    manifest
}

/// An LLMProxy of two pods, and the Redis in which they count what the policy `callers` says.
struct Together {
    kubectl: Kubectl,
    redis: Redis,
    host: String,
    http: reqwest::Client,
    _upstream: Simulator,
}

impl Together {
    async fn start(namespace: &str, policy: &str) -> Self {
        let redis = Redis::plain(NODE, "--requirepass s3cret");
        let kubectl = Kubectl::in_new_namespace(namespace);
        let url = format!("url=redis://:s3cret@{NODE}:{}", redis.port);
        for (name, literal) in [("redis", url), ("dragoman-admin", format!("token={ADMIN}"))] {
            let literal = format!("--from-literal={literal}");
            kubectl.run(&["create", "secret", "generic", name, &literal]);
        }
        kubectl.apply(&keys(USERS));
        let upstream = simulator(Simulator::builder()).await;
        kubectl.apply(&object(
            "LLMProxy",
            "own",
            "{deployment: {replicas: 2}, sharedState: {redis: {secretRef: {name: redis, key: url}}}}",
        ));
        kubectl.apply(&object("AccessPolicy", "callers", policy));
        kubectl.apply(&backend("one", &upstream, ""));
        kubectl.apply(&route("one", OWN));
        kubectl.condition("llmproxy", "own", "Ready", "True").await;
        kubectl.condition("llmroute", "chat", "Ready", "True").await;
        let host = format!("chat.{namespace}.svc");
        let together = Self {
            kubectl,
            redis,
            host,
            http: client(),
            _upstream: upstream,
        };
        together.counts().await;
        together
    }

    /// Waits until there are both pods, and they say that they count in Redis.
    async fn counts(&self) {
        // An LLMProxy is ready as soon as one of them serves.
        eventually("both pods have an address", || async {
            let found = pods(self.kubectl.namespace(), "own");
            if found.len() == 2 { Ok(()) } else { Err(found) }
        })
        .await;
        for pod in self.pods() {
            eventually("the pod counts in Redis", || async {
                let url = format!("http://{pod}:9090/metrics");
                let text = client()
                    .get(url)
                    .send()
                    .await
                    .map_err(|it| it.to_string())?;
                let text = text.text().await.map_err(|it| it.to_string())?;
                if text.contains("\ndragoman_shared_state_up 1\n") {
                    Ok(())
                } else {
                    Err(text)
                }
            })
            .await;
        }
    }

    async fn shared(&self, status: &str) -> Value {
        self.kubectl
            .condition("accesspolicy", "callers", "LimitsShared", status)
            .await
    }

    fn pods(&self) -> [String; 2] {
        pods(self.kubectl.namespace(), "own").try_into().unwrap()
    }

    /// The status that one pod answers to a key.
    async fn ask(&self, pod: &str, key: &str) -> u16 {
        let url = format!("http://{pod}:8080/v1/chat/completions");
        let request = self.http.post(url).header("host", &self.host);
        let request = request.header("x-api-key", key).json(&question("echo"));
        request.send().await.unwrap().status().as_u16()
    }

    /// Asks with one user's key at both pods in turn, and says whether they admitted just what the limit says. On a busy machine
    /// an answer of Redis may come too late, and then a pod counts that call for itself.
    async fn uses_up(&self, pods: &[String; 2], user: usize) -> bool {
        for pod in pods.iter().cycle().take(MOST) {
            assert_eq!(self.ask(pod, &key(user)).await, 200);
        }
        self.ask(&pods[0], &key(user)).await == 429 && self.ask(&pods[1], &key(user)).await == 429
    }

    /// The first of these users whose limit was used up so.
    async fn used_up(&self, users: std::ops::Range<usize>) -> usize {
        let pods = self.pods();
        for user in users {
            self.counts().await;
            if self.uses_up(&pods, user).await {
                return user;
            }
        }
        panic!("of no user both pods count together");
    }

    /// What the admin API of one pod answers.
    async fn admin(&self, method: Method, pod: &str, path: &str, token: &str) -> (u16, Value) {
        let request = self
            .http
            .request(method, format!("http://{pod}:9090/api/bans{path}"));
        let reply = request.bearer_auth(token).send().await.unwrap();
        let status = reply.status().as_u16();
        (status, reply.json().await.unwrap_or_default())
    }

    /// Waits until status counts so many banned addresses.
    async fn banned(&self, count: u32) {
        eventually("status counts the banned addresses", || async {
            let found = self.kubectl.get("llmproxy", "own")?["status"]["bannedAddresses"].take();
            if found == count {
                Ok(())
            } else {
                Err(found.to_string())
            }
        })
        .await;
    }
}

#[tokio::test]
async fn two_pods_count_as_one_in_a_redis_and_each_for_itself_while_it_is_away() {
    let mut all = Together::start(
        "together",
        "{authentication: {bearerTokens: {secretRefs: [{name: keys}]}}, limits: [{per: User, requests: 4, window: 1h}]}",
    )
    .await;
    let shared = all.shared("True").await;
    assert_eq!(shared["reason"], "SharedState", "{shared}");
    let user = all.used_up(0..USERS / 2).await;
    all.redis.stop();
    // Nobody waits for it: keys are judged as before, and each pod has let two through and lets two more.
    for pod in all.pods() {
        assert_eq!(all.ask(&pod, "sk-of-nobody-0123456789").await, 401);
        for turn in 0..MOST / 2 {
            assert_eq!(all.ask(&pod, &key(user)).await, 200, "{turn} at {pod}");
        }
        assert_eq!(all.ask(&pod, &key(user)).await, 429);
    }
    let away = all.shared("False").await;
    assert_eq!(away["reason"], "RedisUnreachable", "{away}");
    assert!(!away.to_string().contains("s3cret"), "{away}");
    all.kubectl
        .condition("accesspolicy", "callers", "Ready", "True")
        .await;
    // New keys come meanwhile, and old ones go.
    all.kubectl.apply(&keys(USERS + 1));
    for pod in all.pods() {
        eventually("the new key opens", || async {
            match all.ask(&pod, &key(USERS)).await {
                200 => Ok(()),
                other => Err(other),
            }
        })
        .await;
    }
    all.redis.start_again();
    all.shared("True").await;
    let one = all.used_up(USERS / 2..USERS).await;
    let two = all.used_up(one + 1..USERS).await;
    // A pod that is new knows what the others let through.
    let before = all.pods();
    let pod = all
        .kubectl
        .run(&["get", "pods", "-l", "dragoman.dev/proxy=own", "-o", "name"]);
    let pod = pod.lines().next().unwrap();
    all.kubectl.run(&["delete", pod, "--wait"]);
    let rollout = [
        "rollout",
        "status",
        "deployment/dragoman-own",
        "--timeout=60s",
    ];
    all.kubectl.run(&rollout);
    all.counts().await;
    let after = all.pods();
    let new = after.iter().find(|pod| !before.contains(pod)).unwrap();
    // An answer of Redis that comes too late is one that it counts for itself, of which there are no more than the limit.
    let mut refused = false;
    for user in [one, two] {
        for _ in 0..MOST {
            all.counts().await;
            refused |= all.ask(new, &key(user)).await == 429;
        }
    }
    assert!(refused, "the new pod began anew");
}

#[tokio::test]
async fn a_banned_address_is_counted_listed_and_lifted_at_any_pod() {
    let all = Together::start(
        "bans",
        "{authentication: {bearerTokens: {secretRefs: [{name: keys}]}}, ban: {failures: 6, window: 1h, duration: 1h}}",
    )
    .await;
    let attacker = Pod::start(&all.kubectl).await;
    let url = base_url(&all.kubectl);
    let right = [("x-api-key", &*key(0))];
    let gets = async |wanted: u16| {
        eventually(&format!("the right key gets {wanted}"), || async {
            match attacker.call(&url, &right).await?.0 {
                status if status == wanted => Ok(()),
                status => Err(status.to_string()),
            }
        })
        .await;
    };
    gets(200).await;
    // Whomever it pretends to be, and whichever pod it comes to.
    for guess in 0..6 {
        let (wrong, victim) = (format!("wrong-{guess}"), format!("192.0.2.{guess}"));
        let headers = [("x-api-key", &*wrong), ("x-forwarded-for", &*victim)];
        let (status, reply) = attacker.call(&url, &headers).await.unwrap();
        assert_eq!(status, 401, "{reply}");
    }
    gets(403).await;
    all.banned(1).await;
    let [one, two] = all.pods();
    for pod in [&one, &two] {
        assert_eq!(all.ask(pod, &key(0)).await, 200, "others come in");
        assert_eq!(all.admin(Method::GET, pod, "", "wrong").await.0, 401);
        let (status, said) = all.admin(Method::GET, pod, "", ADMIN).await;
        assert_eq!(status, 200, "{said}");
        let bans = said["bans"].as_array().unwrap();
        assert_eq!(bans.len(), 1, "{said}");
        assert_eq!(bans[0]["address"], *attacker.address);
        assert_eq!(bans[0]["policy"], "bans/callers");
    }
    let path = format!("/{}", attacker.address);
    let lifted = all.admin(Method::DELETE, &one, &path, ADMIN).await;
    assert_eq!(lifted, (200, json!({"lifted": ["bans/callers"]})));
    eventually("the other pod knows", || async {
        let said = all.admin(Method::GET, &two, "", ADMIN).await.1;
        if said == json!({"bans": []}) {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
    assert_eq!(attacker.call(&url, &right).await.unwrap().0, 200);
    all.banned(0).await;
}

#[tokio::test]
async fn namespaces_are_counted_apart_and_so_are_accounts_of_one_name() {
    let [one, two] = ["apart-one", "apart-two"].map(Kubectl::in_new_namespace);
    let upstream = simulator(Simulator::builder()).await;
    let shared = format!(
        "{{allowedRoutes: {{namespaces: {{from: All}}}}, authentication: {{serviceAccounts: {{audience: {AUDIENCE}}}}}, limits: [{{per: Namespace, requests: 5, window: 1h}}, {{per: User, requests: 3, window: 1h}}]}}"
    );
    one.apply(&object("AccessPolicy", "callers", &shared));
    // One pod, which has counted nothing yet.
    one.apply(&object(
        "LLMProxy",
        "own",
        "{deployment: {replicas: 1}, allowedRoutes: {namespaces: {from: All}}}",
    ));
    for kubectl in [&one, &two] {
        kubectl.run(&["create", "serviceaccount", "other"]);
        kubectl.apply(&backend("one", &upstream, ""));
        let guarded = route(
            "one",
            "  proxyRefs: [{name: own, namespace: apart-one}]\n  accessPolicyRefs: [{name: callers, namespace: apart-one}]\n",
        );
        for name in ["chat", "talk"] {
            kubectl.apply(&guarded.replace("{name: chat}", &format!("{{name: {name}}}")));
            kubectl.condition("llmroute", name, "Ready", "True").await;
        }
    }
    one.condition("llmproxy", "own", "Ready", "True").await;
    let pod = &pods("apart-one", "own")[0];
    let ask = async |kubectl: &Kubectl, route: &str, token: &str| {
        let host = format!("{route}.{}.svc", kubectl.namespace());
        let bearer = format!("Bearer {token}");
        let headers = [("host", &*host), ("authorization", &*bearer)];
        let reply = call(&format!("http://{pod}:8080/v1"), "echo", &headers).await;
        let reply = reply.unwrap();
        let status = reply.status().as_u16();
        (status, reply.text().await.unwrap())
    };
    let token = |kubectl: &Kubectl, account: &str| {
        let made = kubectl.run(&["create", "token", account, "--audience", AUDIENCE]);
        made.trim().to_owned()
    };
    let admitted = async |kubectl: &Kubectl, route: &str, token: &str, calls: u32| {
        for turn in 0..calls {
            let (status, said) = ask(kubectl, route, token).await;
            assert_eq!(status, 200, "{turn}: {said}");
        }
    };
    let refused = async |kubectl: &Kubectl, route: &str, token: &str, limit: &str| {
        let (status, said) = ask(kubectl, route, token).await;
        assert_eq!(status, 429, "{said}");
        assert!(said.contains(limit), "{said}");
    };
    // Three of one account and two of another are the five of the namespace, by whichever route. Neither takes from the next namespace.
    for kubectl in [&one, &two] {
        let [default, other] = ["default", "other"].map(|account| token(kubectl, account));
        admitted(kubectl, "chat", &default, 2).await;
        admitted(kubectl, "talk", &default, 1).await;
        refused(kubectl, "chat", &default, "each user").await;
        admitted(kubectl, "talk", &other, 2).await;
        refused(kubectl, "chat", &other, "each namespace").await;
    }
}
