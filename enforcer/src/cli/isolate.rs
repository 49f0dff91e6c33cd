//! `enforcer isolate` and `enforcer release`.

use std::{path::Path, process::ExitCode};

use clap::Args;
use jiff::SignedDuration;

use crate::{
    control::{
        self, IsolateRequest, Isolation, ReleaseRequest,
        client::{CallError, send},
    },
    daemon::alone,
};

/// `enforcer isolate`.
#[derive(Args, Debug)]
#[command(after_help = "\
From the next packet on everything is refused but loopback and the exceptions, established flows and
replies included. The kernel ends it on time by itself, with the daemon or without. An exception widens
no policy: what the workload's policies refuse stays refused. Without a daemon, exceptions cannot be
made.

Example:
  enforcer isolate /kubepods/pod7 --for 2h --reason \"beacon to an unknown host\" --allow 10.0.0.5:443")]
pub(super) struct IsolateArgs {
    /// Path of a cgroup; all below it is isolated too
    #[arg(value_name = "WORKLOAD")]
    workload: String,
    /// For how long: 30s, 15m, 2h, 1d
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    seconds: u64,
    /// Why: it goes into events, and into what `status` says
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Leave this open: ADDR or NETWORK, with :PORT/PROTO for one port; repeat for several
    #[arg(long, value_name = "PEER")]
    allow: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// `enforcer release`.
#[derive(Args, Debug)]
pub(super) struct ReleaseArgs {
    /// The cgroup that was isolated
    #[arg(value_name = "WORKLOAD")]
    workload: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn isolate(args: &IsolateArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let request = IsolateRequest {
        workload: args.workload.clone(),
        seconds: args.seconds,
        reason: args.reason.clone(),
        allow: args.allow.clone(),
    };
    let isolation = match send(&socket(instance), "/v1/isolate", &request) {
        Err(CallError::NoDaemon { .. }) => alone::isolate(&request, instance)?,
        answer => answer?,
    };
    told(&isolation, args.json, |it: &Isolation| {
        format!("{} is isolated until {}", it.workload, it.until)
    })
}

pub(super) fn release(args: &ReleaseArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let request = ReleaseRequest {
        workload: args.workload.clone(),
    };
    let isolation = match send(&socket(instance), "/v1/release", &request) {
        Err(CallError::NoDaemon { .. }) => alone::release(Path::new(&request.workload), instance)?,
        answer => answer?,
    };
    told(&isolation, args.json, |it: &Isolation| {
        format!("{} is no longer isolated", it.workload)
    })
}

fn socket(instance: &str) -> std::path::PathBuf {
    control::socket_path(instance)
}

fn told(
    isolation: &Isolation,
    json: bool,
    text: impl Fn(&Isolation) -> String,
) -> anyhow::Result<ExitCode> {
    if json {
        println!("{}", serde_json::to_string_pretty(isolation)?);
    } else {
        println!("{}", text(isolation));
    }
    Ok(ExitCode::SUCCESS)
}

/// Whole seconds of what people write.
fn seconds(text: &str) -> Result<u64, String> {
    let duration: SignedDuration = text
        .parse()
        .map_err(|_| "write a time as 30s, 15m, 2h or 1d".to_owned())?;
    match u64::try_from(duration.as_secs()) {
        Ok(seconds @ 1..) => Ok(seconds),
        Ok(0) | Err(_) => Err("at least a second".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("15m"), Ok(900));
        assert_eq!(seconds("1h30m"), Ok(5400));
        for wrong in ["", "2", "0s", "-1h", "soon", "500ms"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
