use std::{fs, path::Path};

use serde_json::Value;

use super::*;
use crate::control::{DecisionStatus, Labelled, SinkHealth, TableStatus, Workload};

fn status() -> Status {
    let empty = serde_json::json!({
        "daemon": "running", "instance": "default", "enforcing": true, "generation": 7,
        "adopted": false, "last_error": null, "policies": [], "workloads": [], "cgroups": [],
        "databases": [{"name": "built-in", "built": 1_790_000_000, "age_days": 3}],
        "memory_bytes": 0, "maps": [], "counters": [], "faults": [], "lost": [], "decisions": [],
        "sinks": [], "apply_seconds": 0.25,
    });
    let mut status: Status = serde_json::from_value(empty).expect("a status");
    let decision = |rule: &str, denied| DecisionStatus {
        policy: "llm \"eu\"".to_owned(),
        rule: rule.to_owned(),
        mode: "enforce".to_owned(),
        allowed: 0,
        denied,
        would_deny: 0,
    };
    status.decisions = vec![decision("default", 2), decision("metadata", 3)];
    status.lost.push(Labelled {
        name: "ring_full".to_owned(),
        count: 4,
    });
    status.faults.push(Labelled {
        name: "bad_tag".to_owned(),
        count: 5,
    });
    status.sinks.push(SinkHealth {
        name: "stdout".to_owned(),
        state: "fine".to_owned(),
        error: None,
        delivered: 1,
        waiting: 6,
        waiting_bytes: 6000,
        lost: 0,
        refused: 0,
        damaged: 0,
        failures: Vec::new(),
    });
    status.tables.push(TableStatus {
        name: "flows".to_owned(),
        entries: 8,
        capacity: 65_536,
    });
    status.workloads.push(Workload {
        cgroup: "/llm".to_owned(),
        id: 1,
        coverage: Coverage::Covered,
        class: Some(0),
        policies: Vec::new(),
        isolated_until_ns: None,
        device: None,
    });
    status
}

#[test]
fn every_metric_has_its_number() {
    let text = text(&status()).expect("text");
    for line in [
        r#"enforcer_decisions_total{mode="enforce",policy="llm \"eu\"",verdict="deny"} 5"#,
        r#"enforcer_events_lost_total{cause="ring_full"} 4"#,
        r#"enforcer_faults_total{reason="bad_tag"} 5"#,
        "enforcer_generation 7",
        r#"enforcer_workloads{state="covered"} 1"#,
        r#"enforcer_workloads{state="unselected"} 0"#,
        r#"enforcer_geo_build_timestamp_seconds{database="built-in"} 1790000000"#,
        "enforcer_policy_apply_seconds 0.25",
        r#"enforcer_sink_queue{sink="stdout"} 6"#,
        r#"enforcer_table_entries{table="flows"} 8"#,
        r#"enforcer_table_capacity{table="flows"} 65536"#,
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    for (name, ..) in METRICS {
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
}

/// A panel over a metric that does not exist stays empty, and nobody knows why.
#[test]
fn the_dashboard_asks_for_metrics_that_exist() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/grafana/enforcer.json");
    let text = fs::read_to_string(path).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    assert!(dashboard["schemaVersion"].is_u64() && dashboard["title"].is_string());
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut asked = Vec::new();
    for panel in panels {
        assert!(panel["gridPos"].is_object(), "{panel}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().expect("an expression");
            let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            asked.extend(words.filter(|word| word.starts_with("enforcer_")));
        }
    }
    for name in &asked {
        assert!(METRICS.iter().any(|(known, ..)| known == name), "{name}");
    }
    for (name, ..) in METRICS {
        assert!(asked.contains(&name), "no panel shows {name}");
    }
}
