//! First refusals and polled counters to violations whose counts add up.
//!
//! The kernel sends the first refusal of a flow as an event and counts it and all repeats in a
//! table. The event makes a record at once; a *sweep* of the table makes one for each flow that grew
//! since. Over the records of a flow, the counts add up to the kernel's: nothing is told twice, and
//! a first event that found the ring full is made up for by the sweep after the next.
//!
//! # What the caller must do
//!
//! * Drain the ring before each sweep, so that a flow without an event has truly lost it.
//! * Delete a flow by taking its last count out of the table in one operation, give that to
//!   [`Aggregator::retire`], and do not drain the ring in between.
//! * When an image is published, sweep and then retire every flow: rule ids mean something else in
//!   the next image, and the kernel then sends a first event of each flow anew.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use enforcer_common::abi::{Event, FlowCount, FlowKey};

use super::{
    clock::Clock,
    record::{Facts, Violation},
};

/// Makes facts of what the kernel says.
pub trait Describe {
    /// Of a first refusal.
    fn event(&mut self, event: &Event) -> Arc<Facts>;

    /// Of a flow whose first event was lost, while the image numbered `generation` is in force.
    fn flow(&mut self, flow: &FlowKey, generation: u64) -> Arc<Facts>;
}

/// What has been told of each flow.
#[derive(Debug)]
pub struct Aggregator<D> {
    describe: D,
    clock: Clock,
    idle_after: Duration,
    flows: HashMap<FlowKey, Told>,
    /// Number of the current sweep.
    sweep: u64,
}

#[derive(Debug)]
struct Told {
    /// `None` while it is not known whether the first event is lost or on its way.
    facts: Option<Arc<Facts>>,
    from_event: bool,
    count: u64,
    bytes: u64,
    /// `CLOCK_BOOTTIME` nanoseconds of the last that was told.
    last_ns: u64,
    /// Whether the kernel's table had it.
    in_table: bool,
    /// Sweep during which it was last heard of.
    heard: u64,
}

/// What a sweep found.
#[derive(Debug, Default, PartialEq)]
pub struct Sweep {
    /// Of flows that grew.
    pub violations: Vec<Violation>,
    /// Flows without traffic for long, all of it told: delete them from the table and
    /// [retire](Aggregator::retire) them.
    pub idle: Vec<FlowKey>,
}

impl<D: Describe> Aggregator<D> {
    /// One that has told nothing. Flows without traffic for `idle_after` are reported for deletion.
    #[must_use]
    pub fn new(describe: D, clock: Clock, idle_after: Duration) -> Self {
        Self {
            describe,
            clock,
            idle_after,
            flows: HashMap::new(),
            sweep: 0,
        }
    }

    /// Follows the wall clock; see [`Clock::now`].
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// Access to what describes flows, and to its context.
    pub fn describe(&mut self) -> &mut D {
        &mut self.describe
    }

    /// A first refusal, as it came from the ring.
    pub fn first(&mut self, event: &Event) -> Violation {
        let facts = self.describe.event(event);
        let fresh = Told {
            facts: Some(Arc::clone(&facts)),
            from_event: true,
            count: 1,
            bytes: 0,
            last_ns: event.at_ns,
            in_table: false,
            heard: self.sweep,
        };
        let mut count = 1;
        match self.flows.entry(event.flow) {
            Entry::Vacant(vacant) => {
                vacant.insert(fresh);
            }
            Entry::Occupied(mut told) if told.get().from_event => {
                // The kernel has begun the flow anew, or has no room to remember it.
                told.insert(fresh);
            }
            Entry::Occupied(mut told) => {
                // A sweep was faster. If it has told the count, only the details are new.
                let told = told.get_mut();
                count = u64::from(told.count == 0);
                told.count = told.count.max(1);
                told.last_ns = told.last_ns.max(event.at_ns);
                told.facts = Some(Arc::clone(&facts));
                told.from_event = true;
                told.heard = self.sweep;
            }
        }
        let at = self.clock.wall(event.at_ns);
        Violation {
            facts,
            count,
            bytes: 0,
            start: at,
            end: at,
        }
    }

