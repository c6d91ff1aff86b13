//! Paths that name a model without being a call that is known here, and the versions of Gemini's API.

use http::Method;

/// Whether a path's segment is a version of Gemini's API besides `v1`: `v1beta`, `v1alpha` and their kin.
///
/// Source: [versions](https://ai.google.dev/gemini-api/docs/api-versions).
pub fn is_googles_version(segment: &str) -> bool {
    let Some(rest) = segment.strip_prefix('v') else {
        return false;
    };
    let digit = |character: char| character.is_ascii_digit();
    let kind = rest.trim_matches(digit);
    rest.starts_with(digit) && matches!(kind, "alpha" | "beta")
}

/// The version of Gemini's API that a path names: what follows its first slash.
pub fn googles_version(path: &str) -> Option<&str> {
    let first = path.strip_prefix('/')?.split('/').next()?;
    is_googles_version(first).then_some(first)
}

/// Whether a request that is no call that is known may call a model all the same, which its path names: what follows a collection of them.
pub(crate) fn calls_unread(method: &Method, path: &str) -> bool {
    const COLLECTIONS: [&str; 7] = [
        "deployments",
        "endpoints",
        "engines",
        "model",
        "models",
        "publishers",
        "tunedModels",
    ];
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let follows = segments.peek().is_some_and(|next| !next.is_empty());
        if follows
            && COLLECTIONS
                .iter()
                .any(|it| it.eq_ignore_ascii_case(segment))
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_googles_is_told_from_names() {
        for version in ["v1beta", "v1alpha", "v1beta2", "v2beta"] {
            assert!(is_googles_version(version), "{version}");
        }
        for other in ["v1", "vbeta", "beta", "v1gamma", "version", ""] {
            assert!(!is_googles_version(other), "{other}");
        }
        assert_eq!(googles_version("/v1alpha/models/a:x"), Some("v1alpha"));
        assert_eq!(googles_version("/models/v1beta"), None);
    }

    #[test]
    fn what_follows_a_collection_of_models_may_be_called() {
        let post = |path: &str| calls_unread(&Method::POST, path);
        for path in [
            "/v1beta/models/a:predict",
            "/Models/a",
            "/projects/p/locations/l/publishers/google/models/a:rawPredict",
            "/engines/a/completions",
        ] {
            assert!(post(path), "{path}");
            assert!(!calls_unread(&Method::GET, path), "{path}");
        }
        for path in ["/models", "/models/", "/completion", "/v1/batches", "/"] {
            assert!(!post(path), "{path}");
        }
    }
}
