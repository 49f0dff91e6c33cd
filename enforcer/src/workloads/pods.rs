//! What is known of pods, from whatever source.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use super::layout::PodUid;

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodInfo {
    /// `metadata.namespace`.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
}

/// Known pods. A source that is down takes nothing away: what was known stays so as long as the pod
/// has a cgroup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    told: HashMap<PodUid, Arc<PodInfo>>,
    given_up: HashSet<PodUid>,
    /// Those that the cluster itself told of.
    of_cluster: HashSet<PodUid>,
}

impl Pods {
    /// The pod of this uid, if a source told of it.
    #[must_use]
    pub fn get(&self, uid: PodUid) -> Option<&Arc<PodInfo>> {
        self.told.get(&uid)
    }

    /// Waits no longer for somebody to tell of a pod. Who does so later is heard all the same.
    pub fn give_up(&mut self, uid: PodUid) {
        self.given_up.insert(uid);
    }

    /// Whether nobody told of the pod in time.
    #[must_use]
    pub fn is_given_up(&self, uid: PodUid) -> bool {
        self.given_up.contains(&uid)
    }

    /// Takes what a source lists now. Of the others, those stay that have a cgroup. The pods of which
    /// something else is known now.
    pub fn learn(
        &mut self,
        listed: impl IntoIterator<Item = (PodUid, PodInfo)>,
        with_cgroup: &HashSet<PodUid>,
    ) -> HashSet<PodUid> {
        let mut fresh: HashMap<PodUid, Arc<PodInfo>> = listed
            .into_iter()
            .map(|(uid, info)| (uid, Arc::new(info)))
            .collect();
        for (uid, info) in &self.told {
            if self.of_cluster.contains(uid) {
                fresh.insert(*uid, Arc::clone(info));
            } else if with_cgroup.contains(uid) {
                fresh.entry(*uid).or_insert_with(|| Arc::clone(info));
            }
        }
        self.given_up
            .retain(|uid| with_cgroup.contains(uid) && !fresh.contains_key(uid));
        let both = fresh.keys().chain(self.told.keys());
        let changed = both.filter(|uid| fresh.get(uid) != self.told.get(uid));
        let changed = changed.copied().collect();
        self.told = fresh;
        changed
    }

    /// As [`learn`](Self::learn), from the cluster: no other source is believed of these pods any more.
    pub fn learn_of_cluster(
        &mut self,
        listed: Vec<(PodUid, PodInfo)>,
        with_cgroup: &HashSet<PodUid>,
    ) -> HashSet<PodUid> {
        self.of_cluster.clear();
        let uids: HashSet<PodUid> = listed.iter().map(|(uid, _)| *uid).collect();
        let changed = self.learn(listed, with_cgroup);
        self.of_cluster = uids;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_a_source_forgets_stays_while_it_has_a_cgroup() {
        let uid = |digit: &str| PodUid::parse(&digit.repeat(32)).expect("a uid");
        let info = |name: &str| PodInfo {
            namespace: "llm".into(),
            name: name.into(),
            labels: BTreeMap::new(),
        };
        let mut pods = Pods::default();
        let both = [(uid("1"), info("one")), (uid("2"), info("two"))];
        let uids =
            |digits: &[&str]| -> HashSet<PodUid> { digits.iter().map(|it| uid(it)).collect() };
        assert_eq!(pods.learn(both.clone(), &uids(&[])), uids(&["1", "2"]));
        assert_eq!(pods.learn(both, &uids(&[])), uids(&[]));
        assert_eq!(pods.learn([], &uids(&["1"])), uids(&["2"]));
        assert_eq!(pods.get(uid("1")).map(|it| &*it.name), Some("one"));
        assert_eq!(pods.get(uid("2")), None);
    }

    #[test]
    fn the_cluster_is_believed_before_the_runtime() {
        let uid = PodUid::parse(&"1".repeat(32)).expect("a uid");
        let info = |label: &str| PodInfo {
            namespace: "llm".into(),
            name: "one".into(),
            labels: BTreeMap::from([("app".to_owned(), label.to_owned())]),
        };
        let label = |pods: &Pods| pods.get(uid).map(|it| it.labels["app"].clone());
        let mut pods = Pods::default();
        let nobody = HashSet::new();
        let it = HashSet::from([uid]);
        assert_eq!(pods.learn([(uid, info("old"))], &nobody), it);
        assert_eq!(pods.learn_of_cluster(vec![(uid, info("new"))], &nobody), it);
        assert_eq!(pods.learn([(uid, info("old"))], &nobody), nobody);
        assert_eq!(label(&pods).as_deref(), Some("new"));
        // It went from the cluster, and its cgroup is still there.
        assert_eq!(pods.learn_of_cluster(vec![], &it), nobody);
        assert_eq!(pods.learn([], &nobody), it);
        assert_eq!(label(&pods), None);
    }

    #[test]
    fn who_tells_late_is_heard() {
        let uid = PodUid::parse(&"1".repeat(32)).expect("a uid");
        let mut pods = Pods::default();
        pods.give_up(uid);
        let it = HashSet::from([uid]);
        assert_eq!(pods.learn([], &it), HashSet::new());
        assert!(pods.is_given_up(uid));
        let info = PodInfo {
            namespace: "llm".into(),
            name: "one".into(),
            labels: BTreeMap::new(),
        };
        assert_eq!(pods.learn([(uid, info)], &it), it);
        assert!(!pods.is_given_up(uid));
    }
}
