//! Calls of tools, gathered until they are whole: Ollama sends a call in one line, others in pieces.

use crate::rope::Rope;

/// A call whose arguments are still coming.
#[derive(Debug)]
struct Open {
    call: u32,
    id: String,
    name: String,
    signature: Option<String>,
    json: Rope,
    scan: Scan,
}

/// Follows a JSON object by its brackets, so that its end is known when it comes.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// Whether the object ends within the piece.
    fn ends(&mut self, piece: &str) -> bool {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return true;
                    }
                }
                _ => {}
            }
        }
        false
    }
}

/// A call that is whole.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Its id.
    pub(crate) id: String,
    /// The tool's name.
    pub(crate) name: String,
    /// Gemini's signature over it.
    pub(crate) signature: Option<String>,
    /// The JSON text.
    pub(crate) json: String,
}

impl Whole {
    /// What it took while it was open, in bytes.
    fn size(&self) -> usize {
        let signed = self.signature.as_ref().map_or(0, String::len);
        size_of::<Open>() + self.id.len() + self.name.len() + signed + self.json.len()
    }
}

/// The calls that are still coming.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    open: Vec<Open>,
    /// The bytes of those that are open.
    kept: usize,
}

impl Calls {
    /// A call begins.
    pub(crate) fn start(&mut self, call: u32, id: &str, name: &str) {
        self.signed(call, id, name, None);
    }

    /// The same, of a call that bears Gemini's signature.
    pub(crate) fn signed(&mut self, call: u32, id: &str, name: &str, signature: Option<String>) {
        let signed = signature.as_ref().map_or(0, String::len);
        self.kept += size_of::<Open>() + id.len() + name.len() + signed;
        self.open.push(Open {
            call,
            id: id.to_owned(),
            name: name.to_owned(),
            signature,
            json: Rope::default(),
            scan: Scan::default(),
        });
    }

    /// A piece of a call's arguments; gives the call if they are whole now.
    pub(crate) fn piece(&mut self, call: u32, piece: &str) -> Option<Whole> {
        let place = self.open.iter().position(|open| open.call == call)?;
        let open = self.open.get_mut(place)?;
        open.json.keep(piece.as_bytes());
        self.kept += piece.len();
        if !open.scan.ends(piece) {
            return None;
        }
        let whole = whole(self.open.remove(place));
        self.kept = self.kept.saturating_sub(whole.size());
        Some(whole)
    }

    /// The answer ends: gives every call that is left, such as those without arguments.
    pub(crate) fn rest(&mut self) -> impl Iterator<Item = Whole> {
        self.kept = 0;
        std::mem::take(&mut self.open).into_iter().map(whole)
    }

    /// How many bytes are kept of calls that are not whole yet.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }
}

fn whole(open: Open) -> Whole {
    Whole {
        id: open.id,
        name: open.name,
        signature: open.signature,
        // It was put together of texts.
        json: String::from_utf8(open.json.into_vec()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_call_is_whole_at_its_last_piece_however_it_is_cut(cuts in proptest::collection::vec(0usize..60, 0..6)) {
            let text = r#"{"a":"}\"{","b":[{"c":1},{}],"d":"\\","ü":{}}"#;
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| text.is_char_boundary(*cut)).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let mut calls = Calls::default();
            calls.start(3, "id", "name");
            prop_assert!(calls.kept() > 6);
            let mut from = 0;
            for cut in cuts {
                let done = calls.piece(3, &text[from..cut]);
                prop_assert_eq!(done.is_some(), cut == text.len() && from < cut);
                from = cut;
                if let Some(done) = done {
                    prop_assert_eq!(calls.kept(), 0);
                    prop_assert_eq!(done.json, text);
                }
            }
        }
    }
}
