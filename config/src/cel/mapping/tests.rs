use serde_json::{Value, json};

use super::{BadMapping, Mapping, MappingFault, Place, Scope};

fn made(source: &str, body: &Value) -> Result<Value, MappingFault> {
    Mapping::compile(source).unwrap().evaluate(&Scope::of(body))
}

fn refused(source: &str) -> BadMapping {
    Mapping::compile(source).unwrap_err()
}

#[test]
fn every_variable_is_bound() {
    let (parameters, headers) = (json!({"a": {"b": 1}}), json!({"x-team": "blue"}));
    let body = json!({"x": 1});
    let scope = Scope {
        operation: "chat",
        model: "m",
        stream: true,
        status: Some(200),
        parameters: &parameters,
        headers: &headers,
        ..Scope::of(&body)
    };
    let source = "[body, operation, model, stream, status, parameters.a.b, headers['x-team'], headers['x-none']]";
    let mapping = Mapping::compile(source).unwrap();
    assert_eq!(
        mapping.evaluate(&scope).unwrap(),
        json!([{"x": 1}, "chat", "m", true, 200, 1, "blue", null])
    );
    assert_eq!(mapping.headers().collect::<Vec<_>>(), ["x-team", "x-none"]);
}

#[test]
fn what_is_missing_is_null_wherever_it_is_read_and_nothing_is_added_to_what_is_whole() {
    let body = json!({"a": {"b": null}, "list": [{"n": 1}, {}]});
    for (source, expected) in [
        ("body.none.at.all", json!(null)),
        ("body.a.b.c", json!(null)),
        ("body.list.map(x, x.n)", json!([1, null])),
        ("[{}].map(x, x.n.m)", json!([null])),
        ("body.list.filter(x, has(x.n))", json!([{"n": 1}])),
        (
            "has(body.a.b) && !has(body.none) && !has(body.none.more)",
            json!(true),
        ),
        ("body.list[1]['n']", json!(null)),
        (
            "{'whole': body.a, 'c': body.a.c}",
            json!({"whole": {"b": null}, "c": null}),
        ),
    ] {
        assert_eq!(made(source, &body).unwrap(), expected, "{source}");
    }
}

#[test]
fn functions_work_as_calls_and_as_methods() {
    let body = json!({"a": 1, "b": {"c": "x,y"}, "texts": ["p", "q"], "json": "{\"k\": [1]}"});
    for (source, expected) in [
        ("merge(body.b, {'d': 2}, null)", json!({"c": "x,y", "d": 2})),
        ("body.b.merge({'c': 'z'})", json!({"c": "z"})),
        ("omit(body, 'texts', 'json', 'b')", json!({"a": 1})),
        ("body.omit(['texts', 'json', 'b'])", json!({"a": 1})),
        ("join(body.texts, '-')", json!("p-q")),
        ("body.texts.join()", json!("pq")),
        ("body.b.c.split(',')", json!(["x", "y"])),
        ("body.b.c.replace(',', '; ')", json!("x; y")),
        ("parseJson(body.json).k[0] + 1", json!(2)),
        (
            "toJson({'b': 1, 'a': [true, null, 1.5]})",
            json!("{\"a\":[true,null,1.5],\"b\":1}"),
        ),
        (
            "render('{% for t in texts %}<{{ t }}>{% endfor %}', {'texts': body.texts})",
            json!("<p><q>"),
        ),
        (
            "' Ab '.trim().lowerAscii() + 'c'.upperAscii()",
            json!("abC"),
        ),
        ("body.texts.map(t, t == 'p', t + '!')", json!(["p!"])),
        (
            "body.texts.exists(t, t == 'q') && body.texts.all(t, t != 'z')",
            json!(true),
        ),
        ("body.b.map(k, k)", json!(["c"])),
        (
            "body.texts.map(t, body.texts.map(u, t + u))",
            json!([["pp", "pq"], ["qp", "qq"]]),
        ),
    ] {
        assert_eq!(made(source, &body).as_ref(), Ok(&expected), "{source}");
    }
}

#[test]
fn a_regular_expression_may_be_a_parameter_and_is_never_a_requests() {
    let regex = json!({"regex": "^a+$"});
    let body = json!({"text": "aa", "regex": "(a{0,99}){0,99}"});
    let scope = Scope {
        parameters: &regex,
        ..Scope::of(&body)
    };
    let mapping = Mapping::compile("body.text.matches(parameters.regex)").unwrap();
    assert_eq!(mapping.evaluate(&scope), Ok(json!(true)));
    for source in [
        "body.text.matches(body.regex)",
        "[body.regex].filter(parameters, body.text.matches(parameters.regex))",
    ] {
        let fault = refused(source).to_string();
        assert!(fault.contains("one of the parameters"), "{fault}");
    }
}

