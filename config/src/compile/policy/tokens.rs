//! Bearer tokens: from Secrets to users and the hashes of their tokens.
//!
//! A token that is no good is left out and told, and the others go on: one slip must not lock everybody out, nor keep alive what is taken away.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use dragoman_crds::BearerTokens;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::Findings;
use crate::compile::secret;
use crate::compile::selector::selects;
use crate::world::{InputContent, Lookup};
use crate::{TokensItem, reason};

/// The most tokens of a policy.
const MOST_TOKENS: usize = 20_000;
/// The fewest characters of a token: 16 of random letters and digits are 95 bits, and nobody guesses those.
const SHORTEST: usize = 16;
/// The most characters of a user's or a group's name.
const LONGEST_NAME: usize = 253;
/// The most groups of a user.
const MOST_GROUPS: usize = 64;
/// What names begin with that Kubernetes gives, to ServiceAccounts say.
const RESERVED: &str = "system:";
/// How much of what is wrong with a Secret is told.
const MOST_FAULTS: usize = 3;

const USER: &str = "dragoman.dev/user";
const GROUPS: &str = "dragoman.dev/groups";
const EXPIRES: &str = "dragoman.dev/expires";

/// What became of a policy's Secrets.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Users, with their tokens.
    pub(super) tokens: Vec<TokensItem>,
    /// Why there may be more.
    pub(super) unknown: Option<String>,
}

