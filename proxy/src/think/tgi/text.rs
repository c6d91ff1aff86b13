//! A whole text among its tokens.

use std::sync::Arc;

use bytes::Bytes;

use crate::json::{Edit, Members, ObjectEdit, string};
use crate::think::rules::Rules;
use crate::think::stripper::Stripper;

/// The member that holds the text.
pub(super) const TEXT: &str = "generated_text";
/// Those that spell a text out.
pub(super) const TOKENS: [&str; 2] = ["tokens", "top_tokens"];

type Object = Members<'static, &'static str>;

/// Strips the text that an object holds. Says whether it lost something.
pub(super) fn strip(
    json: &str,
    object: &Object,
    rules: &Arc<Rules>,
    edit: &mut ObjectEdit<'_, '_, &'static str>,
) -> bool {
    let text = object
        .some(json, TEXT)
        .and_then(|at| string::read(json, at));
    let Some(text) = text else {
        return false;
    };
    let mut stripper = Stripper::new(Arc::clone(rules));
    let mut pieces = stripper.push(&text);
    pieces.append(stripper.finish());
    if pieces.visible != text {
        edit.set(TEXT, string::literal(&pieces.visible).into());
    }
    pieces.removed
}

/// Empties the lists that spell a text out.
pub(super) fn hide_tokens(
    json: &str,
    object: &Object,
    edit: &mut ObjectEdit<'_, '_, &'static str>,
) {
    for name in TOKENS {
        if object.some(json, name).is_some() {
            edit.set(name, Bytes::from_static(b"[]"));
        }
    }
}

/// What an object becomes that holds a text and its tokens.
pub(super) fn sequence(json: &str, object: &Object, rules: &Arc<Rules>) -> Vec<Edit> {
    let mut edit = ObjectEdit::new(object);
    if strip(json, object, rules, &mut edit) {
        hide_tokens(json, object, &mut edit);
    }
    edit.finish()
}
