//! What is run, in which order.

mod compare;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use enforcer::kernel::{Build, Object};

use crate::{
    client::Load,
    destinations::Networks,
    events::{self, EventRate},
    growth::{self, Steps},
    machine::Machine,
    memory::Memory,
    names,
    node::{self, NodeFigures, Patience},
    outcome::{Outcome, Verified},
    own::{self, Own},
    pairs::{self, Effort},
    report,
    stage::Stage,
    start::{self, ColdStart},
    swap, table,
};

/// How much to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    /// The rows that must hold, beside the alternatives: about four minutes
    Quick,
    /// Everything, more often, with lists of several sizes: under thirty minutes
    Full,
}

impl Scale {
    fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
        }
    }

    fn effort(self) -> Effort {
        match self {
            Self::Quick => Effort {
                pairs: 15,
                alternatives: 7,
                rounds: 30,
            },
            Self::Full => Effort {
                pairs: 31,
                alternatives: 31,
                rounds: 120,
            },
        }
    }

    /// Sizes of the lists of the others, beside the world.
    fn lists(self) -> &'static [usize] {
        match self {
            Self::Quick => &[],
            Self::Full => &[10, 1000, 100_000],
        }
    }

    fn growth(self) -> Steps<'static> {
        match self {
            Self::Quick => Steps {
                policies: &[1, 252, 1000],
                cidrs: &[10, 100_000],
                workloads: &[1, 10_000],
            },
            Self::Full => Steps {
                policies: &[1, 100, 252, 1000],
                cidrs: &[10, 10_000, 100_000, 1_000_000],
                workloads: &[1, 100, 10_000],
            },
        }
    }

    /// Names in a policy.
    fn names(self) -> &'static [usize] {
        match self {
            Self::Quick => &[10, 100_000],
            Self::Full => &[10, 1000, 100_000],
        }
    }

    /// How often, and at least how many datagrams meanwhile.
    fn swaps(self) -> (usize, u64) {
        match self {
            Self::Quick => (60, 1_000_000),
            Self::Full => (60, 4_000_000),
        }
    }

    fn patience(self) -> Patience {
        match self {
            Self::Quick => Patience {
                times: 200,
                idle: Duration::from_secs(3),
            },
            Self::Full => Patience {
                times: 500,
                idle: Duration::from_secs(30),
            },
        }
    }

    fn starts(self) -> usize {
        match self {
            Self::Quick => 3,
            Self::Full => 11,
        }
    }
}

/// Measures, prints, and writes the results below `target`.
///
/// # Errors
/// The bench cannot be set up, or a verdict is wrong.
pub(crate) fn bench(scale: Scale, target: &Path) -> Result<()> {
    let machine = Machine::here()?;
    let mut stage = Stage::new()?;
    let effort = scale.effort();
    let live = compare::run(&mut stage, scale.lists(), effort)?;

    eprintln!("==> growth: what a verdict costs when there is more to decide");
    let mut growth = growth::measure(&mut stage, &scale.growth(), effort.brief())?;
    growth
        .comparisons
        .extend(names::measure(&mut stage, scale.names(), effort.brief())?);
    for comparison in &growth.comparisons {
        print!("{}", table::comparison(comparison));
    }
    eprintln!("==> swap: one world database after the other under traffic");
    let swap = swap::measure(&mut stage, scale.swaps())?;
    print!("{}", table::swap(&swap));
    let start = cold_start(&stage, scale.starts())?;
    let node = daemon(scale.patience())?;
    let memory = Memory::measure(&stage.policies, &stage.geo)?;
    print!("{}", table::memory(&memory));
    let events = events(scale.starts())?;
    let verifier = verifier()?;
    print!("{}", table::verifier(&verifier));
    let outcome = Outcome {
        scale: scale.name().to_owned(),
        machine,
        world: live.world,
        comparisons: live.comparisons,
        growth: growth.comparisons,
        hooks: live.hooks,
        loading: live.loading,
        start,
        node,
        swap,
        memory,
        events,
        verifier,
        skipped: [live.skipped, growth.skipped].concat(),
    };
    let path = target.join("bench/result.json");
    fs::create_dir_all(target.join("bench"))?;
    fs::write(&path, serde_json::to_string_pretty(&outcome)?)
        .with_context(|| path.display().to_string())?;
    println!("\n{}", path.display());
    if scale == Scale::Full {
        report::write(target)?;
    }
    Ok(())
}

/// The way from nothing to enforcing.
///
/// # Errors
/// The bench cannot be set up, `enforcer` is not built, or a stage fails.
pub(crate) fn start(rounds: usize) -> Result<ColdStart> {
    cold_start(&Stage::new()?, rounds)
}

fn cold_start(stage: &Stage, rounds: usize) -> Result<ColdStart> {
    eprintln!("==> start: from nothing to enforcing");
    let start = start::measure(stage, rounds)?;
    print!("{}", table::start(&start));
    Ok(start)
}

/// What a daemon does, and what it takes to do nothing.
///
/// # Errors
/// `enforcer` is not built, or refuses.
pub(crate) fn node(times: usize) -> Result<NodeFigures> {
    let idle = Scale::Quick.patience().idle;
    daemon(Patience { times, idle })
}

fn daemon(patience: Patience) -> Result<NodeFigures> {
    eprintln!("==> node: what a daemon does, and what it takes to do nothing");
    let node = node::measure(patience)?;
    print!("{}", table::node(&node));
    Ok(node)
}

/// Records of refusals, from the kernel to sinks.
///
/// # Errors
/// A sink cannot be opened, or a record was lost.
pub(crate) fn events(rounds: usize) -> Result<Vec<EventRate>> {
    eprintln!("==> events: from the record of the kernel to a line at a sink");
    let rates = events::measure(rounds)?;
    print!("{}", table::events(&rates));
    Ok(rates)
}

fn verifier() -> Result<Vec<Verified>> {
    let programs = Object::load(Build::Plain)?.report().into_iter();
    let verified = programs.map(|report| Verified {
        program: report.name.to_owned(),
        instructions: report.verified_instructions,
    });
    Ok(verified.collect())
}

/// Enforcer and empty programs under one load: the pairs, and the time of each program.
///
/// # Errors
/// The bench cannot be set up, or a run failed.
pub(crate) fn own(load: Load, v6: bool, pairs: usize) -> Result<()> {
    let effort = Effort {
        pairs,
        alternatives: pairs,
        rounds: 3 * pairs,
    };
    let (comparison, hooks) = compare::own(&mut Stage::new()?, load, v6, effort)?;
    print!("{}", table::comparison(&comparison));
    print!("{}", table::hooks(&hooks));
    Ok(())
}

/// One load under enforcer, again and again.
///
/// # Errors
/// The bench cannot be set up.
pub(crate) fn profile(load: Load, duration: Duration) -> Result<()> {
    let mut stage = Stage::new()?;
    let networks = Networks::v4(&stage.geo.databases[0]);
    let (inside, _) = stage.addresses(&networks, "v4")?;
    let own = Own::new("profile", &own::image(&stage.policies, &stage.geo)?)?;
    let place = stage.bed.place(&own.cgroup);
    let batches = pairs::batches(load);
    println!("{:.0} ns", stage.client.ns(&place, &inside, load, batches)?);
    let end = Instant::now() + duration;
    while Instant::now() < end {
        stage.client.time(&place, &inside, load, 20 * batches)?;
    }
    stage.client.rest()
}
