//! Which backends may answer a call, and in which order they are asked.

use rand::Rng;

use crate::state::backend::Backend;
use crate::state::listing::Whose;
use crate::state::route::{Route, RouteBackend};

/// A route has at most so many backends.
const MOST: usize = 32;

/// Backends in the order in which they are asked, by their places in the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidates {
    order: [u8; MOST],
    length: usize,
}

impl Candidates {
    fn none() -> Self {
        Self {
            order: [0; MOST],
            length: 0,
        }
    }

    fn push(&mut self, at: usize) {
        if let (Some(place), Ok(at)) = (self.order.get_mut(self.length), u8::try_from(at)) {
            *place = at;
            self.length += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.order[..self.length].iter().map(|at| usize::from(*at))
    }

    fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut kept = Self::none();
        self.iter()
            .filter(|at| keep(*at))
            .for_each(|at| kept.push(at));
        *self = kept;
    }

    /// Puts them in order: those that answer before those that failed, then by priority, then at random by weight.
    fn sort(&mut self, route: &Route) {
        if self.length < 2 {
            return;
        }
        let mut keys = [(false, 0, f64::MAX); MOST];
        for at in self.iter() {
            let entry = &route.backends[at];
            let left_out = entry
                .backend
                .as_ref()
                .is_ok_and(|backend| !backend.lasting.health.admits());
            keys[at] = (left_out, entry.priority, turn(entry.weight));
        }
        self.order[..self.length].sort_by(|one, other| {
            let (one, other) = (keys[usize::from(*one)], keys[usize::from(*other)]);
            (one.0, one.1)
                .cmp(&(other.0, other.1))
                .then(one.2.total_cmp(&other.2))
        });
    }
}

/// A draw of which the smallest wins: exponential with the weight as rate, so that the winner, and then each next one, is drawn by weight.
fn turn(weight: u32) -> f64 {
    if weight == 0 {
        return f64::MAX;
    }
    -rand::rng().random_range(f64::MIN_POSITIVE..1.0).ln() / f64::from(weight)
}

fn usable(entry: &RouteBackend) -> bool {
    entry.backend.is_ok()
}

/// Why no backend may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nobody {
    /// None has the model.
    NoModel,
    /// The first does not take the path.
    Refuses,
    /// Those that may have it cannot be used, for the reason that the first of them gives.
    Unusable(usize),
}

/// The backend of this name alone, for a path that it takes.
pub(crate) fn named(
    route: &Route,
    name: &str,
    takes: impl Fn(&Backend) -> bool,
) -> Result<Candidates, Nobody> {
    let mut entries = route.backends.iter().enumerate();
    let Some((at, entry)) = entries.find(|(_, entry)| entry.name == name) else {
        return Err(Nobody::NoModel);
    };
    match &entry.backend {
        Ok(backend) if takes(backend) => {
            let mut only = Candidates::none();
            only.push(at);
            Ok(only)
        }
        Ok(_) => Err(Nobody::Refuses),
        Err(_) => Err(Nobody::Unusable(at)),
    }
}

/// The backends that may answer a call of `model`, which the map gave to `backend` alone if it named one.
pub(crate) fn for_model(
    route: &Route,
    model: &str,
    backend: Option<&str>,
    whose: impl Fn(&Backend) -> Whose,
) -> Result<Candidates, Nobody> {
    let mut candidates = Candidates::none();
    let mut unusable = None;
    let admitted = route.backends.iter().enumerate().filter(|(_, entry)| {
        backend.is_none_or(|name| entry.name == name) && entry.names.bare(model).is_some()
    });
    for (at, entry) in admitted {
        if usable(entry) {
            candidates.push(at);
        } else {
            unusable.get_or_insert(at);
        }
    }
    match (candidates.is_empty(), unusable) {
        (true, Some(at)) => return Err(Nobody::Unusable(at)),
        (true, None) => return Err(Nobody::NoModel),
        (false, _) => {}
    }
    if candidates.length > 1 {
        leave_out_those_without(route, model, &mut candidates, whose);
        candidates.sort(route);
    }
    Ok(candidates)
}

/// One whose known list lacks the model is left out while another has it or has no known list.
fn leave_out_those_without(
    route: &Route,
    model: &str,
    candidates: &mut Candidates,
    whose: impl Fn(&Backend) -> Whose,
) {
    let lacks = |at: usize| {
        let entry = &route.backends[at];
        let (Ok(backend), Some(bare)) = (&entry.backend, entry.names.bare(model)) else {
            return false;
        };
        !entry.names.catalogued(bare)
            && backend
                .listings
                .lack(whose(backend), entry.names.upstream(bare))
    };
    if candidates.iter().any(|at| !lacks(at)) {
        candidates.retain(|at| !lacks(at));
    }
}

/// The backends for a path that names no model, the first by priority first, and of equals the first of the route.
///
/// That first one decides whether the path is `taken` at all: what is meant for it, such as the deletion of a model, must not
/// reach another because it may not reach this one. Others that take the path stand in for it while it fails.
pub(crate) fn for_path(
    route: &Route,
    takes: impl Fn(&Backend) -> bool,
) -> Result<Candidates, Nobody> {
    let mut candidates = Candidates::none();
    let backends = route.backends.iter().enumerate();
    let mut usable: Vec<(u32, usize, &Backend)> = backends
        .filter_map(|(at, entry)| Some((entry.priority, at, &**entry.backend.as_ref().ok()?)))
        .collect();
    usable.sort_unstable_by_key(|(priority, at, _)| (*priority, *at));
    match usable.first() {
        None => return Err(Nobody::Unusable(0)),
        Some((_, _, first)) if !takes(first) => return Err(Nobody::Refuses),
        Some(_) => {}
    }
    let taking = usable.into_iter().filter(|(_, _, backend)| takes(backend));
    let (well, ill): (Vec<_>, Vec<_>) =
        taking.partition(|(_, _, backend)| backend.lasting.health.admits());
    for (_, at, _) in well.into_iter().chain(ill) {
        candidates.push(at);
    }
    Ok(candidates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_weights_and_weight_0_comes_last() {
        let mut wins = [0; 2];
        for _ in 0..4000 {
            wins[usize::from(turn(1) < turn(3))] += 1;
            assert!(turn(1000) < turn(0));
        }
        // One in four, give or take six standard deviations.
        assert!((830..1170).contains(&wins[1]), "{wins:?}");
    }
}
