//! `enforcer policy check`.

mod junit;
mod report;
mod sarif;

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    time::SystemTime,
};

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use self::report::{Checked, Outcome};
use crate::{
    daemon::agreement::AgreementName,
    declared,
    geo::GeoSet,
    policy::{Color, Loaded, Minute, load_with_flows_at},
};

/// `enforcer policy check`. Exits with 0 when all is well, with 1 when something was found, and
/// with 2 when it could not be checked.
#[derive(Args, Debug)]
#[command(after_help = "\
Exits with 0 when all is well, with 1 when something was found, and with 2 when it was called wrongly
or a database cannot be read. Every finding has a code: docs/policy-reference.md explains each.

Examples:
  enforcer policy check policies/
  enforcer policy check policies/ --flows flows.yaml --geo city.mmdb --geo country.mmdb
  enforcer policy check policies/ --strict --format sarif > enforcer.sarif")]
pub struct CheckArgs {
    /// Policy files, and directories of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Declared flows (kind DataFlow) to compare with the policies, besides those in PATH; a file or
    /// directory, repeat for several
    #[arg(long, value_name = "FILE")]
    flows: Vec<PathBuf>,
    /// Judge declared flows with this MaxMind DB file instead of the built-in database; repeat for
    /// several
    #[arg(long, value_name = "FILE")]
    geo: Vec<PathBuf>,
    /// How several databases are combined
    #[arg(long, value_enum, default_value_t)]
    agreement: AgreementName,
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
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML, for the test reports of CI systems
    Junit,
}

/// Status of a check that could not be made.
const NOT_CHECKED: u8 = 2;

/// Checks policies, regions and declared flows, and writes what was found to standard output.
///
/// # Errors
/// The policies are more than an image can hold, or standard output cannot be written.
pub fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let geo = match databases(args) {
        Ok(geo) => geo,
        Err(error) => {
            eprintln!("enforcer: {error:#}");
            return Ok(ExitCode::from(NOT_CHECKED));
        }
    };
    let outcome = outcome(args, geo)?;
    let mut out = io::stdout().lock();
    match args.format {
        Format::Human => outcome.write_human(&mut out, color(io::stdout().is_terminal()))?,
        Format::Json => outcome.write_json(&mut out)?,
        Format::Sarif => sarif::write(&outcome, &mut out)?,
        Format::Junit => junit::write(&outcome, &mut out)?,
    }
    out.flush()?;
    Ok(if outcome.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The databases that were named. Those built in are opened where a flow asks for them.
fn databases(args: &CheckArgs) -> anyhow::Result<Option<GeoSet>> {
    if args.geo.is_empty() {
        return Ok(None);
    }
    Ok(Some(GeoSet::open(&args.geo, args.agreement.into())?))
}

fn outcome(args: &CheckArgs, geo: Option<GeoSet>) -> anyhow::Result<Outcome> {
    let now = Minute::of(Timestamp::now());
    let mut loaded = match load_with_flows_at(&args.paths, &args.flows, now) {
        Ok(loaded) => loaded,
        Err(findings) => return Ok(Outcome::broken(findings)),
    };
    judge(args, &mut loaded, geo, now)?;
    let checked = Checked {
        policies: loaded.policies.len(),
        regions: loaded.region_documents,
        providers: loaded.provider_documents,
        flows: loaded.flows.len(),
    };
    Ok(Outcome::read(checked, loaded.warnings, args.strict))
}

/// Compares the declared flows with the policies, and sees whether those fit an image.
fn judge(
    args: &CheckArgs,
    loaded: &mut Loaded,
    geo: Option<GeoSet>,
    now: Minute,
) -> anyhow::Result<()> {
    if loaded.flows.is_empty() && geo.is_none() {
        return Ok(());
    }
    let geo = match geo {
        Some(geo) => geo,
        None => GeoSet::open(&[], args.agreement.into())?,
    };
    for warning in geo.warnings(SystemTime::now()) {
        eprintln!("enforcer: warning: {warning}");
    }
    if loaded.flows.is_empty() {
        declared::fit(&loaded.policies, &geo, now)?;
    } else {
        let findings = declared::findings(loaded, &geo, now)?;
        loaded.warnings.extend(findings);
    }
    Ok(())
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
mod tests;
