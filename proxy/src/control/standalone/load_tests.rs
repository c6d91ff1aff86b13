use super::*;

const BACKEND: &str = "{apiVersion: dragoman.dev/v1alpha1, kind: LLMBackend, metadata: {name: vllm}, spec: {url: 'http://127.0.0.1:8000/v1'}}";
const ROUTE: &str = "{apiVersion: dragoman.dev/v1alpha1, kind: LLMRoute, metadata: {name: chat}, spec: {backends: [{name: a, backendRef: {name: vllm}}]}}";

fn load(texts: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
    let texts = texts
        .iter()
        .map(|(name, text)| ((*name).into(), (*text).into()))
        .collect();
    let loaded = Loader::new().unwrap().load(Files {
        texts,
        faults: Vec::new(),
    });
    loaded.map_err(|faults| faults.iter().map(Fault::to_string).collect())
}

fn names(loaded: &Loaded) -> Vec<String> {
    loaded.items.keys().map(Key::to_string).collect()
}

#[test]
fn a_namespace_and_an_llmproxy_may_be_left_out() {
    let loaded = load(&[("a.yaml", BACKEND), ("b.yaml", ROUTE)]).unwrap();
    assert_eq!((loaded.objects, loaded.files), (2, 2));
    assert_eq!(
        names(&loaded),
        [
            "LLMProxy/default/default",
            "LLMBackend/default/vllm",
            "LLMRoute/default/chat"
        ]
    );
}

#[test]
fn routes_of_any_namespace_attach_to_the_default_llmproxy() {
    let inline = "{apiVersion: dragoman.dev/v1alpha1, kind: LLMRoute, metadata: {name: chat, namespace: team-a}, spec: {backends: [{name: a, inline: {url: 'http://[::1]:8000'}}]}}";
    let loaded = load(&[("a.yaml", inline)]).unwrap();
    assert_eq!(
        names(&loaded),
        ["LLMProxy/default/default", "LLMRoute/team-a/chat"]
    );
}

#[test]
fn a_secret_may_be_plain_or_base64_and_stands_in_the_item() {
    let backend = "apiVersion: dragoman.dev/v1alpha1
kind: LLMBackend
metadata: {name: vllm}
spec:
  url: http://127.0.0.1:8000
  credential: {secretRef: {name: key, key: k}}
";
    for secret in ["stringData: {k: sk-1}", "data: {k: c2stMQ==}"] {
        let secret = format!("{{apiVersion: v1, kind: Secret, metadata: {{name: key}}, {secret}}}");
        let loaded = load(&[("a.yaml", backend), ("b.yaml", &secret), ("c.yaml", ROUTE)]).unwrap();
        let Some(Item::Backend(item)) = loaded
            .items
            .get(&"LLMBackend/default/vllm".parse().unwrap())
            .map(|item| &**item)
        else {
            panic!("no backend");
        };
        assert_eq!(
            item.credential,
            dragoman_config::CredentialItem::Key(dragoman_config::Secret::new("sk-1"))
        );
    }
    let faults = load(&[("a.yaml", backend)]).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].starts_with("a.yaml:6: LLMBackend default/vllm: spec.credential.secretRef: "),
        "{faults:?}"
    );
}

#[test]
fn a_namespace_manifest_gives_labels_to_choose_by() {
    let proxy = "apiVersion: dragoman.dev/v1alpha1
kind: LLMProxy
metadata: {name: p, namespace: infra}
spec: {allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {llm: 'yes'}}}}}
";
    let route = "{apiVersion: dragoman.dev/v1alpha1, kind: LLMRoute, metadata: {name: chat, namespace: team-a}, spec: {backends: [{name: a, inline: {url: 'http://h'}}]}}";
    let labelled =
        "{apiVersion: v1, kind: Namespace, metadata: {name: team-a, labels: {llm: 'yes'}}}";
    let loaded = load(&[("a.yaml", proxy), ("b.yaml", route), ("n.yaml", labelled)]).unwrap();
    assert_eq!(names(&loaded), ["LLMProxy/infra/p", "LLMRoute/team-a/chat"]);
    let faults = load(&[("a.yaml", proxy), ("b.yaml", route)]).unwrap_err();
    assert!(
        faults[0].contains("admits no routes from namespace team-a"),
        "{faults:?}"
    );
}

