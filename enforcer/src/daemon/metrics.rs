//! The status as Prometheus text: the same numbers as `status --json`.

mod serve;

use prometheus::{Encoder as _, GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

pub(super) use serve::MetricsServer;

use crate::control::{Coverage, Status};

/// Every metric: name, labels, and what it says.
pub const METRICS: [(&str, &[&str], &str); 10] = [
    (
        "enforcer_decisions_total",
        &["policy", "verdict", "mode"],
        "Decisions of the kernel programs by policy.",
    ),
    (
        "enforcer_events_lost_total",
        &["cause"],
        "Events and recorded flows that were lost.",
    ),
    (
        "enforcer_faults_total",
        &["reason"],
        "Decisions that failed: a tagged workload was refused.",
    ),
    (
        "enforcer_generation",
        &[],
        "Number of the image in force; 0 when there is none.",
    ),
    (
        "enforcer_workloads",
        &["state"],
        "Tagged cgroups by how they stand.",
    ),
    (
        "enforcer_geo_build_timestamp_seconds",
        &["database"],
        "When a geo database was built, seconds since 1970.",
    ),
    (
        "enforcer_policy_apply_seconds",
        &[],
        "How long the last change of policies or databases took to be in force.",
    ),
    (
        "enforcer_sink_queue",
        &["sink"],
        "Records that wait for a sink.",
    ),
    ("enforcer_table_entries", &["table"], "Entries of a table."),
    (
        "enforcer_table_capacity",
        &["table"],
        "Entries that a table can hold.",
    ),
];

/// `status` as Prometheus text (exposition format 0.0.4).
///
/// # Errors
/// A label has two values of one name, which is a fault of this module.
pub(super) fn text(status: &Status) -> prometheus::Result<String> {
    let metrics = Metrics(Registry::new());
    let decisions = metrics.counter("enforcer_decisions_total")?;
    for decision in &status.decisions {
        for (verdict, count) in [
            ("allow", decision.allowed),
            ("deny", decision.denied),
            ("would_deny", decision.would_deny),
        ] {
            let labels = [&*decision.policy, verdict, &*decision.mode];
            decisions.with_label_values(&labels).inc_by(count);
        }
    }
    let lost = metrics.counter("enforcer_events_lost_total")?;
    for cause in &status.lost {
        lost.with_label_values(&[&*cause.name]).inc_by(cause.count);
    }
    let faults = metrics.counter("enforcer_faults_total")?;
    for fault in &status.faults {
        faults
            .with_label_values(&[&*fault.name])
            .inc_by(fault.count);
    }
    let workloads = metrics.gauge("enforcer_workloads")?;
    for state in Coverage::ALL {
        let count = status
            .workloads
            .iter()
            .filter(|workload| workload.coverage == state);
        workloads
            .with_label_values(&[state.as_str()])
            .set(count.count() as i64);
    }
    let built = metrics.gauge("enforcer_geo_build_timestamp_seconds")?;
    for database in &status.databases {
        built
            .with_label_values(&[&*database.name])
            .set(database.built);
    }
    let queue = metrics.gauge("enforcer_sink_queue")?;
    for sink in &status.sinks {
        queue
            .with_label_values(&[&*sink.name])
            .set(sink.waiting as i64);
    }
    let entries = metrics.gauge("enforcer_table_entries")?;
    let capacity = metrics.gauge("enforcer_table_capacity")?;
    for table in &status.tables {
        entries
            .with_label_values(&[&*table.name])
            .set(table.entries as i64);
        capacity
            .with_label_values(&[&*table.name])
            .set(table.capacity as i64);
    }
    let none: [&str; 0] = [];
    let generation = metrics.gauge("enforcer_generation")?;
    generation
        .with_label_values(&none)
        .set(status.generation.unwrap_or(0) as i64);
    let apply = metrics.seconds("enforcer_policy_apply_seconds")?;
    apply
        .with_label_values(&none)
        .set(status.apply_seconds.unwrap_or(0.0));
    metrics.text()
}

/// Made for one answer: the numbers live in the kernel and in the status.
struct Metrics(Registry);

impl Metrics {
    fn counter(&self, name: &str) -> prometheus::Result<IntCounterVec> {
        let (options, labels) = described(name)?;
        let metric = IntCounterVec::new(options, labels)?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn gauge(&self, name: &str) -> prometheus::Result<IntGaugeVec> {
        let (options, labels) = described(name)?;
        let metric = IntGaugeVec::new(options, labels)?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn seconds(&self, name: &str) -> prometheus::Result<GaugeVec> {
        let (options, labels) = described(name)?;
        let metric = GaugeVec::new(options, labels)?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn text(&self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.0.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}

fn described(name: &str) -> prometheus::Result<(Opts, &'static [&'static str])> {
    let known = METRICS.into_iter().find(|(known, ..)| *known == name);
    let (name, labels, help) =
        known.ok_or_else(|| prometheus::Error::Msg(format!("no metric {name}")))?;
    Ok((Opts::new(name, help), labels))
}

#[cfg(test)]
mod tests;
