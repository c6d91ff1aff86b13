//! Manifests with a fault each, and what `check` must say of it.

use super::check::URL;
use super::manifests::{MAPPED, backend, names, object, route, route_to, secret};

/// Every fault: the manifests that have it, and what the line must name: the object, the field, and words of the cause and the cure.
pub(super) fn faults() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let map = |spec: &str| backend("main", URL, "") + &names(spec) + &route(MAPPED);
    let main = |more: &str| backend("main", URL, more) + &route("");
    vec![
        (
            "unknown field",
            main("timeout: {}"),
            vec!["LLMBackend default/main", "spec.timeout", "unknown field"],
        ),
        (
            "bad regex",
            map("rules:\n- match: {regex: \"gpt-(\"}\n  target: {model: a}"),
            vec![
                "ModelMap default/names",
                "spec.rules[0].match.regex",
                "unclosed group",
            ],
        ),
        (
            "capture that is none",
            map("rules:\n- match: {regex: \"gpt-.*\"}\n  target: {model: \"a-$1\"}"),
            vec!["ModelMap default/names", "rules[0].target.model", "$$"],
        ),
        (
            "two credentials",
            secret("s", "k")
                + &main("credential: {secretRef: {name: s, key: key}, passthrough: {}}"),
            vec!["LLMBackend default/main", "spec.credential", "one of"],
        ),
        (
            "missing Secret",
            main("credential: {secretRef: {name: nowhere, key: key}}"),
            vec![
                "LLMBackend default/main",
                "spec.credential.secretRef",
                "nowhere",
            ],
        ),
        (
            "missing key of a Secret",
            secret("s", "k") + &main("credential: {secretRef: {name: s, key: other}}"),
            vec![
                "LLMBackend default/main",
                "spec.credential.secretRef",
                "other",
            ],
        ),
        (
            "missing backend",
            route(""),
            vec![
                "LLMRoute default/chat",
                "spec.backends[0].backendRef",
                "main",
            ],
        ),
        (
            "missing map",
            backend("main", URL, "") + &route(MAPPED),
            vec!["LLMRoute default/chat", "spec.modelMapRef", "names"],
        ),
        (
            "cyclic fallback",
            map(
                "rules:\n- match: {exact: a}\n  target: {model: x}\n  fallbacks: [{model: b}]\n- match: {exact: b}\n  target: {model: y}\n  fallbacks: [{model: a}]",
            ),
            vec!["ModelMap default/names", "fallbacks[0].model", "cycle"],
        ),
        (
            "bad condition",
            map("rules:\n- match: {exact: a}\n  when: request.\n  target: {model: b}"),
            vec!["ModelMap default/names", "spec.rules[0].when"],
        ),
        (
            "unknown name in a condition",
            map("rules:\n- match: {exact: a}\n  when: requst.x == 1\n  target: {model: b}"),
            vec!["ModelMap default/names", "spec.rules[0].when", "requst"],
        ),
        (
            "empty allow list",
            map("list: {allow: []}"),
            vec!["ModelMap default/names", "spec.list.allow", "leave it out"],
        ),
        (
            "empty allow list of a backend",
            backend("main", URL, "")
                + &route_to(
                    "- {name: main, backendRef: {name: main}, models: {allow: []}}",
                    "",
                ),
            vec!["LLMRoute default/chat", "spec.backends[0].models.allow"],
        ),
        (
            "forbidden hostname",
            backend("main", URL, "") + &route("hostnames: [a.team-b.svc]"),
            vec!["LLMRoute default/chat", "spec.hostnames", "leave them out"],
        ),
        (
            "hostname of an older route",
            backend("main", URL, "")
                + &route("hostnames: [llm.example.com]").replace(
                    "{name: chat}",
                    "{name: chat, creationTimestamp: \"2026-01-01T00:00:00Z\"}",
                )
                + &route("hostnames: [llm.example.com]").replace(
                    "{name: chat}",
                    "{name: younger, creationTimestamp: \"2026-02-01T00:00:00Z\"}",
                ),
            vec![
                "LLMRoute default/younger",
                "spec.hostnames",
                "llm.example.com",
                "default/chat",
            ],
        ),
        (
            "route that the LLMProxy does not admit",
            main("")
                + &object(
                    "LLMProxy",
                    "{name: default, namespace: elsewhere}",
                    "allowedRoutes: {namespaces: {from: Same}}",
                ),
            vec![
                "LLMRoute default/chat",
                "elsewhere/default",
                "allowedRoutes",
            ],
        ),
        (
            "hostname that the LLMProxy does not admit",
            backend("main", URL, "")
                + &route("hostnames: [llm.example.com]")
                + &object(
                    "LLMProxy",
                    "{name: default}",
                    "allowedRoutes: {hostnames: [\"*.internal\"]}",
                ),
            vec!["LLMRoute default/chat", "spec.hostnames", "llm.example.com"],
        ),
        (
            "backend of another namespace that does not admit the route",
            object(
                "LLMBackend",
                "{name: main, namespace: platform}",
                &format!("url: {URL}"),
            ) + &route_to(
                "- {name: main, backendRef: {name: main, namespace: platform}}",
                "",
            ),
            vec![
                "LLMRoute default/chat",
                "spec.backends[0].backendRef",
                "allowedRoutes",
            ],
        ),
        (
            "inline and reference",
            backend("main", URL, "")
                + &route_to(
                    &format!(
                        "- {{name: main, backendRef: {{name: main}}, inline: {{url: \"{URL}\"}}}}"
                    ),
                    "",
                ),
            vec!["LLMRoute default/chat", "spec.backends[0]", "exactly one"],
        ),
        (
            "inline where it is denied",
            route_to(&format!("- {{name: main, inline: {{url: \"{URL}\"}}}}"), "")
                + &object("LLMProxy", "{name: default}", "backends: {inline: Deny}"),
            vec!["LLMRoute default/chat", "spec.backends[0].inline"],
        ),
        (
            "bad URL",
            backend("main", "ftp://x/v1", "") + &route(""),
            vec!["LLMBackend default/main", "spec.url"],
        ),
        (
            "bad duration",
            main("timeouts: {connect: 5 seconds}"),
            vec!["LLMBackend default/main", "spec.timeouts.connect"],
        ),
        (
            "duration without a unit",
            main("timeouts: {connect: 5}"),
            vec![
                "LLMBackend default/main",
                "spec.timeouts.connect",
                "is a number; write a duration with units, such as 300ms",
            ],
        ),
        (
            "out of range",
            main("maxConcurrency: 0"),
            vec!["LLMBackend default/main", "spec.maxConcurrency"],
        ),
        (
            "same name twice in a list",
            backend("main", URL, "")
                + &route_to(
                    "- {name: main, backendRef: {name: main}}\n- {name: main, backendRef: {name: main}}",
                    "",
                ),
            vec!["LLMRoute default/chat", "spec.backends"],
        ),
        (
            "object twice",
            main("") + &backend("main", URL, ""),
            vec!["LLMBackend default/main", "main.yaml"],
        ),
        (
            "two LLMProxies",
            main("")
                + &object("LLMProxy", "{name: a}", "{}")
                + &object("LLMProxy", "{name: b}", "{}"),
            vec!["LLMProxy default/b", "one LLMProxy"],
        ),
        (
            "no name",
            main("") + &object("ModelMap", "{}", "{}"),
            vec!["metadata.name"],
        ),
        ("bad YAML", main("") + "---\n{{{\n", vec!["main.yaml"]),
        (
            "a dialect that is none",
            main("dialect: Klingon"),
            vec!["LLMBackend default/main", "spec.dialect", "OpenAI"],
        ),
    ]
}
