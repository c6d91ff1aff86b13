//! Every cell of `docs/dialects.md` on the running proxy: each client's requests for each upstream, judged by servers that read what
//! they are sent as strictly as the vendors' do (features A20, B1, B4, B5, B6).
//!
//! - `page`: what the page says of a cell.
//! - `calls`: a client's request as HTTP.
//! - `pieces`: streams, which leave piece by piece.
//! - `wires`, `frames`: the dialects, their requests and their streams, which are those of the dialects' own tests.

mod calls;
#[path = "../../../../../../proxy/dialects/tests/matrix/frames.rs"]
#[allow(dead_code, reason = "the dialects' own tests ask for more of it")]
mod frames;
mod page;
mod pieces;
#[path = "../../../../../../proxy/dialects/tests/matrix/wires.rs"]
#[allow(dead_code, reason = "the dialects' own tests ask for more of it")]
mod wires;

use std::fmt::Write as _;

use dragoman_dialects::Wire;
use dragoman_simulator::Simulator;
use futures::{StreamExt as _, stream};

use super::manifests::{object, started};
use super::proxy::{Answer, Proxy};
pub(super) use calls::Call;
use page::{Cell, Page};
pub(super) use wires::clients;
use wires::{SIDES, Side};

/// How many requests are under way at once.
const AT_ONCE: usize = 16;

/// What is asked for as a stream too.
const STREAMED: [&str; 6] = [
    "text",
    "tools",
    "calls and results",
    "reasoning",
    "n = 2",
    "logprobs",
];

/// An upstream's route and the column that it stands in.
pub(super) struct Upstream {
    pub(super) name: &'static str,
    wire: Wire,
    /// Below the simulator's origin.
    path: &'static str,
    spec: &'static str,
}

/// Every dialect that the simulator speaks.
pub(super) const UPSTREAMS: [Upstream; 7] = [
    Upstream {
        name: "openai",
        wire: Wire::Chat,
        path: "/v1",
        spec: "dialect: OpenAI\nopenai: {responses: Translate}",
    },
    Upstream {
        name: "azure",
        wire: Wire::Chat,
        path: "",
        spec: "dialect: AzureOpenAI\nazure: {apiVersion: 2024-10-21}",
    },
    Upstream {
        name: "anthropic",
        wire: Wire::Messages,
        path: "",
        spec: "dialect: Anthropic",
    },
    Upstream {
        name: "ollama",
        wire: Wire::OllamaChat,
        path: "",
        spec: "dialect: Ollama",
    },
    Upstream {
        name: "gemini",
        wire: Wire::Gemini,
        path: "",
        spec: "dialect: Gemini",
    },
    Upstream {
        name: "tgi",
        wire: Wire::Tgi,
        path: "/tgi/{model}",
        spec: "dialect: TGI",
    },
    Upstream {
        name: "bedrock",
        wire: Wire::BedrockConverse,
        path: "",
        spec: "dialect: Bedrock",
    },
];

impl Upstream {
    fn side(&self) -> &'static Side {
        SIDES.iter().find(|side| side.wire == self.wire).unwrap()
    }

    /// Its backend, and a route whose models all are this one.
    pub(super) fn manifest(&self, origin: &str, model: &str) -> String {
        let name = format!("{{name: {}}}", self.name);
        let path = self.path.replace("{model}", model);
        let spec = format!("url: {origin}{path}\n{}", self.spec);
        object("LLMBackend", &name, &spec) + &every_client(self.name, model)
    }

    /// Whether a client's bytes pass.
    fn passes(&self, client: &Side) -> bool {
        match self.wire {
            Wire::Chat => matches!(client.wire, Wire::Chat | Wire::Completions),
            Wire::OllamaChat => matches!(client.wire, Wire::OllamaChat | Wire::OllamaGenerate),
            Wire::BedrockConverse => matches!(
                client.wire,
                Wire::BedrockConverse | Wire::BedrockInvoke | Wire::BedrockText
            ),
            own => own == client.wire,
        }
    }
}

