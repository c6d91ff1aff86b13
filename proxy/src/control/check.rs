//! `check`: every fault of manifests, without serving them.

use std::io::{self, Write};
use std::path::Path;

use super::cli::{self, OutputFormat};
use super::standalone::{Fault, Files, Loader};

/// What is wrong where nothing is.
const NOTHING: &str =
    "there is no object in it; name a file, or a directory with *.yaml, *.yml or *.json files";

/// Prints every fault of `source`, a directory or one file, to `out`, and returns the exit code. No manifest is a fault here:
/// who checks nothing has named the wrong place.
///
/// # Errors
/// When `out` cannot be written.
pub fn check(source: &Path, format: OutputFormat, out: &mut impl Write) -> io::Result<u8> {
    let loaded = match Loader::new() {
        Ok(loader) => loader.load(Files::read(source)),
        Err(fault) => Err(vec![Fault::of_file(source, fault.to_string())]),
    };
    let loaded = loaded.and_then(|loaded| match loaded.objects {
        0 => Err(vec![Fault::of_file(source, NOTHING)]),
        _ => Ok(loaded),
    });
    let faults = loaded.as_ref().err().map_or(&[][..], Vec::as_slice);
    match format {
        OutputFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, faults)?;
            writeln!(out)?;
        }
        OutputFormat::Text => {
            for fault in faults {
                writeln!(out, "{fault}")?;
            }
        }
    }
    match loaded {
        Ok(loaded) => {
            if format == OutputFormat::Text {
                let (objects, files) = (loaded.objects, loaded.files);
                let verb = if objects == 1 { "is" } else { "are" };
                writeln!(
                    out,
                    "{} in {} {verb} fine",
                    count(objects, "object"),
                    count(files, "file")
                )?;
            }
            Ok(cli::OK)
        }
        Err(_) => Ok(cli::FAULT),
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
