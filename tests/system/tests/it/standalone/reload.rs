//! Edits of the files while the proxy serves them (features E2).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dragoman_simulator::Simulator;
use dragoman_system::eventually;
use futures::StreamExt;
use http::Method;

use super::manifests::{backend, mapped, route, secret, simulator};
use super::proxy::{Proxy, chat, streamed};

/// The route `chat`, on which `gpt` means `model`.
fn meaning(upstream: &Simulator, model: &str) -> String {
    mapped(
        upstream,
        &format!("rules:\n- match: {{exact: gpt}}\n  target: {{model: {model}}}\n"),
    )
}

/// Waits until `gpt` is called as `model`.
async fn serves(proxy: &Proxy, model: &str) {
    eventually(&format!("{model} is served"), || async {
        let reply = proxy.chat("gpt").await;
        match reply.status {
            200 if reply.json()["model"] == model => Ok(()),
            _ => Err(reply.text()),
        }
    })
    .await;
}

#[tokio::test]
async fn an_edit_is_served_without_a_restart_and_the_log_names_what_changed() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&meaning(&upstream, "one")).await;
    serves(&proxy, "one").await;
    proxy.edit(&meaning(&upstream, "two"));
    serves(&proxy, "two").await;
    let log = proxy.log();
    let line = log
        .lines()
        .rfind(|line| line.contains("config loaded"))
        .unwrap();
    assert!(
        line.contains("ModelMap/default/names") && !line.contains("LLMBackend"),
        "{line}"
    );
}

#[tokio::test]
async fn a_bad_edit_keeps_the_old_config_and_says_so_once() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&meaning(&upstream, "one")).await;
    proxy.edit(&meaning(&upstream, "two").replace("target:", "tarject:"));
    proxy.logged("the previous config stays").await;
    let log = proxy.log();
    let told: Vec<_> = log
        .lines()
        .filter(|line| line.contains("tarject"))
        .collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(
        told[0].contains("main.yaml")
            && told[0].contains("ModelMap default/names")
            && told[0].contains("spec.rules[0]"),
        "{}",
        told[0]
    );
    serves(&proxy, "one").await;
    assert_eq!(
        proxy.admin_get("/readyz").await.status,
        200,
        "a bad edit is no reason to take traffic away"
    );
    // Not even YAML.
    proxy.edit("{{{");
    eventually("that is told too", || async {
        if proxy.log().matches("previous config stays").count() == 2 {
            Ok(())
        } else {
            Err(proxy.log())
        }
    })
    .await;
    serves(&proxy, "one").await;
    proxy.edit(&meaning(&upstream, "three"));
    serves(&proxy, "three").await;
}

#[tokio::test]
async fn files_that_come_and_go_bring_and_take_their_routes() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&meaning(&upstream, "one")).await;
    let file = proxy.folder().join("more.json");
    let more = serde_json::json!({
        "apiVersion": "dragoman.dev/v1alpha1", "kind": "LLMRoute", "metadata": {"name": "more"},
        "spec": {"backends": [{"name": "main", "backendRef": {"name": "main"}}]},
    });
    let status = async || {
        super::proxy::answer(
            proxy
                .request(Method::POST, "/routes/default/more/v1/chat/completions")
                .json(&chat("echo", "x")),
        )
        .await
        .status
    };
    assert_eq!(status().await, 404);
    fs::write(&file, more.to_string()).unwrap();
    eventually("the new route answers", || async {
        if status().await == 200 {
            Ok(())
        } else {
            Err(proxy.log())
        }
    })
    .await;
    fs::remove_file(&file).unwrap();
    eventually("it is gone", || async {
        if status().await == 404 {
            Ok(())
        } else {
            Err(proxy.log())
        }
    })
    .await;
    serves(&proxy, "one").await;
}

