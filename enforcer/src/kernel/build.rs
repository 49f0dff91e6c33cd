//! The embedded objects.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::{attach::HOOKS, devices::DEVICE_HOOKS};

/// The kernel programs.
static PLAIN: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/enforcer-hooks"));

/// The same programs with a trace of each decision.
static TRACED: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/enforcer-hooks-trace"));

/// A build of the kernel programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Build {
    /// As it is meant to run.
    #[default]
    Plain,
    /// As it is meant to run, and flows that pass are recorded as well as those that are refused.
    Recording,
    /// Each decision is logged: for debugging, and slow.
    Traced,
    /// For one command, which has no interface of its own: without the programs at those. What is not
    /// needed is not loaded, for the verifier takes most of the time from start to enforcing.
    Command {
        /// Whether policies have names. Without, DNS is not read, and none can come.
        names: bool,
    },
}

impl Build {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::Plain,
        Self::Recording,
        Self::Traced,
        Self::Command { names: true },
        Self::Command { names: false },
    ];

    /// The programs that are loaded.
    pub(super) fn programs(self) -> impl Iterator<Item = &'static str> {
        let has_interfaces = !matches!(self, Self::Command { .. });
        let devices = DEVICE_HOOKS.into_iter().filter(move |_| has_interfaces);
        HOOKS.into_iter().chain(devices)
    }

    pub(super) fn object(self) -> &'static [u8] {
        match self {
            Self::Plain | Self::Recording | Self::Command { .. } => PLAIN,
            Self::Traced => TRACED,
        }
    }

    pub(super) fn records_flows(self) -> bool {
        self == Self::Recording
    }

    pub(super) fn reads_names(self) -> bool {
        self != Self::Command { names: false }
    }

    /// Tells builds apart, those of other versions included.
    pub(super) fn digest(self) -> String {
        let mut hasher = DefaultHasher::new();
        self.object().hash(&mut hasher);
        self.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Build;

    #[test]
    fn the_builds_are_not_taken_for_each_other() {
        let digests: HashSet<String> = Build::ALL.into_iter().map(Build::digest).collect();
        assert_eq!(digests.len(), Build::ALL.len());
    }

    #[test]
    fn the_shipped_object_has_no_traces() {
        let logs = |build: Build| {
            let mut names = build.object().windows(8);
            names.any(|name| name == b"AYA_LOGS")
        };
        assert!(!logs(Build::Plain));
        assert!(logs(Build::Traced));
    }
}
