//! Questions have the same answers on both databases.

use crate::fixture::{Fixture, at, noon, on_both};
use dragoman_logbook::fault::Fault;
use dragoman_logbook::query::{Columns, Dimension, Figures, Filter, Percentiles, Status};
use dragoman_logbook::record::Record;
use serde_json::json;
use std::time::Duration;

on_both!(
    pages_go_newest_first_and_never_repeat_or_miss_a_row,
    each_filter_lets_through_what_it_names,
    a_namespace_that_may_not_be_seen_is_not,
    the_namespaces_of_the_log_are_listed_each_once,
    text_is_found_in_bodies_content_and_errors_in_either_case,
    attributes_match_whatever_they_are,
    a_series_has_counts_sums_and_percentiles_of_each_step,
    the_top_of_each_dimension_is_by_requests,
    an_overview_is_what_its_parts_are_when_asked_one_by_one,
    what_cannot_be_answered_is_a_fault_of_the_question,
);

async fn ids(fixture: &Fixture, filter: &Filter) -> Vec<String> {
    let page = fixture
        .store
        .page(filter, Columns::Small, 100, None)
        .await
        .unwrap();
    page.records.into_iter().map(|record| record.id).collect()
}

async fn pages_go_newest_first_and_never_repeat_or_miss_a_row(fixture: Fixture) {
    // Many at the same moment, so that ids have to order them.
    let batch: Vec<_> = (0..25).map(|i| at(i / 10)).collect();
    fixture.store.insert(&batch).await.unwrap();
    let mut expected: Vec<_> = batch
        .iter()
        .map(|record| (record.started_at, record.id.clone()))
        .collect();
    expected.sort();
    expected.reverse();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = fixture
            .store
            .page(&Filter::default(), Columns::Small, 5, after.as_deref())
            .await
            .unwrap();
        seen.extend(
            page.records
                .into_iter()
                .map(|record| (record.started_at, record.id)),
        );
        // What comes meanwhile is newer than any page to come.
        fixture.store.insert(&[at(100)]).await.unwrap();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
}

async fn each_filter_lets_through_what_it_names(fixture: Fixture) {
    let odd = Record {
        route: Some("other".into()),
        user_name: Some("bob".into()),
        model_requested: Some("o3".into()),
        status: Some(503),
        duration_ms: 9000,
        ..at(1)
    };
    let left = Record {
        status: None,
        error: Some("the client left".into()),
        ..at(2)
    };
    let (plain, other) = (at(0), odd.id.clone());
    fixture
        .store
        .insert(&[plain.clone(), odd, left.clone()])
        .await
        .unwrap();
    let only_odd = [
        Filter {
            route: Some("other".into()),
            ..Filter::default()
        },
        Filter {
            user: Some("bob".into()),
            ..Filter::default()
        },
        Filter {
            model: Some("o3".into()),
            ..Filter::default()
        },
        Filter {
            status: Some(Status::Code(503)),
            ..Filter::default()
        },
        Filter {
            status: Some(Status::Class(5)),
            ..Filter::default()
        },
        Filter {
            min_duration_ms: Some(9000),
            ..Filter::default()
        },
        Filter {
            from: Some(noon() + 1_000_000),
            until: Some(noon() + 2_000_000),
            ..Filter::default()
        },
    ];
    for filter in only_odd {
        assert_eq!(ids(&fixture, &filter).await, [other.as_str()], "{filter:?}");
    }
    let status = |status| Filter {
        status: Some(status),
        ..Filter::default()
    };
    assert_eq!(
        ids(&fixture, &status(Status::Failed)).await,
        [left.id.as_str(), &other]
    );
    assert_eq!(
        ids(&fixture, &status(Status::Succeeded)).await,
        [plain.id.as_str()]
    );
    assert_eq!(
        ids(&fixture, &status(Status::Class(2))).await,
        [plain.id.as_str()]
    );
    assert!(ids(&fixture, &status(Status::Class(4))).await.is_empty());
}

async fn the_namespaces_of_the_log_are_listed_each_once(fixture: Fixture) {
    let names = async |most| fixture.store.namespaces(most).await.unwrap();
    assert!(names(10).await.is_empty());
    let of = |namespace: &str, seconds| Record {
        namespace: namespace.into(),
        ..at(seconds)
    };
    // Of several days, and so of several partitions.
    let rows = [
        of("b", 0),
        of("a", -86_400),
        of("c", -86_400),
        of("a", 0),
        of("b", 1),
    ];
    fixture.store.insert(&rows).await.unwrap();
    assert_eq!(names(10).await, ["a", "b", "c"]);
    assert_eq!(names(2).await, ["a", "b"]);
}