/// The route of a backend's name to it, which all clients reach, and whose models all are this one.
pub(super) fn every_client(backend: &str, model: &str) -> String {
    let name = format!("{{name: {backend}}}");
    let route = format!(
        "backends: [{{name: main, backendRef: {name}}}]\nmodelMapRef: {name}\nconversation: {{prefix: /talk}}"
    );
    let map = format!("rules: [{{match: {{regex: \".*\"}}, target: {{model: \"{model}\"}}}}]");
    object("LLMRoute", &name, &route) + &object("ModelMap", &name, &map)
}

/// What is wrong with the answer of an upstream that is sent a translation, if anything.
fn judged(cell: &Cell, call: &Call, answer: &Answer) -> Option<String> {
    let text = answer.text();
    match (cell, answer.status) {
        (Cell::Translated, 200) => call.fault(answer),
        (Cell::Translated, _) => Some("what was sent is not what the server takes".into()),
        (Cell::Refused(refusal), 400) if answer.header("x-dragoman-fault") == Some("client") => {
            let (names, why) = (&refusal.names, &refusal.message);
            let named = names.iter().any(|name| text.contains(name));
            // What a JSON text escapes is left out.
            let whole = why.split('"').all(|piece| text.contains(piece));
            (!named || !whole).then(|| format!("not told as the page has it: {refusal:?}"))
        }
        (Cell::Refused(_), _) => Some("the page says that it is refused by us".into()),
        (Cell::Judged(field), 400) if text.contains(field) => None,
        (Cell::Judged(field), _) => Some(format!("the server refuses {field} by its name")),
    }
}

/// What the page says, and what this test's servers make of it.
fn expected(page: &Page, client: &Side, upstream: &Upstream, feature: &str) -> Cell {
    match page.cell(client, upstream.side(), feature) {
        // Many servers of OpenAI's dialect take it, and OpenAI's own says that it does not.
        Cell::Translated if upstream.wire == Wire::Chat && feature == "top_k" => {
            Cell::Judged("top_k")
        }
        cell => cell,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_every_client_is_taken_by_every_strict_server_or_refused_as_the_page_says()
{
    let simulator = started(Simulator::builder().strict(true).record(false)).await;
    let origin = format!("http://{}", simulator.addr());
    let manifest = UPSTREAMS
        .map(|upstream| upstream.manifest(&origin, upstream.side().model))
        .concat();
    let proxy = Proxy::start(&manifest).await;
    let page = Page::read();
    let mut calls = Vec::new();
    for client in clients() {
        for (feature, body) in client.requests() {
            for upstream in UPSTREAMS.iter().filter(|upstream| !upstream.passes(client)) {
                let cell = expected(&page, client, upstream, feature);
                let both = STREAMED.contains(&feature);
                let ways: &[bool] = if both { &[false, true] } else { &[false] };
                for &streamed in ways {
                    let call = Call::new(client, body.clone(), streamed);
                    calls.push((feature, upstream, cell.clone(), call));
                }
            }
        }
    }
    assert!(
        calls.len() > 1500,
        "the page has fewer cells: {}",
        calls.len()
    );
    let tried = stream::iter(calls).map(|(feature, upstream, cell, call)| {
        let proxy = &proxy;
        async move {
            let answer = call.send(proxy, upstream.name).await;
            let fault = judged(&cell, &call, &answer)?;
            let text = answer.text();
            let text: String = text.chars().take(400).collect();
            Some(format!(
                "{feature}, {call} to {}: {fault}: {} {text}",
                upstream.name, answer.status
            ))
        }
    });
    let faults: Vec<_> = tried.buffer_unordered(AT_ONCE).collect().await;
    let mut told = String::new();
    for fault in faults.into_iter().flatten() {
        writeln!(told, "{fault}").unwrap();
    }
    assert!(told.is_empty(), "{told}");
}
