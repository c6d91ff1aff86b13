//! Measures `dragoman-proxy` against nginx's pass-through, in one interleaved run on loopback.
//!
//! One process is both the load and the upstream, on a core of its own; each contender has the other core
//! while it is measured. What is compared is CPU time, latency and memory of the contender's processes, round by round:
//! absolute times drift on shared machines, ratios within a round hold.

mod contender;
mod fault;
mod load;
mod measure;
mod options;
mod pin;
mod report;
mod upstream;
mod usage;
mod wire;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use options::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(met) if met || !options.assert => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(fault) => {
            // Nothing is left to do when standard error is gone.
            let _ = writeln!(std::io::stderr(), "dragoman-bench: {fault}");
            ExitCode::from(2)
        }
    }
}

/// Measures, prints the report, and says whether every bound is met.
fn run(options: &Options) -> Result<bool, fault::Fault> {
    // Before any thread exists, so that all of them inherit it.
    pin::this_process(options.load_core)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| fault::Fault::machine("start a runtime", e))?;
    let rounds = runtime.block_on(measure::all(options))?;
    let report = report::Report::new(&rounds);
    report
        .write(options.output, &mut std::io::stdout())
        .map_err(|e| fault::Fault::machine("write the report", e))?;
    Ok(report.met())
}
