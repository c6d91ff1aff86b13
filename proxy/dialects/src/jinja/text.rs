//! What filters and methods make of a text.

use std::rc::Rc;

use super::call::Given;
use super::fault::{Fault, Outcome};
use super::meter::{Held, Meter};
use super::value::Value;

/// The most characters that may be trimmed off.
const TRIMMED: usize = 64;

/// What of a text is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    Both,
    Start,
    End,
}

pub(super) fn apply(
    meter: &Rc<Meter>,
    name: &str,
    text: &str,
    given: &mut Given,
) -> Outcome<Value> {
    match name {
        // No letter has more than three others for its other case, of at most three bytes each.
        "lower" => {
            let made = meter.made(text.len().saturating_mul(3), || text.to_lowercase())?;
            Ok(made.into())
        }
        "upper" => {
            let made = meter.made(text.len().saturating_mul(3), || text.to_uppercase())?;
            Ok(made.into())
        }
        "title" => title(meter, text),
        "capitalize" => {
            let first = text.chars().next().map_or(0, char::len_utf8);
            let (first, rest) = text.split_at(first);
            let made = meter.made(text.len().saturating_mul(3), || {
                first.to_uppercase() + &rest.to_lowercase()
            })?;
            Ok(made.into())
        }
        "trim" | "strip" => trim(meter, text, Ends::Both, given),
        "replace" => {
            let from = given.text(meter, "old")?;
            let to = given.text(meter, "new")?;
            let count = given.int("count")?;
            let (Some(from), Some(to)) = (from, to) else {
                return Fault::said("replace takes what is replaced, and by what");
            };
            replace(meter, text, &from, &to, count)
        }
        "split" => split(meter, text, given),
        "lines" | "splitlines" => {
            let keeps = given.flag("keepends").unwrap_or(false);
            lines(meter, text, keeps)
        }
        "indent" => indent(meter, text, given),
        _ => escape(meter, text),
    }
}

fn title(meter: &Rc<Meter>, text: &str) -> Outcome<Value> {
    let mut out: Held<String> = meter.empty()?;
    let mut begins = true;
    for char in text.chars() {
        if char.is_whitespace() || matches!(char, '-' | '(' | '{' | '[' | '<') {
            begins = true;
            out.push_char(char)?;
        } else if begins {
            begins = false;
            for char in char.to_uppercase() {
                out.push_char(char)?;
            }
        } else {
            for char in char.to_lowercase() {
                out.push_char(char)?;
            }
        }
    }
    Ok(out.into())
}

pub(super) fn trim(meter: &Rc<Meter>, text: &str, ends: Ends, given: &mut Given) -> Outcome<Value> {
    meter.work(text.len())?;
    let Some(chars) = given.text(meter, "chars")? else {
        return Value::text(
            meter,
            match ends {
                Ends::Both => text.trim(),
                Ends::Start => text.trim_start(),
                Ends::End => text.trim_end(),
            },
        );
    };
    if chars.len() > TRIMMED {
        return Fault::said(format!("at most {TRIMMED} characters can be trimmed off"));
    }
    meter.work(text.len().saturating_mul(chars.len()) / 8)?;
    let chars: Vec<char> = chars.chars().collect();
    let chars = chars.as_slice();
    Value::text(
        meter,
        match ends {
            Ends::Both => text.trim_matches(chars),
            Ends::Start => text.trim_start_matches(chars),
            Ends::End => text.trim_end_matches(chars),
        },
    )
}

fn replace(
    meter: &Rc<Meter>,
    text: &str,
    from: &str,
    to: &str,
    count: Option<i64>,
) -> Outcome<Value> {
    meter.work(text.len() + from.len())?;
    let count = count.and_then(|count| usize::try_from(count).ok());
    let mut out: Held<String> = meter.empty()?;
    let mut plain = 0;
    for (at, found) in text.match_indices(from).take(count.unwrap_or(usize::MAX)) {
        out.push(&text[plain..at])?;
        out.push(to)?;
        plain = at + found.len();
    }
    out.push(&text[plain..])?;
    Ok(out.into())
}

