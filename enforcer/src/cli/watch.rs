//! `enforcer watch`: events as they happen.

mod board;
mod draw;
mod event;
mod screen;

use std::{
    io::{self, IsTerminal as _, Write as _},
    ops::ControlFlow,
    path::Path,
    process::ExitCode,
};

pub use board::Board;
pub use draw::draw;
pub use event::{Told, Violation};

use crate::{
    cli::policy::color,
    control::{self, client::follow},
    policy::Color,
};

/// `enforcer watch`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
On a terminal it draws: the workloads, destinations and countries that are refused most, and what was
refused last (q quits, c starts anew). Into a pipe, and with --lines, it writes a line for each event.

Examples:
  enforcer watch --verdict deny
  enforcer watch --workload /llm --lines
  enforcer watch --json | jq .destination")]
pub(super) struct WatchArgs {
    #[command(flatten)]
    filter: Filter,
    /// Write lines on a terminal too
    #[arg(long)]
    lines: bool,
    /// Write the events as they are, one JSON object a line
    #[arg(long, conflicts_with = "lines")]
    json: bool,
}

/// Which events are shown.
#[derive(clap::Args, Clone, Debug)]
struct Filter {
    /// Only with this verdict; without it, what happens to the daemon is shown as well
    #[arg(long, value_parser = ["deny", "would_deny", "hold"])]
    verdict: Option<String>,
    /// Only of this workload, or of cgroups below it
    #[arg(long, value_name = "PATH")]
    workload: Option<String>,
    /// Only to this country (ISO 3166-1 code; ZZ: no database knows it)
    #[arg(long, value_name = "CODE")]
    country: Option<String>,
}

pub(super) fn run(args: &WatchArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let socket = control::socket_path(instance);
    let terminal = io::stdout().is_terminal();
    if terminal && !args.lines && !args.json {
        screen::run(&socket, args.filter.clone(), instance)?;
    } else {
        lines(args, &socket, color(terminal))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(args: &WatchArgs, socket: &Path, color: Color) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let mut written = Ok(());
    follow(socket, "/v1/events", |line| {
        let told = Told::read(line);
        if !told.as_ref().is_none_or(|told| args.filter.wants(told)) {
            return ControlFlow::Continue(());
        }
        written = match told {
            Some(told) if !args.json => writeln!(out, "{}", told.line(color)),
            _ => out.write_all(line).and_then(|()| out.write_all(b"\n")),
        };
        written = written.as_ref().map_or(Ok(()), |()| out.flush());
        if written.is_err() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(written?)
}

impl Filter {
    fn wants(&self, told: &Told) -> bool {
        let violation = match told {
            Told::Violation(violation) => violation,
            Told::Missed(_) => return true,
            Told::Daemon { .. } => {
                return self.verdict.is_none() && self.workload.is_none() && self.country.is_none();
            }
        };
        let with = |verdict: &String| violation.verdict == *verdict;
        let to = |country: &String| violation.country.eq_ignore_ascii_case(country);
        let of = |wanted: &String| {
            let rest = violation
                .workload
                .strip_prefix(wanted.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.verdict.as_ref().is_none_or(with)
            && self.country.as_ref().is_none_or(to)
            && self.workload.as_ref().is_none_or(of)
    }
}

#[cfg(test)]
mod tests;
