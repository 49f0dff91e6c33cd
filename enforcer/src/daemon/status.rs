//! The state of an instance, with a daemon or without.

use std::{collections::HashMap, time::SystemTime};

use enforcer_common::abi::{CgroupId, Counter, Stance, Tag};

use super::{flows::FlowRecorder, node::Node, reporter::Reporter};
use crate::{
    compile::Image,
    control::{
        Attached, Coverage, DatabaseStatus, DecisionStatus, DeviceCoverage, Labelled, MapStatus,
        PolicyStatus, SinkHealth, Status, TableStatus, Workload,
    },
    events::{clock, sinks::FailureCause},
    kernel::{AttachedDevice, Build, Enforcement, HOOKS, KernelError, PinDir},
    policy::Mode,
    workloads::Cgroup2,
};

/// What the daemon answers.
pub(super) fn of_daemon(node: &mut Node, reporter: &Reporter, instance: &str) -> Status {
    let paths = node.paths();
    let error = |error: KernelError| Some(format!("{error}"));
    let mut status = empty(instance, "running");
    if let Err(problem) = fill(&mut status, node.enforcement(), &paths) {
        status.last_error = error(problem);
    }
    status.adopted = node.enforcement().is_adopted();
    status.last_error = node.last_error().map(str::to_owned).or(status.last_error);
    status.revision = node.revision();
    status.isolations = node.isolations().to_vec();
    status.policies = node.policies().iter().map(policy_status).collect();
    for workload in &mut status.workloads {
        let class = workload.class.map(enforcer_common::abi::ClassId);
        let policies = class
            .map(|class| node.classes().policies(class))
            .unwrap_or_default();
        workload.policies = policies.iter().map(ToString::to_string).collect();
        let device = node.device_coverage(&workload.cgroup).cloned();
        workload.device = device.filter(|_| workload.coverage == Coverage::Covered);
    }
    if let Some((image, geo)) = node.image() {
        status.databases = geo
            .databases
            .iter()
            .map(|database| DatabaseStatus {
                name: database.info.name.clone(),
                built: seconds(database.info.built),
                age_days: database.info.age(SystemTime::now()).as_secs() / 86_400,
            })
            .collect();
        status.tables.extend(limits(image));
    }
    match node.decisions() {
        Ok(decisions) => status.decisions = decisions,
        Err(problem) => status.last_error = status.last_error.or(error(problem)),
    }
    status.apply_seconds = node.apply_time().map(|time| time.as_secs_f64());
    status.sinks = reporter
        .pipeline()
        .status()
        .map(|sink| SinkHealth {
            name: sink.sink,
            state: sink.state.as_str().to_owned(),
            error: sink.error,
            delivered: sink.delivered,
            waiting: sink.waiting,
            waiting_bytes: sink.waiting_bytes,
            lost: sink.lost,
            refused: sink.refused,
            damaged: sink.damaged,
            failures: FailureCause::ALL
                .iter()
                .zip(sink.failures)
                .filter(|(_, count)| *count > 0)
                .map(|((_, name), count)| labelled(name, count))
                .collect(),
        })
        .collect();
    let sum = |count: fn(&SinkHealth) -> u64| status.sinks.iter().map(count).sum();
    let no_room = |sink: &SinkHealth| sink.lost.saturating_sub(sink.refused + sink.damaged);
    let lost = [
        labelled("sink_queue_full", sum(no_room)),
        labelled("sink_refused", sum(|sink| sink.refused)),
        labelled("sink_damaged", sum(|sink| sink.damaged)),
    ];
    status.lost.extend(lost);
    let flows = reporter.flows().map_or(0, FlowRecorder::dropped);
    status.lost.push(labelled("flow_records_full", flows));
    status
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}

/// What an image takes of its limits.
fn limits(image: &Image) -> [TableStatus; 3] {
    let usage = image.usage();
    let table = |name: &str, entries: usize, capacity: usize| TableStatus {
        name: name.to_owned(),
        entries: entries as u64,
        capacity: capacity as u64,
    };
    [
        table("atoms", usage.addresses.atoms, Image::MOST_ATOMS),
        table("rules", image.rules().count(), usize::from(u16::MAX)),
        table("pages", image.pages().len(), Image::MOST_PAGES),
    ]
}

fn labelled(name: &str, count: u64) -> Labelled {
    Labelled {
        name: name.to_owned(),
        count,
    }
}

/// What the pins tell while no daemon runs.
///
/// # Errors
/// The pins cannot be read.
pub fn of_pins(instance: &str) -> Result<Status, KernelError> {
    let mut status = empty(instance, "stopped");
    for build in Build::ALL {
        if let Some(enforcement) = Enforcement::adopt(PinDir::of_run(instance, build))? {
            let paths = paths_on_disk();
            fill(&mut status, &enforcement, &paths)?;
            break;
        }
    }
    Ok(status)
}

/// Every cgroup of the machine by id.
fn paths_on_disk() -> HashMap<CgroupId, String> {
    let Ok(cgroups) = Cgroup2::find() else {
        return HashMap::new();
    };
    let paths = cgroups.tree("/").into_iter();
    paths
        .filter_map(|path| Some((cgroups.id(&path).ok()?, path)))
        .collect()
}

