//! Whatever its author writes, a template is compiled and rendered within bounds, counted by the allocator. One test, since what it counts is the whole process's.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may fail loudly, their fixtures too"
)]

use dragoman_dialects::jinja::{Blocks, Bounds, Failed, Program};
use peak_alloc::PeakAlloc;
use serde_json::{Value, json};

#[global_allocator]
static COUNTED: PeakAlloc = PeakAlloc;

/// What a rendering may cost here.
const BOUNDS: Bounds = Bounds {
    held: 4 << 20,
    work: 16 << 20,
};
/// What it may take besides: a text that grows is there twice for a moment, and a program has its own size.
const BESIDES: usize = 5 << 20;
/// What the program of the longest template may take.
const COMPILED: usize = 24 << 20;

/// Templates that make much of little, of time or of memory.
const BOMBS: &[&str] = &[
    // While it is compiled, where constants are folded.
    "{{ ('x'*100000000) ~ ('x'*100000000) ~ ('x'*100000000) ~ ('x'*100000000) }}",
    "{{ 'x' * 100000000 * 100 }}",
    "{{ [0] * 100000000 }}",
    "{{ ('x' * 99999999) == ('x' * 99999999) }}",
    "{{ 9 ** 9 ** 9 ** 9 }}",
    // While it runs, in one step.
    "{{ 'a\nb' | indent(99999999999) }}",
    "{{ 'a\nb' | indent(width=99999999999, first=true) }}",
    "{{ '%99999999d' | format(1) }}",
    "{{ '%.99999999f' | format(1.5) }}",
    "{{ '%-99999999s' | format('a') }}",
    "{{ [1] | tojson(indent=99999999999) }}",
    "{{ 'x' * 9999999999999999999999 }}",
    "{{ strftime_now('%9999999d') }}",
    "{{ range(99999999999) }}",
    // By doubling.
    "{% set ns = namespace(t='x') %}{% for i in range(40) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{{ ns.t | length }}",
    "{% set ns = namespace(t='x') %}{% for i in range(40) %}{% set ns.t = ns.t + ns.t %}{% endfor %}",
    "{% set ns = namespace(t=[1]) %}{% for i in range(40) %}{% set ns.t = ns.t + ns.t %}{% endfor %}",
    "{% set ns = namespace(t='xx') %}{% for i in range(40) %}{% set ns.t = ns.t | replace('x', ns.t) %}{% endfor %}",
    "{% set ns = namespace(t='xx') %}{% for i in range(40) %}{% set ns.t = ns.t | join(ns.t) %}{% endfor %}",
    "{% set ns = namespace(t='xx') %}{% for i in range(40) %}{% set ns.t = ns.t.join(ns.t) %}{% endfor %}",
    "{% set ns = namespace(t='x') %}{% for i in range(40) %}{% set ns.t = '%s%s' | format(ns.t, ns.t) %}{% endfor %}",
    "{% set ns = namespace(t='x') %}{% for i in range(40) %}{% set ns.t = '{0}{0}'.format(ns.t) %}{% endfor %}",
    "{% set ns = namespace(t='x') %}{% for i in range(40) %}{% set ns.t %}{{ ns.t }}{{ ns.t }}{% endset %}{% endfor %}",
    "{% set ns = namespace(t='<') %}{% for i in range(40) %}{% set ns.t = ns.t | escape | replace('&', '<<') %}{% endfor %}",
    "{% set ns = namespace(t='\\\\') %}{% for i in range(60) %}{% set ns.t = ns.t | tojson %}{% endfor %}",
    "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% else %}xxxxxxxx{% endif %}{% endmacro %}{{ f(40) }}",
    // By holding the same many times over.
    "{% set ns = namespace(t=[1]) %}{% for i in range(60) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t }}",
    "{% set ns = namespace(t=[1]) %}{% for i in range(60) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t | tojson | length }}",
    "{% set ns = namespace(t=[1], s=[1]) %}{% for i in range(60) %}{% set ns.t = [ns.t, ns.t] %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.t == ns.s }}",
    "{% set ns = namespace(t=[1], s=[1]) %}{% for i in range(60) %}{% set ns.t = {'a': ns.t, 'b': ns.t} %}{% set ns.s = {'a': ns.s, 'b': ns.s} %}{% endfor %}{{ ns.t < ns.s }}",
    "{% set ns = namespace(t=[1]) %}{% for i in range(60) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ [ns.t, ns.t] | unique | sort }}",
    "{% set ns = namespace(t=[]) %}{% for i in range(99999) %}{% set ns.t = [ns.t] %}{% endfor %}",
    "{% set ns = namespace(t={}) %}{% for i in range(99999) %}{% set ns.t = {'a': ns.t} %}{% endfor %}{{ ns.t }}",
    "{% set ns = namespace() %}{% set ns.a = ns %}{% set ns.b = [ns, {'c': ns}] %}{{ ns.b }}{{ ns == ns.a }}{{ ns.b | tojson }}",
    "{% for a in [1] %}{% set ns = namespace(a=[]) %}{% set ns.a = [ns.a, loop] %}{{ ns.a }}{% endfor %}",
    // By much work that leaves nothing.
    "{% set x = 'x' * 3000000 %}{% for i in range(50000) %}{% set y = x | reverse %}{% endfor %}",
    "{% set x = 'x' * 3000000 %}{% for i in range(50000) %}{% if x == x ~ '' %}{% endif %}{% endfor %}",
    "{% set x = 'x' * 3000000 %}{% for i in range(50000) %}{% if 'y' in x %}{% endif %}{{ x.find('y') }}{% endfor %}",
    "{% set x = 'x' * 3000000 %}{% for i in range(50000) %}{% set y = x | length %}{% endfor %}",
    "{% set x = 'x' * 3000000 %}{% for i in range(50000) %}{% set y = x[1000000] %}{% endfor %}",
    "{% set x = 'x' * 3000000 %}{% for i in range(50000) %}{% set y = x | trim('y') | upper | lower | title | capitalize %}{% endfor %}",
    "{% set x = 'x' * 3000000 %}{% for i in range(50000) %}{% set y = x.isupper() or x is upper or x.isdigit() or x.startswith('xy') %}{% endfor %}",
    "{% set x = 'x' * 3000000 %}{{ x | trim(x) }}",
    "{% set x = 'x' * 3000000 %}{{ x.split('x') | length }}{{ x | list | length }}{{ x | map('upper') | list }}",
    "{% set x = range(90000) %}{% for i in range(50000) %}{% set y = x | sort | reverse | unique %}{% endfor %}",
    "{% set x = range(90000) %}{% for i in range(50000) %}{% if -1 in x %}{% endif %}{% set y = x.index(7) %}{% set z = x[::2] %}{% endfor %}",
    "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "{% for a in range(100000) %}{% for b in range(100000) %}{% set x = {} %}{% set y = [] %}{% set ns = namespace() %}{% endfor %}{% endfor %}",
    "{% for a in range(100000) %}{% for b in range(100000) %}{% set x %}{% endset %}{{ x }}{% endfor %}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}",
    "{{ [[1]] | map('map', 'map', 'map', 'map', 'map', 'upper') }}",
    "{% set text = 'x' * 100000 %}{% for a in range(1000) %}{{ text }}{% endfor %}",
];

