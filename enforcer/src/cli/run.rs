//! `enforcer run`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{
    daemon::{
        run::run as run_daemon,
        settings::{AgreementName, Keep, Settings, Unknown},
    },
    kernel::Build,
};

/// Where policies are without `--policies`.
const DEFAULT_POLICIES: &str = "/etc/enforcer/policies";

/// `enforcer run`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Stopping it does not end enforcement: `enforcer detach` does. It reads policies and databases again
when their files change and on SIGHUP; what is broken changes nothing.

Example:
  enforcer run --policies /etc/enforcer/policies --cgroup-root /kubepods --events file:/var/log/enforcer.ndjson")]
pub(super) struct RunArgs {
    /// Settings in TOML; options add to its lists and win over its single values
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory or file of policies and regions; repeat for several [default: /etc/enforcer/policies]
    #[arg(long, value_name = "DIR")]
    policies: Vec<PathBuf>,
    /// Use this MaxMind DB file instead of the built-in database; repeat for several
    #[arg(long, value_name = "FILE")]
    geo: Vec<PathBuf>,
    /// How several databases are combined
    #[arg(long, value_enum)]
    agreement: Option<AgreementName>,
    /// Managed root: every cgroup below is covered, and unknown until it has been looked at; repeat
    /// for several
    #[arg(long, value_name = "PATH")]
    cgroup_root: Vec<PathBuf>,
    /// How unknown cgroups below a managed root stand
    #[arg(long, value_enum)]
    unknown: Option<Unknown>,
    /// Socket of the container runtime, which tells of pods [default: that of containerd, CRI-O or k3s]
    #[arg(long, value_name = "PATH")]
    cri_socket: Option<PathBuf>,
    /// How long a pod that policies may select is waited for, if nobody tells of it [default: 30s]
    #[arg(long, value_name = "TIME")]
    resolve_within: Option<Keep>,
    /// How a pod stands that nobody told of in that time [default: deny]
    #[arg(long, value_enum)]
    unresolved: Option<Unknown>,
    /// Follow the policies and pods of a cluster as well: the one of the kubeconfig, or of the service
    /// account of this pod. NODE is this node's name there [default: $NODE_NAME, else the host name]
    #[cfg(feature = "cluster")]
    #[arg(long, value_name = "NODE", num_args = 0..=1, default_missing_value = "")]
    cluster: Option<String>,
    /// Where events go: -, file:PATH, syslog+tls://HOST:PORT, splunk-hec+https://HOST:PORT,
    /// otlp+https://HOST:PORT, webhook+https://HOST/PATH, with options after a `?` (docs/sinks.md);
    /// repeat for several [default: -]
    #[arg(long, value_name = "SINK")]
    events: Vec<String>,
    /// Where events wait for sinks that do not take them [default: /var/lib/enforcer/INSTANCE]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Record flows that pass as well as those that are refused, for `enforcer flows` and `enforcer
    /// policy simulate`. Each connect and each send of an unconnected socket costs a little more
    #[arg(long)]
    record_flows: bool,
    /// How long a flow is kept after it was last seen, such as 90m, 24h or 7d [default: 24h]
    #[arg(long, value_name = "TIME")]
    keep_flows: Option<Keep>,
    /// Serve Prometheus metrics on this address, at /metrics
    #[arg(
        long,
        value_name = "ADDR:PORT",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:9464"
    )]
    metrics: Option<SocketAddr>,
    /// Write every decision of the kernel programs to standard error. For debugging: it is slow, and
    /// under load lines are lost. Programs that trace take the place of the plain ones without a gap,
    /// and stay until `run` is started without this
    #[arg(long, conflicts_with = "record_flows")]
    trace_kernel: bool,
}

pub(super) fn run(args: &RunArgs, instance: &str) -> anyhow::Result<ExitCode> {
    let mut settings = match &args.config {
        Some(path) => Settings::read(path)?,
        None => Settings::default(),
    };
    settings.policies.extend_from_slice(&args.policies);
    settings.geo.extend_from_slice(&args.geo);
    settings.cgroup_roots.extend_from_slice(&args.cgroup_root);
    settings.events.extend_from_slice(&args.events);
    #[cfg(feature = "cluster")]
    if let Some(node) = &args.cluster {
        settings.cluster_node = Some(node_name(node));
    }
    settings.state = args.state.clone().or(settings.state);
    settings.agreement = args.agreement.or(settings.agreement);
    settings.cri_socket = args.cri_socket.clone().or(settings.cri_socket);
    settings.unknown = args.unknown.or(settings.unknown);
    settings.resolve_within = args.resolve_within.or(settings.resolve_within);
    settings.unresolved = args.unresolved.or(settings.unresolved);
    settings.record_flows |= args.record_flows;
    settings.keep_flows = args.keep_flows.or(settings.keep_flows);
    settings.metrics = args.metrics.or(settings.metrics);
    if settings.record_flows {
        settings.programs = Build::Recording;
    }
    if args.trace_kernel {
        settings.programs = Build::Traced;
    }
    if settings.policies.is_empty() {
        if Path::new(DEFAULT_POLICIES).is_dir() {
            settings.policies.push(DEFAULT_POLICIES.into());
        } else {
            eprintln!(
                "enforcer: there is no {DEFAULT_POLICIES}: only what is pushed (`enforcer policy push`) \
                 is in force"
            );
        }
    }
    run_daemon(settings, instance)?;
    Ok(ExitCode::SUCCESS)
}

/// As the cluster knows this machine: pods are told by `NODE_NAME` (downward API), a kubelet registers
/// the host name.
#[cfg(feature = "cluster")]
fn node_name(given: &str) -> String {
    let named = Some(given.to_owned()).filter(|name| !name.is_empty());
    let of_pod = || {
        std::env::var("NODE_NAME")
            .ok()
            .filter(|name| !name.is_empty())
    };
    let of_host = || {
        let host = rustix::system::uname();
        host.nodename().to_string_lossy().to_lowercase()
    };
    named.or_else(of_pod).unwrap_or_else(of_host)
}
