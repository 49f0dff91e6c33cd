use std::collections::HashMap;

use super::{
    egress_policy::{ACTIONS, Catalogue},
    peer, port,
};
use crate::policy::{
    diagnostic::Code,
    model::{Action, Rule},
    read::Reader,
    source::{Node, Span},
};

/// A rule with the place of its name, for what is said about it later.
pub(super) struct ReadRule {
    pub(super) rule: Rule,
    pub(super) name_span: Span,
}

/// Reads `rules`.
pub(super) fn rules(
    reader: &mut Reader<'_>,
    node: &Node,
    catalogue: &Catalogue<'_>,
) -> Vec<ReadRule> {
    let mut rules = Vec::new();
    let mut names: HashMap<&str, Span> = HashMap::new();
    for item in reader.possibly_empty_list(node, "`rules`") {
        rules.extend(rule(reader, item, catalogue, &mut names));
    }
    rules
}

fn rule<'n>(
    reader: &mut Reader<'_>,
    node: &'n Node,
    catalogue: &Catalogue<'_>,
    names: &mut HashMap<&'n str, Span>,
) -> Option<ReadRule> {
    let mut fields = reader.fields(node, "a rule")?;
    let name_node = reader.require(&mut fields, "name");
    let action = reader.require(&mut fields, "action");
    let peers = fields.take("peers");
    let ports = fields.take("ports");
    reader.finish(fields);

    let name = name_node.and_then(|node| {
        let name = reader.name(node, "`name`")?;
        if let Some(&first) = names.get(name) {
            let source = reader.source;
            reader
                .report(
                    Code::DuplicateName,
                    node.span,
                    format!("two rules of this policy are named `{name}`"),
                )
                .help("events name the rule that decided: give each its own name")
                .also(source, first, "first one here");
        }
        names.entry(name).or_insert(node.span);
        Some(name)
    });
    let action = action.and_then(|node| reader.choice(node, "`action`", &ACTIONS));
    let mut rule = Rule {
        name: name.unwrap_or_default().into(),
        at: reader.source.position(node.span.start),
        action: action.unwrap_or(Action::Deny),
        peers: Vec::new(),
        ports: Vec::new(),
    };
    if let Some(peers) = peers {
        for item in reader.possibly_empty_list(peers, "`peers`") {
            rule.peers.extend(peer::peer(reader, item, catalogue));
        }
    }
    if let Some(ports) = ports {
        for item in reader.list(ports, "`ports`") {
            port::port(reader, item, &mut rule.ports);
        }
    }
    Some(ReadRule {
        rule,
        name_span: name_node.map_or(node.span, |node| node.span),
    })
}