/// Sources that are long, or deep, of parts that stand in a row.
fn sources() -> Vec<String> {
    let many = |head: &str, part: &str, times: usize, tail: &str| {
        format!("{head}{}{tail}", part.repeat(times))
    };
    let mut sources = Vec::new();
    for times in [90, 140, 290, 550, 20_000] {
        for (head, part, tail) in [
            ("{{ 1", "+1", " }}"),
            ("{{ 'x'", "~'x'", " }}"),
            ("{{ 1", "<1", " }}"),
            ("{{ ", "not ", "1 }}"),
            ("{{ ", "-", "1 }}"),
            ("{{ x", ".x", " }}"),
            ("{{ x", "[0]", " }}"),
            ("{{ x", "()", " }}"),
            ("{{ x", "|list", " }}"),
            ("{{ x", " is odd", " }}"),
            ("{{ 1", " if 1", " }}"),
            ("{{ 1", " if 1 else 1", " }}"),
            ("{{ ", "(", ""),
            ("{{ ", "[", ""),
            ("{{ ", "{1:", ""),
            ("{{ ", "x(", ""),
            ("{% set ", "(", "a"),
            ("{% if 1 %}", "{% elif 1 %}", "{% endif %}"),
            ("", "{% if 1 %}", ""),
            ("", "{% if 1 %}{% else %}", ""),
            ("", "{% for a in b %}", ""),
            ("", "{% macro f() %}", ""),
            ("", "{{ x }}", ""),
            ("", "{% set x = [1] %}", ""),
            ("", "{# a #}{% raw %}{{", "{% endraw %}"),
            ("", "{%", ""),
            ("", "\n", "{{ x.y.z }}"),
        ] {
            sources.push(many(head, part, times, tail));
        }
        // Closed, so that they are whole templates.
        for (open, inner, close) in [
            ("(", "1", ")"),
            ("[", "1", "]"),
            ("{1:", "1", "}"),
            ("x(", "1", ")"),
            ("1 if 1 else (", "1", ")"),
        ] {
            let (open, close) = (open.repeat(times), close.repeat(times));
            sources.push(format!("{{{{ {open}{inner}{close} }}}}"));
        }
        for (open, close) in [
            ("{% if 1 %}", "{% endif %}"),
            ("{% for a in [1] %}", "{% endfor %}"),
            ("{% macro f() %}", "{% endmacro %}"),
            ("{% set x %}", "{% endset %}"),
            ("{% filter upper %}", "{% endfilter %}"),
        ] {
            sources.push(format!("{}{}", open.repeat(times), close.repeat(times)));
        }
    }
    // Each of these as deep as it may be, one within the other.
    let deep = format!(
        "{}1{}{}",
        "(".repeat(30),
        ")".repeat(30),
        " + -1".repeat(170)
    );
    for (open, close) in [
        ("{% if 1 %}", "{% endif %}"),
        ("{% for a in [1] %}", "{% endfor %}"),
    ] {
        let alternatives = "{% elif 0 %}".repeat(250);
        let inner = format!("{{% if 0 %}}{alternatives}{{% else %}}{{{{ {deep} }}}}{{% endif %}}");
        sources.push(format!("{}{inner}{}", open.repeat(60), close.repeat(60)));
    }
    sources.push("{{x}}".repeat(52_000));
    sources.push("x".repeat(300 << 10));
    sources.push(" ".repeat(250 << 10) + "{% if 1 %}");
    sources
}