#[test]
fn a_fault_names_line_and_column() {
    let place = |line, column| Place { line, column };
    for (source, expected) in [
        ("{'a': bdy.x}", place(1, 7)),
        ("{\n  'body': 'x',\n  'a': shout(body.x)\n}", place(3, 8)),
        ("merge(body, headers)", place(1, 13)),
        ("body.a +", place(1, 9)),
        ("body.list.map(a, a.map(b, b.map(c, c)))", place(1, 1)),
        ("render(body.template, {})", place(1, 1)),
        ("render('{% if %}', {})", place(1, 1)),
        ("body.text.matches(body.regex)", place(1, 11)),
    ] {
        let fault = refused(source);
        assert_eq!(fault.place, expected, "{source}: {fault}");
    }
    assert!(refused("mesage").message.contains("unknown variable"));
    assert!(refused("shout(1)").message.contains("parseJson"));
    assert!(Mapping::compile(&" ".repeat(9000)).is_err());
}

#[test]
fn no_text_takes_the_parser_down() {
    let long = |unit: &str| unit.repeat(8000 / unit.len());
    for source in [
        long("("),
        long("["),
        long("{1:"),
        long("f("),
        long("!"),
        long("-"),
        long("true?"),
        long("true?1:"),
        format!("body{}", long(".a")),
        format!("body{}", long("[0]")),
        format!("body{}", long(".trim()")),
        format!("1{}", long("+1")),
        format!("true{}", long("&&true")),
        format!("1{}", long("<1")),
        long("'"),
    ] {
        if let Ok(mapping) = Mapping::compile(&source) {
            drop(mapping.evaluate(&Scope::of(&json!({}))));
        }
    }
}

#[test]
fn what_fails_while_it_runs_names_the_innermost_place_and_no_value() {
    let body = json!({"text": "secret", "n": null, "list": ["secret"]});
    for (source, column, word) in [
        ("{'a': 1, 'b': body.text.deep}", 15, "body.text is text"),
        ("body.n == null ? body.n + 1 : 0", 18, "guard it"),
        ("[1, body.list[3]]", 5, "has no item 3"),
        ("{'a': join(body.n)}", 7, "join takes"),
        ("'x' + parseJson(body.text)", 7, "no JSON"),
        ("body.n.map(x, x)", 1, "null has no items"),
        ("duration('1s')", 1, "JSON has no form"),
    ] {
        let fault = made(source, &body).unwrap_err();
        assert_eq!(fault.place.column, column, "{source}: {fault}");
        assert!(fault.message.contains(word), "{source}: {fault}");
        assert!(!fault.message.contains("secret"), "{source}: {fault}");
    }
}

#[test]
fn an_object_comes_out_the_same_each_time() {
    let body = json!({"z": 1, "a": 2, "m": {"y": 1, "b": 2}});
    let text = made("body", &body).unwrap().to_string();
    assert_eq!(text, "{\"a\":2,\"m\":{\"b\":2,\"y\":1},\"z\":1}");
}

#[test]
fn no_expression_costs_more_than_its_bound() {
    let doubled = |times| {
        let mut source = "body.x".to_owned();
        for _ in 0..times {
            source = format!("[{source}].map(a, a + a)[0]");
        }
        source
    };
    assert_eq!(
        made(&doubled(3), &json!({"x": "ab"})).unwrap(),
        json!("ab".repeat(8))
    );
    let nested = |times| {
        let mut source = "body.x".to_owned();
        for _ in 0..times {
            source = format!("[{source}].map(a, [a, a])[0]");
        }
        source
    };
    let items: Vec<u32> = (0..4000).collect();
    let many = json!({"x": "x".repeat(100_000), "items": items});
    for source in [
        doubled(8),
        nested(8),
        "body.items.map(a, body.items.map(b, a * b))".to_owned(),
        "body.items.all(a, body.items.all(b, b >= 0))".to_owned(),
        "body.x.replace('x', body.x).replace('x', body.x)".to_owned(),
        "body.items.map(a, body.x).join(body.x)".to_owned(),
        "render('{% for a in range(100000) %}{% for b in range(1000) %}x{% endfor %}{% endfor %}', {})"
            .to_owned(),
        "render('{{ (\"x\" * 100000000) ~ (\"x\" * 100000000) }}', {})".to_owned(),
        "render('{{ \"a\\n\\nb\" | indent(99999999999, true, true) }}', {})".to_owned(),
        "render('{% set ns = namespace(t=x) %}{% for i in range(40) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}', {'x': body.x})"
            .to_owned(),
        "render('{% for i in range(50000) %}{% set y = x | reverse %}{% endfor %}', body)".to_owned(),
    ] {
        let fault = made(&source, &many).unwrap_err();
        assert!(fault.message.contains("too much work"), "{source}: {fault}");
    }
}

#[test]
fn a_conversation_of_thousands_of_messages_is_well_within_the_bound() {
    let message = json!({"role": "user", "content": "word ".repeat(40), "name": "n"});
    let body = json!({"messages": vec![message; 5000], "model": "m"});
    let source = "merge(omit(body, 'messages'), {'turns': body.messages.filter(m, m.role != 'system').map(m, {'who': m.role, 'text': m.content})})";
    let made = made(source, &body).unwrap();
    assert_eq!(made["turns"].as_array().unwrap().len(), 5000);
}
