use std::sync::LazyLock;

use dragoman_crds::{Matching, NameFilter, NameMatch, ReplyModel, Unmatched};
use serde_json::json;

use super::listing::id;
use super::*;
use crate::names::Entry;
use crate::{ListItem, MapItem, MapRuleItem};

fn exact(name: &str) -> NameMatch {
    NameMatch {
        exact: Some(name.into()),
        regex: None,
    }
}

fn regex(regex: &str) -> NameMatch {
    NameMatch {
        exact: None,
        regex: Some(regex.into()),
    }
}

fn to(model: &str) -> ModelTarget {
    ModelTarget {
        model: Some(model.into()),
        backend: None,
    }
}

fn rule(r#match: NameMatch, target: ModelTarget, fallbacks: &[&str]) -> MapRuleItem {
    MapRuleItem {
        r#match,
        when: None,
        target,
        fallbacks: fallbacks.iter().map(|name| to(name)).collect(),
        defaults: Map::new(),
        overrides: Map::new(),
    }
}

fn map(rules: Vec<MapRuleItem>) -> MapItem {
    MapItem {
        rules,
        matching: Matching::Exact,
        unmatched: Unmatched::Passthrough,
        list: ListItem {
            names: NameFilter::default(),
            matching: Matching::IgnoreCase,
            enforce: true,
            first: Vec::new(),
            cache_ttl_ms: 0,
        },
        reply_model: ReplyModel::Upstream,
    }
}

/// A call of Ann's.
struct Ann;

impl Facts for Ann {
    fn request(&self) -> &Value {
        static BODY: LazyLock<Value> = LazyLock::new(|| json!({"stream": false}));
        &BODY
    }
    fn header(&self, _: &http::HeaderName) -> Option<Cow<'_, str>> {
        None
    }
    fn user(&self) -> &Value {
        static USER: LazyLock<Value> = LazyLock::new(|| json!({"name": "ann", "groups": ["red"]}));
        &USER
    }
    fn user_name(&self) -> Option<&str> {
        Some("ann")
    }
    fn in_group(&self, group: &str) -> Option<bool> {
        Some(group == "red")
    }
    fn address(&self) -> &'static str {
        "192.0.2.7"
    }
    fn route(&self) -> (&str, &str) {
        ("ns", "route")
    }
    fn model(&self) -> Option<&str> {
        None
    }
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
    fn response(&self) -> &Value {
        &Value::Null
    }
}

fn models(item: &MapItem, name: &str) -> Result<Vec<String>, Refusal> {
    let names = Names::new(item).unwrap();
    let steps = names.resolve(name, &Ann)?;
    Ok(steps
        .into_iter()
        .map(|step| step.model.into_owned())
        .collect())
}

fn entries(ids: &[&str]) -> Vec<Entry> {
    ids.iter()
        .map(|id| json!({"id": id}).as_object().unwrap().clone())
        .collect()
}

fn ids(listed: &[Entry]) -> Vec<&str> {
    listed.iter().filter_map(id).collect()
}

#[test]
fn an_exact_rule_beats_an_earlier_regex() {
    let item = map(vec![
        rule(regex("gpt-.*"), to("any"), &[]),
        rule(exact("gpt-4"), to("four"), &[]),
    ]);
    assert_eq!(models(&item, "gpt-4"), Ok(vec!["four".into()]));
    assert_eq!(models(&item, "gpt-5"), Ok(vec!["any".into()]));
}

#[test]
fn among_regexes_the_first_that_matches_decides() {
    let item = map(vec![
        rule(regex("(?<a>gpt)-(.*)"), to("${a}/\\2"), &[]),
        rule(regex(".*"), to("rest"), &[]),
    ]);
    assert_eq!(models(&item, "gpt-4"), Ok(vec!["gpt/4".into()]));
    assert_eq!(models(&item, "claude"), Ok(vec!["rest".into()]));
}