/// The most that was held besides what there was before.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    COUNTED.reset_peak_usage();
    let before = COUNTED.current_usage();
    let made = work();
    (made, COUNTED.peak_usage().saturating_sub(before))
}

fn rendered(source: &str, of: &Value) {
    let (program, held) = peak(|| Program::compile(source, Blocks::Trimmed));
    let named = &source[..source.floor_char_boundary(150)];
    assert!(held < COMPILED, "{named}: compiling took {held}");
    let Ok(program) = program else { return };
    let of = of.as_object().unwrap().clone();
    let before = COUNTED.current_usage();
    let (rendered, held) = peak(|| program.render(of, Some(jiff::Timestamp::UNIX_EPOCH), BOUNDS));
    assert!(
        held < BOUNDS.held + BESIDES,
        "{named}: rendering took {held}"
    );
    if let Ok(rendered) = &rendered {
        assert!(rendered.work <= BOUNDS.work, "{named}");
        assert!(rendered.text.len() <= BOUNDS.held, "{named}");
    }
    drop(rendered);
    let left = COUNTED.current_usage().saturating_sub(before);
    assert!(left < 1 << 10, "{named}: {left} bytes are left");
}

#[test]
fn a_template_is_compiled_and_rendered_within_bounds_whatever_its_author_writes() {
    let messages = json!([{"role": "user", "content": "x".repeat(1000)}]);
    let of = json!({"messages": messages, "x": [[[1]]]});
    for source in BOMBS {
        rendered(source, &of);
    }
    for source in sources() {
        rendered(&source, &of);
    }
    let too_much = |source: &str| {
        let program = Program::compile(source, Blocks::Plain).unwrap();
        assert_eq!(
            program.render(Vec::new(), None, BOUNDS),
            Err(Failed::TooMuch),
            "{source}"
        );
    };
    for source in BOMBS
        .iter()
        .filter(|source| source.contains("range(50000)"))
    {
        too_much(source);
    }
    too_much("{{ 'x' * 100000000 }}");
    too_much("{{ 'a\nb' | indent(99999999999) }}");
}
