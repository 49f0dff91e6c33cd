//! Isolation: tags that refuse everything for a while.

use std::path::Path;

use anyhow::{Context as _, ensure};
use enforcer_common::abi::Tag;

use super::Node;
use crate::{
    control::{Author, IsolateRequest, Isolation, ReleaseRequest},
    daemon::{isolations::Covering, reporter::Reporter},
    events::{DaemonEvent, IsolationEvent, IsolationStep, clock},
    policy::PolicyName,
    workloads::Assignment,
};

impl Node {
    /// Isolates a cgroup and all below it. When this returns, the next packet is refused.
    ///
    /// # Errors
    /// It is not covered, or the request cannot be meant; nothing has changed.
    pub fn isolate(
        &mut self,
        request: &IsolateRequest,
        author: Author,
        reporter: &mut Reporter,
    ) -> anyhow::Result<Isolation> {
        let workload = self.cgroups.path_of(Path::new(&request.workload))?;
        // A cgroup made a moment ago may have no tag yet.
        self.rescan(reporter)?;
        ensure!(
            self.nearest_tag(Path::new(&workload))?.is_some(),
            "cgroup {workload} is not covered: no policy selects it and it is below no managed root"
        );
        let isolation = self.isolations.noted(workload, request, author)?;
        let before = self.isolations.all().to_vec();
        self.isolations.put(isolation.clone())?;
        if let Err(error) = self.retag(reporter) {
            self.isolations.restore(before)?;
            self.retag(reporter)?;
            return Err(error);
        }
        let by = isolation.author.as_ref().map(ToString::to_string);
        reporter.tell(event(IsolationStep::Begun, &isolation, by));
        Ok(isolation)
    }

    /// Ends an isolation before its time.
    ///
    /// # Errors
    /// There is none.
    pub fn release(
        &mut self,
        request: &ReleaseRequest,
        author: &Author,
        reporter: &mut Reporter,
    ) -> anyhow::Result<Isolation> {
        let given = Path::new(&request.workload);
        // It may be gone, and its isolation still noted.
        let workload = self.cgroups.path_of(given);
        let workload = workload.unwrap_or_else(|_| request.workload.clone());
        let isolation = self.isolations.remove(&workload)?;
        self.retag(reporter)?;
        reporter.tell(event(
            IsolationStep::Released,
            &isolation,
            Some(author.to_string()),
        ));
        Ok(isolation)
    }

    /// Forgets and tells isolations that are over. The kernel ended them by itself.
    ///
    /// # Errors
    /// The state directory or the tags cannot be written; it is tried again the next time.
    pub fn expire_isolations(&mut self, reporter: &mut Reporter) -> anyhow::Result<()> {
        let expired = self.isolations.expire(clock::boottime_ns())?;
        if expired.is_empty() {
            return Ok(());
        }
        for isolation in &expired {
            reporter.tell(event(IsolationStep::Expired, isolation, None));
        }
        self.retag(reporter)
    }

    /// All isolations.
    #[must_use]
    pub fn isolations(&self) -> &[Isolation] {
        self.isolations.all()
    }

    /// Notes what tags say and no file knows: nobody is released because a file was lost.
    pub(super) fn keep_isolations(&mut self) -> anyhow::Result<()> {
        let now = clock::boottime_ns();
        let isolated = |tag: &Tag| tag.isolated_until > now;
        if !self.tags.values().any(|(tag, _)| isolated(tag)) {
            return Ok(());
        }
        for path in self.cgroups.tree("/") {
            let tag = self
                .cgroups
                .id(&path)
                .ok()
                .and_then(|id| self.tags.get(&id));
            if let Some((tag, _)) = tag
                && isolated(tag)
                && self.isolations.covering(&path).is_none()
            {
                let lost = self.isolations.of_tag(path, tag.isolated_until);
                self.isolations.put(lost)?;
            }
        }
        Ok(())
    }

    /// The tag with the isolations that cover the cgroup.
    pub(super) fn isolated(&mut self, tag: Tag, assignment: &Assignment) -> Tag {
        let Some(covering) = self.isolations.covering(&assignment.path) else {
            return tag;
        };
        let tag = tag.isolated(covering.until_ns);
        match exception_set(assignment, &covering) {
            Some(set) => tag.with_exceptions(self.classes.of(set)),
            None => tag,
        }
    }

    /// The sets of policies that an assignment needs classes for.
    pub(super) fn sets_of(&self, assignment: &Assignment) -> Vec<Vec<PolicyName>> {
        let own = (!assignment.policies.is_empty()).then(|| assignment.policies.clone());
        let covering = self.isolations.covering(&assignment.path);
        let exceptions = covering.and_then(|covering| exception_set(assignment, &covering));
        own.into_iter().chain(exceptions).collect()
    }

    /// Writes the tags anew. Where no policies are in memory, as they are broken, only what needs
    /// no image is written.
    fn retag(&mut self, reporter: &mut Reporter) -> anyhow::Result<()> {
        if self.loaded.is_some() {
            return self.rescan(reporter);
        }
        let of_cgroups = self.cgroups.tree("/").into_iter();
        let paths = of_cgroups.filter_map(|path| Some((self.cgroups.id(&path).ok()?, path)));
        for (cgroup, path) in paths.collect::<Vec<_>>() {
            let Some((tag, _)) = self.tags.get_mut(&cgroup) else {
                continue;
            };
            let covering = self.isolations.covering(&path);
            ensure!(
                covering.as_ref().is_none_or(|it| it.exceptions.is_none()),
                "exceptions need an image, and the policies of this daemon are broken: isolate \
                 without --allow, or mend them"
            );
            let next = tag.isolated(covering.map_or(0, |covering| covering.until_ns));
            if next != *tag {
                self.enforcement.tag(cgroup, next).context("isolate")?;
                *tag = next;
            }
        }
        Ok(())
    }
}

/// The policies of a cgroup and one for each isolation; `None` where nothing is left open.
fn exception_set(assignment: &Assignment, covering: &Covering) -> Option<Vec<PolicyName>> {
    let exceptions = covering.exceptions.as_ref()?;
    let mut set: Vec<PolicyName> = assignment.policies.clone();
    set.extend(exceptions.iter().cloned());
    set.sort_unstable();
    set.dedup();
    Some(set)
}

fn event(step: IsolationStep, isolation: &Isolation, by: Option<String>) -> DaemonEvent {
    DaemonEvent::Isolation(IsolationEvent {
        step,
        workload: isolation.workload.as_str().into(),
        reason: isolation.reason.as_str().into(),
        by: by.map(Into::into),
        until: isolation.until.as_str().into(),
    })
}
