use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use enforcer_common::abi::{Event, FlowCount, FlowKey, Port};
use proptest::prelude::{Just, Strategy, prop, prop_assert_eq, prop_oneof, proptest};

use super::{Aggregator, Describe};
use crate::events::{
    clock::Clock,
    enrich::{Enricher, process::ProcFs},
    record::{Facts, Violation},
    samples::{SampleContext, event},
};

/// Keeps the port, which is how tests tell flows apart.
struct Ports(Enricher<SampleContext>);

impl Describe for Ports {
    fn event(&mut self, event: &Event) -> Arc<Facts> {
        self.0.event(event)
    }

    fn flow(&mut self, flow: &FlowKey, generation: u64) -> Arc<Facts> {
        self.0.flow(flow, generation)
    }
}

const IDLE: Duration = Duration::from_nanos(10);

fn aggregator() -> Aggregator<Ports> {
    let proc = ProcFs::at(std::path::Path::new("/nonexistent"));
    Aggregator::new(
        Ports(Enricher::new(SampleContext::of_a_node(), proc)),
        Clock::with_offset(0),
        IDLE,
    )
}

fn nanoseconds(violation: &Violation) -> (i128, i128) {
    (
        violation.start.as_nanosecond(),
        violation.end.as_nanosecond(),
    )
}

/// The kernel's side: the first refusal of a flow makes an event, all are counted.
#[derive(Default)]
struct Kernel {
    table: HashMap<FlowKey, FlowCount>,
    ring: VecDeque<Event>,
    refused: HashMap<FlowKey, u64>,
    now_ns: u64,
}

impl Kernel {
    fn refuse(&mut self, port: u16, ring_full: bool) -> FlowKey {
        self.now_ns += 1;
        let mut event = Event {
            at_ns: self.now_ns,
            ..event()
        };
        event.flow.port = Port(port);
        *self.refused.entry(event.flow).or_default() += 1;
        let new = !self.table.contains_key(&event.flow);
        let seen = self.table.entry(event.flow).or_insert(FlowCount {
            first_ns: self.now_ns,
            ..FlowCount::default()
        });
        seen.count += 1;
        seen.bytes += 100;
        seen.last_ns = self.now_ns;
        if new && !ring_full {
            self.ring.push_back(event);
        }
        event.flow
    }

    fn table(&self) -> Vec<(FlowKey, FlowCount)> {
        self.table
            .iter()
            .map(|(flow, count)| (*flow, *count))
            .collect()
    }
}

#[test]
fn repeats_are_told_as_counts() {
    let (mut kernel, mut aggregator) = (Kernel::default(), aggregator());
    kernel.refuse(1, false);
    let first = aggregator.first(&kernel.ring.pop_front().expect("an event"));
    assert_eq!((first.count, nanoseconds(&first)), (1, (1, 1)));
    kernel.refuse(1, false);
    kernel.refuse(1, false);
    let swept = aggregator.sweep(kernel.table(), kernel.now_ns, 3);
    let [repeats] = swept.violations.as_slice() else {
        panic!("{swept:?}")
    };
    assert_eq!(
        (repeats.count, repeats.bytes, nanoseconds(repeats)),
        (2, 300, (1, 3))
    );
    assert!(Arc::ptr_eq(&repeats.facts, &first.facts));
    assert_eq!(
        aggregator
            .sweep(kernel.table(), kernel.now_ns, 3)
            .violations,
        []
    );
}

#[test]
fn a_lost_first_event_is_made_up_for() {
    let (mut kernel, mut aggregator) = (Kernel::default(), aggregator());
    kernel.refuse(1, true);
    kernel.refuse(1, true);
    assert_eq!(
        aggregator
            .sweep(kernel.table(), kernel.now_ns, 3)
            .violations,
        []
    );
    let swept = aggregator.sweep(kernel.table(), kernel.now_ns, 3);
    let [lost] = swept.violations.as_slice() else {
        panic!("{swept:?}")
    };
    assert_eq!((lost.count, nanoseconds(lost)), (2, (1, 2)));
    assert_eq!(lost.facts.reason, None);
    assert_eq!(
        lost.facts.rule.as_ref().map(|rule| &*rule.rule),
        Some("default")
    );
}

