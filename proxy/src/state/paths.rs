//! A route's path map: which paths lead to which path of which backend.

use std::borrow::Cow;
use std::sync::Arc;

use dragoman_config::mapper::Mapper;
use dragoman_config::{PathItem, RouteItem};

use super::backend::{Unrunnable, mapper};
use crate::serve::path::after_base;

/// A path that leads to a path of a backend.
#[derive(Debug)]
pub struct Path {
    /// The path after the base URL, without a slash at its beginning or its end.
    from: String,
    below: bool,
    to: Option<String>,
    rest: bool,
    /// The place of the backend among the route's.
    pub backend: usize,
    /// What changes bodies, instead of the backend's.
    pub mapper: Option<Arc<Mapper>>,
    /// Why it cannot be used.
    pub unusable: Option<String>,
}

/// All of a route's, the ones that decide first in front: exact ones, then longer before shorter.
#[derive(Debug, Default)]
pub struct Paths(Vec<Path>);

impl Paths {
    /// The path map of a route.
    ///
    /// # Errors
    /// [`Unrunnable`] when a Mapper does not compile.
    pub fn build(item: &RouteItem) -> Result<Self, Unrunnable> {
        let mut paths = Vec::new();
        for path in item.paths.iter().flatten() {
            let named = item
                .backends
                .iter()
                .position(|backend| backend.name == path.backend);
            let PathItem {
                to, below, rest, ..
            } = path;
            paths.push(Path {
                from: after_base(&path.path).trim_matches('/').to_owned(),
                below: *below,
                to: to.clone(),
                rest: *rest,
                backend: named.unwrap_or(usize::MAX),
                mapper: mapper(path.mapper.as_deref())?,
                unusable: path.unusable.clone(),
            });
        }
        paths.sort_by_key(|path| (path.below, std::cmp::Reverse(path.from.len())));
        Ok(Self(paths))
    }

    /// The place of the one that decides about a path, which stands after the base URL; none where none does.
    pub fn find(&self, after_base: &str) -> Option<usize> {
        let asked = after_base.trim_matches('/');
        self.0
            .iter()
            .position(|path| match asked.strip_prefix(path.from.as_str()) {
                Some("") => true,
                Some(rest) => path.below && (path.from.is_empty() || rest.starts_with('/')),
                None => false,
            })
    }

    /// The one at a place that [`Paths::find`] gave.
    pub fn get(&self, at: usize) -> Option<&Path> {
        self.0.get(at)
    }
}

impl Path {
    /// Whether it says which path is called, and not the client.
    pub fn says_where(&self) -> bool {
        self.to.is_some()
    }

    /// The path that is called below the backend's URL.
    pub fn leads_to<'p>(&'p self, after_base: &'p str) -> Cow<'p, str> {
        let Some(to) = &self.to else {
            return format!("/{}", after_base.trim_start_matches('/')).into();
        };
        let asked = after_base.trim_start_matches('/');
        let rest = asked.get(self.from.len()..).unwrap_or_default();
        match (self.rest, to.as_str()) {
            (false, "") => "/".into(),
            (false, to) => to.into(),
            (true, to) if rest.is_empty() && to.is_empty() => "/".into(),
            (true, to) if self.from.is_empty() && !rest.is_empty() => format!("{to}/{rest}").into(),
            (true, to) => format!("{to}{rest}").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str, to: Option<&str>) -> PathItem {
        let cut = |path: &str| match path.strip_suffix("/*") {
            Some(path) => (path.to_owned(), true),
            None => (path.to_owned(), false),
        };
        let (path, below) = cut(path);
        let to = to.map(cut);
        PathItem {
            path,
            below,
            backend: "main".into(),
            rest: to.as_ref().is_some_and(|to| to.1),
            to: to.map(|to| to.0),
            mapper: None,
            unusable: None,
        }
    }

    fn paths(all: Vec<PathItem>) -> Paths {
        let item = serde_json::json!({"hostnames": [], "model_map": null, "backends": [], "thinking": {}, "paths": all});
        Paths::build(&serde_json::from_value(item).unwrap()).unwrap()
    }

    #[test]
    fn the_closest_path_decides_whatever_their_order() {
        let paths = paths(vec![
            path("/*", Some("/rest/*")),
            path("/a/*", Some("/below/*")),
            path("/v1/a/b", Some("/exact")),
            path("/a/b/*", None),
        ]);
        let led = |asked: &str| {
            let at = paths.find(asked)?;
            Some(paths.get(at)?.leads_to(asked).into_owned())
        };
        assert_eq!(led("a/b").as_deref(), Some("/exact"));
        assert_eq!(led("a/b/c").as_deref(), Some("/a/b/c"));
        assert_eq!(led("a/c/d").as_deref(), Some("/below/c/d"));
        assert_eq!(led("a").as_deref(), Some("/below"));
        assert_eq!(led("ab").as_deref(), Some("/rest/ab"));
    }

    #[test]
    fn a_path_is_no_prefix_unless_it_says_so() {
        let paths = paths(vec![
            path("/score", Some("/v2/score")),
            path("/all/*", Some("/one")),
        ]);
        assert_eq!(paths.find("score/more"), None);
        assert_eq!(paths.find("scores"), None);
        assert_eq!(paths.find("score/"), Some(0));
        assert_eq!(paths.find("all/of/it"), Some(1));
        assert_eq!(paths.get(1).unwrap().leads_to("all/of/it"), "/one");
    }
}