#[test]
fn fallbacks_go_through_the_rules_again_in_order() {
    let item = map(vec![
        rule(exact("best"), to("big"), &["middle", "raw"]),
        rule(exact("middle"), to("mid-8b"), &["small"]),
    ]);
    assert_eq!(
        models(&item, "best"),
        Ok(vec![
            "big".into(),
            "mid-8b".into(),
            "small".into(),
            "raw".into()
        ])
    );
}

#[test]
fn a_fallback_that_names_a_backend_alone_takes_the_name_as_it_came_there() {
    let mut best = rule(exact("best"), to("big"), &[]);
    best.fallbacks.push(ModelTarget {
        model: None,
        backend: Some("other".into()),
    });
    let item = map(vec![best]);
    assert_eq!(models(&item, "best"), Ok(vec!["big".into(), "best".into()]));
}

#[test]
fn a_cycle_of_fallbacks_is_refused_and_named() {
    let item = map(vec![
        rule(exact("a"), to("x"), &["b"]),
        rule(exact("b"), to("y"), &["a"]),
    ]);
    let fault = Names::new(&item).unwrap_err();
    let [fault] = &fault[..] else {
        panic!("{fault:?}")
    };
    assert_eq!(fault.field, "rules[1].fallbacks[0].model");
    assert!(fault.fault.contains("cycle"), "{}", fault.fault);
}

#[test]
fn a_cycle_that_captures_make_ends() {
    let item = map(vec![rule(regex("(.*)x?"), to("t"), &["$1x"])]);
    assert_eq!(models(&item, "a"), Ok(vec!["t".into()]));
}

#[test]
fn unmatched_names_pass_or_are_rejected() {
    let mut item = map(vec![rule(exact("a"), to("b"), &[])]);
    assert_eq!(models(&item, "other"), Ok(vec!["other".into()]));
    item.unmatched = Unmatched::Reject;
    assert_eq!(models(&item, "other"), Err(Refusal::NotFound));
    assert_eq!(models(&item, "a"), Ok(vec!["b".into()]));
}

#[test]
fn what_is_not_listed_cannot_be_called_unless_a_rule_names_it() {
    let mut item = map(vec![rule(exact("alias"), to("hidden"), &[])]);
    item.list.names.allow = Some(vec![regex("llama.*")]);
    assert_eq!(models(&item, "LLAMA-8b"), Ok(vec!["LLAMA-8b".into()]));
    assert_eq!(models(&item, "hidden"), Err(Refusal::NotFound));
    assert_eq!(models(&item, "alias"), Ok(vec!["hidden".into()]));
    item.list.names.deny = vec![exact("alias")];
    assert_eq!(models(&item, "alias"), Err(Refusal::NotFound));
    item.list.enforce = false;
    assert_eq!(models(&item, "hidden"), Ok(vec!["hidden".into()]));
}

#[test]
fn a_listing_holds_rules_names_and_puts_first_on_top() {
    let mut item = map(vec![rule(exact("alias"), to("llama"), &[])]);
    item.list.names.deny = vec![regex("secret.*")];
    item.list.first = vec!["alias".into(), "nobody".into(), "qwen".into()];
    let names = Names::new(&item).unwrap();
    let listed = names.list(entries(&["llama", "SECRET-1", "qwen", "llama"]), |_| true);
    assert_eq!(ids(&listed), ["alias", "qwen", "llama"]);
}

#[test]
fn rejected_names_are_not_listed_either() {
    let mut item = map(vec![rule(regex("gpt-.*"), to("x"), &[])]);
    item.unmatched = Unmatched::Reject;
    let names = Names::new(&item).unwrap();
    assert_eq!(
        ids(&names.list(entries(&["gpt-4", "llama"]), |_| true)),
        ["gpt-4"]
    );
}

