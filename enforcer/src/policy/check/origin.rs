use std::collections::BTreeMap;

use super::selector;
use crate::policy::{
    data_flow::{Origin, PodOrigin},
    diagnostic::Code,
    read::Reader,
    source::{Node, Value},
};

const FORMS: &str = "write one of `exec: true`, `cgroup: /PATH`, `systemdUnit: NAME`, \
    `pod: {namespace: NAME, labels: {KEY: VALUE}}`";

/// Reads `from`: a mapping with one field, which names one workload.
pub(super) fn origin(reader: &mut Reader<'_>, node: &Node) -> Option<Origin> {
    let mut fields = reader.fields(node, "`from`")?;
    let exec = fields.take("exec");
    let cgroup = fields.take("cgroup");
    let unit = fields.take("systemdUnit");
    let pod = fields.take("pod");
    reader.finish(fields);
    let given: Vec<&Node> = [exec, cgroup, unit, pod].into_iter().flatten().collect();
    match given.as_slice() {
        [] => {
            reader
                .report(
                    Code::MissingField,
                    node.span,
                    "`from` names no workload".to_owned(),
                )
                .help(FORMS);
        }
        [_] => {}
        [_, second, ..] => {
            reader
                .report(
                    Code::WrongType,
                    second.span,
                    "`from` names more than one workload".to_owned(),
                )
                .help("a flow starts at one workload: declare a flow for each");
        }
    }
    if let Some(node) = exec {
        return selector::exec(reader, node).then_some(Origin::Exec);
    }
    if let Some(node) = cgroup {
        return cgroup_path(reader, node).map(Origin::Cgroup);
    }
    if let Some(node) = unit {
        return unit_name(reader, node).map(Origin::SystemdUnit);
    }
    pod_origin(reader, pod?).map(Origin::Pod)
}

fn cgroup_path(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let path = reader.text(node, "`cgroup`")?;
    let problem = if path.contains('*') {
        Some((
            "it is a pattern",
            "a flow starts at one workload: write its path, as `enforcer workloads` lists it"
                .to_owned(),
        ))
    } else {
        selector::problem(path)
    };
    let Some((problem, help)) = problem else {
        return Some(path.to_owned());
    };
    let message = format!("`{path}` is not the path of a cgroup: {problem}");
    reader
        .report(Code::InvalidWorkload, node.span, message)
        .help(help);
    None
}

/// The types of units that have processes, and so a cgroup (systemd.unit(5)).
const UNIT_TYPES: [&str; 3] = [".service", ".scope", ".slice"];

fn unit_name(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let name = reader.text(node, "`systemdUnit`")?;
    let help = if name.contains(['*', '?', '[']) {
        "a flow starts at one workload: write the name of the unit, as `systemctl` lists it"
    } else if name.contains('/') || !UNIT_TYPES.iter().any(|one| name.ends_with(one)) {
        "write the name with its type, such as `vllm@70b.service`"
    } else {
        return Some(name.to_owned());
    };
    let message = format!("`{name}` is not the name of a systemd unit");
    reader
        .report(Code::InvalidWorkload, node.span, message)
        .help(help);
    None
}

fn pod_origin(reader: &mut Reader<'_>, node: &Node) -> Option<PodOrigin> {
    let mut fields = reader.fields(node, "`pod`")?;
    let namespace = reader.require(&mut fields, "namespace");
    let labels = fields.take("labels");
    reader.finish(fields);
    let labels = labels.map_or_else(BTreeMap::new, |node| label_map(reader, node));
    let namespace = reader.name(namespace?, "`namespace`")?.to_owned();
    Some(PodOrigin { namespace, labels })
}

fn label_map(reader: &mut Reader<'_>, node: &Node) -> BTreeMap<String, String> {
    let Value::Mapping(entries) = &node.value else {
        if !matches!(node.value, Value::Invalid) {
            reader
                .report(
                    Code::WrongType,
                    node.span,
                    "`labels` must be a mapping of labels to values",
                )
                .help("write `labels: {app: vllm}`");
        }
        return BTreeMap::new();
    };
    let labels = entries.iter().filter_map(|entry| {
        let value = reader.text(&entry.value, "the value of a label")?;
        Some((entry.key.clone(), value.to_owned()))
    });
    labels.collect()
}
