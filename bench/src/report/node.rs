//! What a daemon does.

use std::fmt::Write as _;

use anyhow::Result;

use crate::node::NodeFigures;

/// Latencies, and what it takes to do nothing.
pub(super) fn write(text: &mut String, node: &NodeFigures) -> Result<()> {
    writeln!(
        text,
        "\n## A daemon\n\n\
         `enforcer run` with the built-in database and {} policies, each for a workload of its own. A push \
         changes one of them and answers when all is in force. A cgroup is made below a managed root, where \
         what is unknown is held, and gets its tag. A connect is refused, each to another destination, and \
         its record arrives at a local socket.\n\n\
         | | times | median | 99th percentile | worst |\n|---|---|---|---|---|",
        node.policies
    )?;
    for (name, latencies) in [
        ("push to enforced", &node.push),
        ("new cgroup to tagged", &node.tag),
        ("refused connect to its record at a sink", &node.record),
    ] {
        writeln!(
            text,
            "| {name} | {} | {:.1} ms | {:.1} ms | {:.1} ms |",
            latencies.times, latencies.median, latencies.p99, latencies.worst
        )?;
    }
    writeln!(
        text,
        "\nIdle, it takes {:.2} % of one CPU and {} MiB of memory; {} MiB were the most, while policies were \
         compiled.",
        node.idle_percent,
        node.resident_kib >> 10,
        node.peak_kib >> 10
    )?;
    Ok(())
}
