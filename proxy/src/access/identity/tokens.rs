//! Users who are known by tokens.
//!
//! Tokens are known as their SHA-256, and looked up by it. Whoever measures how long a lookup takes learns at most something of the hash of what
//! he sent himself: the hash of another token cannot be approached letter by letter, since nobody can choose a text by its hash.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use dragoman_config::TokensItem;
use jiff::Timestamp;

use super::super::caller::User;

/// A hash by which a credential is known.
pub(super) type Digest = [u8; 32];

/// Users by the hashes of their tokens.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<Digest, Known, BuildHasherDefault<FirstBytes>>);

#[derive(Debug)]
struct Known {
    user: Arc<User>,
    /// Seconds since 1970.
    expires: Option<i64>,
}

/// What is known of a token.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    User(Arc<User>),
    Expired,
    Nobody,
}

impl Tokens {
    /// Of two users who share a token, which the compiler refuses, the first has it.
    pub(super) fn new(items: &[TokensItem]) -> Result<Self, String> {
        let count = items.iter().map(|item| item.sha256.len()).sum();
        let mut known = HashMap::with_capacity_and_hasher(count, BuildHasherDefault::default());
        for item in items {
            let user = Arc::new(User::new(item.user.clone(), item.groups.clone(), None));
            for digest in &item.sha256 {
                let digest = unhex(digest)
                    .ok_or_else(|| format!("a token of the user {:?} is no SHA-256", item.user))?;
                known.entry(digest).or_insert_with(|| Known {
                    user: Arc::clone(&user),
                    expires: item.expires,
                });
            }
        }
        Ok(Self(known))
    }

    pub(super) fn find(&self, digest: &Digest, now: Timestamp) -> Found {
        match self.0.get(digest) {
            Some(known) if known.expires.is_some_and(|at| at <= now.as_second()) => Found::Expired,
            Some(known) => Found::User(Arc::clone(&known.user)),
            None => Found::Nobody,
        }
    }
}

fn unhex(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    let pairs = text.as_bytes().chunks(2);
    if text.len() != 2 * digest.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// Takes a hash for what it is, instead of hashing it again.
#[derive(Debug, Default)]
pub(super) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // The length of the array, which is always the same.
    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn hex(token: &str) -> String {
        let digest = Sha256::digest(token);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn item(user: &str, tokens: &[&str], expires: Option<i64>) -> TokensItem {
        TokensItem {
            user: user.into(),
            groups: vec!["staff".into()],
            expires,
            sha256: tokens.iter().map(|token| hex(token)).collect(),
        }
    }

    fn find(tokens: &Tokens, token: &str, now: i64) -> String {
        let now = Timestamp::from_second(now).unwrap();
        match tokens.find(&Sha256::digest(token).into(), now) {
            Found::User(user) => user.name.clone(),
            Found::Expired => "expired".into(),
            Found::Nobody => "nobody".into(),
        }
    }

    #[test]
    fn a_user_is_known_by_each_of_several_tokens() {
        let items = [item("ann", &["a1", "a2"], None), item("bob", &["b"], None)];
        let tokens = Tokens::new(&items).unwrap();
        let found = ["a1", "a2", "b", "c", ""].map(|token| find(&tokens, token, 0));
        assert_eq!(found, ["ann", "ann", "bob", "nobody", "nobody"]);
    }

    #[test]
    fn a_token_is_worth_nothing_from_the_second_on_at_which_it_expires() {
        let tokens = Tokens::new(&[item("ann", &["a"], Some(100))]).unwrap();
        assert_eq!(find(&tokens, "a", 99), "ann");
        assert_eq!(find(&tokens, "a", 100), "expired");
    }

    #[test]
    fn of_two_users_with_one_token_the_first_has_it() {
        let items = [item("ann", &["a"], None), item("bob", &["a"], None)];
        assert_eq!(find(&Tokens::new(&items).unwrap(), "a", 0), "ann");
    }

    #[test]
    fn ten_thousand_tokens_are_told_apart() {
        let names: Vec<String> = (0..10_000).map(|n| format!("user{n}")).collect();
        let items: Vec<_> = names.iter().map(|name| item(name, &[name], None)).collect();
        let tokens = Tokens::new(&items).unwrap();
        assert!(names.iter().all(|name| find(&tokens, name, 0) == *name));
    }

    #[test]
    fn what_is_no_hash_is_refused_without_being_quoted() {
        for bad in ["", "00", &"0".repeat(63), &"g".repeat(64), &"é".repeat(32)] {
            let mut item = item("ann", &[], None);
            item.sha256.push(bad.to_owned());
            let fault = Tokens::new(&[item]).unwrap_err();
            assert_eq!(fault, "a token of the user \"ann\" is no SHA-256");
        }
    }
}
