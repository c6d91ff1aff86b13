use dragoman_config::Kind;
use dragoman_crds::BackendHealth;

use super::*;

fn backend(name: &str, health: BackendHealth) -> BackendReport {
    let item = Key::new(Kind::Backend, "n", name);
    BackendReport {
        item,
        backend: None,
        health,
        models: None,
        message: None,
    }
}

fn told(report: Option<Report>) -> Vec<BackendReport> {
    report.map(|report| report.backends).unwrap_or_default()
}

#[test]
fn the_first_report_tells_of_all_backends_and_later_ones_of_changes() {
    let mut reports = Reports::default();
    let now = Instant::now();
    let (a, b) = (
        backend("a", BackendHealth::Healthy),
        backend("b", BackendHealth::Unknown),
    );
    reports.applied(now);
    assert_eq!(reports.due(), Some(now));
    let all = vec![a.clone(), b];
    assert_eq!(
        told(reports.take(now, "d", &BTreeMap::new(), all.clone(), Counting::default())),
        all
    );
    let changed = backend("b", BackendHealth::Unhealthy);
    reports.applied(now);
    let health = vec![a, changed.clone()];
    assert_eq!(
        told(reports.take(now, "d", &BTreeMap::new(), health, Counting::default())),
        [changed]
    );
}

#[test]
fn a_transaction_is_reported_at_once_although_health_waits() {
    let mut reports = Reports::default();
    let now = Instant::now();
    reports.applied(now);
    reports.take(now, "d", &BTreeMap::new(), Vec::new(), Counting::default());
    reports.health_changed(now);
    assert_eq!(reports.due(), Some(now + HEALTH_EVERY));
    reports.applied(now);
    assert_eq!(reports.due(), Some(now));
}

#[test]
fn health_that_changed_and_changed_back_is_not_reported() {
    let mut reports = Reports::default();
    let now = Instant::now();
    let health = vec![backend("a", BackendHealth::Healthy)];
    reports.applied(now);
    reports.take(
        now,
        "d",
        &BTreeMap::new(),
        health.clone(),
        Counting::default(),
    );
    reports.health_changed(now);
    assert_eq!(
        reports.take(now, "d", &BTreeMap::new(), health, Counting::default()),
        None
    );
    assert_eq!(reports.due(), None);
}

#[test]
fn an_operator_with_nothing_to_send_hears_of_us_all_the_same() {
    let mut reports = Reports::default();
    let now = Instant::now();
    reports.synced(now);
    let refused = BTreeMap::from([(Key::new(Kind::Map, "n", "m"), "why".to_owned())]);
    let report = reports
        .take(now, "d", &refused, Vec::new(), Counting::default())
        .unwrap();
    assert_eq!((report.digest.as_str(), report.refused), ("d", refused));
    reports.synced(now);
    assert_eq!(reports.due(), None);
}

#[test]
fn a_ban_and_a_redis_that_goes_away_are_told_once() {
    let mut reports = Reports::default();
    let now = Instant::now();
    let counting = |banned, away: Option<&str>| Counting {
        banned,
        redis_away: away.map(str::to_owned),
        log: None,
    };
    let take = |reports: &mut Reports, counting: &Counting| {
        let later = now + HEALTH_EVERY;
        reports.counts(counting, later);
        reports.due()?;
        reports.take(later, "d", &BTreeMap::new(), Vec::new(), counting.clone())
    };
    // Nothing is due of itself: the first report comes with the first sync.
    assert_eq!(take(&mut reports, &counting(0, None)), None);
    reports.applied(now);
    let first = take(&mut reports, &counting(0, None)).unwrap();
    assert_eq!((first.banned, first.redis_away), (Some(0), None));
    assert_eq!(take(&mut reports, &counting(0, None)), None);
    let told = take(&mut reports, &counting(2, Some("timed out"))).unwrap();
    assert_eq!(
        (told.banned, told.redis_away.as_deref()),
        (Some(2), Some("timed out"))
    );
    assert_eq!(take(&mut reports, &counting(2, Some("timed out"))), None);
    assert_eq!(
        take(&mut reports, &counting(0, None)).unwrap().redis_away,
        None
    );
}
