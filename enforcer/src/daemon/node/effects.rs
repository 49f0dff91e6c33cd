//! What an image would change for the workloads that there are.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use anyhow::Context as _;
use enforcer_common::{
    abi::{ClassId, Tag},
    verdict::Decision,
};

use super::{Loaded, Node, Prepared};
use crate::{
    compile::{Atlas, Comparison, Image, Input, Version},
    control::{Effect, Side},
    daemon::{explain::verdict_name, node_resolvers},
    geo::diff::AddressRange,
    workloads::Assignment,
};

/// Tags of a workload now and then, as two numbers that can be ordered.
type Tags = (Option<Tag>, Option<Tag>);

/// Compares the image in force with one that is not, for every cgroup that either has a tag for.
/// Isolation is left aside: it passes.
///
/// # Errors
/// The image in force is another daemon's, and only the kernel has it.
pub(super) fn of(node: &Node, prepared: &Prepared) -> anyhow::Result<Vec<Effect>> {
    let loaded = node.loaded.as_ref().context(
        "what is in force was put there by an earlier daemon, and its policies could not be read: \
         there is nothing to compare with",
    )?;
    let atlases = (atlas(loaded)?, atlas(&prepared.loaded)?);
    let comparison = Comparison::of(
        Version {
            image: &loaded.image,
            atlas: &atlases.0,
            policies: &loaded.policies,
        },
        Version {
            image: &prepared.loaded.image,
            atlas: &atlases.1,
            policies: &prepared.loaded.policies,
        },
    );
    let mut effects = Vec::new();
    for ((before, after), workloads) in by_tags(node, prepared) {
        for difference in comparison.differences(before, after) {
            effects.push(Effect {
                workloads: workloads.clone(),
                services: difference.services,
                before: side(&difference.before, &loaded.image),
                after: side(&difference.after, &prepared.loaded.image),
                addresses: difference.extent.addresses(),
                networks: difference.extent.networks(),
                places: loaded.geo.places(&difference.ranges),
                example: difference.ranges.first().map(example).unwrap_or_default(),
            });
        }
    }
    Ok(effects)
}

fn example(range: &AddressRange) -> String {
    IpAddr::from(range.first.octets())
        .to_canonical()
        .to_string()
}

/// Where the policies tell addresses apart. Exceptions of isolations do not count.
fn atlas(loaded: &Loaded) -> anyhow::Result<Atlas> {
    let input = Input {
        now: loaded.made_at,
        cluster_dns: &node_resolvers(),
        ..Input::of(&loaded.policies, &[], &loaded.geo)
    };
    Ok(Atlas::of(&input)?)
}

/// Workloads with the same tags now and the same tags then.
fn by_tags(node: &Node, prepared: &Prepared) -> Vec<(Tags, Vec<String>)> {
    let mut of_paths: BTreeMap<&str, Tags> = BTreeMap::new();
    for (tag, assignment) in node.tags.values() {
        let plain = tag.isolated(0);
        of_paths.entry(&assignment.path).or_default().0 = Some(plain);
    }
    for assignment in &prepared.assigned {
        of_paths.entry(&assignment.path).or_default().1 = tag(assignment, prepared);
    }
    let mut known: HashMap<(u64, u64), usize> = HashMap::new();
    let mut grouped: Vec<(Tags, Vec<String>)> = Vec::new();
    for (path, tags) in of_paths {
        let key = (number(tags.0), number(tags.1));
        let at = *known.entry(key).or_insert_with(|| {
            grouped.push((tags, Vec::new()));
            grouped.len() - 1
        });
        grouped[at].1.push(path.to_owned());
    }
    grouped
}

fn tag(assignment: &Assignment, prepared: &Prepared) -> Option<Tag> {
    if assignment.policies.is_empty() {
        return assignment.otherwise.map(Tag::standing);
    }
    let sets = prepared.classes.sets();
    let class = sets.iter().position(|set| *set == assignment.policies)?;
    Some(Tag::judged(ClassId(class as u16)))
}

fn number(tag: Option<Tag>) -> u64 {
    tag.map_or(0, |tag| {
        let stance = tag.stance().map_or(0xff, |stance| stance as u64);
        1 << 32 | stance << 16 | u64::from(tag.class.0)
    })
}

fn side(decision: &Decision, image: &Image) -> Side {
    let rule = image.rule(decision.rule);
    let name = rule.map(|rule| {
        let name = rule.rule.as_deref().unwrap_or("default");
        format!("{}/{name}", rule.policy)
    });
    Side {
        verdict: verdict_name(decision.verdict).to_owned(),
        would_deny: decision.would_deny,
        by: name.unwrap_or_else(|| decision.reason.as_str().to_owned()),
        at: rule.map(|rule| rule.at.to_string()),
    }
}