pub(super) fn tokens(
    spec: &BearerTokens,
    namespace: &str,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Found {
    let at = "spec.authentication.bearerTokens";
    let named: Vec<(String, &str)> = match (&spec.secret_refs, &spec.secret_selector) {
        (Some(references), None) => references
            .iter()
            .enumerate()
            .map(|(index, reference)| {
                let field = format!("{at}.secretRefs[{index}]");
                (field, reference.name.as_str())
            })
            .collect(),
        (None, Some(selector)) => world
            .secrets(namespace)
            .filter(|(_, labels)| selects(selector, |label| labels.get(label).map(String::as_str)))
            .map(|(name, _)| (format!("{at}.secretSelector"), name))
            .collect(),
        _ => {
            findings.invalid(at, "set exactly one of secretRefs and secretSelector");
            return Found::default();
        }
    };
    if named.is_empty() {
        findings.note(format!(
            "{at}.secretSelector selects no Secret of namespace {namespace} yet, so nobody has a token"
        ));
    }
    let mut gathered = Gathered::default();
    let mut unknown = Vec::new();
    for (field, name) in named {
        match secret::whole(name, namespace, world) {
            Ok(content) => {
                let mut faults = gathered.take(name, content);
                let more = faults.len().saturating_sub(MOST_FAULTS);
                faults.truncate(MOST_FAULTS);
                if more > 0 {
                    faults.push(format!("and {more} more"));
                }
                if !faults.is_empty() {
                    let faults = faults.join("; ");
                    let fault = format!("{field}: Secret {namespace}/{name}: {faults}");
                    findings.unresolved(reason::SECRET_INVALID, fault);
                }
            }
            Err((reason, fault)) => {
                findings.unresolved(reason, format!("{field}: {fault}"));
                unknown.push(fault);
            }
        }
    }
    for fault in gathered.drop_shared(namespace) {
        findings.unresolved(reason::SECRET_INVALID, format!("{at}: {fault}"));
    }
    unknown.truncate(MOST_FAULTS);
    Found {
        tokens: gathered.users,
        unknown: (!unknown.is_empty()).then(|| unknown.join("; ")),
    }
}

/// Whose a token is: a user, and the Secret that says so.
#[derive(Clone, Debug)]
struct Holder {
    user: usize,
    secret: String,
}

#[derive(Debug, Default)]
struct Gathered {
    users: Vec<TokensItem>,
    holders: HashMap<String, Holder>,
    /// Tokens that stand for more than one user, and who they are.
    shared: BTreeMap<String, (Holder, Holder)>,
}

impl Gathered {
    /// Takes in a Secret; returns what of it cannot be used.
    fn take(&mut self, secret: &str, content: &InputContent) -> Vec<String> {
        let about = match about(content) {
            Ok(about) => about,
            Err(fault) => return vec![fault],
        };
        let mut faults = Vec::new();
        let mut users: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (key, value) in &content.values {
            let user = about.user.as_deref().unwrap_or(key);
            let hashes = users.entry(user).or_default();
            match std::str::from_utf8(value) {
                Ok(text) => hashes.extend(lines(key, text, &mut faults)),
                Err(_) => faults.push(format!(
                    "the value of key {key:?} is not text; write one token a line"
                )),
            }
        }
        let count: usize = users.values().map(Vec::len).sum();
        if self.holders.len() + count > MOST_TOKENS {
            return vec![format!(
                "with its {count} tokens the policy would have more than {MOST_TOKENS}, so all of them are left out; use one policy for each team, or JSON Web Tokens"
            )];
        }
        for (user, hashes) in users {
            self.add(secret, user, &about, hashes);
        }
        faults
    }

    fn add(&mut self, secret: &str, user: &str, about: &About, hashes: Vec<String>) {
        let at = self.users.len();
        let mut item = TokensItem {
            user: user.to_owned(),
            groups: about.groups.clone(),
            expires: about.expires,
            sha256: Vec::with_capacity(hashes.len()),
        };
        for hash in hashes {
            let holder = Holder {
                user: at,
                secret: secret.to_owned(),
            };
            match self.holders.get(&hash) {
                None => {
                    self.holders.insert(hash.clone(), holder);
                    item.sha256.push(hash);
                }
                // Twice in one Secret, or in two that say the same of it.
                Some(first) if first.user == at || same(&self.users[first.user], &item) => {}
                Some(first) => {
                    self.shared.insert(hash, (first.clone(), holder));
                }
            }
        }
        self.users.push(item);
    }

    /// Leaves out tokens that stand for more than one user, since nobody can say whose they are; returns what is told of them.
    fn drop_shared(&mut self, namespace: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for (hash, (one, other)) in std::mem::take(&mut self.shared) {
            let told = |holder: &Holder| {
                let user = &self.users[holder.user].user;
                format!("user {user:?} in Secret {namespace}/{}", holder.secret)
            };
            let fault = format!(
                "{} and {} have the same token, with different names, groups or expiry, so it is worth nothing; give each its own",
                told(&one),
                told(&other)
            );
            if !faults.contains(&fault) && faults.len() < MOST_FAULTS {
                faults.push(fault);
            }
            self.users[one.user].sha256.retain(|known| *known != hash);
        }
        self.users.retain(|user| !user.sha256.is_empty());
        faults
    }
}

fn same(one: &TokensItem, other: &TokensItem) -> bool {
    one.user == other.user && one.groups == other.groups && one.expires == other.expires
}

/// What a Secret's annotations say.
#[derive(Debug)]
struct About {
    user: Option<String>,
    groups: Vec<String>,
    expires: Option<i64>,
}

fn about(content: &InputContent) -> Result<About, String> {
    let annotation = |name: &str| {
        let value = content.annotations.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    };
    let user = annotation(USER).map(str::to_owned);
    if let Some(user) = &user {
        is_name(user).map_err(|fault| format!("annotation {USER} {fault}"))?;
    }
    let groups = annotation(GROUPS).unwrap_or_default().split(',');
    let groups = groups.map(str::trim).filter(|group| !group.is_empty());
    let groups: Vec<String> = groups.map(str::to_owned).collect();
    for group in &groups {
        is_name(group).map_err(|fault| format!("annotation {GROUPS} {fault}"))?;
    }
    if groups.len() > MOST_GROUPS {
        return Err(format!(
            "annotation {GROUPS} names {} groups; name at most {MOST_GROUPS}",
            groups.len()
        ));
    }
    let expires = annotation(EXPIRES).map(|text| {
        let time = text.parse::<Timestamp>();
        time.map(Timestamp::as_second).map_err(|_| {
            format!(
                "annotation {EXPIRES} is {text:?}, no time, so all its tokens are left out; write it like 2027-01-31T00:00:00Z"
            )
        })
    });
    Ok(About {
        user,
        groups,
        expires: expires.transpose()?,
    })
}

/// Whether users and groups may be called so.
fn is_name(name: &str) -> Result<(), String> {
    if name.len() > LONGEST_NAME {
        return Err(format!(
            "holds a name of {} bytes; write at most {LONGEST_NAME}",
            name.len()
        ));
    }
    if name.chars().any(char::is_control) {
        return Err("holds a control character; write a name without".into());
    }
    if name.starts_with(RESERVED) {
        return Err(format!(
            "holds {name:?}, and names that begin with {RESERVED:?} are Kubernetes' own; write another"
        ));
    }
    Ok(())
}

/// The hash of each token of a value.
fn lines(key: &str, text: &str, faults: &mut Vec<String>) -> Vec<String> {
    let mut hashes = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let token = line.trim();
        if token.is_empty() {
            continue;
        }
        let at = at + 1;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            faults.push(format!(
                "line {at} of key {key:?} holds more than visible ASCII characters, which no header can carry; write one token a line"
            ));
        } else if token.len() < SHORTEST {
            faults.push(format!(
                "the token in line {at} of key {key:?} has {} characters, and one below {SHORTEST} can be guessed; make one with openssl rand -hex 24",
                token.len()
            ));
        } else {
            hashes.push(hash(token));
        }
    }
    hashes
}

fn hash(token: &str) -> String {
    let digest = Sha256::digest(token);
    let mut hex = String::with_capacity(64);
    for byte in digest {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
