//! Which addresses a request goes to, and what is said when there is none.

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use super::server::{HELLO, Network, answer, cluster, finds, post, run, settings};
use crate::upstream::lookup::Failure;
use crate::upstream::{Answer, Cluster, Concurrency, Denied, Endpoint, Fault, Lookup, Settings};

fn fixed(network: &Network, addresses: &'static [&'static str]) -> Cluster {
    let dialer = network.dialer(|_, stream| answer(stream, HELLO));
    Cluster::with_dialer(settings(), finds(addresses), dialer)
}

#[test]
fn requests_in_flight_spread_over_all_addresses() {
    run(async {
        let network = Network::default();
        let cluster = fixed(&network, &["10.0.0.1", "10.0.0.2", "2001:db8::3"]);
        let mut replies = Vec::new();
        for _ in 0..6 {
            let mut request = post("hi");
            request.headers.insert("accept", "*/*".parse().unwrap());
            replies.push(cluster.send(request, None));
        }
        let done = futures::future::join_all(replies).await;
        let mut count = std::collections::HashMap::new();
        for reply in done {
            *count.entry(reply.unwrap().address).or_insert(0) += 1;
        }
        assert_eq!(count.values().copied().collect::<Vec<_>>(), [2, 2, 2]);
    });
}

#[test]
fn an_address_that_refuses_is_followed_by_the_next_and_then_passed_over() {
    run(async {
        let network = Network::default();
        network
            .refusing
            .borrow_mut()
            .push("10.0.0.1".parse().unwrap());
        let cluster = fixed(&network, &["10.0.0.1", "10.0.0.2"]);
        for _ in 0..4 {
            cluster
                .send(post("hi"), None)
                .await
                .unwrap()
                .body
                .collect(10)
                .await
                .unwrap();
        }
        let refused = network
            .dialled
            .borrow()
            .iter()
            .filter(|each| each.ip().to_string() == "10.0.0.1")
            .count();
        assert_eq!(refused, 1);
    });
}

#[test]
fn the_only_address_is_tried_every_time() {
    run(async {
        let network = Network::default();
        network
            .refusing
            .borrow_mut()
            .push("10.0.0.1".parse().unwrap());
        let cluster = fixed(&network, &["10.0.0.1"]);
        for _ in 0..3 {
            let fault = cluster.send(post("hi"), None).await.unwrap_err();
            assert!(
                matches!(fault, Fault::Connect { .. }) && fault.retryable(),
                "{fault}"
            );
        }
        network.refusing.borrow_mut().clear();
        cluster.send(post("hi"), None).await.unwrap();
        assert_eq!(network.dials(), 4);
    });
}

#[test]
fn a_name_that_leads_only_to_denied_addresses_is_never_dialled() {
    run(async {
        let network = Network::default();
        let cluster = fixed(&network, &["169.254.169.254", "::ffff:169.254.169.254"]);
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert!(!fault.retryable());
        assert_eq!(
            fault.to_string(),
            "llm resolves to 169.254.169.254: link-local and metadata addresses are never called"
        );
        assert_eq!(network.dials(), 0);
    });
}

#[test]
fn of_some_denied_addresses_the_others_are_called() {
    run(async {
        let network = Network::default();
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let mut settings = settings();
        settings.denied = Denied {
            ranges: vec!["10.0.0.0/31".parse().unwrap()],
            loopback: true,
        };
        let found = finds(&["10.0.0.1", "127.0.0.1", "10.0.0.2"]);
        let cluster = Cluster::with_dialer(settings, found, dialer);
        for _ in 0..3 {
            let reply = cluster.send(post("hi"), None).await.unwrap();
            assert_eq!(reply.address.to_string(), "10.0.0.2:80");
        }
    });
}

