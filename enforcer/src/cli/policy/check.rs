//! `enforcer policy check`.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::policy::{Color, Diagnostic, Diagnostics, Finding, load};

/// `enforcer policy check`. Exits with 0 when all is well and with 1 when something was found.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Policy files, and directories of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Count warnings as findings
    #[arg(long)]
    strict: bool,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// With excerpts, for people
    #[default]
    Human,
    /// One JSON object
    Json,
}

/// The answer as `--format json` writes it.
#[derive(Serialize)]
struct Report {
    ok: bool,
    #[serde(flatten)]
    checked: Option<Checked>,
    findings: Vec<Finding>,
}

/// Checks policies and regions, and writes what was found to standard output.
///
/// # Errors
/// Standard output cannot be written.
pub fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let outcome = Outcome::of(args);
    let mut out = io::stdout().lock();
    match args.format {
        Format::Human => outcome.write_human(&mut out, color(io::stdout().is_terminal()))?,
        Format::Json => outcome.write_json(&mut out)?,
    }
    out.flush()?;
    Ok(if outcome.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How many documents there are. Not known when one of them cannot be read.
#[derive(Clone, Copy, Serialize)]
struct Checked {
    policies: usize,
    regions: usize,
}

struct Outcome {
    ok: bool,
    checked: Option<Checked>,
    findings: Diagnostics,
}

impl Outcome {
    fn of(args: &CheckArgs) -> Self {
        match load(&args.paths) {
            Ok(loaded) => Self {
                ok: loaded.warnings.is_empty() || !args.strict,
                checked: Some(Checked {
                    policies: loaded.policies.len(),
                    regions: loaded.region_documents,
                }),
                findings: loaded.warnings,
            },
            Err(findings) => Self {
                ok: false,
                checked: None,
                findings,
            },
        }
    }

    fn write_human(&self, out: &mut impl Write, color: Color) -> io::Result<()> {
        if !self.findings.is_empty() {
            writeln!(out, "{}", self.findings.render(color))?;
        }
        if let (true, Some(checked)) = (self.ok, self.checked) {
            let policies = counted(checked.policies, "policy", "policies");
            let regions = counted(checked.regions, "region", "regions");
            writeln!(out, "{policies}, {regions}: ok")?;
        }
        Ok(())
    }

    fn write_json(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let report = Report {
            ok: self.ok,
            checked: self.checked,
            findings: self.findings.iter().map(Diagnostic::finding).collect(),
        };
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
        Ok(())
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Colours only where somebody sees them, and who sets `NO_COLOR` wants none (no-color.org).
pub(in crate::cli) fn color(terminal: bool) -> Color {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if terminal && !refused {
        Color::Always
    } else {
        Color::Never
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use clap::Parser;

    use super::{CheckArgs, Outcome};
    use crate::policy::Color;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: CheckArgs,
    }

    const REGION: &str = "{apiVersion: enforcer.dev/v1alpha1, kind: Region, \
        metadata: {name: home}, spec: {members: [{countries: [DE]}]}}";
    const LAX: &str = "{apiVersion: enforcer.dev/v1alpha1, kind: EgressPolicy, \
        metadata: {name: lax}, spec: {selector: [{exec: true}], \
        rules: [{name: all, action: allow}]}}";

    fn outcome(directory: &Path, flags: &[&str]) -> Outcome {
        let path = directory.to_str().expect("a plain path");
        let words = ["check", path].into_iter().chain(flags.iter().copied());
        Outcome::of(&Line::parse_from(words).args)
    }

    fn human(outcome: &Outcome) -> String {
        let mut out = Vec::new();
        outcome
            .write_human(&mut out, Color::Never)
            .expect("vectors grow");
        String::from_utf8(out).expect("text")
    }

    fn json(outcome: &Outcome) -> serde_json::Value {
        let mut out = Vec::new();
        outcome.write_json(&mut out).expect("vectors grow");
        serde_json::from_slice(&out).expect("JSON")
    }

    #[test]
    fn says_what_was_checked() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("home.yaml"), REGION).expect("a file");
        let outcome = outcome(directory.path(), &[]);
        assert!(outcome.ok);
        assert_eq!(human(&outcome), "0 policies, 1 region: ok\n");
        assert_eq!(json(&outcome)["regions"], 1);
    }

    #[test]
    fn warnings_fail_only_strict_checks() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("lax.yaml"), LAX).expect("a file");
        let lenient = outcome(directory.path(), &[]);
        assert!(lenient.ok);
        assert!(human(&lenient).ends_with("1 warning\n1 policy, 0 regions: ok\n"));
        let strict = outcome(directory.path(), &["--strict"]);
        assert!(!strict.ok);
        assert!(human(&strict).ends_with("1 warning\n"));
    }

    #[test]
    fn errors_are_listed_for_machines() {
        let directory = tempfile::tempdir().expect("a directory");
        let broken = LAX.replace("allow", "alow");
        let column = broken.find("alow").expect("it is there") + 1;
        fs::write(directory.path().join("lax.yaml"), broken).expect("a file");
        let outcome = outcome(directory.path(), &["--format", "json"]);
        assert!(!outcome.ok);
        let report = json(&outcome);
        assert_eq!(report["ok"], false);
        assert_eq!(report["policies"], serde_json::Value::Null);
        let finding = &report["findings"][0];
        assert_eq!(finding["code"], "unknown-value");
        assert_eq!(finding["severity"], "error");
        assert_eq!(finding["help"], "did you mean `allow`?");
        assert_eq!(finding["line"], 1);
        assert_eq!(finding["column"], column);
        assert_eq!(finding["endColumn"], column + "alow".len());
    }
}