    /// Compares the kernel's table with what was told. `now_ns` is `CLOCK_BOOTTIME`; `generation`
    /// is the number of the image in force.
    pub fn sweep(
        &mut self,
        table: impl IntoIterator<Item = (FlowKey, FlowCount)>,
        now_ns: u64,
        generation: u64,
    ) -> Sweep {
        self.sweep += 1;
        let mut found = Sweep::default();
        for (flow, seen) in table {
            let Some(told) = hear_of(&mut self.flows, &flow, &seen, self.sweep) else {
                continue;
            };
            if let Some(violation) = tell(
                &mut self.describe,
                self.clock,
                &flow,
                told,
                &seen,
                generation,
            ) {
                found.violations.push(violation);
            } else if Duration::from_nanos(now_ns.saturating_sub(seen.last_ns)) > self.idle_after {
                found.idle.push(flow);
            }
        }
        // Flows in the table leave by `retire`. The others had no room there, and come by event only.
        let sweep = self.sweep;
        self.flows
            .retain(|_, told| told.in_table || told.heard + 2 > sweep);
        found
    }

    /// A flow was deleted from the kernel's table, where `last` stood. Tells what was not told yet.
    pub fn retire(
        &mut self,
        flow: &FlowKey,
        last: &FlowCount,
        generation: u64,
    ) -> Option<Violation> {
        let mut told = self
            .flows
            .remove(flow)
            .unwrap_or_else(|| Told::nothing_of(last, self.sweep));
        if last.count < told.count {
            told = Told::nothing_of(last, self.sweep);
        }
        tell(
            &mut self.describe,
            self.clock,
            flow,
            &mut told,
            last,
            generation,
        )
    }
}

impl Told {
    fn nothing_of(seen: &FlowCount, sweep: u64) -> Self {
        Self {
            facts: None,
            from_event: false,
            count: 0,
            bytes: 0,
            last_ns: seen.first_ns,
            in_table: true,
            heard: sweep,
        }
    }
}

/// What was told of a flow in the table. `None` on the first sight of one whose event may still be on
/// its way.
fn hear_of<'a>(
    flows: &'a mut HashMap<FlowKey, Told>,
    flow: &FlowKey,
    seen: &FlowCount,
    sweep: u64,
) -> Option<&'a mut Told> {
    match flows.entry(*flow) {
        Entry::Vacant(vacant) => {
            vacant.insert(Told::nothing_of(seen, sweep));
            None
        }
        Entry::Occupied(occupied) => {
            let told = occupied.into_mut();
            if seen.count < told.count {
                // Somebody else deleted it, and it began anew.
                *told = Told::nothing_of(seen, sweep);
                return None;
            }
            told.in_table = true;
            told.heard = sweep;
            Some(told)
        }
    }
}

/// What was counted since the last record, if anything.
fn tell(
    describe: &mut impl Describe,
    clock: Clock,
    flow: &FlowKey,
    told: &mut Told,
    seen: &FlowCount,
    generation: u64,
) -> Option<Violation> {
    let count = seen.count.saturating_sub(told.count);
    if count == 0 {
        return None;
    }
    let facts = told
        .facts
        .get_or_insert_with(|| describe.flow(flow, generation));
    // The kernel adds count, bytes and time one after the other: a reader may see some of them.
    let end_ns = seen.last_ns.max(told.last_ns);
    let violation = Violation {
        facts: Arc::clone(facts),
        count,
        bytes: seen.bytes.saturating_sub(told.bytes),
        start: clock.wall(told.last_ns),
        end: clock.wall(end_ns),
    };
    told.count = seen.count;
    told.bytes = told.bytes.max(seen.bytes);
    told.last_ns = end_ns;
    Some(violation)
}

#[cfg(test)]
mod tests;