fn split(meter: &Rc<Meter>, text: &str, given: &mut Given) -> Outcome<Value> {
    let by = given.text(meter, "sep")?;
    let most = given.int("maxsplit")?;
    let most = most.and_then(|most| usize::try_from(most).ok());
    meter.work(text.len() + by.as_ref().map_or(0, |by| by.len()))?;
    let mut parts: Held<Vec<Value>> = meter.empty()?;
    let most = most.map_or(usize::MAX, |most| most.saturating_add(1));
    match by {
        Some(by) => {
            for part in text.splitn(most, by.as_str()) {
                parts.push(Value::text(meter, part)?)?;
            }
        }
        None => {
            let mut rest = text.trim_start();
            while !rest.is_empty() {
                let last = parts.len() + 1 >= most;
                let end = rest.find(char::is_whitespace).filter(|_| !last);
                let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
                parts.push(Value::text(meter, part)?)?;
                rest = after.trim_start();
            }
        }
    }
    Value::list(parts)
}

/// `rsplit`: as `split`, but a limit counts from the end.
pub(super) fn split_from_end(meter: &Rc<Meter>, text: &str, given: &mut Given) -> Outcome<Value> {
    let (Some(by), most) = (given.text(meter, "sep")?, given.int("maxsplit")?) else {
        return Fault::said("rsplit takes what is split by");
    };
    meter.work(text.len() + by.len())?;
    let most = most.and_then(|most| usize::try_from(most).ok());
    let most = most.map_or(usize::MAX, |most| most.saturating_add(1));
    let mut parts: Held<Vec<Value>> = meter.empty()?;
    for part in text.rsplitn(most, by.as_str()) {
        parts.push(Value::text(meter, part)?)?;
    }
    parts.items().reverse();
    Value::list(parts)
}

fn lines(meter: &Rc<Meter>, text: &str, keeps: bool) -> Outcome<Value> {
    meter.work(text.len())?;
    let mut parts: Held<Vec<Value>> = meter.empty()?;
    if keeps {
        for line in text.split_inclusive('\n') {
            parts.push(Value::text(meter, line)?)?;
        }
    } else {
        for line in text.lines() {
            parts.push(Value::text(meter, line)?)?;
        }
    }
    Value::list(parts)
}

fn indent(meter: &Rc<Meter>, text: &str, given: &mut Given) -> Outcome<Value> {
    let width = match given.next("width") {
        None | Some(Value::None | Value::Undefined) => Rc::new(meter.made(4, || "    ".into())?),
        Some(Value::Text(text)) => text,
        Some(other) => {
            let Ok(width) = usize::try_from(super::evaluate::small(&other)?) else {
                return Fault::said("the width of an indent is not negative");
            };
            let mut spaces: Held<String> = meter.empty()?;
            spaces.push_times(" ", width)?;
            Rc::new(spaces)
        }
    };
    let first = given.flag("first").unwrap_or(false);
    let blank = given.flag("blank").unwrap_or(false);
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let mut out: Held<String> = meter.empty()?;
    for (place, line) in text.split('\n').enumerate() {
        if place > 0 {
            out.push("\n")?;
        }
        let is_blank = line.is_empty() || line == "\r";
        if (place > 0 || first) && (!is_blank || blank) {
            out.push(&width)?;
        }
        out.push(line)?;
    }
    Ok(out.into())
}

fn escape(meter: &Rc<Meter>, text: &str) -> Outcome<Value> {
    let mut out: Held<String> = meter.empty()?;
    for char in text.chars() {
        match char {
            '<' => out.push("&lt;")?,
            '>' => out.push("&gt;")?,
            '&' => out.push("&amp;")?,
            '"' => out.push("&quot;")?,
            '\'' => out.push("&#x27;")?,
            '/' => out.push("&#x2f;")?,
            other => out.push_char(other)?,
        }
    }
    Ok(out.into())
}
