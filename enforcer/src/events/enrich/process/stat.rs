//! `/proc/<pid>/stat` (proc_pid_stat(5)).

use std::{fs::File, io::Read, path::Path};

use crate::events::record::CommandName;

/// Nanoseconds of one clock tick. User space has seen 100 a second on every architecture since
/// Linux 2.6 (`USER_HZ`), except on Alpha and IA-64.
const TICK_NS: u64 = 10_000_000;

/// The fields that tell one process, and one program it runs, from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// Name of the main thread.
    pub(super) name: CommandName,
    /// Parent process id.
    pub(super) parent: u32,
    /// Clock ticks since boot, suspend included.
    started: u64,
    /// Where the stack begins. 0 without the right to trace the process.
    stack: u64,
}

impl Stat {
    pub(super) fn read(process: &Path) -> Option<Self> {
        let mut bytes = [0; 1024];
        let length = File::open(process.join("stat"))
            .ok()?
            .read(&mut bytes)
            .ok()?;
        Self::parse(bytes.get(..length)?)
    }

    fn parse(stat: &[u8]) -> Option<Self> {
        // The name is in parentheses and may hold any byte, parentheses and blanks too.
        let open = stat.iter().position(|&byte| byte == b'(')?;
        let close = stat.iter().rposition(|&byte| byte == b')')?;
        let comm = stat.get(open + 1..close)?;
        let mut name = [0; 16];
        let kept = comm.len().min(15);
        name.get_mut(..kept)?.copy_from_slice(comm.get(..kept)?);
        let fields = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
        let mut fields = fields.split_ascii_whitespace();
        // Numbers of proc_pid_stat(5), from 1; the first one here is 3.
        let parent = fields.nth(4 - 3)?.parse().ok()?;
        let started = fields.nth(22 - 5)?.parse().ok()?;
        let stack = fields.nth(28 - 23)?.parse().ok()?;
        Some(Self {
            name: CommandName::new(name),
            parent,
            started,
            stack,
        })
    }

    /// Whether the process had started by then, `CLOCK_BOOTTIME` nanoseconds.
    pub(super) fn started_by(&self, at_ns: u64) -> bool {
        self.started.saturating_mul(TICK_NS) <= at_ns
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn the_name_may_hold_anything() {
        let line = b"7 (a) R (\xff)) S 42 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 \
            1234 8192 100 18446744073709551615 1 1 140723 0 0";
        let stat = Stat::parse(line).expect("a valid line");
        assert_eq!(stat.name.as_bytes(), b"a) R (\xff)");
        assert_eq!((stat.parent, stat.started, stat.stack), (42, 1234, 140_723));
        assert!(!stat.started_by(12_339_999_999));
        assert!(stat.started_by(12_340_000_000));
    }

    #[test]
    fn other_lines_are_none() {
        for line in [&b""[..], b"7 (sh", b"7 (sh) S", b")(", b"7 (sh) S 1 x y"] {
            assert_eq!(Stat::parse(line), None);
        }
    }
}