/// Writes a version of a mounted ConfigMap and swaps it in, as the kubelet does.
fn mount(folder: &Path, version: &str, manifest: &str) {
    let data = folder.join(format!("..{version}"));
    fs::create_dir(&data).unwrap();
    fs::write(data.join("main.yaml"), manifest).unwrap();
    symlink(format!("..{version}"), folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if !folder.join("main.yaml").is_symlink() {
        symlink("..data/main.yaml", folder.join("main.yaml")).unwrap();
    }
}

#[tokio::test]
async fn a_mounted_config_map_is_followed_when_its_link_is_swapped() {
    let upstream = simulator().await;
    let folder = tempfile::tempdir().unwrap();
    mount(folder.path(), "2026_01_01", &meaning(&upstream, "one"));
    let config = folder.path().to_path_buf();
    let proxy = Proxy::run(folder, &config, &[]).await;
    serves(&proxy, "one").await;
    for (version, model) in [("2026_01_02", "two"), ("2026_01_03", "three")] {
        mount(&config, version, &meaning(&upstream, model));
        serves(&proxy, model).await;
    }
    fs::remove_dir_all(config.join("..2026_01_01")).unwrap();
    serves(&proxy, "three").await;
}

#[tokio::test]
async fn sighup_loads_again_even_what_the_kernel_does_not_tell_of() {
    let upstream = simulator().await;
    let folder = tempfile::tempdir().unwrap();
    for model in ["one", "two"] {
        fs::create_dir(folder.path().join(model)).unwrap();
        fs::write(
            folder.path().join(model).join("main.yaml"),
            meaning(&upstream, model),
        )
        .unwrap();
    }
    // The link itself lies outside the folder that it leads to, which is watched.
    let config = folder.path().join("config");
    symlink("one", &config).unwrap();
    let proxy = Proxy::run(folder, &config, &[]).await;
    serves(&proxy, "one").await;
    symlink("two", config.with_extension("new")).unwrap();
    fs::rename(config.with_extension("new"), &config).unwrap();
    proxy.signal("HUP");
    serves(&proxy, "two").await;
}

#[tokio::test]
async fn a_running_stream_ends_on_the_config_it_began_with() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&meaning(&upstream, "tokens-60+token-20ms")).await;
    let request = proxy
        .request(Method::POST, "/v1/chat/completions")
        .json(&streamed("gpt", "x"));
    let mut stream = request.send().await.unwrap().bytes_stream();
    let mut text = stream.next().await.unwrap().unwrap().to_vec();
    // A new meaning, a new backend, and even the route itself gone: none of it touches what runs.
    proxy.edit(&meaning(&upstream, "status-500"));
    eventually("the edit is served", || async {
        if proxy.chat("gpt").await.status == 500 {
            Ok(())
        } else {
            Err(proxy.log())
        }
    })
    .await;
    proxy.edit("");
    eventually("the route is gone", || async {
        if proxy.chat("gpt").await.status == 404 {
            Ok(())
        } else {
            Err(proxy.log())
        }
    })
    .await;
    while let Some(piece) = stream.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("word59") && text.trim_end().ends_with("data: [DONE]"),
        "{text}"
    );
}

#[tokio::test]
async fn a_rotated_key_is_used_at_once_and_neither_is_ever_logged() {
    let upstream = simulator().await;
    let manifest = |key: &str| {
        secret("provider", key)
            + &backend(
                "main",
                &upstream.url(),
                "credential: {secretRef: {name: provider, key: key}}",
            )
            + &route("")
    };
    upstream.set_api_keys(["sk-old-4711"]);
    let proxy = Proxy::start_with(&manifest("sk-old-4711"), &["--log-level", "trace"]).await;
    assert_eq!(proxy.chat("echo").await.status, 200);
    upstream.set_api_keys(["sk-new-4712"]);
    assert_eq!(proxy.chat("echo").await.status, 401);
    proxy.edit(&manifest("sk-new-4712"));
    eventually("the new key is used", || async {
        if proxy.chat("echo").await.status == 200 {
            Ok(())
        } else {
            Err(proxy.log())
        }
    })
    .await;
    // A broken manifest is quoted in no fault either.
    proxy.edit(
        &manifest("sk-broken-4713").replace("stringData: {key:", "stringData: {key: [1], x:"),
    );
    proxy.logged("the previous config stays").await;
    let log = proxy.log();
    assert!(
        log.contains("config loaded")
            && !log.contains("sk-old")
            && !log.contains("sk-new")
            && !log.contains("sk-broken"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_edits_under_load_fail_no_request() {
    let upstream = simulator().await;
    let proxy = Proxy::start(&meaning(&upstream, "tokens-5")).await;
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let load = async {
        let one = async || {
            while !done.load(Ordering::Relaxed) {
                let reply = proxy.stream("gpt").await;
                assert!(reply.status == 200 && reply.is_done(), "{}", reply.text());
                answered.fetch_add(1, Ordering::Relaxed);
            }
        };
        futures::join!(one(), one(), one(), one());
    };
    let edits = async {
        for edit in 1..=50 {
            let before = proxy.log().matches("config loaded").count();
            proxy.edit(&meaning(&upstream, &format!("tokens-{}", 5 + edit % 2)));
            eventually("the edit is loaded", || async {
                if proxy.log().matches("config loaded").count() > before {
                    Ok(())
                } else {
                    Err(())
                }
            })
            .await;
        }
        done.store(true, Ordering::Relaxed);
    };
    futures::join!(load, edits);
    assert!(answered.load(Ordering::Relaxed) > 50);
}
