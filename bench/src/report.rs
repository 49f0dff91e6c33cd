//! docs/performance.md.

mod claims;
mod node;

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{
    events::EventRate,
    hooks::HookTime,
    outcome::{Outcome, Verified},
    pairs::Comparison,
    quartiles::Quartiles,
};

/// Writes it from the last result.
///
/// # Errors
/// There is no result.
pub(crate) fn write(target: &Path) -> Result<()> {
    let path = target.join("bench/result.json");
    let text = fs::read_to_string(&path)
        .with_context(|| format!("{}: run the bench first", path.display()))?;
    let outcome: Outcome = serde_json::from_str(&text).context("the result of another version")?;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
    fs::write(&page, markdown(&outcome)?).with_context(|| page.display().to_string())
}

fn markdown(outcome: &Outcome) -> Result<String> {
    let mut text = String::new();
    intro(&mut text, outcome)?;
    claims::write(&mut text, outcome)?;
    writeln!(text, "\n## Under load\n\n{UNDER_LOAD}")?;
    for comparison in &outcome.comparisons {
        compared(&mut text, comparison)?;
    }
    writeln!(text, "\n## Does it grow?\n\n{GROWTH}")?;
    for comparison in &outcome.growth {
        compared(&mut text, comparison)?;
    }
    writeln!(
        text,
        "\n## What lists cost before the first packet\n\n{LOADING}"
    )?;
    loading(&mut text, outcome)?;
    start(&mut text, outcome)?;
    node::write(&mut text, &outcome.node)?;
    events(&mut text, &outcome.events)?;
    programs(&mut text, &outcome.hooks, &outcome.verifier)?;
    Ok(text)
}

fn intro(text: &mut String, outcome: &Outcome) -> Result<()> {
    let machine = &outcome.machine;
    let world = &outcome.world;
    writeln!(
        text,
        "# What enforcer costs\n\n\
         Written by `cargo xtask bench {}`, which anybody can repeat; not edited by hand.\n\n\
         | | |\n|---|---|\n\
         | date | {} |\n\
         | processor | {}, {} CPUs |\n\
         | kernel | {} |\n\
         | load of the machine before | {:.1} |\n\
         | database | {}, {} IPv4 and {} IPv6 networks |\n\
         | tables of enforcer | {} and {} ranges, {} kinds of addresses, {:.1} MiB |\n\n\
         {METHOD}",
        outcome.scale,
        machine.date,
        machine.processor,
        machine.cpus,
        machine.kernel,
        machine.load,
        world.database,
        world.v4_networks,
        world.v6_networks,
        world.v4_ranges,
        world.v6_ranges,
        world.atoms,
        mib(world.image_bytes as u64),
    )?;
    if !outcome.skipped.is_empty() {
        writeln!(text, "\nNot measured here:\n")?;
        for skipped in &outcome.skipped {
            writeln!(text, "- {skipped}")?;
        }
    }
    Ok(())
}

fn compared(text: &mut String, comparison: &Comparison) -> Result<()> {
    let base = comparison.base_ns;
    writeln!(
        text,
        "\n### {}\n\nNothing attached: {:.0} ns [{:.0}-{:.0}], {:.2} million a second.\n\n\
         | | ratio | quartiles | pairs | thrown away |\n|---|---|---|---|---|",
        comparison.load,
        base.median,
        base.lower,
        base.upper,
        1000.0 / base.median
    )?;
    for row in &comparison.rows {
        let ratio = row.ratio.map_or_else(
            || "too noisy |".to_owned(),
            |ratio| {
                format!(
                    "{:.3} | {:.3}-{:.3}",
                    ratio.median, ratio.lower, ratio.upper
                )
            },
        );
        writeln!(
            text,
            "| {} | {ratio} | {} | {} |",
            row.name, row.pairs, row.discarded
        )?;
    }
    Ok(())
}

fn loading(text: &mut String, outcome: &Outcome) -> Result<()> {
    writeln!(
        text,
        "\n| | networks | load | kernel memory |\n|---|---|---|---|"
    )?;
    for one in &outcome.loading {
        writeln!(
            text,
            "| {} | {} | {:.2} s | {:.0} MiB |",
            one.name, one.networks, one.load_seconds, one.kernel_mib
        )?;
    }
    let world = &outcome.world;
    writeln!(
        text,
        "| enforcer: two MaxMind DB files to tables in force | {} | {:.2} s | {:.0} MiB |",
        world.v4_networks + world.v6_networks,
        outcome.start.load_ms() / 1000.0,
        mib(world.image_bytes as u64)
    )?;
    Ok(())
}

fn start(text: &mut String, outcome: &Outcome) -> Result<()> {
    writeln!(
        text,
        "\n## Cold start\n\n| | ms | quartiles |\n|---|---|---|"
    )?;
    let exec = outcome.start.exec.iter();
    let exec = exec.map(|(name, ms)| (format!("`enforcer exec -- true`, {name}"), *ms));
    let stages = outcome.start.stages.iter();
    let stages = stages.map(|(name, ms)| (format!("stage: {name}"), *ms));
    for (
        name,
        Quartiles {
            lower,
            median,
            upper,
        },
    ) in exec.chain(stages)
    {
        writeln!(text, "| {name} | {median:.1} | {lower:.1}-{upper:.1} |")?;
    }
    let swap = &outcome.swap;
    writeln!(
        text,
        "\n## Another world under traffic\n\n\
         {} swaps while datagrams are sent without a pause: {} wrong verdicts in {} sends. To \
         compile an image takes {:.0} ms [{:.0}-{:.0}], to publish it {:.1} ms [{:.1}-{:.1}], most of \
         which is waiting until no CPU uses the old one. The 99th percentile of a send is {} ns while \
         nothing is swapped and {} ns meanwhile.",
        swap.swaps,
        swap.wrong,
        swap.sends,
        swap.compile_ms.median,
        swap.compile_ms.lower,
        swap.compile_ms.upper,
        swap.publish_ms.median,
        swap.publish_ms.lower,
        swap.publish_ms.upper,
        swap.quiet_p99_ns,
        swap.swapping_p99_ns,
    )?;
    let memory = &outcome.memory;
    writeln!(
        text,
        "\n## Kernel memory\n\n\
         A world database, {} policies and {} workloads, each in a class of its own: {:.1} MiB.\n\n\
         | map | MiB |\n|---|---|",
        memory.policies,
        memory.workloads,
        mib(memory.bytes())
    )?;
    for map in &memory.maps {
        writeln!(text, "| {} | {:.2} |", map.name, mib(map.bytes))?;
    }
    Ok(())
}

