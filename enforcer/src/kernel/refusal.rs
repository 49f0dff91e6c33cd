//! What the verifier says of a program that it refuses.

use std::{env, fmt, io};

/// Set to anything, it makes errors tell all that the verifier said.
const WHOLE_LOG: &str = "ENFORCER_VERIFIER_LOG";
/// The reason and the state it was found in stand last; before them are thousands of lines on the
/// way there.
const LAST_LINES: usize = 6;

/// Why the kernel did not load a program.
#[derive(Debug)]
pub struct Refusal {
    error: io::Error,
    log: String,
}

impl Refusal {
    pub(super) fn new(error: io::Error, log: String) -> Self {
        Self { error, log }
    }

    /// All that the verifier said, often megabytes.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    fn write(&self, f: &mut impl fmt::Write, whole: bool) -> fmt::Result {
        write!(f, "{}", self.error)?;
        let lines: Vec<&str> = self.log.lines().collect();
        let skipped = if whole {
            0
        } else {
            lines.len().saturating_sub(LAST_LINES)
        };
        if skipped > 0 {
            write!(
                f,
                "; the verifier's last words ({skipped} lines before them: set {WHOLE_LOG}=1)"
            )?;
        }
        lines[skipped..]
            .iter()
            .try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, env::var_os(WHOLE_LOG).is_some())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(log: &str, whole: bool) -> String {
        let refusal = Refusal::new(io::Error::from_raw_os_error(libc::EACCES), log.into());
        let mut text = String::new();
        refusal.write(&mut text, whole).expect("a string grows");
        text
    }

    #[test]
    fn the_reason_is_told_and_the_way_to_it_is_not() {
        let mut log: String = (0..5000).map(|line| format!("{line}: (bf)\n")).collect();
        log += "invalid access to packet\nprocessed 5000 insns\n";
        let short = said(&log, false);
        assert!(short.starts_with("Permission denied"), "{short}");
        assert!(short.contains("4996 lines before"), "{short}");
        assert!(
            short.ends_with("\n    invalid access to packet\n    processed 5000 insns"),
            "{short}"
        );
        assert_eq!(short.lines().count(), 1 + LAST_LINES);
        assert_eq!(said(&log, true).lines().count(), 1 + 5002);
    }

    #[test]
    fn a_kernel_that_says_nothing_has_an_error_all_the_same() {
        assert_eq!(said("", false), "Permission denied (os error 13)");
    }
}