async fn a_namespace_that_may_not_be_seen_is_not(fixture: Fixture) {
    let ours = at(0);
    let theirs = Record {
        namespace: "them".into(),
        ..at(1)
    };
    fixture
        .store
        .insert(&[ours.clone(), theirs.clone()])
        .await
        .unwrap();
    let seen = |namespaces: &[&str]| Filter {
        namespaces: Some(namespaces.iter().map(|name| (*name).to_owned()).collect()),
        ..Filter::default()
    };
    assert_eq!(ids(&fixture, &seen(&["team"])).await, [ours.id.as_str()]);
    assert_eq!(ids(&fixture, &seen(&["them", "team"])).await.len(), 2);
    assert!(ids(&fixture, &seen(&[])).await.is_empty());
    assert_eq!(
        fixture
            .store
            .totals(&seen(&["team"]))
            .await
            .unwrap()
            .requests,
        1
    );
    let mine = ["team".to_owned()];
    assert_eq!(
        fixture.store.get(&theirs.id, Some(&mine)).await.unwrap(),
        None
    );
    assert_eq!(
        fixture.store.get(&theirs.id, Some(&[])).await.unwrap(),
        None
    );
    assert!(
        fixture
            .store
            .get(&ours.id, Some(&mine))
            .await
            .unwrap()
            .is_some()
    );
}

async fn text_is_found_in_bodies_content_and_errors_in_either_case(fixture: Fixture) {
    let records = [
        Record {
            request_body: Some("a NEEDLE of ümlaut".into()),
            ..at(1)
        },
        Record {
            response_body: Some("needle%".into()),
            ..at(2)
        },
        Record {
            response_content: Some("xxNeedle_".into()),
            ..at(3)
        },
        Record {
            error: Some("needle'\\".into()),
            ..at(4)
        },
        at(5),
    ];
    fixture.store.insert(&records).await.unwrap();
    let text = |text: &str| Filter {
        from: Some(noon()),
        text: Some(text.into()),
        ..Filter::default()
    };
    assert_eq!(ids(&fixture, &text("neEdle")).await.len(), 4);
    for (needle, record) in [("ümlaut", 0), ("E%", 1), ("e_", 2), ("e'\\", 3)] {
        assert_eq!(
            ids(&fixture, &text(needle)).await,
            [records[record].id.as_str()],
            "{needle}"
        );
    }
    let later = Filter {
        from: Some(noon() + 5_000_000),
        ..text("needle")
    };
    assert!(ids(&fixture, &later).await.is_empty());
}

async fn attributes_match_whatever_they_are(fixture: Fixture) {
    let with = |seconds, value| Record {
        attributes: json!({"other": 1, "a.b": value}).as_object().cloned(),
        ..at(seconds)
    };
    let records = [
        with(1, json!("red")),
        with(2, json!(5)),
        with(3, json!("5")),
        with(4, json!(2.5)),
        with(5, json!(true)),
        with(6, json!({"deep": "red"})),
        with(7, json!(null)),
        at(8),
    ];
    fixture.store.insert(&records).await.unwrap();
    for (value, expected) in [
        ("red", vec![1]),
        ("5", vec![3, 2]),
        ("2.5", vec![4]),
        ("true", vec![5]),
        ("null", vec![]),
        ("1", vec![]),
    ] {
        let filter = Filter {
            attributes: vec![("a.b".into(), value.into())],
            ..Filter::default()
        };
        let expected: Vec<_> = expected
            .into_iter()
            .map(|at| records[at - 1_usize].id.clone())
            .collect();
        assert_eq!(ids(&fixture, &filter).await, expected, "{value}");
    }
}

