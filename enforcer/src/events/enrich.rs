//! Completes what the kernel knew of a flow. Never fails, never waits.

use std::{collections::HashMap, sync::Arc};

use enforcer_common::{
    abi::{Addr, CgroupId, Event, FlowKey, Hook, Port, RuleId},
    verdict::Reason,
};

use super::{
    aggregate::Describe,
    context::{Context, Mode, RuleInfo},
    record::{CommandName, Destination, Facts, Outcome, Placement, Process, Source},
};

pub mod cgroup;
mod place;
pub mod process;

use process::ProcFs;

/// Describes flows with what [`Context`] and `/proc` know.
#[derive(Debug)]
pub struct Enricher<C> {
    context: C,
    processes: ProcFs,
    placements: HashMap<CgroupId, Placed>,
    nowhere: Arc<Placement>,
}

/// How many cgroups are remembered.
const REMEMBERED: usize = 4096;

/// What a path was found to say.
#[derive(Debug)]
struct Placed {
    path: Arc<str>,
    placement: Arc<Placement>,
}

impl<C: Context> Enricher<C> {
    /// An enricher that asks these two.
    #[must_use]
    pub fn new(context: C, processes: ProcFs) -> Self {
        Self {
            context,
            processes,
            placements: HashMap::new(),
            nowhere: Arc::default(),
        }
    }

    /// The context, to tell it more.
    pub fn context_mut(&mut self) -> &mut C {
        &mut self.context
    }

    /// The context it asks.
    #[must_use]
    pub fn context(&self) -> &C {
        &self.context
    }

    fn placement(&mut self, cgroup: CgroupId, path: Option<&Arc<str>>) -> Arc<Placement> {
        let Some(path) = path else {
            return Arc::clone(&self.nowhere);
        };
        if let Some(placed) = self.placements.get(&cgroup)
            && (Arc::ptr_eq(&placed.path, path) || placed.path == *path)
        {
            return Arc::clone(&placed.placement);
        }
        if self.placements.len() >= REMEMBERED {
            self.placements.clear();
        }
        let placement = Arc::new(Placement::from_path(path));
        self.placements.insert(
            cgroup,
            Placed {
                path: Arc::clone(path),
                placement: Arc::clone(&placement),
            },
        );
        placement
    }

    fn facts(&mut self, flow: &FlowKey, generation: u64, process: Option<Process>) -> Facts {
        let outcome = Outcome::from_byte(flow.verdict);
        let named = (flow.rule != RuleId::NONE).then(|| self.context.rule(flow.rule, generation));
        let rule = named.flatten();
        let (judged, place) = place::locate(&self.context, flow.dst);
        let cgroup = self.context.cgroup_path(flow.cgroup).or_else(|| {
            let image = process.as_ref()?.image.as_ref()?;
            image.cgroup.clone()
        });
        let placement = self.placement(flow.cgroup, cgroup.as_ref());
        let workload = self.context.workload(flow.cgroup).or_else(|| {
            // What waits, does so because no workload is known for it.
            let path = cgroup.as_ref().filter(|_| outcome != Outcome::Held)?;
            self.context.workload_above(path)
        });
        let names = self.context.names(flow.cgroup, cgroup.as_deref(), flow.dst);
        Facts {
            outcome,
            reason: None,
            hook: None,
            generation,
            class: None,
            mode: mode(outcome, rule.as_deref(), flow.rule),
            destination: Destination {
                addr: flow.dst,
                judged,
                port: known_port(flow.port),
                proto: flow.proto,
                names,
                place,
            },
            source: None,
            process,
            cgroup,
            placement,
            workload,
            rule,
        }
    }
}

impl<C: Context> Describe for Enricher<C> {
    fn event(&mut self, event: &Event) -> Arc<Facts> {
        let process = (event.pid != 0).then(|| {
            let name = CommandName::new(event.comm);
            let image = self.processes.image(event.pid, name, event.at_ns);
            Process {
                pid: event.pid,
                uid: event.uid,
                name,
                image,
            }
        });
        let addr = (event.src != UNKNOWN_SOURCE).then_some(event.src);
        let port = known_port(event.src_port);
        Arc::new(Facts {
            reason: Reason::from_byte(event.reason),
            hook: Hook::from_byte(event.hook),
            class: Some(event.class),
            source: (addr.is_some() || port.is_some()).then_some(Source { addr, port }),
            ..self.facts(&event.flow, event.generation, process)
        })
    }

    fn flow(&mut self, flow: &FlowKey, generation: u64) -> Arc<Facts> {
        // The key has the low bits of its image's number, and no image in force is older than that.
        let behind = (generation as u16).wrapping_sub(flow.generation);
        Arc::new(self.facts(flow, generation.saturating_sub(behind.into()), None))
    }
}

const UNKNOWN_SOURCE: Addr = Addr::from_v6([0; 16]);

fn known_port(port: Port) -> Option<Port> {
    (port.0 != 0).then_some(port)
}

/// The policy's mode, else what the verdict proves of it.
fn mode(outcome: Outcome, rule: Option<&RuleInfo>, id: RuleId) -> Option<Mode> {
    let proven = match outcome {
        Outcome::WouldDeny => Some(Mode::Audit),
        Outcome::Denied if id != RuleId::NONE => Some(Mode::Enforce),
        Outcome::Denied | Outcome::Held | Outcome::Allowed | Outcome::Unknown => None,
    };
    proven.or_else(|| rule.map(|rule| rule.mode))
}

#[cfg(test)]
mod tests;
