//! Workloads of which not all is judged, and what was told of that.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use enforcer_common::abi::CgroupId;

/// A pod's processes may be there before its interface: what lasts no longer is no news.
const GRACE: Duration = Duration::from_secs(5);

/// Gaps that are open.
#[derive(Default)]
pub(super) struct Gaps(HashMap<CgroupId, Gap>);

struct Gap {
    since: Instant,
    told: bool,
}

impl Gaps {
    /// Whether there are some that were not told of: then they are to be looked at again soon.
    pub(super) fn is_watching(&self) -> bool {
        self.0.values().any(|gap| !gap.told)
    }

    /// Takes the workloads that have processes, each with the reason why not all is judged, if so.
    /// What is new: the reason of a gap that lasts, or `None` for one that was told of and is closed.
    pub(super) fn see(
        &mut self,
        found: HashMap<CgroupId, Option<String>>,
        now: Instant,
    ) -> Vec<(CgroupId, Option<String>)> {
        let mut news = Vec::new();
        self.0.retain(|cgroup, _| found.contains_key(cgroup));
        for (cgroup, reason) in found {
            let Some(reason) = reason else {
                if self.0.remove(&cgroup).is_some_and(|gap| gap.told) {
                    news.push((cgroup, None));
                }
                continue;
            };
            let gap = self.0.entry(cgroup).or_insert(Gap {
                since: now,
                told: false,
            });
            if !gap.told && now.duration_since(gap.since) >= GRACE {
                gap.told = true;
                news.push((cgroup, Some(reason)));
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_told_once_when_it_lasts_and_once_when_it_is_closed() {
        let mut gaps = Gaps::default();
        let start = Instant::now();
        let pod = CgroupId(7);
        let open = || HashMap::from([(pod, Some("why".to_owned()))]);
        let closed = || HashMap::from([(pod, None)]);
        assert_eq!(gaps.see(open(), start), []);
        assert_eq!(gaps.see(closed(), start), []);
        assert_eq!(gaps.see(open(), start), []);
        let later = start + GRACE;
        assert_eq!(gaps.see(open(), later), [(pod, Some("why".to_owned()))]);
        assert_eq!(gaps.see(open(), later + GRACE), []);
        assert_eq!(gaps.see(closed(), later), [(pod, None)]);
        assert_eq!(gaps.see(open(), later), []);
        assert_eq!(gaps.see(HashMap::new(), later + GRACE), []);
    }
}