#[test]
fn no_more_requests_are_in_flight_than_allowed() {
    run(async {
        let network = Network::default();
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let mut settings = settings();
        settings.max_concurrency = Some(Concurrency::new(Arc::default(), 1));
        let cluster = Cluster::with_dialer(settings, finds(&["10.0.0.1"]), dialer);
        let stalled = Cluster::send(&cluster, post("hi"), None);
        let mut stalled = Box::pin(stalled);
        assert!(futures::poll!(&mut stalled).is_pending());
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert!(matches!(fault, Fault::Saturated { limit: 1 }) && fault.before_sending());
        // A reply that has arrived whole is over, even while its body is held.
        let _held = stalled.await.unwrap();
        cluster.send(post("hi"), None).await.unwrap();
    });
}

/// A name server that counts its questions and gives the n-th answer.
fn counting(
    answer: impl Fn(usize) -> Result<(&'static str, u64), &'static str> + 'static,
) -> (Lookup, Rc<Cell<usize>>) {
    let count = Rc::new(Cell::new(0));
    let asked = Rc::clone(&count);
    let lookup = Lookup::new(move |_| {
        asked.set(asked.get() + 1);
        let answer = answer(asked.get());
        async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let (address, seconds) = answer?;
            let ttl = Duration::from_secs(seconds);
            Ok(Answer {
                addresses: vec![address.parse().unwrap()],
                ttl,
            })
        }
    });
    (lookup, count)
}

async fn asked_of(cluster: &Cluster) -> String {
    cluster
        .send(post("hi"), None)
        .await
        .unwrap()
        .address
        .ip()
        .to_string()
}

#[test]
fn an_answer_is_kept_for_its_ttl_and_renewed_without_waiting() {
    run(async {
        let network = Network::default();
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let addresses = ["10.0.0.1", "10.0.0.2"];
        let (lookup, count) = counting(move |nth| Ok((addresses[nth - 1], 5)));
        let cluster = Cluster::with_dialer(settings(), lookup, dialer);
        let first = futures::future::join(asked_of(&cluster), asked_of(&cluster)).await;
        assert_eq!(
            (first.0.as_str(), first.1.as_str(), count.get()),
            ("10.0.0.1", "10.0.0.1", 1)
        );
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(asked_of(&cluster).await, "10.0.0.1");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(
            (asked_of(&cluster).await.as_str(), count.get()),
            ("10.0.0.2", 2)
        );
    });
}

#[test]
fn an_old_answer_is_not_trusted_after_a_long_silence() {
    run(async {
        let network = Network::default();
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let addresses = ["10.0.0.1", "10.0.0.2"];
        let (lookup, _) = counting(move |nth| Ok((addresses[nth - 1], 5)));
        let cluster = Cluster::with_dialer(settings(), lookup, dialer);
        asked_of(&cluster).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(asked_of(&cluster).await, "10.0.0.2");
    });
}

