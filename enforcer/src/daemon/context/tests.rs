use std::{net::IpAddr, sync::Arc};

use enforcer_common::{
    abi::{Addr, CgroupId},
    names::{NameKey, Seed},
};

use super::{Known, REMEMBERED_WORKLOADS};
use crate::{
    compile::PatternTexts,
    events::{Context as _, NamesInfo, WorkloadInfo, WorkloadKind},
    policy::NamePattern,
};

const SEED: Seed = Seed([1, 2]);

fn known(paths: &[(u64, &str)]) -> Known {
    let mut known = Known::default();
    for (cgroup, path) in paths {
        let workload = WorkloadInfo {
            name: (*path).into(),
            kind: WorkloadKind::Cgroup,
        };
        known.learn_workload(CgroupId(*cgroup), path, workload);
    }
    known
}

#[test]
fn a_cgroup_below_a_workload_is_of_the_workload() {
    let mut known = known(&[(1, "/llm"), (2, "/llm/inner")]);
    let above = |known: &Known, path| known.workload_above(path).map(|found| found.name.clone());
    assert_eq!(above(&known, "/llm/a/b").as_deref(), Some("/llm"));
    assert_eq!(above(&known, "/llm/inner/a").as_deref(), Some("/llm/inner"));
    assert_eq!(above(&known, "/llm2"), None);
    known.forget_workload(CgroupId(2));
    assert_eq!(above(&known, "/llm/inner/a").as_deref(), Some("/llm"));
}

/// What is told of an address that `/llm` learnt under these names.
fn told(learnt: &'static [&'static str], cgroup: u64, path: &str) -> NamesInfo {
    let mut known = known(&[(1, "/llm")]);
    known.patterns = Arc::new(PatternTexts::of(
        [
            NamePattern::Exact("api.example.com".into()),
            NamePattern::Below("example.com".into()),
            NamePattern::Below("eu.example.com".into()),
        ],
        &SEED,
    ));
    known.ask_for_names(Box::new(|holder| {
        let of_llm = holder.workload == CgroupId(1);
        let names = learnt.iter().filter(|_| of_llm);
        let keys = names.map(|name| NameKey::of_text(name, &SEED).expect("a name"));
        keys.collect()
    }));
    known.names(
        CgroupId(cgroup),
        Some(path),
        Addr::from(IpAddr::from([192, 0, 2, 1])),
    )
}

fn info(domain: Option<&str>, patterns: &[&str]) -> NamesInfo {
    NamesInfo {
        domain: domain.map(Arc::from),
        patterns: patterns.iter().map(|text| Arc::from(*text)).collect(),
    }
}

#[test]
fn a_name_that_a_policy_spells_out_is_told() {
    let exact = info(Some("api.example.com"), &["api.example.com"]);
    assert_eq!(told(&["api.example.com"], 1, "/llm"), exact);
    assert_eq!(told(&["api.example.com"], 9, "/llm/child"), exact);
    assert_eq!(told(&["api.example.com"], 9, "/crm"), info(None, &[]));
}

#[test]
fn of_other_names_the_narrowest_pattern_is_told() {
    let narrow = info(None, &["*.eu.example.com"]);
    assert_eq!(told(&["a.b.eu.example.com"], 1, "/llm"), narrow);
    let both = &["a.example.com", "b.example.com"];
    assert_eq!(told(both, 1, "/llm"), info(None, &["*.example.com"]));
    assert_eq!(told(&["example.org"], 1, "/llm"), info(None, &[]));
}

#[test]
fn of_several_known_names_none_is_said_to_be_the_one() {
    let several = &["a.example.com", "api.example.com"];
    let both = info(None, &["api.example.com", "*.example.com"]);
    assert_eq!(told(several, 1, "/llm"), both);
    // As when the one is an alias of the other.
    let alias = &["cdn.example.org", "api.example.com"];
    let exact = info(Some("api.example.com"), &["api.example.com"]);
    assert_eq!(told(alias, 1, "/llm"), exact);
}

#[test]
fn those_that_went_long_ago_are_forgotten() {
    let mut known = Known::default();
    let last = REMEMBERED_WORKLOADS as u64 + 10;
    for number in 1..=last {
        let workload = WorkloadInfo {
            name: "pod".into(),
            kind: WorkloadKind::Cgroup,
        };
        known.learn_workload(CgroupId(number), &format!("/pod{number}"), workload);
        known.keep_workloads(|cgroup| cgroup.0 == number);
    }
    assert!(known.workload(CgroupId(1)).is_none());
    assert!(known.workload(CgroupId(last - 1)).is_some());
    assert_eq!(known.workloads.len(), REMEMBERED_WORKLOADS + 1);
    assert_eq!(known.paths.len(), known.workloads.len());
    assert_eq!(known.cgroups.len(), known.workloads.len());
}
