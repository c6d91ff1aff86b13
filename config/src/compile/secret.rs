//! Values of Secrets, and what is said of one that cannot be had.

use dragoman_crds::SecretKeyReference;

use crate::reason;
use crate::world::{InputContent, InputLookup, KeyLookup, Lookup};

/// Why something cannot be had: the reason, and what is wrong with the cure.
pub(super) type Missing = (&'static str, String);

/// The value of a Secret's key, without white space around it: a trailing newline is the usual slip.
///
/// # Errors
/// [`Missing`].
pub(super) fn value<'w>(
    reference: &SecretKeyReference,
    namespace: &str,
    world: &Lookup<'w>,
) -> Result<&'w str, Missing> {
    let SecretKeyReference { name, key } = reference;
    match world.secret(namespace, reference) {
        KeyLookup::Found(value) => std::str::from_utf8(value.trim_ascii())
            .map_err(|_| unfit(reference, namespace, "is not text")),
        KeyLookup::NoSecret => Err((
            reason::SECRET_NOT_FOUND,
            format!("Secret {namespace}/{name} does not exist; create it with the key {key:?}"),
        )),
        KeyLookup::NoKey => Err((
            reason::SECRET_KEY_MISSING,
            format!("Secret {namespace}/{name} has no key {key:?}; add it"),
        )),
        KeyLookup::Pending => Err(pending(namespace, name)),
        KeyLookup::Unreadable => Err(unreadable(namespace, name)),
    }
}

/// A Secret with all its keys.
///
/// # Errors
/// [`Missing`].
pub(super) fn whole<'w>(
    name: &str,
    namespace: &str,
    world: &Lookup<'w>,
) -> Result<&'w InputContent, Missing> {
    match world.whole_secret(namespace, name) {
        InputLookup::Found(content) => Ok(content),
        InputLookup::Missing => Err((
            reason::SECRET_NOT_FOUND,
            format!("Secret {namespace}/{name} does not exist; create it"),
        )),
        InputLookup::Pending => Err(pending(namespace, name)),
        InputLookup::Unreadable => Err(unreadable(namespace, name)),
    }
}

/// What is said of a key whose value is not what its place needs.
pub(super) fn unfit(reference: &SecretKeyReference, namespace: &str, fault: &str) -> Missing {
    let SecretKeyReference { name, key } = reference;
    (
        reason::SECRET_INVALID,
        format!("key {key:?} of Secret {namespace}/{name} {fault}"),
    )
}

fn pending(namespace: &str, name: &str) -> Missing {
    let fault = format!("Secret {namespace}/{name} has not been read yet");
    (reason::PENDING, fault)
}

fn unreadable(namespace: &str, name: &str) -> Missing {
    (
        reason::SECRET_UNREADABLE,
        format!(
            "Secret {namespace}/{name} could not be read from the API server; the operator goes on trying, and its log says why"
        ),
    )
}