#[test]
fn a_double_names_both_files() {
    let faults = load(&[("a.yaml", BACKEND), ("b.yaml", BACKEND), ("c.yaml", ROUTE)]).unwrap_err();
    assert_eq!(
        faults,
        ["b.yaml:1: LLMBackend default/vllm: it stands in a.yaml already; remove one of the two"]
    );
}

#[test]
fn one_process_is_one_llmproxy() {
    let two = "{apiVersion: dragoman.dev/v1alpha1, kind: LLMProxy, metadata: {name: a}, spec: {}}
---
{apiVersion: dragoman.dev/v1alpha1, kind: LLMProxy, metadata: {name: b}, spec: {}}
";
    let faults = load(&[("a.yaml", two)]).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].starts_with("a.yaml:3: LLMProxy default/b: "),
        "{faults:?}"
    );
}

#[test]
fn a_fault_is_told_where_it_is_and_not_where_it_leads() {
    let wrong = BACKEND.replace("url: '", "url: 'ftp");
    let faults = load(&[("a.yaml", &wrong), ("b.yaml", ROUTE)]).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].starts_with("a.yaml:1: LLMBackend default/vllm: spec.url: "),
        "{faults:?}"
    );
}

#[test]
fn every_fault_of_every_file_is_found() {
    let faults = load(&[
        ("a.yaml", "kind: [\n"),
        ("b.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: x}}"),
        (
            "c.yaml",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: ignored}}",
        ),
        ("d.yaml", "spec: {}"),
        ("e.yaml", ROUTE),
        ("f.json", "{\"a\": \n}"),
    ])
    .unwrap_err();
    let starts: Vec<_> = faults
        .iter()
        .map(|fault| fault.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        starts[1..],
        ["b.yaml:1:", "d.yaml:1:", "e.yaml:1:", "f.json:2:"],
        "{faults:?}"
    );
    assert!(faults[0].starts_with("a.yaml:"), "{faults:?}");
    assert!(faults[1].contains("Pod"), "{faults:?}");
    assert!(
        faults[3].contains("LLMBackend default/vllm does not exist"),
        "{faults:?}"
    );
}

#[test]
fn a_broken_rule_hides_neither_another_fault_of_its_object_nor_is_told_twice() {
    let route = "apiVersion: dragoman.dev/v1alpha1
kind: LLMRoute
metadata: {name: chat}
spec:
  hostnames: [x.svc]
  backends:
  - name: a
    inline: {url: 'ftp://h', credential: {secretRef: {name: nowhere, key: k}}}
    models: {allow: [{regex: '('}]}
";
    let faults = load(&[("a.yaml", route)]).unwrap_err();
    let places: Vec<_> = faults
        .iter()
        .map(|fault| fault.split(": ").nth(2).unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "spec.hostnames",
            "spec.backends[0].inline.credential.secretRef",
            "spec.backends[0].inline.url",
            "spec.backends[0].models.allow[0].regex",
        ],
        "{faults:?}"
    );
}

#[test]
fn what_others_cause_is_left_to_them_whatever_their_fault() {
    let proxy = "{apiVersion: dragoman.dev/v1alpha1, kind: LLMProxy, metadata: {name: p}, spec: {wrong: 1}}";
    let proxy_closed = proxy.replace("wrong: 1", "allowedRoutes: {namespaces: {from: Selector}}");
    let proxy_unreadable = proxy.replace("wrong: 1", "logging: 5");
    for (broken, field) in [
        (BACKEND.replace("url: '", "url: 'ftp"), "spec.url"),
        (
            BACKEND.replace("url: 'http://127.0.0.1:8000/v1'", "url: 5"),
            "spec.url",
        ),
        (format!("{BACKEND}\n---\n{proxy}"), "spec.wrong"),
        (
            format!("{BACKEND}\n---\n{proxy_closed}"),
            "spec.allowedRoutes.namespaces",
        ),
        (
            format!("{BACKEND}\n---\n{proxy_unreadable}"),
            "spec.logging",
        ),
    ] {
        let faults = load(&[("a.yaml", &broken), ("b.yaml", ROUTE)]).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains(&format!(": {field}: ")), "{faults:?}");
    }
}

#[test]
fn a_fault_is_told_with_its_field() {
    let own = "spec.hostnames[0]: taken; remove it";
    assert_eq!(told(own), ("spec.hostnames[0]", "taken; remove it"));
    assert_eq!(
        told("spec.proxyRefs (absent): none"),
        ("spec.proxyRefs", "none")
    );
    assert_eq!(told("no field"), ("", "no field"));
}
