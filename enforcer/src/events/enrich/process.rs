//! What a process runs, from `/proc`, if it still is the process of the event.
//!
//! A pid alone proves nothing: by the time the event is read, the process may be gone, its number
//! given away, or its program replaced by `execve`. Two facts decide:
//!
//! * A process alive at some moment `t` that started before the event held its pid all the while,
//!   so every event of that pid between its start and `t` is its own. One look at `/proc` therefore
//!   serves all such events, and a flood of one process costs one look.
//! * `execve` keeps pid and start time. It changes the name (`comm`) and, as the kernel places a new
//!   stack, the start of the stack.

use std::{
    collections::HashMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::events::{
    clock,
    record::{CommandName, Parent, ProcessImage},
    redact,
};

mod stat;

use stat::Stat;

/// Longest command line that is read, bytes. Java class paths alone go beyond.
const COMMAND_LINE_BYTES: u64 = 4096;

/// How many threads are looked at for the name in the event.
const THREADS: usize = 64;

/// How many processes are remembered.
const REMEMBERED: usize = 4096;

/// A mounted `proc` of the initial pid namespace, and what was learnt from it.
#[derive(Debug)]
pub struct ProcFs {
    root: PathBuf,
    seen: HashMap<u32, Seen>,
}

#[derive(Debug)]
struct Seen {
    stat: Stat,
    /// Names of threads, the main one's among them, that were found in the process.
    names: Vec<CommandName>,
    /// `CLOCK_BOOTTIME` nanoseconds at which the process was surely alive.
    alive_at: u64,
    image: Arc<ProcessImage>,
}

impl ProcFs {
    /// Reads from a `proc` file system, usually `/proc`. Its pid namespace must be the initial one,
    /// as the pids of events are.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            seen: HashMap::new(),
        }
    }

    /// What the process ran when it sent the event at `at_ns` (`CLOCK_BOOTTIME`).
    ///
    /// `None` when it is gone, when another has its pid, or when it runs something else by now.
    pub fn image(&mut self, pid: u32, name: CommandName, at_ns: u64) -> Option<Arc<ProcessImage>> {
        let known = self.seen.get(&pid).filter(|seen| {
            seen.stat.started_by(at_ns) && at_ns <= seen.alive_at && seen.names.contains(&name)
        });
        match known {
            Some(seen) => Some(Arc::clone(&seen.image)),
            None => self.look(pid, name, at_ns),
        }
    }

    fn look(&mut self, pid: u32, name: CommandName, at_ns: u64) -> Option<Arc<ProcessImage>> {
        let alive_at = clock::boottime_ns();
        let directory = self.root.join(pid.to_string());
        let Some(stat) = Stat::read(&directory) else {
            self.seen.remove(&pid);
            return None;
        };
        if self.seen.get(&pid).is_none_or(|seen| seen.stat != stat) {
            let image = Arc::new(read_image(&directory, &stat));
            // Between the two looks the process may have run another program.
            if Stat::read(&directory).as_ref() != Some(&stat) {
                return None;
            }
            if self.seen.len() >= REMEMBERED {
                self.seen.clear();
            }
            self.seen.insert(
                pid,
                Seen {
                    stat,
                    names: vec![stat.name],
                    alive_at,
                    image,
                },
            );
        }
        let seen = self.seen.get_mut(&pid)?;
        seen.alive_at = alive_at;
        if !seen.names.contains(&name) && has_thread(&directory, name) {
            seen.names.truncate(THREADS);
            seen.names.push(name);
        }
        let same = stat.started_by(at_ns) && seen.names.contains(&name);
        same.then(|| Arc::clone(&seen.image))
    }
}

fn has_thread(process: &Path, name: CommandName) -> bool {
    let Ok(threads) = std::fs::read_dir(process.join("task")) else {
        return false;
    };
    threads.take(THREADS).flatten().any(|thread| {
        let comm = std::fs::read(thread.path().join("comm")).unwrap_or_default();
        comm.strip_suffix(b"\n").unwrap_or(&comm) == name.as_bytes()
    })
}

fn read_image(process: &Path, stat: &Stat) -> ProcessImage {
    ProcessImage {
        executable: read_executable(process),
        command_line: read_command_line(process),
        parent: (stat.parent != 0).then(|| read_parent(process, stat.parent)),
        cgroup: std::fs::read_to_string(process.join("cgroup"))
            .ok()
            .and_then(|text| cgroup2_path(&text).map(Arc::from)),
    }
}

/// The caller reads the child's `stat` again afterwards: while that names the same parent, the pid
/// has not been given away.
fn read_parent(child: &Path, pid: u32) -> Parent {
    let directory = child.with_file_name(pid.to_string());
    Parent {
        pid,
        name: Stat::read(&directory).map(|stat| stat.name),
        executable: read_executable(&directory),
    }
}

fn read_executable(process: &Path) -> Option<String> {
    let path = std::fs::read_link(process.join("exe")).ok()?;
    Some(path.to_string_lossy().into_owned())
}

fn read_command_line(process: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(process.join("cmdline")).ok()?;
    file.take(COMMAND_LINE_BYTES + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    if bytes.len() as u64 <= COMMAND_LINE_BYTES {
        return (!bytes.is_empty()).then(|| redact::command_line(&bytes));
    }
    // A secret cut in half has no form to know it by: the last argument goes.
    let whole = bytes.iter().rposition(|&byte| byte == 0).unwrap_or(0);
    bytes.truncate(whole);
    Some(redact::command_line(&bytes) + " ...")
}

/// The line of the unified hierarchy (cgroups(7)): `0::/path`.
fn cgroup2_path(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

#[cfg(test)]
mod tests;
