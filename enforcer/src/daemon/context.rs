//! What events ask of the rest: rules, workloads, places.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::Arc,
};

use enforcer_common::abi::{Addr, CgroupId, Nat64Prefix, RuleId};

use crate::{
    compile::{Image, Provenance},
    events::{
        Context, DatabaseRef, GeoAgreement, Mode as EventMode, PlaceInfo, RuleInfo, WorkloadInfo,
    },
    geo::{Agreement, GeoSet},
    policy::Mode,
};

/// How many images back a rule number still has a name: events of the old image arrive after the
/// new one is in force.
const REMEMBERED_IMAGES: usize = 8;
/// How many cgroups that are gone still have a name.
const REMEMBERED_WORKLOADS: usize = 256;

/// Answers events' questions from memory.
#[derive(Default)]
pub struct Known {
    geo: Option<Arc<GeoSet>>,
    nat64: Vec<Nat64Prefix>,
    databases: Vec<Arc<DatabaseRef>>,
    images: VecDeque<(u64, HashMap<RuleId, Arc<RuleInfo>>)>,
    workloads: HashMap<CgroupId, Arc<WorkloadInfo>>,
    paths: HashMap<CgroupId, Arc<str>>,
    cgroups: HashMap<Arc<str>, CgroupId>,
    /// Known workloads that are gone, oldest first.
    gone: VecDeque<CgroupId>,
}

impl Known {
    /// Names the rules of an image.
    pub fn learn_image(&mut self, image: &Image) {
        let newest = self.images.front().map(|(number, _)| *number);
        if newest == Some(image.generation()) {
            return;
        }
        let rules = image
            .rules()
            .map(|(id, rule)| (id, Arc::new(rule_info(rule))))
            .collect();
        self.images.push_front((image.generation(), rules));
        self.images.truncate(REMEMBERED_IMAGES);
    }

    /// Uses these databases from now on.
    pub fn learn_geo(&mut self, geo: Arc<GeoSet>) {
        if self.geo.as_ref().is_some_and(|it| Arc::ptr_eq(it, &geo)) {
            return;
        }
        let reference = |database: &crate::geo::Database| {
            Arc::new(DatabaseRef {
                name: database.info.name.as_str().into(),
                built: database.info.built,
            })
        };
        self.databases = geo.databases.iter().map(reference).collect();
        self.geo = Some(geo);
    }

    /// Names a workload and the path of its cgroup below the mount.
    pub fn learn_workload(&mut self, cgroup: CgroupId, path: &str, workload: WorkloadInfo) {
        self.gone.retain(|gone| *gone != cgroup);
        self.workloads.insert(cgroup, Arc::new(workload));
        let path: Arc<str> = path.into();
        self.cgroups.insert(Arc::clone(&path), cgroup);
        self.paths.insert(cgroup, path);
    }

    /// Keeps workloads that there are, and those that went last: events of theirs still arrive.
    pub fn keep_workloads(&mut self, exists: impl Fn(CgroupId) -> bool) {
        let known = self.workloads.keys().copied();
        let went = known.filter(|cgroup| !exists(*cgroup) && !self.gone.contains(cgroup));
        let went: Vec<CgroupId> = went.collect();
        self.gone.extend(went);
        while self.gone.len() > REMEMBERED_WORKLOADS
            && let Some(oldest) = self.gone.pop_front()
        {
            self.forget_workload(oldest);
        }
    }

    fn forget_workload(&mut self, cgroup: CgroupId) {
        self.workloads.remove(&cgroup);
        if let Some(path) = self.paths.remove(&cgroup)
            && self.cgroups.get(&path) == Some(&cgroup)
        {
            self.cgroups.remove(&path);
        }
    }
}

fn rule_info(rule: &Provenance) -> RuleInfo {
    RuleInfo {
        policy: Arc::clone(&rule.policy.0),
        rule: rule.rule.clone().unwrap_or_else(|| "default".into()),
        file: Arc::clone(&rule.at.file),
        line: rule.at.line,
        no_agreement: rule.no_agreement.clone(),
        mode: match rule.mode {
            Mode::Enforce => EventMode::Enforce,
            Mode::Audit => EventMode::Audit,
        },
        data_categories: rule.data_categories.to_vec(),
        legal_basis: rule.legal_basis.to_vec(),
    }
}

impl Context for Known {
    fn rule(&self, rule: RuleId, generation: u64) -> Option<Arc<RuleInfo>> {
        let (_, rules) = self
            .images
            .iter()
            .find(|(number, _)| *number == generation)?;
        rules.get(&rule).cloned()
    }

    fn workload(&self, cgroup: CgroupId) -> Option<Arc<WorkloadInfo>> {
        self.workloads.get(&cgroup).cloned()
    }

    fn workload_above(&self, path: &str) -> Option<Arc<WorkloadInfo>> {
        let mut ancestors = Path::new(path).ancestors();
        let cgroup = ancestors.find_map(|above| self.cgroups.get(above.to_str()?))?;
        self.workload(*cgroup)
    }

    fn cgroup_path(&self, cgroup: CgroupId) -> Option<Arc<str>> {
        self.paths.get(&cgroup).cloned()
    }

    fn place(&self, addr: Addr) -> PlaceInfo {
        let Some(geo) = &self.geo else {
            return PlaceInfo::default();
        };
        let located = geo.locate_as_written(addr);
        let named = located
            .answers
            .iter()
            .position(|answer| answer.location.country.is_some());
        let agreement = match (located.countries_agree, geo.agreement) {
            (false, _) => GeoAgreement::Disagree,
            (true, Agreement::All) => GeoAgreement::All,
            (true, Agreement::Any) => GeoAgreement::Any,
        };
        PlaceInfo {
            country: located.country,
            asn: located.asn,
            as_name: located.as_name.map(Into::into),
            anycast: located.anycast,
            range: located.special,
            database: named
                .or(Some(0))
                .and_then(|index| self.databases.get(index).cloned()),
            agreement: named.map(|_| agreement),
        }
    }

    fn nat64(&self) -> &[Nat64Prefix] {
        &self.nat64
    }
}

#[cfg(test)]
mod tests {
    use enforcer_common::abi::CgroupId;

    use super::{Known, REMEMBERED_WORKLOADS};
    use crate::events::{Context as _, WorkloadInfo, WorkloadKind};

    #[test]
    fn a_cgroup_below_a_workload_is_of_the_workload() {
        let mut known = Known::default();
        for (cgroup, path) in [(1, "/llm"), (2, "/llm/inner")] {
            let workload = WorkloadInfo {
                name: path.into(),
                kind: WorkloadKind::Cgroup,
            };
            known.learn_workload(CgroupId(cgroup), path, workload);
        }
        let above =
            |known: &Known, path| known.workload_above(path).map(|found| found.name.clone());
        assert_eq!(above(&known, "/llm/a/b").as_deref(), Some("/llm"));
        assert_eq!(above(&known, "/llm/inner/a").as_deref(), Some("/llm/inner"));
        assert_eq!(above(&known, "/llm2"), None);
        known.forget_workload(CgroupId(2));
        assert_eq!(above(&known, "/llm/inner/a").as_deref(), Some("/llm"));
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
}