#[test]
fn the_last_answer_serves_while_no_name_server_does() {
    run(async {
        let network = Network::default();
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let (lookup, count) = counting(|nth| {
            if nth == 1 {
                Ok(("10.0.0.1", 5))
            } else {
                Err("server failure")
            }
        });
        let cluster = Cluster::with_dialer(settings(), lookup, dialer);
        for _ in 0..3 {
            assert_eq!(asked_of(&cluster).await, "10.0.0.1");
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        assert_eq!(count.get(), 3);
    });
}

#[test]
fn a_name_that_is_gone_serves_half_a_minute_longer_and_is_then_said_to_be_gone() {
    run(async {
        let network = Network::default();
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let count = Cell::new(0);
        let lookup = Lookup::new(move |_| {
            count.set(count.get() + 1);
            let first = count.get() == 1;
            async move {
                match first {
                    true => Ok(Answer {
                        addresses: vec!["10.0.0.1".parse().unwrap()],
                        ttl: Duration::from_secs(5),
                    }),
                    false => Err(Failure::NoAddress("no such name".into())),
                }
            }
        });
        let cluster = Cluster::with_dialer(settings(), lookup, dialer);
        for seconds in [6, 20, 20] {
            assert_eq!(asked_of(&cluster).await, "10.0.0.1");
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert_eq!(fault.to_string(), "cannot resolve llm: no such name");
    });
}

#[test]
fn a_name_that_is_not_found_is_said_so_to_all_who_waited() {
    run(async {
        let network = Network::default();
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let (lookup, count) = counting(|_| Err("no such name"));
        let cluster = Cluster::with_dialer(settings(), lookup, dialer);
        let both =
            futures::future::join(cluster.send(post("a"), None), cluster.send(post("b"), None))
                .await;
        for result in [both.0, both.1] {
            assert_eq!(
                result.unwrap_err().to_string(),
                "cannot resolve llm: no such name"
            );
        }
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn a_name_that_is_not_found_is_not_asked_for_by_every_request() {
    run(async {
        let network = Network::default();
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let (lookup, count) = counting(|nth| {
            if nth == 1 {
                Err("no such name")
            } else {
                Ok(("10.0.0.1", 5))
            }
        });
        let cluster = Cluster::with_dialer(settings(), lookup, dialer);
        for _ in 0..10 {
            cluster.send(post("hi"), None).await.unwrap_err();
        }
        assert_eq!(count.get(), 1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(asked_of(&cluster).await, "10.0.0.1");
    });
}

#[test]
fn a_name_server_that_is_silent_is_not_waited_for_longer_than_a_connection() {
    run(async {
        let network = Network::default();
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let cluster =
            Cluster::with_dialer(settings(), Lookup::new(|_| std::future::pending()), dialer);
        let start = tokio::time::Instant::now();
        let fault = cluster.send(post("hi"), None).await.unwrap_err();
        assert!(matches!(fault, Fault::Dns { .. }), "{fault}");
        assert_eq!(start.elapsed().as_secs(), 5);
    });
}

#[test]
fn when_no_address_answers_the_name_is_asked_for_again() {
    run(async {
        let network = Network::default();
        network
            .refusing
            .borrow_mut()
            .push("10.0.0.1".parse().unwrap());
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let addresses = ["10.0.0.1", "10.0.0.2"];
        let (lookup, _) = counting(move |nth| Ok((addresses[nth - 1], 3600)));
        let cluster = Cluster::with_dialer(settings(), lookup, dialer);
        cluster.send(post("hi"), None).await.unwrap_err();
        tokio::time::sleep(Duration::from_secs(2)).await;
        cluster.send(post("hi"), None).await.unwrap_err();
        assert_eq!(asked_of(&cluster).await, "10.0.0.2");
    });
}

#[test]
fn an_address_in_place_of_a_name_needs_no_name_server() {
    run(async {
        let network = Network::default();
        let dialer = network.dialer(|_, stream| answer(stream, HELLO));
        let mut settings = settings();
        settings.endpoint = Endpoint::parse("http://[2001:db8::1]:8000").unwrap();
        let cluster = Cluster::with_dialer(
            settings,
            Lookup::new(|_| async { Err("no".into()) }),
            dialer,
        );
        for _ in 0..2 {
            assert_eq!(asked_of(&cluster).await, "2001:db8::1");
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
    });
}

#[test]
fn a_real_listener_is_reached_by_the_systems_resolver() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut some = [0; 1024];
            for _ in 0..2 {
                tokio::io::AsyncReadExt::read(&mut stream, &mut some)
                    .await
                    .unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut stream, HELLO.as_bytes())
                    .await
                    .unwrap();
            }
        };
        let url = format!("http://localhost:{port}/v1");
        let endpoint = Endpoint::parse(&url).unwrap();
        let cluster = Cluster::new(Settings::new(endpoint)).unwrap();
        let ask = async {
            for _ in 0..2 {
                let reply = cluster.send(post("hi"), None).await.unwrap();
                assert_eq!(reply.body.collect(10).await.unwrap().unwrap(), "hello");
            }
        };
        futures::join!(serve, ask);
    });
}

#[test]
fn a_body_longer_than_allowed_is_not_collected() {
    run(async {
        let (cluster, _) = cluster(|_, stream| answer(stream, HELLO));
        let reply = cluster.send(post("hi"), None).await.unwrap();
        assert!(reply.body.collect(4).await.unwrap().is_none());
    });
}
