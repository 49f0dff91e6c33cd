//! `enforcer explain`: the kernel's own decision, told to people.

mod target;

use std::{path::PathBuf, process::ExitCode, time::SystemTime};

use anyhow::bail;
use clap::ArgGroup;
use enforcer_common::abi::ClassId;
use jiff::Timestamp;

use self::target::Target;
#[cfg(feature = "kernel")]
use crate::control::{
    self, ExplainRequest,
    client::{CallError, send},
};
use crate::{
    compile::{Image, Input, compile},
    control::{DatabaseAnswer, Explanation},
    daemon::{
        explain::{Destination, explanation},
        node_resolvers,
    },
    geo::{Agreement, GeoSet},
    policy::{self, Minute, Policy},
};

/// `enforcer explain`.
#[derive(clap::Args, Debug)]
#[command(group(ArgGroup::new("whose").required(true)))]
#[command(after_help = "\
Examples:
  enforcer explain --policy policies/sovereign-llm.yaml --to 8.8.8.8:443/tcp
  enforcer explain --policy policies/ --to '[2a05:d014::1]:443/udp' --json
  enforcer explain --policy policies/ --to api.example.com@192.0.2.1:443/tcp
  enforcer explain --workload /llm/worker --to 1.1.1.1/icmp")]
pub(super) struct ExplainArgs {
    /// Policy file or directory; repeat for several. All of them are taken to select the workload
    #[arg(long, value_name = "FILE|DIR", group = "whose")]
    policy: Vec<PathBuf>,
    /// Cgroup below the cgroup2 mount, as `enforcer workloads` lists it. The running daemon answers,
    /// with the image in force
    #[cfg(feature = "kernel")]
    #[arg(long, value_name = "PATH", group = "whose")]
    workload: Option<String>,
    /// Destination: ADDR|NAME[:PORT[/PROTO]], or ADDR|NAME/PROTO for protocols without ports. Port
    /// and protocol are 443/tcp unless given. NAME@ADDR is an address that is taken to have the name,
    /// without a look-up
    #[arg(long, value_name = "DESTINATION")]
    to: Target,
    /// Use this MaxMind DB file instead of the built-in database; repeat for several
    #[arg(long, value_name = "FILE")]
    #[cfg_attr(feature = "kernel", arg(conflicts_with = "workload"))]
    geo: Vec<PathBuf>,
    /// Print JSON: an object for an address, an array for a name
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ExplainArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let destinations = args.to.destinations()?;
    let Some(explanations) = explain(args, instance, &destinations)? else {
        return Ok(ExitCode::FAILURE);
    };
    if args.json {
        match &explanations[..] {
            [only] if !args.to.is_name() => println!("{}", serde_json::to_string_pretty(only)?),
            all => println!("{}", serde_json::to_string_pretty(all)?),
        }
    } else {
        explanations.iter().for_each(print);
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "kernel")]
fn explain(
    args: &ExplainArgs,
    instance: &str,
    to: &[Destination],
) -> anyhow::Result<Option<Vec<Explanation>>> {
    match &args.workload {
        Some(workload) => of_workload(workload, instance, to).map(Some),
        None => of_policies(args, to),
    }
}

#[cfg(not(feature = "kernel"))]
fn explain(
    args: &ExplainArgs,
    _instance: &str,
    to: &[Destination],
) -> anyhow::Result<Option<Vec<Explanation>>> {
    of_policies(args, to)
}

#[cfg(feature = "kernel")]
fn of_workload(
    workload: &str,
    instance: &str,
    to: &[Destination],
) -> anyhow::Result<Vec<Explanation>> {
    let request = ExplainRequest {
        workload: workload.to_owned(),
        to: to.iter().map(ToString::to_string).collect(),
    };
    match send(&control::socket_path(instance), "/v1/explain", &request) {
        Err(error @ CallError::NoDaemon { .. }) => {
            bail!("{error}, or name the policies that select the workload with --policy")
        }
        answer => Ok(answer?),
    }
}

