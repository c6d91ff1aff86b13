//! What is no template, and what cannot be done, is told with its line.

use dragoman_dialects::jinja::{Blocks, Program};

use super::written;

fn fault(source: &str) -> String {
    Program::compile(source, Blocks::Plain)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_filter_a_test_or_a_statement_that_there_is_not_is_told_when_it_is_compiled() {
    for (source, told) in [
        (
            "a\n{{ x | center(9) }}",
            "line 2: unknown filter center; there are abs",
        ),
        (
            "{% if x is\nfoo %}{% endif %}",
            "unknown test foo; there are",
        ),
        ("\n\n{% include 'x' %}", "line 3: unknown statement include"),
        (
            "{% autoescape true %}{% endautoescape %}",
            "line 1: autoescape",
        ),
        (
            "{% for a in b recursive %}{% endfor %}",
            "line 1: recursive",
        ),
        ("{{ 'a", "line 1"),
    ] {
        let fault = fault(source);
        assert!(fault.contains(told), "{source}: {fault}");
    }
}

#[test]
fn what_cannot_be_done_is_told_with_the_line_of_the_statement() {
    for (source, told) in [
        (
            "a\n{% set x = 1 %}\n{{ x.y.z }}",
            "line 3: there is no z of what is undefined",
        ),
        (
            "{% if true %}\n{{ 'a' + 1 }}\n{% endif %}",
            "line 2: tried to use + operator on unsupported types string and number",
        ),
        ("{{ raise_exception('No!') }}", "line 1: No!"),
        ("{{ f(1) }}", "line 1: f is unknown"),
        ("{{ 'a'.shout() }}", "line 1: a string has no method shout"),
        (
            "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}",
            "too many arguments",
        ),
        (
            "{% set x = {} %}{% set x.a = 1 %}",
            "can only assign to namespaces, not map",
        ),
        (
            "{% for a, b in [1] %}{% endfor %}",
            "cannot unpack a number",
        ),
        ("{{ 1 // 0 }}", "unable to calculate"),
        ("{{ range(100001) }}", "range has too many elements"),
        (
            "{{ 170141183460469231731687303715884105727 + 1 }}",
            "unable to calculate",
        ),
    ] {
        let said = written(source);
        assert!(said.contains(told), "{source}: {said}");
    }
}

#[test]
fn a_message_that_a_template_raises_is_cut() {
    let said = written("{{ raise_exception('x' * 100000) }}");
    assert!(said.len() < 2100, "{}", said.len());
    for source in ["{{ x | NAME }}", "{{ x is NAME }}", "{% NAME %}"] {
        let fault = fault(&source.replace("NAME", &"x".repeat(100_000)));
        assert!(fault.len() < 2100, "{}", fault.len());
    }
}
