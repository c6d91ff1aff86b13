//! What statements, calls and filters do, in minijinja as here; and what Python does where minijinja does not.

use serde_json::json;

use super::{difference, written};

#[test]
fn statements_do_what_they_do_elsewhere() {
    let of = json!({"list": [3, 1, 2], "map": {"b": 1, "a": [1, 2]}, "text": "héllo", "pairs": [[1, 2], [3, 4]]});
    let differences: Vec<String> = [
        "{% for a in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.depth }}{% for b in list %}{{ loop.depth0 }}{% endfor %}{% endfor %}",
        "{% for a in list %}{{ loop.previtem }}<{{ loop.nextitem is defined }}>{{ loop.cycle('x', 'y') }}{% endfor %}",
        "{% for a in list if a > 1 %}{{ a }}{{ loop.length }}{% else %}none{% endfor %}",
        "{% for a in list if a > 5 %}{{ a }}{% else %}none{% endfor %}",
        "{% for a, b in pairs %}{{ a }}{{ b }}{% endfor %}{% for k, v in map.items() %}{{ k }}{{ v }}{% endfor %}{% for k in map %}{{ k }}{% endfor %}{% for c in text %}{{ c }}-{% endfor %}",
        "{% for a in missing %}x{% else %}y{% endfor %}{% for a in none %}x{% else %}z{% endfor %}",
        "{% for a in list %}{% if a == 1 %}{% continue %}{% endif %}{{ a }}{% if loop.index == 3 %}{% break %}{% endif %}{% endfor %}",
        "{% set x = 1 %}{% for a in list %}{% set x = a %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 5 %}{% endif %}{{ x }}",
        "{% for a in list %}{{ y }}{% set y = a %}{% endfor %}{{ y }}",
        "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t }}{% set (c, d) = t %}{{ c }}{{ d }}",
        "{% set x %}a{{ text }}{% endset %}{{ x | upper }}{% set y | upper | trim %} b {% endset %}[{{ y }}]",
        "{% filter upper %}a{{ text }}{% endfilter %}{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}",
        "{% macro f(a, b=2, c=3) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ f(1) }}{{ f(1, c=3) }}{{ f(b=1, a=4) }}{{ f() }}",
        "{% macro f(a) %}{{ a }}{{ g }}{% endmacro %}{% set g = 7 %}{{ f(1) }}{% set g = 8 %}{{ f(2) }}",
        "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
        "{% macro f(a) %}<{{ caller(a, 2) }}>{% endmacro %}{% call(x, y) f(1) %}{{ x }}{{ y }}{{ text }}{% endcall %}",
        "{% macro f() %}{% for a in list %}{% macro g() %}{{ a }}{% endmacro %}{{ g() }}{% endfor %}{% endmacro %}{{ f() }}",
        "{% set ns = namespace(a=1, b=[]) %}{% for x in list %}{% set ns.a = ns.a + x %}{% set ns.b = ns.b + [x] %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}{{ ns['a'] }}",
        "{% do list.count(1) %}{% raw %}{{ x }}{% endraw %}{# comment #}a\n{%- if true -%}\n b \n{%- endif %}\n\n{% if true %}\n  c\n  {% endif %}d",
        "{{ range(3) }}{{ range(1, 7, 2) | list }}{{ range(3, 0, -1) | list }}{{ dict(a=1) }}{{ dict({'b': 1}, a=2) }}{{ dict(map, **{'z': 1}) }}",
        "{% for a in range(2, 5) %}{{ a }}{% endfor %}{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 3 == 3.0 }}{{ true == 1 }}{{ 'a' in ['a'] }}{{ 'b' not in map }}",
        "{{ list | sort }}{{ list | sort(reverse=true) }}{{ ['b', 'A', 'c'] | sort }}{{ ['b', 'A'] | sort(case_sensitive=true) }}{{ list | min }}{{ list | max }}{{ list | sum }}",
        "{{ [{'a': 2}, {'a': 1}] | sort(attribute='a') }}{{ [{'a': 2}] | sum(attribute='a') }}{{ [{'a': {'b': 2}}] | map(attribute='a.b') | list }}{{ [{}] | map(attribute='x', default='d') | list }}",
        "{{ [{'r': 'u'}, {'r': 'v'}] | selectattr('r', 'equalto', 'u') | list }}{{ [{'r': 'u'}, {}] | rejectattr('r') | list }}{{ list | select('odd') | list }}{{ list | reject('ge', 2) | list }}",
        "{{ ['a', 'b'] | map('upper') | join }}{{ ['a'] | map('replace', 'a', 'z') | list }}{{ map | dictsort }}{{ map | dictsort(reverse=true) }}{{ map | items | list }}",
        "{{ 2.5 | round }}{{ 3.14159 | round(2) }}{{ 2.1 | round(0, 'ceil') }}{{ 7 | round }}{{ '12' | int }}{{ 'x' | int(5) }}{{ 3.9 | int }}{{ '1.5' | float }}{{ 5 | float }}{{ -3 | abs }}",
        "{{ 'a b' | title }}{{ \"a\nb\n\" | indent }}{{ \"a\n\nb\" | indent(2, true, true) }}{{ 'x' | indent(width=3, first=true) }}{{ 'a,b' | split(',') }}{{ 'a\nb' | lines }}",
        "{{ '%s-%02d|%5s|%-4s|%.2f|%%' | format('a', 3, 'b', 'c', 1.005) }}{{ 'a{}b{}'.format(1, 'x') }}{{ '{0}{x}{{'.format('z', x=2) }}",
        "{{ 'aXbX'.split('X') }}{{ 'a b c'.split(none, 1) }}{{ 'a\nb'.splitlines() }}{{ '-'.join(['a', 1]) }}{{ 'ab'.startswith(('x', 'a')) }}{{ 'abab'.rfind('b') }}{{ 'aaa'.replace('a', 'b', 2) }}",
        "{{ '12'.isdigit() }}{{ 'aB'.islower() }}{{ 'AB'.isupper() }}{{ ' '.isspace() }}{{ 'a1'.isalnum() }}{{ 'é'.isascii() }}{{ 'xax'.strip('x') }}{{ 'ab'.capitalize() }}",
        "{{ 1e16 }}{{ [1e16, 0.1, 1.0] }}{{ 100000000000000000000 }}{{ 7 // 2 }}{{ -7 // 2 }}{{ -7 % 3 }}{{ 7.5 // 2 }}{{ -7.5 % 2 }}{{ 2 ** 10 }}{{ 2 ** -1 }}{{ 7 / 2 }}",
        "{{ 'ab' * 3 }}{{ 3 * 'x' }}{{ ([1] * 2) | list }}{{ [1] + [2] }}{{ (1,) + (2,) }}{{ (1,) }}{{ () }}{{ ['it\\'s', \"q\\\"\\n\", none, true, 1.0, {'a': (1, 2)}] }}",
        "{{ text[0] }}{{ text[-1] }}{{ text[1:3] }}{{ list[5] }}{{ map['x'] }}{{ map.x.y is defined }}",
        "{{ none.x }}{{ missing }}{{ missing is defined }}{{ missing | default('d') }}{{ none | default('d') }}{{ none | default('d', true) }}{{ '' or 'x' }}{{ [] and 1 }}",
        "{{ strftime_now is defined }}{{ raise_exception is defined }}{{ nothing is defined }}{{ nothing() }}",
    ]
    .iter()
    .filter_map(|source| difference(source, &of))
    .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_slice_is_what_it_is_in_python() {
    for (source, expected) in [
        ("{{ [0, 1, 2, 3][::-1] }}", "[3, 2, 1, 0]"),
        ("{{ [0, 1, 2, 3][2:0:-1] }}", "[2, 1]"),
        ("{{ [0, 1, 2, 3][0:2:-1] }}", "[]"),
        ("{{ [0, 1, 2, 3][-2::-1] }}", "[2, 1, 0]"),
        ("{{ [0, 1, 2, 3][:-3:-2] }}", "[3]"),
        ("{{ 'abcd'[::-1] }}{{ 'abcd'[2:0:-1] }}", "dcbacb"),
        (
            "{{ 'abcd'[-9:9] }}{{ 'abcd'[3:1] }}|{{ (1, 2, 3)[1:] }}",
            "abcd|(2, 3)",
        ),
    ] {
        assert_eq!(written(source), expected, "{source}");
    }
}

#[test]
fn what_python_has_and_minijinja_has_not_is_there() {
    for (source, expected) in [
        ("{{ 'a.b.c'.rsplit('.', 1) }}", "['a.b', 'c']"),
        ("{{ 'xab'.removeprefix('x').removesuffix('b') }}", "a"),
        ("{{ ['a', 'b'].index('b') }}", "1"),
        ("{{ {'a': 1, 'b': 2} | reverse | list }}", "['b', 'a']"),
        (
            "{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}",
            "11",
        ),
        ("{{ strftime_now('%Y-%m-%d') }}", "1970-01-01"),
        (
            "{{ {'a': ['<b>', 1, none, 1.5], 'ü': 'x&\\ty'} | tojson }}",
            "{\"a\": [\"<b>\", 1, null, 1.5], \"ü\": \"x&\\ty\"}",
        ),
        (
            "{{ {'a': [], 'b': {}, 'c': [1]} | tojson(indent=1) }}",
            "{\n \"a\": [],\n \"b\": {},\n \"c\": [\n  1\n ]\n}",
        ),
    ] {
        assert_eq!(written(source), expected, "{source}");
    }
}
