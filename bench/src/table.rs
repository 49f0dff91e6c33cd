//! Results as text.

use crate::{
    events::EventRate, hooks::HookTime, memory::Memory, node::NodeFigures, outcome::Verified,
    pairs::Comparison, rivals::Loading, start::ColdStart, swap::Swap,
};

/// A table of one load.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let base = comparison.base_ns;
    let mut text = format!(
        "\n{}: {:.0} ns with nothing attached [{:.0}-{:.0}]\n",
        comparison.load, base.median, base.lower, base.upper
    );
    text += &format!(
        "  {:<44} {:>7} {:>15} {:>6} {:>9}\n",
        "", "ratio", "quartiles", "pairs", "discarded"
    );
    for row in &comparison.rows {
        let (ratio, quartiles) = match row.ratio {
            Some(ratio) => (
                format!("{:.3}", ratio.median),
                format!("{:.3}-{:.3}", ratio.lower, ratio.upper),
            ),
            None => ("-".to_owned(), "too noisy".to_owned()),
        };
        text += &format!(
            "  {:<44} {ratio:>7} {quartiles:>15} {:>6} {:>9}\n",
            row.name, row.pairs, row.discarded
        );
    }
    text
}

/// A table of programs.
pub(crate) fn hooks(hooks: &[HookTime]) -> String {
    let mut text = "\nns of a run of each program, empty ones taken off\n".to_owned();
    for time in hooks {
        text += &format!(
            "  {:<44} {:<10} {:>6.0} (of {:.0})  x {:.2}\n",
            time.load,
            time.hook,
            time.own_ns - time.floor_ns,
            time.own_ns,
            time.runs
        );
    }
    text
}

/// What lists cost before the first packet.
pub(crate) fn loading(loading: &[Loading]) -> String {
    let mut text = format!(
        "\n  {:<44} {:>9} {:>9} {:>11}\n",
        "lists", "networks", "load s", "kernel MiB"
    );
    for one in loading {
        text += &format!(
            "  {:<44} {:>9} {:>9.2} {:>11.1}\n",
            one.name, one.networks, one.load_seconds, one.kernel_mib
        );
    }
    text
}

/// Swaps.
pub(crate) fn swap(swap: &Swap) -> String {
    format!(
        "\n{} swaps of a world database: {} wrong verdicts in {} sends\n  \
         compile {:.0} ms [{:.0}-{:.0}], publish {:.1} ms [{:.1}-{:.1}]\n  \
         99th percentile of a send: {} ns quiet, {} ns while swapping\n",
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
        swap.swapping_p99_ns
    )
}

/// Cold start.
pub(crate) fn start(start: &ColdStart) -> String {
    let mut text = "\nms of `enforcer exec -- true`, and of the stages\n".to_owned();
    for (name, ms) in start.exec.iter().chain(&start.stages) {
        text += &format!(
            "  {name:<44} {:>7.1} [{:.1}-{:.1}]\n",
            ms.median, ms.lower, ms.upper
        );
    }
    text
}

/// A daemon.
pub(crate) fn node(node: &NodeFigures) -> String {
    let mut text = format!("\nms of a daemon with {} policies\n", node.policies);
    for (name, latencies) in [
        ("push to enforced", &node.push),
        ("new cgroup to tagged", &node.tag),
        ("refused connect to its record at a sink", &node.record),
    ] {
        text += &format!(
            "  {name:<44} {:>7.1}, p99 {:.1}, worst {:.1} of {}\n",
            latencies.median, latencies.p99, latencies.worst, latencies.times
        );
    }
    text += &format!(
        "  idle: {:.2} % of a CPU, {} MiB resident, {} MiB at most\n",
        node.idle_percent,
        node.resident_kib >> 10,
        node.peak_kib >> 10
    );
    text
}

/// Kernel memory.
pub(crate) fn memory(memory: &Memory) -> String {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mut text = format!(
        "\nkernel memory of {} policies, {} workloads: {:.1} MiB\n",
        memory.policies,
        memory.workloads,
        mib(memory.bytes())
    );
    for map in &memory.maps {
        text += &format!("  {:<44} {:>7.2}\n", map.name, mib(map.bytes));
    }
    text
}

/// Rates of events.
pub(crate) fn events(rates: &[EventRate]) -> String {
    let mut text = format!(
        "\n  {:<44} {:>10} {:>14} {:>10} {:>7}\n",
        "events, thousands", "of a core", "quartiles", "a second", "bytes"
    );
    for rate in rates {
        let name = format!("{} to {}", rate.format, rate.sink);
        let core = rate.a_second_of_core;
        text += &format!(
            "  {name:<44} {:>10.0} {:>14} {:>10.0} {:>7.0}\n",
            core.median / 1e3,
            format!("{:.0}-{:.0}", core.lower / 1e3, core.upper / 1e3),
            rate.a_second.median / 1e3,
            rate.bytes
        );
    }
    text
}

/// Instructions.
pub(crate) fn verifier(programs: &[Verified]) -> String {
    let mut text = "\ninstructions that the verifier walks\n".to_owned();
    for program in programs {
        let count = program.instructions;
        let count = count.map_or_else(|| "not told".to_owned(), |count| count.to_string());
        text += &format!("  {:<44} {count:>7}\n", program.program);
    }
    text
}
