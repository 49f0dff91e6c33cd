//! Debian packages.

use std::{borrow::Cow, path::Path};

use anyhow::{Context, Result, bail};

use crate::cmd;

/// A package and how to see that it, or another distribution's like it, is there.
pub(super) struct Package {
    /// Debian's name.
    pub(super) name: Cow<'static, str>,
    /// What shows that it is installed.
    pub(super) brings: Brings,
    /// What needs it.
    pub(super) why: &'static str,
}

/// What shows that a package is installed.
pub(super) enum Brings {
    /// An executable in `PATH`.
    Command(&'static str),
    /// A file.
    File(Cow<'static, str>),
}

/// What the tests run.
pub(super) const FOR_TESTS: &[Package] = &[
    Package {
        name: Cow::Borrowed("iproute2"),
        brings: Brings::Command("ip"),
        why: "tests make network namespaces",
    },
    Package {
        name: Cow::Borrowed("util-linux"),
        brings: Brings::Command("nsenter"),
        why: "tests enter namespaces without remounting /sys",
    },
    Package {
        name: Cow::Borrowed("unbound"),
        brings: Brings::Command("unbound"),
        why: "tests ask a resolver for names",
    },
    Package {
        name: Cow::Borrowed("openssl"),
        brings: Brings::Command("openssl"),
        why: "tests of sinks make certificates",
    },
    Package {
        name: Cow::Borrowed("python3-venv"),
        brings: Brings::Command("python3"),
        why: "detection rules are read by sigma-cli",
    },
    Package {
        name: Cow::Borrowed("prometheus"),
        brings: Brings::Command("promtool"),
        why: "tests have promtool read the metrics",
    },
    Package {
        name: Cow::Borrowed("valgrind"),
        brings: Brings::Command("valgrind"),
        why: "callgrind counts the instructions of each stage",
    },
    Package {
        name: Cow::Borrowed("containerd"),
        brings: Brings::Command("containerd"),
        why: "tests run pods",
    },
    Package {
        name: Cow::Borrowed("runc"),
        brings: Brings::Command("runc"),
        why: "tests run pods",
    },
    Package {
        name: Cow::Borrowed("containernetworking-plugins"),
        brings: Brings::File(Cow::Borrowed("/usr/lib/cni/ptp")),
        why: "tests run pods",
    },
    Package {
        name: Cow::Borrowed("busybox-static"),
        brings: Brings::Command("busybox"),
        why: "tests run pods",
    },
];

/// What builds the static binary.
pub(super) const FOR_STATIC_BINARY: &[Package] = &[Package {
    name: Cow::Borrowed("musl-tools"),
    brings: Brings::Command("musl-gcc"),
    why: "the binary in the image needs no libraries",
}];

/// What builds the container image around it.
pub(super) const FOR_IMAGE: &[Package] = &[Package {
    name: Cow::Borrowed("buildah"),
    brings: Brings::Command("buildah"),
    why: "it makes the container image",
}];

/// What the bench compares with.
pub(super) const FOR_BENCH: &[Package] = &[
    Package {
        name: Cow::Borrowed("nftables"),
        brings: Brings::Command("nft"),
        why: "the bench compares with interval sets of nftables",
    },
    Package {
        name: Cow::Borrowed("ipset"),
        brings: Brings::Command("ipset"),
        why: "the bench compares with ipset",
    },
    Package {
        name: Cow::Borrowed("iptables"),
        brings: Brings::Command("iptables"),
        why: "ipset is asked by iptables",
    },
];

/// Installs those of `packages` that are missing.
///
/// # Errors
/// This is no Debian, or not root: the message names what to install. Or apt-get fails.
pub(super) fn ensure(packages: &[Package]) -> Result<()> {
    let missing: Vec<_> = packages
        .iter()
        .filter(|package| !is_there(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing
        .iter()
        .map(|package| package.name.as_ref())
        .collect();
    let mut reasons: Vec<_> = missing.iter().map(|package| package.why).collect();
    reasons.dedup();
    let (names_line, why) = (names.join(" "), reasons.join("; "));
    if cmd::find("apt-get").is_none() {
        bail!("install what Debian calls {names_line} ({why})");
    }
    if !cmd::is_root() {
        bail!("run as root: apt-get install {names_line} ({why})");
    }
    cmd::say(&format!("apt-get install {names_line}"), &why);
    let apt = |arguments: &[&str]| {
        let mut apt = cmd::at_root("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        cmd::run(&mut apt)
    };
    // Lists that are empty or old name packages that are gone. One source that does not answer is
    // no reason to stop: the installation tells whether it mattered.
    if let Err(error) = apt(&["update", "--quiet=2"]) {
        eprintln!("note: {error:#}");
    }
    let install = ["install", "--yes", "--quiet=2", "--no-install-recommends"];
    apt(&[&install[..], &names].concat()).with_context(|| format!("{names_line}: {why}"))
}

fn is_there(package: &Package) -> bool {
    match &package.brings {
        Brings::Command(name) => cmd::find(name).is_some(),
        Brings::File(path) => Path::new(path.as_ref()).exists(),
    }
}