#[test]
fn details_that_come_late_count_nothing() {
    let (mut kernel, mut aggregator) = (Kernel::default(), aggregator());
    kernel.refuse(1, false);
    aggregator.sweep(kernel.table(), kernel.now_ns, 3);
    assert_eq!(
        aggregator
            .sweep(kernel.table(), kernel.now_ns, 3)
            .violations[0]
            .count,
        1
    );
    let late = aggregator.first(&kernel.ring.pop_front().expect("an event"));
    assert_eq!(late.count, 0);
    assert!(late.facts.reason.is_some());
}

#[test]
fn idle_flows_are_given_back_and_begin_anew() {
    let (mut kernel, mut aggregator) = (Kernel::default(), aggregator());
    let flow = kernel.refuse(1, false);
    aggregator.first(&kernel.ring.pop_front().expect("an event"));
    let later = kernel.now_ns + 11;
    assert_eq!(
        aggregator.sweep(kernel.table(), kernel.now_ns + 10, 3).idle,
        []
    );
    assert_eq!(aggregator.sweep(kernel.table(), later, 3).idle, [flow]);
    // Refused once more between the sweep and the deletion.
    kernel.refuse(1, false);
    let last = kernel.table.remove(&flow).expect("a flow");
    assert_eq!(
        aggregator.retire(&flow, &last, 3).map(|rest| rest.count),
        Some(1)
    );
    kernel.refuse(1, false);
    assert_eq!(
        aggregator
            .first(&kernel.ring.pop_front().expect("an event"))
            .count,
        1
    );
    assert_eq!(
        aggregator
            .sweep(kernel.table(), kernel.now_ns, 3)
            .violations,
        []
    );
}

#[test]
fn events_without_room_in_the_table_are_forgotten_after_a_while() {
    let mut aggregator = aggregator();
    aggregator.first(&event());
    aggregator.first(&event());
    for _ in 0..2 {
        assert_eq!(aggregator.flows.len(), 1);
        aggregator.sweep([], 0, 3);
    }
    assert!(aggregator.flows.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Refuse { port: u16, ring_full: bool },
    ReadRing(usize),
    Sweep,
    SweepAndRetire { all: bool },
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..4_u16, prop::bool::weighted(0.2))
            .prop_map(|(port, ring_full)| Step::Refuse { port, ring_full }),
        3 => (0..4_usize).prop_map(Step::ReadRing),
        3 => Just(Step::Sweep),
        1 => prop::bool::ANY.prop_map(|all| Step::SweepAndRetire { all }),
        1 => (0..20_u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..120)
}

fn run(steps: Vec<Step>) -> (HashMap<FlowKey, u64>, HashMap<FlowKey, u64>) {
    let (mut kernel, mut aggregator) = (Kernel::default(), aggregator());
    let mut told = Vec::new();
    let end = [Step::ReadRing(usize::MAX), Step::Sweep, Step::Sweep];
    for step in steps.into_iter().chain(end) {
        match step {
            Step::Refuse { port, ring_full } => {
                kernel.refuse(port, ring_full);
            }
            Step::ReadRing(most) => {
                let ready = kernel.ring.len().min(most);
                told.extend(
                    kernel
                        .ring
                        .drain(..ready)
                        .map(|event| aggregator.first(&event)),
                );
            }
            Step::Sweep => {
                told.extend(
                    aggregator
                        .sweep(kernel.table(), kernel.now_ns, 3)
                        .violations,
                );
            }
            Step::SweepAndRetire { all } => {
                told.extend(kernel.ring.drain(..).map(|event| aggregator.first(&event)));
                let swept = aggregator.sweep(kernel.table(), kernel.now_ns, 3);
                told.extend(swept.violations);
                let flows = if all {
                    kernel.table.keys().copied().collect()
                } else {
                    swept.idle
                };
                for flow in flows {
                    let last = kernel.table.remove(&flow).expect("a flow");
                    told.extend(aggregator.retire(&flow, &last, 3));
                }
            }
            Step::Wait(ns) => kernel.now_ns += ns,
        }
    }
    let mut counts = HashMap::new();
    for violation in told {
        assert!(violation.start <= violation.end, "{violation:?}");
        let flow = FlowKey {
            port: violation.facts.destination.port.unwrap_or(Port(0)),
            ..event().flow
        };
        *counts.entry(flow).or_default() += violation.count;
    }
    (kernel.refused, counts)
}

proptest! {
    #[test]
    fn counts_add_up_to_the_kernels(steps in steps()) {
        let (refused, told) = run(steps);
        prop_assert_eq!(refused, told);
    }
}
