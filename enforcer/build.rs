//! Builds the kernel programs and leaves the objects in `OUT_DIR` for `kernel` to embed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, exit},
};

/// The BPF target has no prebuilt `core`, so cargo builds it: an unstable flag that
/// `RUSTC_BOOTSTRAP` opens on a stable compiler.
const TARGET: &str = "bpfel-unknown-none";

fn main() {
    println!("cargo::rerun-if-changed=../enforcer-ebpf");
    println!("cargo::rerun-if-changed=../enforcer-common");
    println!("cargo::rerun-if-env-changed=BPF_LINKER");
    if env::var_os("CARGO_FEATURE_KERNEL").is_none() {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    if let Err(error) = objects(&out) {
        eprintln!("{error}");
        exit(1);
    }
    println!("cargo::metadata=dir={}", out.display());
}

fn objects(out: &Path) -> Result<(), String> {
    build(out, &[])?;
    keep(out, "enforcer-hooks", "enforcer-hooks")?;
    keep(out, "enforcer-parity", "enforcer-parity")?;
    keep(out, "enforcer-rivals", "enforcer-rivals")?;
    // It has the name of the plain object, which is out of its way by now.
    build(out, &["--bin", "enforcer-hooks", "--features", "trace"])?;
    keep(out, "enforcer-hooks", "enforcer-hooks-trace")
}

/// `TARGET/bpf`, from `TARGET/PROFILE/build/PACKAGE-HASH/out`: one place for all profiles, or each
/// would build `core`.
fn target(out: &Path) -> PathBuf {
    out.ancestors().nth(4).unwrap_or(out).join("bpf")
}

fn build(out: &Path, options: &[&str]) -> Result<(), String> {
    let mut build = Command::new(env::var_os("CARGO").expect("cargo sets CARGO"));
    build
        .args([
            "build",
            "--package",
            "enforcer-ebpf",
            "--release",
            "--target",
            TARGET,
        ])
        .args(options)
        .args(["-Z", "build-std=core", "--target-dir"])
        .arg(target(out))
        .env("RUSTC_BOOTSTRAP", "1")
        // The verifier reads what LLVM leaves, and LLVM must see each program whole.
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags())
        .env_remove("RUSTC")
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    match build.status() {
        Ok(status) if status.success() => Ok(()),
        outcome => Err(format!(
            "{build:?}: {outcome:?}\n\
             The kernel programs need rust-src and bpf-linker: run `cargo xtask setup`."
        )),
    }
}

/// Leaves a built object where `kernel` embeds it from.
fn keep(out: &Path, object: &str, name: &str) -> Result<(), String> {
    let built = target(out).join(TARGET).join("release").join(object);
    let bytes = fs::read(&built).map_err(|error| format!("read {}: {error}", built.display()))?;
    refuse_second_text(object, &bytes)?;
    fs::write(out.join(name), bytes).map_err(|error| format!("write {name}: {error}"))
}

/// aya 0.14 remembers the functions that it has linked by their offset alone. Of two at one offset of
/// two sections it calls the first for the second: a verdict from whatever function that is.
/// `#[cold]` makes such a section.
fn refuse_second_text(object: &str, bytes: &[u8]) -> Result<(), String> {
    let second = b".text.";
    if bytes.windows(second.len()).any(|window| window == second) {
        return Err(format!(
            "{object} has functions in a section beside .text: leave `#[cold]` out"
        ));
    }
    Ok(())
}

/// Debug info becomes BTF; the linker is the one of the environment, of PATH, or of cargo.
fn rustflags() -> String {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets CARGO_CFG_TARGET_ARCH");
    let mut flags = vec![
        format!("--cfg=bpf_target_arch=\"{arch}\""),
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
    ];
    if let Some(linker) = linker() {
        flags.push(format!("-Clinker={}", linker.display()));
    }
    flags.join("\x1f")
}

fn linker() -> Option<PathBuf> {
    if let Some(linker) = env::var_os("BPF_LINKER") {
        return Some(linker.into());
    }
    let in_path = |dir: &Path| dir.join("bpf-linker").is_file();
    if env::split_paths(&env::var_os("PATH")?).any(|dir| in_path(&dir)) {
        return None;
    }
    let cargo_bin = match env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home).join("bin"),
        None => PathBuf::from(env::var_os("HOME")?).join(".cargo/bin"),
    };
    in_path(&cargo_bin).then(|| cargo_bin.join("bpf-linker"))
}
