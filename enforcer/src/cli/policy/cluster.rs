//! The verbs of `enforcer policy` that ask a cluster.

mod wait;

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::json;

use self::wait::{Awaited, wait};
use super::rendered;
use crate::{
    cluster::{Applied, Canary, Cluster, How, NodeStatus, Outcome, Stored},
    policy::{
        Bundle, Diagnostics, DocumentName,
        crd::{self, Object, ResourceKind},
        load_with,
    },
};

/// Options of `enforcer policy push` about a cluster.
#[derive(Args, Debug)]
pub(super) struct ClusterArgs {
    /// Push to the cluster of the kubeconfig, whose nodes take it from there, instead of to the daemon
    /// of this host
    #[arg(long, conflicts_with = "prune")]
    pub(super) cluster: bool,
    /// Let only this share of the nodes try it, such as 10%, until `enforcer policy promote`
    #[arg(long, value_name = "SHARE", requires = "cluster", value_parser = share)]
    canary: Option<String>,
    /// Let only the nodes with these labels try it, such as zone=a
    #[arg(long, value_name = "SELECTOR", requires = "cluster")]
    nodes: Option<String>,
    /// How many denials of flows that the policy in force allows end what is tried
    #[arg(long, value_name = "COUNT", requires = "cluster", default_value_t = 10)]
    limit: u64,
    /// How long --wait waits for the nodes, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "cluster",
        default_value_t = 60
    )]
    timeout: u64,
    /// Take over fields that were set by other means, such as kubectl
    #[arg(long, requires = "cluster")]
    force_conflicts: bool,
}

/// What of `enforcer policy push` is the same for a cluster.
pub(super) struct Push<'a> {
    pub(super) paths: &'a [PathBuf],
    pub(super) dry_run: bool,
    pub(super) wait: bool,
    pub(super) json: bool,
}

/// `enforcer policy promote`.
#[derive(Args, Debug)]
#[command(after_help = "\
Ends what `enforcer policy push --cluster --canary` began.

Exit status: 0 when every document was promoted, 1 otherwise.")]
pub(super) struct PromoteArgs {
    /// Policies that some nodes try: NAME, or NAMESPACE/NAME
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Take it back instead: all nodes enforce what was in force before
    #[arg(long)]
    abort: bool,
    /// Take over fields that were set by other means, such as kubectl
    #[arg(long)]
    force_conflicts: bool,
}

/// Puts files into the cluster.
pub(super) fn push(push: &Push<'_>, args: &ClusterArgs) -> anyhow::Result<ExitCode> {
    let told = |findings: Diagnostics| anyhow::anyhow!(rendered(&findings));
    let bundle = Bundle::read(push.paths).map_err(told)?;
    let mut objects = crd::objects(&bundle).map_err(told)?;
    let left_out = bundle.documents().len() - objects.len();
    if left_out > 0 {
        eprintln!("enforcer: {left_out} documents are of kinds that a cluster does not store");
    }
    // A policy comes after what it names.
    objects.sort_by_key(|object| object.kind);
    let cluster = Cluster::connect()?;
    let stored = cluster.documents(namespaces(&objects).as_ref())?;
    check(&stored, &bundle).map_err(told)?;
    let how = How {
        dry_run: push.dry_run,
        force: args.force_conflicts,
    };
    let mut applied = Vec::new();
    for object in &objects {
        let applied_now = if args.canary.is_some() || args.nodes.is_some() {
            let canary = canary(&cluster, object, args)?;
            cluster.stage(&object.name, &canary, how)?
        } else {
            let tried = stored
                .iter()
                .find(|it| (it.kind, &it.name) == (object.kind, &object.name));
            ensure!(
                tried.is_none_or(|it| it.canary.is_none()),
                "some nodes try another {}: `enforcer policy promote {name}`, or with --abort, ends that",
                object.name,
                name = object.name
            );
            cluster.apply(object, how)?
        };
        if !push.json {
            println!("{}", line(&applied_now));
        }
        applied.push(applied_now);
    }
    let mut answered = Awaited::default();
    if push.wait && !push.dry_run {
        let stored: Vec<&Stored> = applied.iter().map(|it| &it.stored).collect();
        answered = wait(
            &cluster,
            &stored,
            Duration::from_secs(args.timeout),
            push.json,
        )?;
    }
    if push.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&answers(&applied, &answered))?
        );
    }
    Ok(answered.exit_code())
}

