//! The guarded route and its AccessPolicy: every part that a request must pass, each as large as a big installation has it.

use std::fmt::Write as _;

use crate::wire;

/// Tokens that are known, each of a user of its own.
const TOKENS: usize = 10_000;
/// Networks in each of the two lists, 1,000 in all. No two of them touch, so that none are merged into one.
const NETWORKS: usize = 500;
/// Rules. None applies, so that every request is held against all of them.
const RULES: usize = 20;

/// The route to the backend `chat` that differs from the plain one by its policy, the policy, and the Secret with its users.
pub(super) fn manifests() -> String {
    // The client's user is the last one, as its network is.
    let mut users = lines(TOKENS - 1, |n| {
        format!("user-{n:05}: sk-user-{n:05}-0123456789abcdef0123456789abcdef")
    });
    let _ = writeln!(users, "  client: {}", wire::CLIENT_KEY);
    let mut allowed = lines(NETWORKS - 1, |n| format!("- {}", network(10, n)));
    allowed.push_str("  - 127.0.0.0/8\n");
    let allowed = indented(&allowed);
    let denied = indented(&lines(NETWORKS, |n| format!("- {}", network(11, n))));
    let rules = lines(RULES, |n| {
        let condition = condition(n);
        format!("- {{name: rule-{n}, when: \"{condition}\", action: Deny}}")
    });
    format!(
        "apiVersion: dragoman.dev/v1alpha1
kind: LLMRoute
metadata: {{name: guarded}}
spec:
  modelMapRef: {{name: rename}}
  accessPolicyRefs: [{{name: guarded}}]
  backends:
  - name: upstream
    backendRef: {{name: chat}}
---
apiVersion: v1
kind: Secret
metadata:
  name: users
  annotations: {{dragoman.dev/groups: 'staff,research,on-call'}}
stringData:
{users}---
apiVersion: dragoman.dev/v1alpha1
kind: AccessPolicy
metadata: {{name: guarded}}
spec:
  authentication: {{bearerTokens: {{secretRefs: [{{name: users}}]}}}}
  network:
    allow:
{allowed}    deny:
{denied}  rules:
{rules}  limits:
  - {{per: User, requests: 1000000000, window: 1m}}
"
    )
}

/// A network that is not this machine's, and touches no other one.
fn network(first: u8, n: usize) -> String {
    format!("{first}.{}.{}.0/24", n / 128, n % 128 * 2)
}

/// What no request of the load fulfils, but is to be looked at to its end.
fn condition(n: usize) -> String {
    match n % 5 {
        0 => format!("headers['x-team'] == 'team-{n}'"),
        1 => format!("headers['user-agent'].startsWith('Agent-{n}/')"),
        2 => format!("user.name == 'user-{n:05}'"),
        3 => format!("model in ['model-{n}', 'preview-{n}']"),
        _ => format!("'group-{n}' in user.groups || model.matches('^preview-{n}')"),
    }
}

/// One line for each number, two columns in.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|n| format!("  {}\n", line(n))).collect()
}

/// The lines two columns further in.
fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_policy_is_as_large_as_the_report_says() {
        let text = manifests();
        let marked = |mark: &str| text.lines().filter(|line| line.contains(mark)).count();
        assert_eq!(marked("sk-"), 10_000);
        assert_eq!(marked("/24") + marked("/8"), 1_000);
        assert_eq!(marked("when: "), 20);
        assert_eq!(marked("per: User"), 1);
        let distinct: HashSet<_> = text.lines().filter(|line| line.contains("sk-")).collect();
        assert_eq!(distinct.len(), 10_000);
    }

    #[test]
    fn the_clients_key_is_a_users_token() {
        let user = format!("  client: {}\n", wire::CLIENT_KEY);
        assert!(manifests().contains(&user));
    }
}
