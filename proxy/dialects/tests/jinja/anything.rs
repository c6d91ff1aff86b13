//! Whatever stands in a template, it is refused or it ends.

use dragoman_dialects::jinja::{Blocks, Bounds, Program};
use proptest::prelude::*;
use serde_json::json;

const PARTS: [&str; 72] = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{{-",
    "-%}",
    "{#",
    "#}",
    "{% raw %}",
    "{% endraw %}",
    "{% if x %}",
    "{% elif l %}",
    "{% else %}",
    "{% endif %}",
    "{% for a in l %}",
    "{% endfor %}",
    "{% break %}",
    "{% continue %}",
    "{% macro f(a, b=1) %}",
    "{% endmacro %}",
    "{% call f(1) %}",
    "{% endcall %}",
    "{% set x = ",
    "{% set x %}",
    "{% endset %}",
    "{% set ns.a = ",
    "{% set ns = namespace() %}",
    "{% filter upper %}",
    "{% endfilter %}",
    "{% with %}",
    "{% endwith %}",
    "x",
    "l",
    "m",
    "n",
    "ns",
    "loop",
    "caller",
    "f",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    ".",
    "|",
    "+",
    "-",
    "*",
    "~",
    "==",
    "<",
    " in ",
    " is ",
    " not ",
    " and ",
    " if ",
    " else ",
    "'",
    "'%5s{}'",
    "9",
    "-1",
    "1e400",
    "join",
    "format",
    "sort",
    "items",
    "é\n",
    "split",
];

fn source() -> impl Strategy<Value = String> {
    let part = prop::sample::select(&PARTS[..]);
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

/// A call of any filter or method with any arguments.
fn call() -> impl Strategy<Value = String> {
    let name = prop::sample::select(
        &[
            "trim",
            "indent",
            "replace",
            "split",
            "join",
            "round",
            "int",
            "float",
            "sort",
            "map",
            "select",
            "rejectattr",
            "format",
            "tojson",
            "sum",
            "unique",
            "min",
            "dictsort",
            "default",
            "first",
            "attr",
            "strip",
            "rsplit",
            "find",
            "get",
            "startswith",
            "splitlines",
            "removeprefix",
            "cycle",
            "count",
        ][..],
    );
    let value = prop::sample::select(
        &[
            "x",
            "l",
            "m",
            "n",
            "u",
            "none",
            "''",
            "'é%s{0}{a}{'",
            "-9",
            "99999999999999999999",
            "1e400",
            "-0.0",
            "[[]]",
            "(1,)",
            "{}",
            "{'a': l}",
            "range",
            "ns",
            "'%-0200.200f'",
            "'%.3s|%+x'",
            "true",
        ][..],
    );
    let argument = (
        prop::sample::select(&["", "attribute=", "width=", "*", "**"][..]),
        value.clone(),
    );
    let arguments = prop::collection::vec(
        argument.prop_map(|(how, value)| format!("{how}{value}")),
        0..4,
    );
    let how = prop::sample::select(&[" | ", "."][..]);
    (value, how, name, arguments).prop_map(|(value, how, name, arguments)| {
        let arguments = arguments.join(", ");
        format!("{{% set ns = namespace(a=1) %}}{{{{ ({value}){how}{name}({arguments}) }}}}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_template_is_refused_or_ends(source in prop_oneof![source(), call()]) {
        let bounds = Bounds { held: 256 << 10, work: 1 << 20 };
        for blocks in [Blocks::Plain, Blocks::Trimmed] {
            if let Ok(program) = Program::compile(&source, blocks) {
                let of = json!({"x": "aéb", "l": ["b", {"a": null}, 2], "m": {"a": [1.5]}, "n": 3});
                if let Ok(rendered) = program.render(super::variables(&of), None, bounds) {
                    prop_assert!(rendered.work <= bounds.work);
                }
            }
        }
    }
}
