//! `check`: everything about the tree that a machine can judge.

mod deploy;
mod families;
mod kernel_programs;
mod licences;
mod sigma;
mod size;
mod speed;
mod words;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{
    arch, cmd,
    setup::{self, Toolchain},
    tree,
};

/// Options of `check`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these; all when none is named
    steps: Vec<Step>,
    /// Do not load the kernel programs (loading needs root)
    #[arg(long)]
    skip_kernel: bool,
}

/// One thing that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    Fmt,
    Arch,
    Families,
    Size,
    Words,
    Licences,
    Sigma,
    Deploy,
    Clippy,
    ClippyBpf,
    Docs,
    Speed,
    Kernel,
}

impl Step {
    /// As on the command line.
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn why(self) -> &'static str {
        match self {
            Self::Fmt => "one layout, so that a diff shows what changed",
            Self::Arch => "the two flows of data import from each other nowhere",
            Self::Families => "IPv4 and IPv6 are told apart in few places",
            Self::Size => "a file is short enough to be read at once",
            Self::Words => "the text holds for every reader on every machine",
            Self::Licences => "what is linked in may be shipped (deny.toml)",
            Self::Sigma => "detection rules are what backends take",
            Self::Deploy => "chart, manifests and unit are what Kubernetes and systemd take",
            Self::Clippy => "no warnings in userspace, with and without the kernel part",
            Self::ClippyBpf => "no warnings in the kernel programs",
            Self::Docs => "every link in the documentation leads somewhere",
            Self::Speed => "no stage takes more instructions than its budget",
            Self::Kernel => "the verifier accepts every program, within its budget",
        }
    }

    fn run(self, toolchain: &Toolchain) -> Result<()> {
        match self {
            Self::Fmt => cmd::run(&mut cmd::cargo(&["fmt", "--all", "--check"])),
            Self::Arch => report(arch::findings(&tree::rust_files()?)?),
            Self::Families => report(families::findings(&tree::rust_files()?)?),
            Self::Size => report(size::findings(&tree::rust_files()?)),
            Self::Words => report(words::findings(&tree::files()?)?),
            Self::Licences => licences::check(),
            Self::Sigma => sigma::check(),
            Self::Deploy => deploy::check(),
            Self::Clippy => clippy(toolchain),
            Self::ClippyBpf => clippy_bpf(),
            Self::Docs => docs(toolchain),
            Self::Speed => speed::check(),
            Self::Kernel => kernel_programs::check(toolchain),
        }
    }
}

/// Runs the steps, all of them even when one fails.
///
/// # Errors
/// Names the steps that failed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let toolchain = setup::run()?;
    let mut steps = args.steps.clone();
    if steps.is_empty() {
        steps = Step::value_variants().to_vec();
    }
    let mut failed = Vec::new();
    for step in steps {
        let name = format!("check {}", step.name());
        if step == Step::Kernel && args.skip_kernel {
            cmd::say(
                &name,
                "SKIPPED on request: the kernel has not seen the programs",
            );
            continue;
        }
        cmd::say(&name, step.why());
        if let Err(error) = step.run(&toolchain) {
            eprintln!("{error:#}");
            failed.push(name);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failed.join(", "));
}

/// Fails with one line for each finding.
fn report(findings: Vec<String>) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    bail!("{}", findings.join("\n"));
}

fn clippy(toolchain: &Toolchain) -> Result<()> {
    let userspace = ["--workspace", "--exclude", "enforcer-ebpf"];
    cmd::run(toolchain.apply(&mut clippy_with(&userspace)))?;
    // What compiles only with the kernel part is a back edge from a pure stage.
    cmd::run(&mut clippy_with(&[
        "--package",
        "enforcer",
        "--no-default-features",
    ]))
}

/// Clippy over all targets of what `selection` selects; a warning is an error.
fn clippy_with(selection: &[&str]) -> std::process::Command {
    let mut clippy = cmd::cargo(&["clippy", "--quiet"]);
    clippy.args(selection);
    clippy.args(["--all-targets", "--", "--deny", "warnings"]);
    clippy
}

/// On its own: in one run with the rest cargo would unify features, and bring `std` into it.
fn clippy_bpf() -> Result<()> {
    let mut clippy = cmd::cargo(&["clippy", "--quiet", "--package", "enforcer-ebpf"]);
    // Features only add code, so one run sees all of it.
    clippy.args(["--all-features", "--target=bpfel-unknown-none"]);
    clippy.arg("-Zbuild-std=core");
    // Its own directory, because build scripts of shared dependencies look at RUSTC_BOOTSTRAP.
    clippy.args(["--target-dir=target/bpf-clippy", "--", "--deny", "warnings"]);
    cmd::run(clippy.env("RUSTC_BOOTSTRAP", "1"))
}

fn docs(toolchain: &Toolchain) -> Result<()> {
    let mut doc = cmd::cargo(&["doc", "--quiet", "--no-deps", "--workspace"]);
    doc.args(["--exclude", "enforcer-ebpf"]);
    cmd::run(toolchain.apply(doc.env("RUSTDOCFLAGS", "--deny warnings")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::clippy_with;
    use crate::cmd;

    #[test]
    fn a_clippy_warning_fails_the_check() {
        let sound = "pub fn same(a: u8) -> u8 {\n    a\n}\n";
        clippy_on(sound).unwrap();
        let needless = "pub fn same(a: u8) -> u8 {\n    return a;\n}\n";
        let error = clippy_on(needless).unwrap_err().to_string();
        assert!(error.contains("needless_return"), "{error}");
    }

    fn clippy_on(source: &str) -> anyhow::Result<String> {
        let package = tempfile::tempdir().unwrap();
        let manifest = "[package]\nname = \"probe\"\nedition = \"2024\"\n[workspace]\n";
        fs::write(package.path().join("Cargo.toml"), manifest).unwrap();
        fs::create_dir(package.path().join("src")).unwrap();
        fs::write(package.path().join("src/lib.rs"), source).unwrap();
        let mut clippy = clippy_with(&["--offline"]);
        clippy.current_dir(package.path());
        // Where the tests themselves are built, a lock may be held.
        clippy.env("CARGO_TARGET_DIR", package.path().join("target"));
        cmd::read(&mut clippy)
    }
}
