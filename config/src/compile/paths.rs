//! A route's path map.

use dragoman_crds::{LLMRoute, RoutePath};

use super::grant::{permits, resolve};
use super::{Findings, mapper};
use crate::world::Lookup;
use crate::{MapperItem, ObjectKey, PathItem, reason};

/// The path map of a route; none where it has none.
pub(super) fn paths(
    resource: &LLMRoute,
    own: &ObjectKey,
    world: &Lookup<'_>,
    findings: &mut Findings,
) -> Option<Vec<PathItem>> {
    let mut paths = Vec::with_capacity(resource.spec.paths.len());
    for (at, path) in resource.spec.paths.iter().enumerate() {
        let field = format!("spec.paths[{at}]");
        let names: Vec<_> = resource
            .spec
            .backends
            .iter()
            .map(|each| &*each.name)
            .collect();
        if !names.contains(&&*path.backend) {
            findings.invalid(
                &format!("{field}.backend"),
                format_args!(
                    "there is no backend {:?}; name one of {}",
                    path.backend,
                    names.join(", ")
                ),
            );
        }
        let used = mapper_of(path, own, world);
        let (mapper, unusable) = match used {
            Ok(mapper) => (mapper.map(Box::new), None),
            Err((reason, message)) => {
                let message = format!("{field}.mapperRef: {message}");
                findings.unresolved(reason, message.clone());
                (None, Some(message))
            }
        };
        let (from, below) = cut(&path.path);
        let to = path.to.as_deref().map(cut);
        paths.push(PathItem {
            path: from.to_owned(),
            below,
            backend: path.backend.clone(),
            to: to.map(|(to, _)| to.to_owned()),
            rest: to.is_some_and(|(_, rest)| rest),
            mapper,
            unusable,
        });
    }
    (!paths.is_empty()).then_some(paths)
}

/// A path without `/*`, and whether it had that.
fn cut(path: &str) -> (&str, bool) {
    match path.strip_suffix("/*") {
        Some(path) => (path, true),
        None => (path, false),
    }
}

fn mapper_of(
    path: &RoutePath,
    own: &ObjectKey,
    world: &Lookup<'_>,
) -> Result<Option<MapperItem>, (&'static str, String)> {
    let Some(reference) = &path.mapper_ref else {
        return Ok(None);
    };
    let key = resolve(reference, own);
    if let Some(mapper) = world.mapper(&key)
        && !permits(&mapper.spec.allowed_routes, &key, own, world)
    {
        let message = format!(
            "Mapper {key} admits no routes from namespace {}; extend its spec.allowedRoutes",
            own.namespace
        );
        return Err((reason::NOT_PERMITTED, message));
    }
    mapper::used(&key, world).map(Some)
}
