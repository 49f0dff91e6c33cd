//! What one would use instead: lists of permitted networks, everything else refused.

mod ipset;
mod nft;
mod trie;

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use enforcer_tests::lab::NetNs;
use serde::{Deserialize, Serialize};

pub(crate) use self::{ipset::Ipset, nft::Nft, trie::Trie};

/// What a list costs before the first packet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Loading {
    pub(crate) name: String,
    /// Networks in the list.
    pub(crate) networks: usize,
    /// Seconds from a file to being in force.
    pub(crate) load_seconds: f64,
    /// MiB of kernel memory more than before, by `/proc/meminfo`; other programs disturb it.
    pub(crate) kernel_mib: f64,
}

/// Does `load` and says what it cost.
fn loading(name: &str, networks: usize, load: impl FnOnce() -> Result<()>) -> Result<Loading> {
    let before = kernel_mib()?;
    let start = Instant::now();
    load()?;
    Ok(Loading {
        name: name.to_owned(),
        networks,
        load_seconds: start.elapsed().as_secs_f64(),
        kernel_mib: kernel_mib()? - before,
    })
}

/// Memory that the kernel holds for itself, in slabs and in larger pieces.
fn kernel_mib() -> Result<f64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.split_whitespace().next());
        kib.and_then(|kib| kib.parse::<f64>().ok())
            .with_context(|| format!("no {name} in /proc/meminfo"))
    };
    Ok((field("SUnreclaim:")? + field("VmallocUsed:")?) / 1024.0)
}

/// Runs a program in a namespace, with the mounts of the caller and `input` to read.
fn run(namespace: &NetNs, words: &[&str], input: Option<&Path>) -> Result<()> {
    let [program, arguments @ ..] = words else {
        return Ok(());
    };
    let mut command = Command::new(program);
    command.args(arguments);
    command.stdin(match input {
        Some(path) => Stdio::from(File::open(path)?),
        None => Stdio::null(),
    });
    namespace.confine(&mut command)?;
    let output = command
        .output()
        .with_context(|| format!("start {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", words.join(" "));
    Ok(())
}
