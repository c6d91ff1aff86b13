//! Texts with gaps: `'%s' | format(…)`, `'{}'.format(…)`, and dates.

use std::rc::Rc;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::call::{Given, shown};
use super::fault::{Fault, Outcome};
use super::meter::{Held, Meter};
use super::show::show;
use super::value::Value;

/// The widest field, and the most digits.
const WIDEST: usize = 200;

/// `datetime.now().strftime(format)`, in UTC.
pub(super) fn date(format: &str, now: Timestamp) -> Outcome<String> {
    let now = now.to_zoned(TimeZone::UTC);
    strtime::format(format, &now).or_else(|fault| Fault::said(fault.to_string()))
}

/// How a field is written.
#[derive(Clone, Copy, Default)]
struct Field {
    left: bool,
    zeros: bool,
    plus: bool,
    width: usize,
    digits: Option<usize>,
}

/// Python's `%` for `%s`, `%d`, `%i`, `%f` and `%x`.
pub(super) fn percent(meter: &Rc<Meter>, format: &str, mut given: Given) -> Outcome<Value> {
    let mut out: Held<String> = meter.empty()?;
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push(&rest[..at])?;
        let (field, kind, after) = field(&rest[at + 1..])?;
        rest = after;
        if kind == '%' {
            out.push("%")?;
            continue;
        }
        let value = given.required("value")?;
        let written = match (kind, value) {
            ('s', value) => shown(meter, value)?,
            ('d' | 'i' | 'x', value) => {
                let Some(int) = super::filters::whole(&value) else {
                    return Fault::said(format!("%{kind} takes a number, not a {}", value.kind()));
                };
                let plus = if field.plus && int >= 0 { "+" } else { "" };
                let digits = if kind == 'x' {
                    format!("{int:x}")
                } else {
                    format!("{plus}{int}")
                };
                Rc::new(meter.made(digits.len(), || digits)?)
            }
            ('f', value) => {
                let Some(float) = value.as_float() else {
                    return Fault::said(format!("%f takes a number, not a {}", value.kind()));
                };
                let digits = field.digits.unwrap_or(6);
                meter.work(super::filters::DIGITS)?;
                let plus = if field.plus && float >= 0.0 { "+" } else { "" };
                let text = format!("{plus}{float:.digits$}");
                Rc::new(meter.made(text.len(), || text)?)
            }
            (kind, _) => return Fault::said(format!("%{kind} is not known")),
        };
        pad(&mut out, &written, field, kind)?;
    }
    out.push(rest)?;
    given.finish()?;
    Ok(out.into())
}

/// Flags, width, precision and kind of a field, and what stands behind it.
fn field(text: &str) -> Outcome<(Field, char, &str)> {
    let mut field = Field::default();
    let mut rest = text;
    loop {
        let mut chars = rest.chars();
        match chars.next() {
            Some('-') => field.left = true,
            Some('0') => field.zeros = true,
            Some('+') => field.plus = true,
            _ => break,
        }
        rest = chars.as_str();
    }
    let (width, after) = digits(rest)?;
    field.width = width.unwrap_or(0);
    rest = after;
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = digits(after)?;
        field.digits = Some(precision.unwrap_or(0));
        rest = after;
    }
    let mut chars = rest.chars();
    match chars.next() {
        Some(kind) => Ok((field, kind, chars.as_str())),
        None => Fault::said("the format ends within a field"),
    }
}

fn digits(text: &str) -> Outcome<(Option<usize>, &str)> {
    let end = text.find(|char: char| !char.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    if digits.is_empty() {
        return Ok((None, rest));
    }
    match digits.parse() {
        Ok(width) if width <= WIDEST => Ok((Some(width), rest)),
        _ => Fault::said(format!("a field is at most {WIDEST} wide")),
    }
}

fn pad(out: &mut Held<String>, text: &str, field: Field, kind: char) -> Outcome<()> {
    let text = match field.digits.filter(|_| kind == 's') {
        Some(most) => {
            let end = text
                .char_indices()
                .nth(most)
                .map_or(text.len(), |(at, _)| at);
            &text[..end]
        }
        None => text,
    };
    // No more characters are counted than the field is wide.
    let count = text.chars().take(field.width).count();
    let missing = field.width - count;
    if field.left {
        out.push(text)?;
        return out.push_times(" ", missing);
    }
    if field.zeros && kind != 's' {
        let sign = text.len() - text.trim_start_matches(['-', '+']).len();
        out.push(&text[..sign])?;
        out.push_times("0", missing)?;
        return out.push(&text[sign..]);
    }
    out.push_times(" ", missing)?;
    out.push(text)
}

/// `str.format` for `{}`, `{0}` and `{name}`.
pub(super) fn braces(meter: &Rc<Meter>, format: &str, given: &Given) -> Outcome<Value> {
    let mut out: Held<String> = meter.empty()?;
    let mut rest = format;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        out.push(&rest[..at])?;
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            out.push(brace)?;
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}').filter(|_| brace == "{") else {
            return Fault::said("a brace of the format has no other");
        };
        meter.work(name.len())?;
        let place = match name {
            "" => {
                next += 1;
                Some(next - 1)
            }
            name => name.parse().ok(),
        };
        let Some(value) = given.peek(place, name) else {
            return Fault::said(
                "the format has no such argument; only {}, {0} and {name} are known",
            );
        };
        show(meter, value, &mut out)?;
        rest = after;
    }
    out.push(rest)?;
    Ok(out.into())
}
