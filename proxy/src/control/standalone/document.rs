//! YAML 1.2 and JSON documents as JSON values, with the line of every field.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{MessageFormatter, Spanned, UserMessageFormatter};

/// One document of a file.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Its content.
    pub(super) value: Value,
    /// The path of `value` within the file's document, when it was an entry of a List.
    within: String,
    lines: Arc<BTreeMap<String, u32>>,
}

/// Text that is no YAML or JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// The line, counted from 1, where it is known.
    pub(super) line: Option<u32>,
    /// The parser's word. It quotes no content, which may be a Secret's.
    pub(super) message: String,
}

impl Document {
    /// Reads all documents of a YAML file. Empty ones are passed over.
    ///
    /// # Errors
    /// [`Unreadable`] when any of them is no YAML.
    pub(super) fn from_yaml(text: &str) -> Result<Vec<Self>, Unreadable> {
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        let nodes: Vec<Spanned<Node>> = serde_saphyr::from_multiple_with_options(text, options)
            .map_err(|fault| Unreadable {
                line: fault
                    .location()
                    .and_then(|at| u32::try_from(at.line()).ok()),
                message: UserMessageFormatter.format_message(&fault).into_owned(),
            })?;
        Ok(nodes.into_iter().map(Self::new).collect())
    }

    /// Reads a JSON file.
    ///
    /// # Errors
    /// [`Unreadable`] when it is no JSON.
    pub(super) fn from_json(text: &str) -> Result<Vec<Self>, Unreadable> {
        let value: Value = serde_json::from_str(text).map_err(|fault| Unreadable {
            line: u32::try_from(fault.line()).ok(),
            message: fault.to_string(),
        })?;
        Ok(vec![Self {
            value,
            within: String::new(),
            lines: Arc::default(),
        }])
    }

    fn new(node: Spanned<Node>) -> Self {
        let mut lines = BTreeMap::new();
        let value = flatten(node, &mut String::new(), &mut lines);
        Self {
            value,
            within: String::new(),
            lines: Arc::new(lines),
        }
    }

    /// The objects in it: itself, or the entries of a `List`.
    #[must_use]
    pub(super) fn objects(self) -> Vec<Self> {
        let is_list = self.value["kind"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("List"));
        match self.value {
            Value::Object(mut list)
                if is_list && list.get("items").is_some_and(Value::is_array) =>
            {
                let Some(Value::Array(items)) = list.remove("items") else {
                    return Vec::new();
                };
                let entries = items.into_iter().enumerate().map(|(index, value)| Self {
                    value,
                    within: format!("items[{index}]"),
                    lines: Arc::clone(&self.lines),
                });
                entries.flat_map(Self::objects).collect()
            }
            value => vec![Self { value, ..self }],
        }
    }

    /// The line of `field` (a path such as `spec.rules[0].match`), or of the nearest thing around it.
    #[must_use]
    pub(super) fn line(&self, field: &str) -> Option<u32> {
        let mut path = match (self.within.as_str(), field) {
            (within, "") => within.to_owned(),
            ("", field) => field.to_owned(),
            (within, field) => format!("{within}.{field}"),
        };
        loop {
            if let Some(line) = self.lines.get(&path) {
                return Some(*line);
            }
            if path.is_empty() {
                return None;
            }
            path.truncate(path.rfind(['.', '[']).unwrap_or(0));
        }
    }
}

/// A YAML node that knows where it stands.
enum Node {
    Leaf(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(String, Spanned<Node>)>),
}

fn flatten(node: Spanned<Node>, path: &mut String, lines: &mut BTreeMap<String, u32>) -> Value {
    if let Ok(line @ 1..) = u32::try_from(node.referenced.line()) {
        lines.insert(path.clone(), line);
    }
    let end = path.len();
    let mut child = |step: fmt::Arguments<'_>, node| {
        path.push_str(&step.to_string());
        let value = flatten(node, path, lines);
        path.truncate(end);
        value
    };
    match node.value {
        Node::Leaf(value) => value,
        Node::List(nodes) => {
            let entries = nodes.into_iter().enumerate();
            entries
                .map(|(index, node)| child(format_args!("[{index}]"), node))
                .collect()
        }
        Node::Map(nodes) => {
            let dot = if end == 0 { "" } else { "." };
            let fields = nodes.into_iter();
            Value::Object(
                fields
                    .map(|(name, node)| {
                        let value = child(format_args!("{dot}{name}"), node);
                        (name, value)
                    })
                    .collect::<Map<_, _>>(),
            )
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(entry) = map.next_entry()? {
            nodes.push(entry);
        }
        Ok(Node::Map(nodes))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn yaml(text: &str) -> Vec<Document> {
        Document::from_yaml(text).unwrap()
    }

    #[test]
    fn every_field_knows_its_line() {
        let document = &yaml("kind: A\nspec:\n  rules:\n  - name: x\n    on: [1,\n      2]\n")[0];
        assert_eq!(document.line("kind"), Some(1));
        assert_eq!(document.line("spec.rules[0].name"), Some(4));
        assert_eq!(document.line("spec.rules[0].on[1]"), Some(6));
        assert_eq!(document.line("spec.rules[0].absent"), Some(4));
        assert_eq!(document.line("nowhere"), Some(1));
    }

    #[test]
    fn yaml_is_version_1_2() {
        let value =
            &yaml("{a: yes, b: on, c: 10, d: 0o10, e: 1.5, f: ~, g: '1', h: true}")[0].value;
        assert_eq!(
            *value,
            json!({"a": "yes", "b": "on", "c": 10, "d": 8, "e": 1.5, "f": null, "g": "1", "h": true})
        );
    }

    #[test]
    fn empty_documents_are_passed_over_and_lines_count_on() {
        let documents = yaml("---\n# nothing\n---\nkind: A\n---\nkind: B\n");
        let found: Vec<_> = documents
            .iter()
            .map(|it| (it.value["kind"].as_str(), it.line("kind")))
            .collect();
        assert_eq!(found, [(Some("A"), Some(4)), (Some("B"), Some(6))]);
    }

    #[test]
    fn a_list_is_its_entries() {
        let objects =
            yaml("kind: List\nitems:\n- kind: A\n- kind: LLMRouteList\n  items:\n  - kind: B\n")
                .remove(0)
                .objects();
        let kinds: Vec<_> = objects.iter().map(|it| it.value["kind"].as_str()).collect();
        assert_eq!(kinds, [Some("A"), Some("B")]);
        assert_eq!(objects[0].line("kind"), Some(3));
    }

    #[test]
    fn a_fault_names_its_line_and_quotes_nothing() {
        let fault = Document::from_yaml("kind: Secret\ndata:\n  key: \"sk-123\n").unwrap_err();
        assert!(
            fault.line.is_some() && !fault.message.contains("sk-123"),
            "{fault:?}"
        );
        let fault = Document::from_yaml("a: 1\na: 2\n").unwrap_err();
        assert_eq!(fault.line, Some(2));
        assert_eq!(
            Document::from_json("{\n\"a\": }").unwrap_err().line,
            Some(2)
        );
    }

    #[test]
    fn anchors_and_merges_work() {
        let value = &yaml("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n")[0].value;
        assert_eq!(
            *value,
            json!({"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}})
        );
    }
}