async fn a_series_has_counts_sums_and_percentiles_of_each_step(fixture: Fixture) {
    let mut batch: Vec<_> = (1..=20)
        .map(|i| Record {
            duration_ms: i * 10,
            ..at(i)
        })
        .collect();
    batch[0].status = Some(500);
    batch[0].ttft_ms = None;
    batch.push(Record {
        duration_ms: 12_345,
        ttft_ms: None,
        prompt_tokens: None,
        cost: None,
        ..at(61)
    });
    fixture.store.insert(&batch).await.unwrap();
    let filter = Filter {
        from: Some(noon()),
        until: Some(noon() + 3_600_000_000),
        ..Filter::default()
    };
    let series = fixture
        .store
        .series(&filter, Duration::from_mins(1))
        .await
        .unwrap();
    let first = Figures {
        requests: 20,
        errors: 1,
        prompt_tokens: 200,
        completion_tokens: 100,
        cost: 25_000,
        duration_ms: Percentiles {
            p50: Some(100),
            p95: Some(184),
            p99: Some(200),
        },
        ttft_ms: Percentiles {
            p50: Some(40),
            p95: Some(40),
            p99: Some(40),
        },
    };
    // Rounded down to five binary digits, as 190 ms were.
    let long = Some(12_288);
    let second = Figures {
        requests: 1,
        completion_tokens: 5,
        duration_ms: Percentiles {
            p50: long,
            p95: long,
            p99: long,
        },
        ..Figures::default()
    };
    let series: Vec<_> = series
        .into_iter()
        .map(|point| (point.at, point.figures))
        .collect();
    assert_eq!(series, [(noon(), first), (noon() + 60_000_000, second)]);
    let totals = fixture.store.totals(&filter).await.unwrap();
    assert_eq!(
        (totals.requests, totals.cost, totals.duration_ms.p50),
        (21, 25_000, Some(108))
    );
}

async fn the_top_of_each_dimension_is_by_requests(fixture: Fixture) {
    let named = |user: &str, route: Option<&str>| Record {
        user_name: Some(user.into()),
        route: route.map(Into::into),
        ..at(0)
    };
    let batch = [
        named("a", Some("x")),
        named("b", Some("y")),
        named("b", Some("y")),
        named("c", None),
    ];
    fixture.store.insert(&batch).await.unwrap();
    let top = async |by, limit| {
        let top = fixture
            .store
            .top(&Filter::default(), by, limit)
            .await
            .unwrap();
        top.into_iter()
            .map(|line| (line.name, line.figures.requests))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        top(Dimension::User, 2).await,
        [("b".to_owned(), 2), ("a".to_owned(), 1)]
    );
    assert_eq!(
        top(Dimension::Route, 9).await,
        [("team/y".to_owned(), 2), ("team/x".to_owned(), 1)]
    );
    assert_eq!(top(Dimension::Model, 9).await, [("gpt-4o".to_owned(), 4)]);
}

async fn an_overview_is_what_its_parts_are_when_asked_one_by_one(fixture: Fixture) {
    let batch: Vec<_> = (0..60)
        .map(|i| Record {
            user_name: Some(format!("u\"{}", i % 7)),
            model_requested: (i % 5 > 0).then(|| format!("m{}", i % 3)),
            route: (i % 4 > 0).then(|| "r".into()),
            status: Some(if i % 9 == 0 { 500 } else { 200 }),
            duration_ms: i * i * 7,
            ttft_ms: (i % 2 > 0).then_some(i),
            cost: (i % 6 > 0).then_some(i),
            ..at(i * 20)
        })
        .collect();
    fixture.store.insert(&batch).await.unwrap();
    let filter = Filter {
        from: Some(noon() + 40_000_000),
        until: Some(noon() + 900_000_000),
        min_duration_ms: Some(100),
        ..Filter::default()
    };
    let (store, step) = (&fixture.store, Duration::from_mins(1));
    let overview = store.overview(&filter, step, 3).await.unwrap();
    assert_eq!(overview.series, store.series(&filter, step).await.unwrap());
    assert_eq!(overview.totals, store.totals(&filter).await.unwrap());
    for (list, dimension) in [
        (overview.models, Dimension::Model),
        (overview.routes, Dimension::Route),
        (overview.users, Dimension::User),
    ] {
        assert_eq!(list, store.top(&filter, dimension, 3).await.unwrap());
    }
    let forever = store.overview(&Filter::default(), step, 3).await;
    assert!(matches!(forever, Err(Fault::Question(_))));
}

async fn what_cannot_be_answered_is_a_fault_of_the_question(fixture: Fixture) {
    let text = Filter {
        text: Some("x".into()),
        ..Filter::default()
    };
    let fault = fixture
        .store
        .page(&text, Columns::Small, 5, None)
        .await
        .unwrap_err();
    assert!(matches!(fault, Fault::Question(_)), "{fault}");
    let cursor = fixture
        .store
        .page(&Filter::default(), Columns::Small, 5, Some("?"))
        .await
        .unwrap_err();
    assert!(matches!(cursor, Fault::Question(_)), "{cursor}");
    let year = Filter {
        from: Some(noon() - 31_536_000_000_000),
        until: Some(noon()),
        ..Filter::default()
    };
    let fault = fixture
        .store
        .series(&year, Duration::from_secs(1))
        .await
        .unwrap_err();
    assert!(matches!(fault, Fault::Question(_)), "{fault}");
}
