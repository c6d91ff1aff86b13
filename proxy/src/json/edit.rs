//! Sets and removes members of an object that has been scanned.

use bytes::Bytes;

use super::members::Members;
use super::splice::Edit;
use super::string;

/// Collects edits of one object. At most one per name: a later one replaces an earlier.
///
/// ```
/// # use bytes::Bytes;
/// use dragoman_proxy::json::{ObjectEdit, scan, splice};
/// let body = Bytes::from_static(br#"{"model":"a", "user":"eve"}"#);
/// let members = scan(&body, &["model", "user", "seed"])?;
/// let mut edit = ObjectEdit::new(&members);
/// edit.set("model", Bytes::from_static(b"\"b\""));
/// edit.remove("user");
/// edit.set_default("seed", Bytes::from_static(b"7"));
/// assert_eq!(splice(&body, edit.finish()).concat(), br#"{"model":"b","seed":7}"#);
/// # Ok::<(), dragoman_proxy::json::Malformed>(())
/// ```
#[derive(Debug)]
pub struct ObjectEdit<'m, 'k, K> {
    members: &'m Members<'k, K>,
    changes: Vec<(String, Change)>,
}

#[derive(Debug)]
enum Change {
    Set(Bytes),
    Remove,
}

impl<'m, 'k, K: AsRef<str>> ObjectEdit<'m, 'k, K> {
    /// Edits of the object that `members` was read from. Only names that were asked for there can be
    /// edited: of any other it is unknown whether it is there, so that its edit is left out.
    #[must_use]
    pub fn new(members: &'m Members<'k, K>) -> Self {
        Self {
            members,
            changes: Vec::new(),
        }
    }

    /// Gives the member this value (JSON text): every duplicate of it, or a new member at the end.
    pub fn set(&mut self, name: &str, value: Bytes) {
        self.change(name, Change::Set(value));
    }

    /// Gives the member this value (JSON text) if the object has none of this name. Null is a value.
    pub fn set_default(&mut self, name: &str, value: Bytes) {
        let absent = self.members.all(name).next().is_none();
        if absent && !self.changes.iter().any(|(known, _)| known == name) {
            self.set(name, value);
        }
    }

    /// Removes the member, every duplicate of it, with its comma.
    pub fn remove(&mut self, name: &str) {
        self.change(name, Change::Remove);
    }

    /// Whether nothing was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn change(&mut self, name: &str, change: Change) {
        debug_assert!(self.members.wants(name), "{name} was not scanned for");
        if let Some(known) = self.changes.iter_mut().find(|(known, _)| known == name) {
            known.1 = change;
        } else if self.members.wants(name) {
            self.changes.push((name.to_owned(), change));
        }
    }

    /// The edits for [`splice`](super::splice), in places of the scanned text.
    #[must_use]
    pub fn finish(self) -> Vec<Edit> {
        let mut edits = Vec::with_capacity(self.changes.len());
        let mut removed = Vec::new();
        let mut inserted = Vec::new();
        for (name, change) in &self.changes {
            let there = self.members.all(name);
            match change {
                Change::Remove => removed.extend(there),
                Change::Set(value) => {
                    let before = edits.len();
                    edits.extend(there.map(|m| Edit {
                        at: m.value.clone(),
                        with: value.clone(),
                    }));
                    if edits.len() == before {
                        inserted.push((name, value));
                    }
                }
            }
        }
        removed.sort_by_key(|member| member.ordinal);
        for (rank, member) in removed.iter().enumerate() {
            // A member goes with the comma before it, unless all before it go as well: then with
            // the one after it.
            let leading = member.ordinal == rank;
            let at = match member.next {
                Some(next) if leading => member.start..next,
                None if leading => member.start..member.value.end,
                _ => member.from..member.value.end,
            };
            edits.push(Edit {
                at,
                with: Bytes::new(),
            });
        }
        if !inserted.is_empty() {
            let mut text = Vec::new();
            let mut comma = self.members.count > removed.len();
            for (name, value) in inserted {
                if comma {
                    text.push(b',');
                }
                string::encode(name, &mut text);
                text.push(b':');
                text.extend_from_slice(value);
                comma = true;
            }
            let at = self.members.tail..self.members.tail;
            edits.push(Edit {
                at,
                with: text.into(),
            });
        }
        edits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{scan, splice};

    const NAMES: [&str; 3] = ["a", "b", "c"];

    fn edited(body: &'static str, change: impl Fn(&mut ObjectEdit<'_, '_, &str>)) -> String {
        let body = Bytes::from_static(body.as_bytes());
        let members = scan(&body, &NAMES).unwrap();
        let mut edit = ObjectEdit::new(&members);
        change(&mut edit);
        String::from_utf8(splice(&body, edit.finish()).concat()).unwrap()
    }

    fn one() -> Bytes {
        Bytes::from_static(b"1")
    }

    #[test]
    fn a_removed_member_takes_one_comma_with_it() {
        let remove = |names: &'static [&'static str]| {
            edited(r#"{ "a":0, "b":[1,2] ,"x":{}, "c":null }"#, |edit| {
                names.iter().for_each(|name| edit.remove(name));
            })
        };
        assert_eq!(remove(&["a"]), r#"{ "b":[1,2] ,"x":{}, "c":null }"#);
        assert_eq!(remove(&["b"]), r#"{ "a":0 ,"x":{}, "c":null }"#);
        assert_eq!(remove(&["c"]), r#"{ "a":0, "b":[1,2] ,"x":{} }"#);
        assert_eq!(remove(&["b", "a", "c"]), r#"{ "x":{} }"#);
        assert_eq!(
            edited(r#"{"a":1, "b":2}"#, |e| {
                e.remove("a");
                e.remove("b");
            }),
            "{}"
        );
    }

    #[test]
    fn a_new_member_stands_at_the_end() {
        let set = |body| edited(body, |edit| edit.set("c", one()));
        assert_eq!(set("{}"), r#"{"c":1}"#);
        assert_eq!(set("{ }"), r#"{"c":1 }"#);
        assert_eq!(set("{\n  \"a\": 2\n}"), "{\n  \"a\": 2,\"c\":1\n}");
    }

    #[test]
    fn removing_everything_and_adding_leaves_no_comma() {
        let all = edited(r#"{"a":1,"b":2}"#, |edit| {
            edit.remove("a");
            edit.remove("b");
            edit.set("c", one());
        });
        assert_eq!(all, r#"{"c":1}"#);
    }

    #[test]
    fn every_duplicate_is_edited_alike() {
        let body = r#"{"a":0,"\u0061":[],"b":2,"a":{}}"#;
        assert_eq!(
            edited(body, |e| e.set("a", one())),
            r#"{"a":1,"\u0061":1,"b":2,"a":1}"#
        );
        assert_eq!(edited(body, |e| e.remove("a")), r#"{"b":2}"#);
    }

    #[test]
    fn a_default_never_replaces_a_value() {
        assert_eq!(
            edited(r#"{"a":null}"#, |e| e.set_default("a", one())),
            r#"{"a":null}"#
        );
        assert_eq!(edited("{}", |e| e.set_default("a", one())), r#"{"a":1}"#);
    }

    #[test]
    fn the_last_change_of_a_name_counts() {
        let body = r#"{"a":0}"#;
        assert_eq!(
            edited(body, |e| {
                e.remove("a");
                e.set("a", one());
            }),
            r#"{"a":1}"#
        );
        assert_eq!(
            edited(body, |e| {
                e.set("b", one());
                e.remove("b");
            }),
            body
        );
    }
}
