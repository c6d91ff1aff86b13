//! How the release program is laid out, so that little of it is resident. Decision: `docs/decisions/0009-lay-the-program-out-by-use.md`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Patterns of the functions that run at start and for usual requests, one a line. `tests/bench/link-order` writes it.
const ORDER: &str = "link-order.txt";
/// The first glibc that reads packed relocations: <https://sourceware.org/glibc/wiki/Release/2.36>.
const PACKED_SINCE: (u32, u32) = (2, 36);

fn main() -> io::Result<()> {
    let mut cargo = io::stdout().lock();
    writeln!(cargo, "cargo::rerun-if-changed=build.rs")?;
    writeln!(cargo, "cargo::rerun-if-changed={ORDER}")?;
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|it| it == value);
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("PROFILE", "release") {
        return Ok(());
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let script = folder.join("order.ld");
    fs::write(&script, linker_script(&fs::read_to_string(ORDER)?))?;
    link_with(&mut cargo, &format!("-T,{}", script.display()))?;
    if is_native() && glibc().is_some_and(|version| version >= PACKED_SINCE) {
        link_with(&mut cargo, "-z,pack-relative-relocs")?;
    }
    Ok(())
}

fn link_with(cargo: &mut impl Write, option: &str) -> io::Result<()> {
    writeln!(cargo, "cargo::rustc-link-arg-bins=-Wl,{option}")
}

/// Puts the functions of `order` before all others, whatever the compiler holds of them; what is not named stays where the linker has it.
fn linker_script(order: &str) -> String {
    let patterns = order.lines().filter(|line| !line.starts_with('#'));
    let sections: String = patterns
        .map(|pattern| {
            format!("    *(.text.{pattern} .text.hot.{pattern} .text.unlikely.{pattern})\n")
        })
        .collect();
    format!("SECTIONS {{\n  .text.first : {{\n{sections}  }}\n}}\nINSERT BEFORE .text;\n")
}

/// Whether the program is for this machine, and so for its C library.
fn is_native() -> bool {
    env::var_os("HOST") == env::var_os("TARGET") && Path::new("/usr/bin/getconf").exists()
}

/// The version of this machine's glibc, if that is its C library.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
