//! What names cost: reading answers, and sending to where only a name allows to send.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use enforcer::{
    kernel::Interfaces,
    policy::{NamePattern, Policy, load_text},
};
use enforcer_tests::lab::Cgroup;

use crate::{
    client::{Load, NAME, RESOLVER},
    own::{self, Own},
    pairs::{self, Comparison, Effort, Subject},
    stage::Stage,
};

/// Against the number of names in a policy.
///
/// # Errors
/// A verdict is wrong, or a run fails.
pub(crate) fn measure(
    stage: &mut Stage,
    counts: &[usize],
    effort: Effort,
) -> Result<Vec<Comparison>> {
    // In no country: nothing but a name allows them.
    let (_, nowhere) = stage.files("v4");
    let again = Cgroup::new("again")?;
    let without = Own::new("no-names", &own::image(&stage.policies, &stage.geo)?)?;
    let mut standing = Vec::new();
    for &count in counts {
        let policy = policy(count)?;
        let mut own = Own::new(
            &format!("names-{count}"),
            &own::image(&[policy], &stage.geo)?,
        )?;
        let interfaces = stage.bed.world.client.run(|| Ok(Interfaces::all()?))?;
        own.enforcement.trust(&interfaces)?;
        standing.push((format!("names: {count}"), own));
    }
    let subject = |name: &str, cgroup: &Cgroup| Subject {
        name: name.to_owned(),
        place: stage.bed.place(cgroup),
        destinations: nowhere.clone(),
        alternative: false,
    };
    let control = subject("nothing, in another cgroup (A/A)", &again);
    let without_names = subject("a policy without names", &without.cgroup);
    let with_names: Vec<Subject> = standing
        .iter()
        .map(|(name, own)| subject(name, &own.cgroup))
        .collect();
    for subject in &with_names {
        check(stage, subject)?;
    }
    let lookups = [vec![control.clone(), without_names], with_names.clone()].concat();
    let sends = [vec![control], with_names].concat();
    let base = stage.bed.place(&stage.base);
    let mut compare = |load, name: &str, subjects: &[Subject]| {
        pairs::compare(&mut stage.client, &base, subjects, (load, name), effort)
    };
    let found = vec![
        compare(Load::Lookup, "DNS question and answer", &lookups)?,
        compare(
            Load::Named,
            "UDP, a new destination each packet, allowed by name",
            &sends,
        )?,
    ];
    stage.client.rest()?;
    Ok(found)
}

/// Nothing is permitted before it was looked up, and everything after.
fn check(stage: &mut Stage, subject: &Subject) -> Result<()> {
    let name = &subject.name;
    let count = |permitted: Vec<bool>| permitted.iter().filter(|one| **one).count();
    let before = stage.client.probe(&subject.place, &subject.destinations)?;
    let after = stage
        .client
        .probe_named(&subject.place, &subject.destinations)?;
    let all = after.len();
    let (before, after) = (count(before), count(after));
    ensure!(
        before == 0,
        "{name}: {before} are permitted without a lookup"
    );
    ensure!(
        after == all,
        "{name}: {} of {all} are refused after a lookup",
        all - after
    );
    Ok(())
}

/// A policy of `count` names, of which one is asked for.
fn policy(count: usize) -> Result<Policy> {
    let mut policies = load_text("names.yaml", &text(&[NAME.to_owned()]))?.policies;
    let mut policy = policies.pop().context("no policy")?;
    let peer = policy
        .rules
        .first_mut()
        .and_then(|rule| rule.peers.first_mut());
    let names = host_names(count).map(|name| NamePattern::Exact(name.into()));
    peer.context("no peer")?.fqdns = Some(names.collect());
    Ok(policy)
}

/// A policy of names in a file, to start with.
///
/// # Errors
/// The disk is full.
pub(crate) fn write_policy(stage: &Stage, count: usize) -> Result<PathBuf> {
    let path = stage.directory.path().join(format!("names-{count}.yaml"));
    let names: Vec<String> = host_names(count).collect();
    std::fs::write(&path, text(&names)).with_context(|| path.display().to_string())?;
    Ok(path)
}

fn host_names(count: usize) -> impl Iterator<Item = String> {
    let (_, domain) = NAME.split_once('.').unwrap_or_default();
    (0..count).map(move |number| format!("host-{number}.{domain}"))
}

fn text(names: &[String]) -> String {
    format!(
        "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: names}}\n\
         spec:\n  selector: [{{exec: true}}]\n  default: deny\n  dns: {{resolvers: [{}]}}\n  rules:\n    \
         - {{name: names, action: allow, peers: [{{fqdns: [{}]}}]}}\n",
        RESOLVER.ip(),
        names.join(", ")
    )
}