/// Promotes what some nodes try, or takes it back.
pub(super) fn promote(args: &PromoteArgs) -> anyhow::Result<ExitCode> {
    let cluster = Cluster::connect()?;
    for name in &args.names {
        let name = &DocumentName::from(&**name);
        let kind = ResourceKind::of_policy(name);
        let (stored, _) = cluster.state(kind, name)?;
        if !args.abort {
            if let Some((node, why)) = stored.taken_back.first_key_value() {
                bail!("{node} took {name} back: {why}; `--abort` clears it away");
            }
            let canary = stored
                .canary
                .with_context(|| format!("no node tries another {name}"))?;
            let object = Object {
                kind,
                name: name.clone(),
                spec: canary.spec,
            };
            let how = How {
                dry_run: false,
                force: args.force_conflicts,
            };
            cluster.apply(&object, how)?;
            println!("promoted   {}", line(&cluster.unstage(name)?));
        } else if stored.spec.is_none() {
            cluster.delete(kind, name)?;
            println!("removed    {}/{name}: there was none before", kind.name());
        } else {
            println!("taken back {}", line(&cluster.unstage(name)?));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The namespaces whose policies are all that is pushed, if so: then nothing else can be hurt.
fn namespaces(objects: &[Object]) -> Option<BTreeSet<&str>> {
    objects.iter().map(|it| it.name.namespace()).collect()
}

/// The files together with what the cluster stores besides: its nodes read no others.
fn check(stored: &[Stored], bundle: &Bundle) -> Result<(), Diagnostics> {
    let file = |stored: &Stored| {
        let spec = stored.spec.clone()?;
        let object = Object {
            kind: stored.kind,
            name: stored.name.clone(),
            spec,
        };
        Some(object.file())
    };
    let besides = Bundle {
        files: stored.iter().filter_map(file).collect(),
    };
    let loaded = load_with(&[], &besides.updated(bundle))?;
    if !loaded.warnings.is_empty() {
        eprintln!("{}", rendered(&loaded.warnings));
    }
    Ok(())
}

fn canary(cluster: &Cluster, object: &Object, args: &ClusterArgs) -> anyhow::Result<Canary> {
    ensure!(
        object.kind.is_policy(),
        "{}/{}: only policies can be tried by some nodes; push it for all first",
        object.kind.name(),
        object.name
    );
    let nodes = match &args.nodes {
        Some(selector) => {
            let nodes = cluster.nodes(Some(selector))?;
            ensure!(!nodes.is_empty(), "no node has the labels `{selector}`");
            nodes.iter().map(ToString::to_string).collect()
        }
        None => Vec::new(),
    };
    Ok(Canary {
        share: args.canary.clone(),
        nodes,
        limit: Some(args.limit),
        spec: object.spec.clone(),
    })
}

fn line(applied: &Applied) -> String {
    let Applied { outcome, stored } = applied;
    let mark = match outcome {
        Outcome::Created => "created",
        Outcome::Changed => "changed",
        Outcome::Unchanged => "unchanged",
    };
    let (kind, name) = (stored.kind.name(), &stored.name);
    format!("{mark:<10} {kind}/{name}, generation {}", stored.generation)
}

fn answers(applied: &[Applied], answered: &Awaited) -> serde_json::Value {
    let document = |applied: &Applied| {
        let Applied { outcome, stored } = applied;
        let nodes: Vec<&NodeStatus> = answered.of(stored).collect();
        json!({
            "kind": stored.kind.name(),
            "name": stored.name.as_str(),
            "generation": stored.generation,
            "changed": *outcome != Outcome::Unchanged,
            "nodes": nodes,
        })
    };
    json!({
        "documents": applied.iter().map(document).collect::<Vec<_>>(),
        "silent": answered.silent(),
    })
}

fn share(text: &str) -> Result<String, String> {
    let number = text.strip_suffix('%').and_then(|it| it.parse::<u8>().ok());
    match number {
        Some(1..=100) => Ok(text.to_owned()),
        _ => Err("write 1% to 100%".to_owned()),
    }
}