#[test]
fn a_condition_decides_between_rules() {
    let mut item = map(vec![
        rule(exact("a"), to("streamed"), &[]),
        rule(exact("a"), to("plain"), &[]),
    ]);
    item.rules[0].when = Some("request.stream".into());
    assert_eq!(models(&item, "a"), Ok(vec!["plain".into()]));
    item.rules[0].when = Some("request.max_tokens > 1".into());
    let Err(Refusal::When(failed)) = models(&item, "a") else {
        panic!("no failure")
    };
    let said = failed.to_string();
    for part in [
        "rules[0]",
        "exact \"a\"",
        "request.max_tokens > 1",
        "null",
        "!= null &&",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn faults_name_their_field() {
    let field = |item: &MapItem| Names::new(item).unwrap_err().remove(0).field;
    assert_eq!(
        field(&map(vec![rule(regex("("), to("x"), &[])])),
        "rules[0].match"
    );
    assert_eq!(
        field(&map(vec![rule(regex("a"), to("$1"), &[])])),
        "rules[0].target.model"
    );
    assert_eq!(
        field(&map(vec![rule(regex("a"), to("x"), &["${b}"])])),
        "rules[0].fallbacks[0].model"
    );
    let mut item = map(vec![]);
    item.list.names.deny = vec![regex("[")];
    assert_eq!(field(&item), "list.deny[0]");
}

#[test]
fn every_fault_of_a_map_is_told() {
    let mut item = map(vec![
        rule(regex("("), to("x"), &[]),
        rule(regex("a(.)"), to("$2"), &["$3-$4"]),
    ]);
    item.rules[1].when = Some("nobody".into());
    item.list.names.allow = Some(vec![regex("["), exact("fine"), regex("*")]);
    let faults = Names::new(&item).unwrap_err();
    let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "rules[0].match",
            "rules[1].when",
            "rules[1].target.model",
            "rules[1].fallbacks[0].model",
            "rules[1].fallbacks[0].model",
            "list.allow[0]",
            "list.allow[2]",
        ]
    );
}

#[test]
fn each_cycle_is_told_once_however_many_ways_lead_into_it() {
    let item = map(vec![
        rule(exact("a"), to("x"), &["b"]),
        rule(exact("b"), to("x"), &["a"]),
        rule(exact("c"), to("x"), &["a", "b", "c"]),
    ]);
    let faults = Names::new(&item).unwrap_err();
    let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(
        fields,
        ["rules[1].fallbacks[0].model", "rules[2].fallbacks[2].model"]
    );
}

#[test]
fn a_long_ladder_of_fallbacks_is_judged_in_no_time() {
    let name = |step: usize| format!("m{step}");
    let rules = (0..256)
        .map(|step| {
            let next = name(step + 1);
            let mut rule = rule(exact(&name(step)), to("x"), &[&*next; 8]);
            rule.target.backend = Some("gone".into());
            rule
        })
        .collect();
    let mut item = map(rules);
    item.unmatched = Unmatched::Reject;
    let names = Names::new(&item).unwrap();
    assert!(names.list(Vec::new(), |_| false).is_empty());
}

fn at(backend: &str) -> ModelTarget {
    ModelTarget {
        model: None,
        backend: Some(backend.into()),
    }
}

#[test]
fn what_leads_to_a_backend_that_the_route_lacks_is_not_listed() {
    let mut fallen = rule(exact("saved"), at("gone"), &[]);
    fallen.fallbacks = vec![at("here")];
    let mut sometimes = rule(exact("sometimes"), at("gone"), &[]);
    sometimes.when = Some("request.stream".into());
    let mut chained = rule(exact("chained"), at("gone"), &["saved"]);
    chained.fallbacks.insert(0, at("gone"));
    let item = map(vec![
        rule(exact("lost"), at("gone"), &["lost-too"]),
        rule(exact("lost-too"), at("gone"), &[]),
        fallen,
        chained,
        sometimes,
        rule(exact("found"), at("here"), &[]),
        rule(regex("gpt-.*"), at("gone"), &[]),
    ]);
    let names = Names::new(&item).unwrap();
    let upstream = entries(&["gpt-4", "llama", "lost", "sometimes"]);
    let listed = names.list(upstream, |backend| backend == "here");
    assert_eq!(
        ids(&listed),
        ["llama", "sometimes", "saved", "chained", "found"]
    );
}
