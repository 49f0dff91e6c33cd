//! What a check found, for people and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use crate::policy::{Color, Diagnostic, Diagnostics, Finding, Severity};

/// How many documents there are. Not known when one of them cannot be read.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Checked {
    pub(super) policies: usize,
    pub(super) regions: usize,
    pub(super) providers: usize,
    pub(super) flows: usize,
}

/// What a check found.
pub(super) struct Outcome {
    pub(super) ok: bool,
    checked: Option<Checked>,
    pub(super) findings: Diagnostics,
    strict: bool,
}

/// The answer as `--format json` writes it.
#[derive(Serialize)]
struct Report {
    ok: bool,
    #[serde(flatten)]
    checked: Option<Checked>,
    findings: Vec<Finding>,
}

impl Outcome {
    /// Of documents that cannot be read.
    pub(super) fn broken(findings: Diagnostics) -> Self {
        Self {
            ok: false,
            checked: None,
            findings,
            strict: true,
        }
    }

    /// Of documents that can.
    pub(super) fn read(checked: Checked, findings: Diagnostics, strict: bool) -> Self {
        Self {
            ok: findings.errors() == 0 && (findings.is_empty() || !strict),
            checked: Some(checked),
            findings,
            strict,
        }
    }

    /// Whether this finding is why the check fails.
    pub(super) fn fails(&self, finding: &Diagnostic) -> bool {
        finding.severity() == Severity::Error || self.strict
    }

    pub(super) fn write_human(&self, out: &mut impl Write, color: Color) -> io::Result<()> {
        if !self.findings.is_empty() {
            writeln!(out, "{}", self.findings.render(color))?;
        }
        if let Some(checked) = self.checked {
            let verdict = if self.ok { "ok" } else { "not ok" };
            writeln!(out, "{}: {verdict}", checked.in_words())?;
        }
        Ok(())
    }

    pub(super) fn write_json(&self, out: &mut impl Write) -> anyhow::Result<()> {
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

impl Checked {
    fn in_words(self) -> String {
        let mut parts = vec![
            counted(self.policies, "policy", "policies"),
            counted(self.regions, "region", "regions"),
        ];
        if self.providers > 0 {
            parts.push(counted(self.providers, "provider", "providers"));
        }
        if self.flows > 0 {
            parts.push(counted(self.flows, "declared flow", "declared flows"));
        }
        parts.join(", ")
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
