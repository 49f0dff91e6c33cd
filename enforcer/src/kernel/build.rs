//! The embedded objects.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The kernel programs.
static PLAIN: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/enforcer-hooks"));

/// The same programs with a trace of each decision.
static TRACED: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/enforcer-hooks-trace"));

/// A build of the kernel programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Build {
    /// As it is meant to run.
    #[default]
    Plain,
    /// As it is meant to run where no policy has names, and none can come: without the reading of
    /// DNS, so that the verifier is done in half the time.
    Nameless,
    /// As it is meant to run, and flows that pass are recorded as well as those that are refused.
    Recording,
    /// Each decision is logged: for debugging, and slow.
    Traced,
}

impl Build {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Nameless, Self::Recording, Self::Traced];

    pub(super) fn object(self) -> &'static [u8] {
        match self {
            Self::Plain | Self::Nameless | Self::Recording => PLAIN,
            Self::Traced => TRACED,
        }
    }

    pub(super) fn records_flows(self) -> bool {
        self == Self::Recording
    }

    pub(super) fn reads_names(self) -> bool {
        self != Self::Nameless
    }

    /// Tells builds apart, those of other versions included.
    pub(super) fn digest(self) -> String {
        let mut hasher = DefaultHasher::new();
        self.object().hash(&mut hasher);
        self.records_flows().hash(&mut hasher);
        self.reads_names().hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::Build;

    #[test]
    fn the_builds_are_not_taken_for_each_other() {
        let [plain, nameless, recording, traced] = Build::ALL.map(Build::digest);
        assert_ne!(plain, traced);
        assert_ne!(plain, recording);
        assert_ne!(plain, nameless);
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
