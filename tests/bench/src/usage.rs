//! What a group of processes has used, from `/proc`.
//!
//! CPU time comes from `schedstat` in nanoseconds (the same figure as utime + stime in `stat`, which is cut to 10 ms), memory from
//! `smaps_rollup`. Source: [proc(5)](https://man7.org/linux/man-pages/man5/proc.5.html) and
//! [sched-stats](https://docs.kernel.org/scheduler/sched-stats.html).

use std::fs;
use std::io;

use crate::fault::Fault;

/// CPU time of all threads of these processes so far, in nanoseconds; threads that have ended are not counted.
pub(crate) fn cpu_nanoseconds(pids: &[u32]) -> Result<u64, Fault> {
    cpu_nanoseconds_of(pids, "")
}

/// The same of threads whose names begin so.
pub(crate) fn cpu_nanoseconds_of(pids: &[u32], name: &str) -> Result<u64, Fault> {
    let read = || {
        let mut total = 0;
        for pid in pids {
            for task in fs::read_dir(format!("/proc/{pid}/task"))? {
                let task = task?.path();
                let named = |comm: String| comm.starts_with(name);
                if !fs::read_to_string(task.join("comm")).is_ok_and(named) {
                    continue;
                }
                match fs::read_to_string(task.join("schedstat")) {
                    Ok(text) => total += running_time(&text)?,
                    // It ended between the listing and the reading.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(e),
                }
            }
        }
        Ok(total)
    };
    read().map_err(|e| Fault::machine(format!("read the CPU time of {pids:?}"), e))
}

/// Memory of processes, in KiB; pages that they share are counted in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All that is resident, the pages of programs and libraries included.
    pub(crate) resident: u64,
    /// What no file stands behind: heap, stacks, written data.
    pub(crate) anonymous: u64,
}

/// Memory of these processes.
pub(crate) fn memory(pids: &[u32]) -> Result<Memory, Fault> {
    let read = || {
        let mut total = Memory::default();
        for pid in pids {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            total.resident += kib(&rollup, "Rss:")?;
            total.anonymous += kib(&rollup, "Anonymous:")?;
        }
        Ok(total)
    };
    read().map_err(|e| Fault::machine(format!("read the memory of {pids:?}"), e))
}

/// The processes whose parent is `pid`.
pub(crate) fn children(pid: u32) -> Result<Vec<u32>, Fault> {
    let read = || {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(candidate) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // One that ended meanwhile is nobody's child.
            let stat = fs::read_to_string(format!("/proc/{candidate}/stat")).unwrap_or_default();
            if parent(&stat) == Some(pid) {
                found.push(candidate);
            }
        }
        Ok(found)
    };
    read().map_err(|e| Fault::machine(format!("list the children of {pid}"), e))
}

/// The first number of `schedstat`: time on a CPU, in nanoseconds.
fn running_time(schedstat: &str) -> io::Result<u64> {
    let first = schedstat.split_ascii_whitespace().next();
    first
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| unreadable("schedstat", schedstat))
}

/// A line of `smaps_rollup`, in KiB.
fn kib(rollup: &str, name: &str) -> io::Result<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
        .ok_or_else(|| unreadable("smaps_rollup", rollup))
}

/// The fourth field of `stat`; the second, in parentheses, may hold spaces and parentheses itself.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?
        .1
        .split_ascii_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

fn unreadable(file: &str, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file} says {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_a_name_with_parentheses() {
        assert_eq!(parent("12 (a) b) S 7 12 12 0"), Some(7));
    }

    #[test]
    fn memory_is_read_from_its_own_line() {
        let text =
            "55-7f ---p 0 00:00 0 [rollup]\nRss:    1234 kB\nPss_Anon: 7 kB\nAnonymous: 99 kB\n";
        assert_eq!(kib(text, "Rss:").unwrap(), 1234);
        assert_eq!(kib(text, "Anonymous:").unwrap(), 99);
        assert!(kib(text, "Swap:").is_err());
    }

    #[test]
    fn this_process_has_used_cpu_and_memory() {
        let me = [std::process::id()];
        assert!(cpu_nanoseconds(&me).unwrap() > 0);
        let memory = memory(&me).unwrap();
        assert!(memory.anonymous > 0 && memory.anonymous < memory.resident);
    }
}