fn empty(instance: &str, daemon: &str) -> Status {
    Status {
        daemon: daemon.to_owned(),
        instance: instance.to_owned(),
        enforcing: false,
        generation: None,
        adopted: false,
        last_error: None,
        revision: None,
        cluster: None,
        isolations: Vec::new(),
        policies: Vec::new(),
        databases: Vec::new(),
        workloads: Vec::new(),
        cgroups: Vec::new(),
        memory_bytes: 0,
        maps: Vec::new(),
        tables: Vec::new(),
        apply_seconds: None,
        counters: Vec::new(),
        faults: Vec::new(),
        lost: Vec::new(),
        decisions: Vec::new(),
        sinks: Vec::new(),
    }
}

fn fill(
    status: &mut Status,
    enforcement: &Enforcement,
    paths: &HashMap<CgroupId, String>,
) -> Result<(), KernelError> {
    let path = |cgroup: CgroupId| {
        paths
            .get(&cgroup)
            .cloned()
            .unwrap_or_else(|| cgroup.0.to_string())
    };
    status.generation = enforcement.in_force()?.map(|(generation, _)| generation);
    status.cgroups = enforcement
        .attached()?
        .into_iter()
        .map(|attached| Attached {
            cgroup: path(attached.cgroup),
            id: attached.cgroup.0,
            hooks: attached.hooks,
        })
        .collect();
    let holds = |cgroup: &Attached| {
        cgroup.hooks.len() == HOOKS.len() && paths.contains_key(&CgroupId(cgroup.id))
    };
    status.enforcing = status.generation.is_some() && status.cgroups.iter().any(holds);
    status.workloads = enforcement
        .tags()?
        .into_iter()
        .map(|(id, tag)| workload(path(id), id, &tag))
        .collect();
    let devices = enforcement.devices()?;
    for workload in &mut status.workloads {
        workload.device = device(workload, &devices);
    }
    status.workloads.sort_by(|a, b| a.cgroup.cmp(&b.cgroup));
    let memory = enforcement.memory()?;
    status.memory_bytes = memory.iter().map(|map| map.bytes).sum();
    let map = |map: crate::kernel::MapMemory| MapStatus {
        name: map.name.to_owned(),
        bytes: map.bytes,
        capacity: map.capacity,
    };
    status.maps = memory.into_iter().map(map).collect();
    let fill = |table: crate::kernel::TableFill| TableStatus {
        name: table.name.to_lowercase(),
        entries: table.entries,
        capacity: table.capacity,
    };
    status.tables = enforcement.fill()?.into_iter().map(fill).collect();
    let counters = enforcement.counters()?;
    let plain = [
        ("untagged", Counter::Untagged),
        ("passed", Counter::Passed),
        ("unknown", Counter::Unknown),
        ("isolated", Counter::Isolated),
        ("replies", Counter::Replies),
        ("socket_tag_failed", Counter::SocketTagFailed),
    ];
    status.counters = plain
        .into_iter()
        .map(|(name, counter)| labelled(name, counters.get(counter)))
        .collect();
    status.faults = counters
        .faults()
        .map(|(name, count)| labelled(name, count))
        .collect();
    status.lost = counters
        .losses()
        .map(|(name, count)| labelled(name, count))
        .collect();
    let dns = counters
        .dns()
        .map(|(name, count)| labelled(&format!("dns_{name}"), count));
    status.counters.extend(dns);
    let decision =
        |(rule, count): &(enforcer_common::abi::RuleId, crate::kernel::DecisionCount)| {
            DecisionStatus {
                policy: "unknown".to_owned(),
                rule: rule.0.to_string(),
                mode: "unknown".to_owned(),
                allowed: count.allowed,
                denied: count.denied,
                would_deny: count.would_deny,
            }
        };
    let decisions = enforcement.decisions(usize::MAX)?;
    status.decisions = decisions.iter().map(decision).collect();
    Ok(())
}

fn workload(cgroup: String, id: CgroupId, tag: &Tag) -> Workload {
    let coverage = match tag.stance() {
        Some(Stance::Judge) => Coverage::Covered,
        Some(Stance::Release) => Coverage::Unselected,
        Some(Stance::UnknownHold) => Coverage::RootHold,
        Some(Stance::UnknownDeny) => Coverage::RootDeny,
        Some(Stance::UnknownAllow) => Coverage::RootAllow,
        None => Coverage::Damaged,
    };
    let class = (coverage == Coverage::Covered).then_some(tag.class.0);
    Workload {
        cgroup,
        id: id.0,
        coverage,
        class,
        policies: Vec::new(),
        isolated_until_ns: (tag.isolated_until > clock::boottime_ns())
            .then_some(tag.isolated_until),
        device: None,
    }
}

/// As policies write it.
pub(super) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Audit => "audit",
    }
}

/// As the pins tell: what is attached, not what should be.
fn device(workload: &Workload, attached: &[AttachedDevice]) -> Option<DeviceCoverage> {
    let of_workload = attached
        .iter()
        .filter(|device| device.cgroup.0 == workload.id);
    let interfaces: Vec<String> = of_workload.map(AttachedDevice::name).collect();
    (!interfaces.is_empty()).then_some(DeviceCoverage {
        covered: true,
        interfaces,
        reason: None,
    })
}

fn policy_status(policy: &crate::policy::Policy) -> PolicyStatus {
    PolicyStatus {
        name: policy.name.to_string(),
        mode: mode_name(policy.mode).to_owned(),
        source: format!("{}:{}", policy.at.file.display(), policy.at.line),
    }
}
