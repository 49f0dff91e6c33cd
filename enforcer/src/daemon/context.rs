//! What events ask of the rest: rules, workloads, places.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::Arc,
};

use enforcer_common::{
    abi::{Addr, CgroupId, Holder, Nat64Prefix, RuleId},
    names::NameKey,
};

use crate::{
    compile::{Image, PatternTexts, Provenance},
    events::{
        Context, DatabaseRef, GeoAgreement, Mode as EventMode, NamesInfo, PlaceInfo, RuleInfo,
        WorkloadInfo,
    },
    geo::{Agreement, GeoSet},
    policy::{Mode, NamePattern},
};

/// How many images back a rule number still has a name: events of the old image arrive after the
/// new one is in force.
const REMEMBERED_IMAGES: usize = 8;
/// How many cgroups that are gone still have a name.
const REMEMBERED_WORKLOADS: usize = 256;

/// Keys of the names that hold of an address for a workload now.
pub type LearntNames = Box<dyn Fn(&Holder) -> Vec<NameKey> + Send>;

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
    patterns: Arc<PatternTexts>,
    learnt: Option<LearntNames>,
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
        self.patterns = Arc::clone(image.patterns());
    }

    /// Asks there for the names that a workload learnt of an address.
    pub fn ask_for_names(&mut self, learnt: LearntNames) {
        self.learnt = Some(learnt);
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

    /// The cgroup whose tag holds for a cgroup with this path.
    fn tagged(&self, cgroup: CgroupId, path: Option<&str>) -> Option<CgroupId> {
        if self.workloads.contains_key(&cgroup) {
            return Some(cgroup);
        }
        let mut ancestors = Path::new(path?).ancestors();
        ancestors.find_map(|above| self.cgroups.get(above.to_str()?).copied())
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

/// The kernel keeps hashes of names: only a pattern of a policy has a text.
fn names_info(patterns: &PatternTexts, keys: &[NameKey]) -> NamesInfo {
    let found = keys.iter().filter_map(|key| patterns.narrowest(key));
    let mut found: Vec<&NamePattern> = found.collect();
    found.sort_unstable();
    found.dedup();
    NamesInfo {
        domain: match found[..] {
            [NamePattern::Exact(name)] => Some(Arc::clone(name)),
            _ => None,
        },
        patterns: found.iter().map(|found| found.to_string().into()).collect(),
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
        self.workload(self.tagged(CgroupId(0), Some(path))?)
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

    fn names(&self, cgroup: CgroupId, path: Option<&str>, addr: Addr) -> NamesInfo {
        // Answers are read for the sake of policies with names alone.
        let learnt = self.learnt.as_ref().filter(|_| !self.patterns.is_empty());
        let keys = learnt
            .zip(self.tagged(cgroup, path))
            .map(|(learnt, workload)| learnt(&Holder { workload, addr }));
        names_info(&self.patterns, &keys.unwrap_or_default())
    }

    fn nat64(&self) -> &[Nat64Prefix] {
        &self.nat64
    }
}

#[cfg(test)]
mod tests;