/// `None`: the policies are broken, and it was said how.
fn of_policies(args: &ExplainArgs, to: &[Destination]) -> anyhow::Result<Option<Vec<Explanation>>> {
    let loaded = match policy::load(&args.policy) {
        Ok(loaded) => loaded,
        Err(diagnostics) => {
            eprint!("{}", super::policy::rendered(&diagnostics));
            return Ok(None);
        }
    };
    if loaded.policies.is_empty() {
        bail!("no EgressPolicy in {}", args.policy[0].display());
    }
    let geo = GeoSet::open(&args.geo, Agreement::All)?;
    for warning in geo.warnings(SystemTime::now()) {
        eprintln!("enforcer: warning: {warning}");
    }
    let image = image_of(&loaded.policies, &geo)?;
    let explain = |to| {
        explanation(
            to,
            &image.decide(ClassId(0), &to.flow(), &to.names()),
            &image,
            &geo,
        )
    };
    Ok(Some(to.iter().map(explain).collect()))
}

fn image_of(policies: &[Policy], geo: &GeoSet) -> anyhow::Result<Image> {
    let classes = [(0..policies.len()).collect()];
    Ok(compile(&Input {
        now: Minute::of(Timestamp::now()),
        cluster_dns: &node_resolvers(),
        ..Input::of(policies, &classes, geo)
    })?)
}

fn print(explanation: &Explanation) {
    let verdict = if explanation.would_deny {
        "allow (audit: would deny)"
    } else {
        &explanation.verdict
    };
    println!("{}  {verdict}", explanation.to);
    if let Some(workload) = &explanation.workload {
        println!("  workload {workload}");
    }
    if let (Some(policy), Some(rule), Some(file)) =
        (&explanation.policy, &explanation.rule, &explanation.file)
    {
        let line = explanation.line.unwrap_or_default();
        println!(
            "  because  rule `{rule}` of policy `{policy}`, {}:{line}",
            file.display()
        );
    } else {
        println!("  because  {}", in_words(&explanation.reason));
    }
    if let Some(provider) = &explanation.no_agreement {
        println!(
            "  note     no agreement with provider `{provider}` is in force, and the policy requires one"
        );
    }
    if let Some(judged) = &explanation.judged {
        println!("  judged   as {judged}, the address inside it");
    }
    let mut place = Vec::new();
    place.extend(
        explanation
            .range
            .as_ref()
            .map(|range| format!("special-purpose range `{range}`, in no country")),
    );
    place.extend(
        explanation
            .country
            .as_ref()
            .map(|country| match country.as_str() {
                "ZZ" => "country unknown (ZZ), so in no region".to_owned(),
                country => format!("country {country}"),
            }),
    );
    if explanation.anycast {
        place.push("anycast, so in no region unless `anycast: allow`".to_owned());
    }
    if let Some(asn) = explanation.asn {
        place.push(format!(
            "AS{asn} {}",
            explanation.as_name.as_deref().unwrap_or("")
        ));
    }
    println!("  place    {}", place.join("; "));
    for DatabaseAnswer {
        name,
        built,
        country,
        ..
    } in &explanation.databases
    {
        let country = country.as_deref().unwrap_or("does not know it");
        println!(
            "  database {name} of {}: {country}",
            built.split('T').next().unwrap_or(built)
        );
    }
    if !explanation.countries_agree {
        println!("  note     the databases disagree; `agreement: all` asks for all of them");
    }
}

/// Decisions that no rule makes.
fn in_words(reason: &str) -> &str {
    match reason {
        "untagged" => "untagged: neither the cgroup nor one above it is a workload",
        "released" => "released: no policy selects the cgroup",
        "unknown" => "unknown: the managed root decides for cgroups not yet looked at",
        "isolated" => "isolated: the workload is refused everything but loopback",
        other => other,
    }
}

#[cfg(all(test, feature = "kernel"))]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::ExplainArgs;

    fn parse(line: &str) -> Result<ExplainArgs, clap::Error> {
        let command = ExplainArgs::augment_args(Command::new("explain")).no_binary_name(true);
        let matches = command.try_get_matches_from(line.split(' '))?;
        ExplainArgs::from_arg_matches(&matches)
    }

    #[test]
    fn a_workload_or_policies_and_not_both() {
        assert!(parse("--to 8.8.8.8 --policy a --policy b --geo c").is_ok());
        assert!(parse("--to 8.8.8.8 --workload /a").is_ok());
        for wrong in [
            "--to 8.8.8.8",
            "--to 8.8.8.8 --workload /a --policy b",
            "--to 8.8.8.8 --workload /a --geo c",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
