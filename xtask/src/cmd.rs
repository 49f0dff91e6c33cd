//! Other programs: run, read, find.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail};

/// Says what is done and why, before it is done.
pub(crate) fn say(what: &str, why: &str) {
    eprintln!("==> {what}: {why}");
}

/// `program`, to be run at the root of the repository with no input to wait for.
pub(crate) fn at_root(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = at_root(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs `command`, whose output goes to the terminal.
///
/// # Errors
/// It does not start or does not succeed; the message has the command line and the status.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs `command` and returns what it wrote to standard output.
///
/// # Errors
/// As [`run`]; the message has what it wrote to standard error, too.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let line = line(command);
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        let stderr = String::from_utf8_lossy(&stderr);
        bail!("`{line}` failed: {status}\n{}", stderr.trim_end());
    }
    String::from_utf8(stdout).with_context(|| format!("`{line}` wrote something else than UTF-8"))
}

/// The executable `name` in `PATH`, in the directories of system tools, or where cargo installs.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into(), cargo_bin()])
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// The installation of a program from crates.io, to where [`find`] looks.
pub(crate) fn cargo_install(package: &str, version: &str) -> Command {
    let mut install = cargo(&[
        "install",
        package,
        "--version",
        version,
        "--locked",
        "--root",
    ]);
    install.arg(cargo_home());
    install
}

/// Where `cargo install` puts executables.
pub(crate) fn cargo_bin() -> PathBuf {
    cargo_home().join("bin")
}

fn cargo_home() -> PathBuf {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .unwrap_or_default()
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Whether this process may install packages, mount and attach.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The command line as one would type it, with the variables that were set for it.
fn line(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quoted(value?))));
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = variables.chain(words.map(quoted));
    words.collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if word.contains(' ') {
        format!("'{word}'")
    } else {
        word.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, read, run};

    #[test]
    fn a_failure_names_the_command_and_its_status() {
        let error = run(Command::new("false").arg("--why").env("A", "b c")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`A='b c' false --why` failed: exit status: 1"
        );
    }

    #[test]
    fn a_failure_while_reading_has_what_the_program_said() {
        let error = read(Command::new("ls").arg("/no-such-directory")).unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
    }
}