fn events(text: &mut String, rates: &[EventRate]) -> Result<()> {
    writeln!(
        text,
        "\n## Events\n\n{EVENTS}\n\n| format | sink | of one core, a second | quartiles | a second | \
         bytes of a record |\n|---|---|---|---|---|---|"
    )?;
    for rate in rates {
        let core = rate.a_second_of_core;
        writeln!(
            text,
            "| {} | {} | {:.0} | {:.0}-{:.0} | {:.0} | {:.0} |",
            rate.format,
            rate.sink,
            core.median,
            core.lower,
            core.upper,
            rate.a_second.median,
            rate.bytes
        )?;
    }
    Ok(())
}

fn programs(text: &mut String, hooks: &[HookTime], verifier: &[Verified]) -> Result<()> {
    writeln!(
        text,
        "\n## Each program\n\n{PROGRAMS}\n\n| load | hook | ns | runs for each operation |\n\
         |---|---|---|---|"
    )?;
    for time in hooks {
        let own = time.own_ns - time.floor_ns;
        writeln!(
            text,
            "| {} | {} | {own:.0} | {:.2} |",
            time.load, time.hook, time.runs
        )?;
    }
    writeln!(
        text,
        "\n| program | instructions that the verifier walks |\n|---|---|"
    )?;
    for program in verifier {
        let count = program.instructions;
        let count = count.map_or_else(|| "not told".to_owned(), |count| count.to_string());
        writeln!(text, "| {} | {count} |", program.program)?;
    }
    Ok(())
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

const METHOD: &str = "\
Every figure is a ratio. A run with nothing attached, a run of what is measured and another run with
nothing attached make a pair; the ratio is the middle one to the mean of the other two. Pairs whose two
outer runs differ by more than 15 % say nothing and are thrown away, and counted. Tables have the median
and the quartiles over the pairs. Compare ratios: the nanoseconds are those of one machine on one day.
Two controls run nothing twice, in another cgroup and in another network namespace: what they differ
from 1 by is the error of all other rows.

One process on one CPU sends everything, between two network namespaces. It moves from cgroup to cgroup,
so that its memory is the same in every run. In the other namespace every address answers, and nobody
has to be woken for it. 262,144 destinations are drawn evenly over the networks of a database, which is
harder on caches than real traffic. Before anything is timed, every destination is shown to be permitted
and 4,096 others to be refused, by each of those compared.

Enforcer has all its hooks attached. Its policy permits every country, and one other policy for each
country keeps the countries apart, so that its tables hold the whole world. The others have one list of
permitted networks for one workload and refuse the rest; with them, each workload with another policy
needs another list. `nftables` is an interval set behind `socket cgroupv2`, `ipset` a `hash:net` behind
`iptables -m cgroup`, and `trie for each packet` does what systemd does for `IPAddressAllow=`: a trie of
longest prefixes, asked for each packet in and out. Their lists hold the networks of all countries as one
finds them in lists of countries; lists of fewer countries, or merged ones, are shorter.";

const UNDER_LOAD: &str = "\
`TCP connect` is the time of the call; `UDP, connected` sends 18 bytes to one destination, `UDP, a new
destination each packet` to another one each time: what they take is the rate of small packets. `TCP, 64
KiB` writes so much to a connection and reads it at the other end. Where traffic is refused, the base is
the same traffic that passes; the refusals repeat 4,096 destinations, as a program does that tries again,
so most of them are counted and a few told of. Refused connections are compared with nothing but the
control: the others drop the first packet in silence, and `connect` waits for minutes.";

const GROWTH: &str = "\
One policy that permits all countries needs no table of countries, so its tables are small and fit into
caches. From 252 policies on, every country has a policy of its own: the tables hold the whole world,
and more policies change nothing. CIDRs come on top of that. Workloads are tags beside the one that sends.
Names are in one policy that permits no address but those that its resolver answered: before anything is
timed, 4,096 addresses are shown to be refused, and to be permitted once they are looked up. Question and
answer are those of one lookup, both ways through all hooks.";

const LOADING: &str = "\
Kernel memory is read from `/proc/meminfo` before and after, so other programs disturb it.";

const EVENTS: &str = "\
First refusals of 65,536 flows, as the kernel writes them, each with all that is known of process, place,
workload and rule, to a file and to a receiver of syslog on loopback. The threads of the pipeline run side
by side; \"of one core\" takes them together. The receiver's own time is not counted.";

const PROGRAMS: &str = "\
As the kernel counts them (`BPF_ENABLE_STATS`), less what an empty program at the same hook takes. The
counting itself disturbs the caches: the sum is more than the tables above show.";
