use crate::policy::{
    diagnostic::Code,
    model::Selector,
    read::Reader,
    source::{Node, Value},
};

const WHAT: &str = "an element of `selector`";

/// Reads `selector`: a list whose elements each have one field. In a namespace, they select its pods.
pub(super) fn selectors(
    reader: &mut Reader<'_>,
    node: &Node,
    namespace: Option<&str>,
) -> Vec<Selector> {
    let mut selectors = Vec::new();
    for item in reader.list(node, "`selector`") {
        match namespace {
            None => selector(reader, item, &mut selectors),
            Some(namespace) => selectors.extend(selector_within(reader, item, namespace)),
        }
    }
    selectors
}

/// Reads an element that selects pods of one namespace.
fn selector_within(reader: &mut Reader<'_>, node: &Node, namespace: &str) -> Option<Selector> {
    const HELP: &str = "select pods of the namespace, or write an `EgressPolicy`";
    let mut fields = reader.fields(node, WHAT)?;
    for of_hosts in ["exec", "cgroups", "systemdUnits"] {
        reader.refuse(&mut fields, of_hosts, HELP);
    }
    let pods = fields.take("pods");
    reader.finish(fields);
    if matches!(&node.value, Value::Mapping(entries) if entries.is_empty()) {
        let message = format!("{WHAT} says nothing");
        reader
            .report(Code::MissingField, node.span, message)
            .help("write `pods: {...}`; `pods: {}` selects every pod of the namespace");
    }
    super::pods::pods_within(reader, pods?, namespace).map(Selector::Pods)
}

fn selector(reader: &mut Reader<'_>, node: &Node, selectors: &mut Vec<Selector>) {
    let Some(mut fields) = reader.fields(node, WHAT) else {
        return;
    };
    let exec = fields.take("exec");
    let cgroups = fields.take("cgroups");
    let pods = fields.take("pods");
    let units = fields.take("systemdUnits");
    reader.finish(fields);
    if let Value::Mapping(entries) = &node.value {
        match entries.as_slice() {
            [] => {
                reader
                    .report(
                        Code::MissingField,
                        node.span,
                        format!("{WHAT} says nothing"),
                    )
                    .help("write `pods: {...}`, `systemdUnits: [...]`, `cgroups: [...]` or `exec: true`");
            }
            [_] => {}
            [_, second, ..] => {
                let message = format!("{WHAT} has more than one field");
                reader
                    .report(Code::WrongType, second.key_span, message)
                    .help("a policy applies where any element matches: start a new one with `- `");
            }
        }
    }
    if let Some(node) = exec
        && self::exec(reader, node)
    {
        selectors.push(Selector::Exec);
    }
    if let Some(node) = pods {
        selectors.extend(super::pods::pods(reader, node).map(Selector::Pods));
    }
    if let Some(node) = units {
        systemd_units(reader, node, selectors);
    }
    if let Some(node) = cgroups {
        for item in reader.list(node, "`cgroups`") {
            let Some(pattern) = reader.text(item, "`cgroups`") else {
                continue;
            };
            match problem(pattern) {
                Some((problem, help)) => {
                    let message = format!("`{pattern}` is not a pattern of cgroups: {problem}");
                    reader
                        .report(Code::InvalidCgroup, item.span, message)
                        .help(help);
                }
                None => {
                    if matches!(pattern, "/" | "/**") {
                        let message = "this selects every process of the machine";
                        reader
                            .report(Code::SelectsEverything, item.span, message)
                            .help("name the cgroups of the workloads");
                    }
                    selectors.push(Selector::Cgroup(pattern.to_owned()));
                }
            }
        }
    }
}

/// Unit types that have a cgroup (systemd.resource-control(5)).
const UNIT_TYPES: [&str; 6] = [".service", ".scope", ".slice", ".socket", ".mount", ".swap"];

fn systemd_units(reader: &mut Reader<'_>, node: &Node, selectors: &mut Vec<Selector>) {
    for item in reader.list(node, "`systemdUnits`") {
        let Some(pattern) = reader.text(item, "`systemdUnits`") else {
            continue;
        };
        let has_type = UNIT_TYPES.iter().any(|kind| pattern.ends_with(kind));
        if !has_type || pattern.contains(['/', '?', '[', ']', '{', '}']) {
            let message = format!("`{pattern}` is not a pattern of systemd units");
            reader
                .report(Code::UnknownValue, item.span, message)
                .help("write the whole name with its type, `*` for any part: `vllm@*.service`");
            continue;
        }
        if pattern.starts_with("*.") {
            let message = "this selects every unit of that type";
            reader
                .report(Code::SelectsEverything, item.span, message)
                .help("name the units of the workloads");
        }
        selectors.push(Selector::SystemdUnit(pattern.to_owned()));
    }
}

/// Whether `exec` is `true`; reports it otherwise.
pub(super) fn exec(reader: &mut Reader<'_>, node: &Node) -> bool {
    match &node.value {
        Value::Scalar { text, plain: true } if text == "true" => true,
        Value::Invalid => false,
        Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => {
            reader
                .report(Code::UnknownValue, node.span, "`exec` can only be `true`")
                .help("write `exec: true`, or remove this element");
            false
        }
    }
}

/// What is wrong with a pattern of cgroups, and how to put it right.
pub(super) fn problem(pattern: &str) -> Option<(&'static str, String)> {
    const MOUNT: &str = "/sys/fs/cgroup";
    if let Some(below) = pattern.strip_prefix(MOUNT)
        && (below.is_empty() || below.starts_with('/'))
    {
        let path = if below.is_empty() { "/" } else { below };
        return Some((
            "paths start at the cgroup2 mount",
            format!("leave the mount point out: `{path}`"),
        ));
    }
    let Some(path) = pattern.strip_prefix('/') else {
        return Some((
            "it does not start with `/`",
            format!("paths start at the cgroup2 mount: `/{pattern}`"),
        ));
    };
    if path.is_empty() {
        return None;
    }
    if pattern.contains(['?', '[', ']', '{', '}']) {
        return Some((
            "only `*` and `**` are special",
            "list several patterns instead".to_owned(),
        ));
    }
    for component in path.split('/') {
        if matches!(component, "" | "." | "..") {
            return Some((
                "it has an empty component, `.` or `..`",
                "write the path as `/proc/PID/cgroup` shows it".to_owned(),
            ));
        }
        if component.contains("**") && component != "**" {
            return Some((
                "`**` must be a whole component",
                "use `*` within a component".to_owned(),
            ));
        }
    }
    None
}
