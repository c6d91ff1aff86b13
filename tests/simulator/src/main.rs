//! `dragoman-simulator`: the simulated LLM as a program.

use std::{io::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use dragoman_simulator::Simulator;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A deterministic LLM for tests. It speaks the APIs of OpenAI and Anthropic below /v1, that of
/// Ollama below /api, that of Azure OpenAI below /openai, that of TGI below /tgi/MODEL, that of
/// Gemini below /v1beta and that of Amazon Bedrock below /model, over HTTP/1.1 and HTTP/2, and the
/// name of the model that is called says how it behaves.
///
/// Words join by `+` (`think+token-20ms+cut-5`); a name that is not made of these words alone
/// answers as `echo` does.
#[derive(Debug, Parser)]
#[command(version, after_help = dragoman_simulator::WORDS)]
struct Options {
    /// Address to listen on; port 0 takes a free one. The bound address is printed.
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Models to list, separated by commas.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "echo,say,think,reasoning,tools"
    )]
    models: Vec<String>,
    /// Refuse models that are not listed with 404.
    #[arg(long)]
    only_listed: bool,
    /// Refuse unknown fields whatever the model is called, and those too that Ollama and TGI leave unread.
    #[arg(long)]
    strict: bool,
    /// Key that callers must give as `Authorization: Bearer` (Anthropic: or `x-api-key`; Azure: `api-key`; Gemini: `x-goog-api-key`; Bedrock: a bearer's); may be given several times.
    #[arg(long, env = "SIMULATOR_API_KEY", hide_env_values = true)]
    api_key: Vec<String>,
    /// Token of Entra ID that Azure's paths accept as `Authorization: Bearer`; may be given several times.
    #[arg(long, env = "SIMULATOR_ENTRA_TOKEN", hide_env_values = true)]
    entra_token: Vec<String>,
    /// Key of AWS that Bedrock's paths accept signatures by, as ID:SECRET or ID:SECRET:SESSION-TOKEN; may be
    /// given several times.
    #[arg(long, env = "SIMULATOR_AWS_KEY", hide_env_values = true, value_parser = aws_key)]
    aws_key: Vec<AwsKey>,
    /// Name that replies carry in `x-simulator` and `system_fingerprint`.
    #[arg(long, default_value = "simulator")]
    name: String,
    /// Count requests, but do not keep them: for load tests.
    #[arg(long)]
    no_record: bool,
    /// PEM file with the certificate chain: serve TLS.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's key.
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Threads that serve; default one for each CPU.
    #[arg(long)]
    threads: Option<usize>,
}

/// The parts of a key of AWS.
#[derive(Debug, Clone)]
struct AwsKey {
    id: String,
    secret: String,
    session_token: Option<String>,
}

fn aws_key(text: &str) -> Result<AwsKey, String> {
    let mut parts = text.splitn(3, ':').map(str::to_owned);
    let mut part = || parts.next().filter(|part| !part.is_empty());
    match (part(), part(), part()) {
        (Some(id), Some(secret), session_token) => Ok(AwsKey {
            id,
            secret,
            session_token,
        }),
        _ => Err("expected ID:SECRET or ID:SECRET:SESSION-TOKEN".into()),
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the simulator stops");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = options.threads {
        runtime.worker_threads(threads.max(1));
    }
    runtime.enable_all().build()?.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Simulator::builder()
        .listen(options.listen)
        .name(options.name)
        .models(options.models)
        .only_listed(options.only_listed)
        .strict(options.strict)
        .record(!options.no_record);
    for key in options.api_key {
        builder = builder.api_key(key);
    }
    for token in options.entra_token {
        builder = builder.entra_token(token);
    }
    for key in options.aws_key {
        builder = builder.aws_key(key.id, key.secret, key.session_token);
    }
    if let (Some(chain), Some(key)) = (options.tls_cert, options.tls_key) {
        builder = builder.tls(
            std::fs::read_to_string(chain)?,
            std::fs::read_to_string(key)?,
        );
    }
    // Caught before the address is printed: who reads it may send a signal at once.
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let simulator = builder.start().await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {}", simulator.origin())?;
    out.flush()?;
    drop(out);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    simulator.shutdown().await;
    Ok(())
}
