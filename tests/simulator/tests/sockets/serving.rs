//! How the simulator starts, serves TLS, and stops.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::Arc,
};

use crate::client::Caller;
use dragoman_simulator::Simulator;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::net::TcpStream;

#[tokio::test]
async fn tls_serves_http2_by_alpn() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let simulator = Simulator::builder()
        .tls(made.cert.pem(), made.signing_key.serialize_pem())
        .start()
        .await
        .unwrap();
    assert!(simulator.url().starts_with("https://127.0.0.1:"));
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(simulator.addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream.unwrap()))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://localhost/v1/models").body(Empty::<bytes::Bytes>::new());
    assert_eq!(
        sender
            .send_request(request.unwrap())
            .await
            .unwrap()
            .status(),
        StatusCode::OK
    );
    assert_eq!(simulator.requests()[0].host.as_deref(), Some("localhost"));
}

#[tokio::test]
async fn a_stopped_simulator_breaks_its_connections_and_frees_its_port() {
    let simulator = Simulator::builder().start().await.unwrap();
    let (addr, url) = (simulator.addr(), simulator.url());
    let call = tokio::spawn(async move { Caller::new(false).chat(&url, "hang", "hi", true).await });
    simulator.wait_until(|all| all.len() == 1).await;
    simulator.shutdown().await;
    assert!(call.await.unwrap().is_err());
    let again = Simulator::builder().listen(addr).start().await.unwrap();
    assert_eq!(again.addr(), addr);
}

#[tokio::test]
async fn the_program_says_where_it_listens_and_ends_when_told() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_dragoman-simulator"))
        .args(["--listen", "127.0.0.1:0", "--name", "two", "--threads", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let origin = line.trim_end().strip_prefix("listening on ").unwrap();
    let response = Caller::new(false)
        .chat(&format!("{origin}/v1"), "echo", "hi", false)
        .await;
    assert_eq!(response.unwrap().headers()["x-simulator"], "two");
    let id = program.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert!(program.wait().unwrap().success());
}
