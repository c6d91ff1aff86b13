//! `dragoman-proxy`: the LLM proxy's program.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use dragoman_proxy::control::cli::{self, Cli, Command};
use dragoman_proxy::control::logbook::logbook;
use dragoman_proxy::control::standalone::child;
use dragoman_proxy::control::{check, run};

/// Holds less memory for each open stream than the system's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // The one crypto provider of the process. It fails only where one is installed already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let done = match Cli::parse().command {
        Command::Run(args) => run(&args)
            .map(|()| cli::OK)
            .map_err(|fault| fault.to_string()),
        Command::Check(args) => check(&args.config, args.output, &mut io::stdout().lock())
            .map_err(|fault| format!("cannot print: {fault}")),
        Command::Logbook(args) => logbook(*args)
            .map(|()| cli::OK)
            .map_err(|fault| fault.to_string()),
        Command::Compile => child::run()
            .map(|()| cli::OK)
            .map_err(|fault| fault.to_string()),
    };
    ExitCode::from(done.unwrap_or_else(|fault| {
        // When standard error is gone too, the exit code must do.
        let _told = writeln!(io::stderr(), "dragoman-proxy: {fault}");
        cli::FAULT
    }))
}
