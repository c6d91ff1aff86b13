//! What running programs expose, in [Prometheus' text format](https://prometheus.io/docs/instrumenting/exposition_formats/).

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, LabelModifier, VectorSelector};

/// The labels of one series.
type Labels = BTreeMap<String, String>;

/// Series by the names of their metrics.
#[derive(Debug, Default)]
pub(super) struct Scrape(BTreeMap<String, Vec<Labels>>);

impl Scrape {
    /// Adds what one program exposes.
    pub(super) fn add(&mut self, text: &str) {
        for line in text.lines() {
            // A metric that has nothing to count yet has a type and no series.
            if let Some(typed) = line.strip_prefix("# TYPE ") {
                let (name, kind) = typed.split_once(' ').unwrap();
                let empty = if kind == "histogram" {
                    None
                } else {
                    Some(name)
                };
                empty.map(|name| self.0.entry(name.to_owned()).or_default());
            }
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let series = self.0.entry(name.to_owned()).or_default();
            series.push(read(labels));
        }
    }

    /// The labels of an expression's result. Whatever it names must be exposed: metrics, labels, and the values of labels that it selects.
    pub(super) fn labels_of(&self, expr: &Expr) -> Result<BTreeSet<String>, String> {
        match expr {
            Expr::VectorSelector(selector) => self.selected(selector),
            Expr::MatrixSelector(range) => self.selected(&range.vs),
            Expr::Subquery(inner) => self.labels_of(&inner.expr),
            Expr::Paren(inner) => self.labels_of(&inner.expr),
            Expr::Unary(inner) => self.labels_of(&inner.expr),
            Expr::Binary(both) => {
                let (left, right) = (self.labels_of(&both.lhs)?, self.labels_of(&both.rhs)?);
                let vectors = !matches!(*both.lhs, Expr::NumberLiteral(_));
                Ok(if vectors { left } else { right })
            }
            Expr::Call(call) => {
                let mut all = BTreeSet::new();
                for argument in &call.args.args {
                    all.extend(self.labels_of(argument)?);
                }
                if call.func.name == "histogram_quantile" && !all.remove("le") {
                    return Err(format!("no `le` is left for {call}"));
                }
                Ok(all)
            }
            Expr::Aggregate(all) => {
                let inner = self.labels_of(&all.expr)?;
                match &all.modifier {
                    // The k greatest keep what they have.
                    None if all.op.to_string() == "topk" => Ok(inner),
                    None => Ok(BTreeSet::new()),
                    Some(LabelModifier::Include(by)) => {
                        let missing = by.labels.iter().find(|label| !inner.contains(*label));
                        match missing {
                            Some(label) => Err(format!("{expr} has no label {label}: {inner:?}")),
                            None => Ok(by.labels.iter().cloned().collect()),
                        }
                    }
                    Some(LabelModifier::Exclude(without)) => {
                        let left = inner.into_iter();
                        Ok(left
                            .filter(|label| !without.labels.contains(label))
                            .collect())
                    }
                }
            }
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(BTreeSet::new()),
            Expr::Extension(_) => Err("nothing of ours".into()),
        }
    }

    fn selected(&self, selector: &VectorSelector) -> Result<BTreeSet<String>, String> {
        let name = selector.name.as_deref().unwrap_or_default();
        let series = self.0.get(name);
        let series = series.ok_or_else(|| format!("no program exposes {name}"))?;
        for matcher in &selector.matchers.matchers {
            if !series.iter().any(|labels| admits(matcher, labels)) {
                return Err(format!("no series of {name} fits {matcher}: {series:?}"));
            }
        }
        Ok(series
            .iter()
            .flat_map(|labels| labels.keys().cloned())
            .collect())
    }
}

/// Whether a series has the label, and with such a value.
fn admits(matcher: &Matcher, labels: &Labels) -> bool {
    labels
        .get(&matcher.name)
        .is_some_and(|value| match &matcher.op {
            MatchOp::Equal => *value == matcher.value,
            MatchOp::NotEqual => *value != matcher.value,
            MatchOp::Re(regex) => regex.is_match(value),
            MatchOp::NotRe(regex) => !regex.is_match(value),
        })
}

/// `name="value",…}`, in which no value of ours holds a quote.
fn read(labels: &str) -> Labels {
    let labels = labels.trim_end_matches('}');
    let pairs = labels
        .split_terminator("\",")
        .map(|pair| pair.trim_end_matches('"'));
    pairs
        .filter_map(|pair| pair.split_once("=\""))
        .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
        .collect()
}
