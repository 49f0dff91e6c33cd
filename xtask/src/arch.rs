//! Import direction inside the crate `enforcer`.
//!
//! The upper line (policy and databases to tables) and the lower line (kernel to receivers) do not
//! know each other; only the rooms that compose them know both. See docs/architecture.md.

mod paths;

use crate::tree::File;

/// A top-level module of the crate `enforcer`, and what it may import from the others.
struct Room {
    name: &'static str,
    may: May,
    why: &'static str,
}

enum May {
    /// Everything: it composes.
    All,
    /// These, but not what the second list names in them.
    Only(&'static [&'static str], &'static [&'static str]),
}

const SOURCES: &str = "enforcer/src";

const PURE: &str = "a pure stage knows neither kernel nor daemon, and builds without them";
const LOWER: &str = "the way of an event does not depend on how policies are read or compiled";
const ROOMS: &[Room] = &[
    Room {
        name: "geo",
        may: May::Only(&[], &[]),
        why: PURE,
    },
    Room {
        name: "policy",
        may: May::Only(&["geo"], &[]),
        why: PURE,
    },
    Room {
        name: "compile",
        may: May::Only(&["geo", "policy"], &[]),
        why: PURE,
    },
    Room {
        name: "declared",
        may: May::Only(&["geo", "policy", "compile"], &[]),
        why: PURE,
    },
    Room {
        name: "kernel",
        may: May::Only(&["compile::Image"], &[]),
        why: "maps take an image and give records; what they mean is said elsewhere",
    },
    Room {
        name: "workloads",
        may: May::Only(&["policy"], READING_POLICIES),
        why: "who runs where does not depend on tables or kernel",
    },
    Room {
        name: "cluster",
        may: May::Only(&["crypto", "policy", "workloads"], READING_POLICIES),
        why: "what a cluster stores is text to it; what comes of it is said elsewhere",
    },
    Room {
        name: "crypto",
        may: May::Only(&[], &[]),
        why: "one choice, whoever asks",
    },
    Room {
        name: "events",
        may: May::Only(&["crypto", "geo", "policy"], READING_POLICIES),
        why: LOWER,
    },
    Room {
        name: "control",
        may: May::Only(&[], &[]),
        why: "the local API carries its own messages; `daemon` and `cli` translate",
    },
    Room {
        name: "daemon",
        may: May::All,
        why: "it composes the two lines",
    },
    Room {
        name: "cli",
        may: May::All,
        why: "it composes the two lines",
    },
];

/// The parts of `policy` that make a model from files.
const READING_POLICIES: &[&str] = &[
    "policy::check",
    "policy::load",
    "policy::load_on",
    "policy::read",
    "policy::source",
];

/// One finding for each import that the table does not allow, and for each room it does not have.
///
/// # Errors
/// A file is not Rust.
pub(crate) fn findings(files: &[File]) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for file in files {
        let Ok(below) = file.path.strip_prefix(SOURCES) else {
            continue;
        };
        let module = paths::module(below);
        let Some(name) = module.first() else {
            continue;
        };
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
            findings.push(format!(
                "{}: room `{name}` is not in the table of xtask/src/arch.rs: decide what it may \
                 import",
                file.path.display()
            ));
            continue;
        };
        for import in paths::imports(&file.text, &module)? {
            if !room.allows(&import.path) {
                findings.push(format!(
                    "{}:{}: `{name}` imports `{}`: {}",
                    file.path.display(),
                    import.line,
                    import.path,
                    room.why
                ));
            }
        }
    }
    Ok(findings)
}

impl Room {
    fn allows(&self, path: &str) -> bool {
        let May::Only(allowed, except) = self.may else {
            return true;
        };
        let is_at_or_below = |place: &&str| {
            let rest = path.strip_prefix(place);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let foreign = ROOMS.iter().any(|room| is_at_or_below(&room.name));
        !foreign
            || is_at_or_below(&self.name)
            || allowed.iter().any(is_at_or_below) && !except.iter().any(is_at_or_below)
    }
}

#[cfg(test)]
mod tests {
    use super::{File, findings};

    fn found(path: &str, text: &str) -> Vec<String> {
        let file = File {
            path: path.into(),
            text: text.into(),
        };
        findings(&[file]).unwrap()
    }

    #[test]
    fn a_pure_stage_that_imports_the_kernel_is_found() {
        let imports = [
            "use crate::kernel::publish;",
            "use crate::{geo::Asn, kernel::{publish, tags}};",
            "use super::super::kernel;",
            "fn f() { crate::kernel::publish::now() }",
            "fn f() { println!(\"{}\", crate::kernel::NAME) }",
            "mod inner { use super::super::super::kernel; }",
            "pub(crate) use crate::kernel::*;",
        ];
        for import in imports {
            for room in ["geo", "policy", "compile"] {
                let found = found(&format!("enforcer/src/{room}/x.rs"), import);
                assert!(!found.is_empty(), "{room}: {import}");
                assert!(found[0].contains(":1: "), "{found:?}");
            }
        }
    }

    #[test]
    fn the_lower_line_does_not_read_policies() {
        let allowed = "use crate::policy::{Mode, Position};";
        assert!(found("enforcer/src/events/enrich.rs", allowed).is_empty());
        for import in [
            "use crate::policy::check::check;",
            "use crate::compile::Atoms;",
        ] {
            assert_eq!(found("enforcer/src/events.rs", import).len(), 1, "{import}");
        }
    }

    #[test]
    fn publishing_takes_an_image_and_no_more() {
        let import = "use crate::compile::{Image, compile};";
        let found = found("enforcer/src/kernel/publish.rs", import);
        assert!(found[0].contains("`compile::compile`"), "{found:?}");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn comments_strings_and_own_paths_are_no_imports() {
        let text = r#"
            //! See [`crate::kernel`].
            use super::atoms; // crate::kernel
            pub(crate) const A: &str = "crate::kernel::x";
            fn f() { crate::compile::lists::f(); self::g(); crate::Version::new() }
        "#;
        assert_eq!(found("enforcer/src/compile/x.rs", text), [""; 0]);
    }

    #[test]
    fn who_composes_imports_both() {
        let text = "use crate::{compile, events, kernel};";
        assert!(found("enforcer/src/daemon.rs", text).is_empty());
        assert!(found("enforcer/src/cli/run.rs", text).is_empty());
        assert!(found("tests/src/lib.rs", text).is_empty());
    }

    #[test]
    fn a_room_without_a_row_is_found() {
        let found = found("enforcer/src/attic/x.rs", "");
        assert!(
            found[0].contains("`attic` is not in the table"),
            "{found:?}"
        );
    }
}
