//! A node's enforcement: policies, databases and workloads brought into the kernel together.

mod account;
mod class_file;
mod cluster;
mod devices;
mod effects;
mod gaps;
mod inhabitants;
mod isolate;
mod lookup;
mod place;
mod pods;
mod push;
mod renew;
mod sources;
mod survey;
mod tell;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use enforcer_common::{
    abi::{CgroupId, Tag},
    names::Seed,
};

use self::{devices::Devices, gaps::Gaps, pods::SeenPods, sources::load, survey::Surveyor};
use super::{
    cluster_set::ClusterSet, isolations::Isolations, ledger::Ledger, renewal, reporter::Reporter,
    revisions::Revisions, seed, settings::Settings,
};
use crate::{
    compile::Image,
    control::DeviceCoverage,
    events::DaemonEvent,
    geo::GeoSet,
    kernel::{Enforcement, Loading, PinDir},
    policy::{Minute, Policy, Selector},
    workloads::{Assignment, Cgroup2, CgroupPath, Classes, Extent, Scope},
};

/// Policies that have a class before a workload has it: their first workload waits for no image. Most
/// nodes have no more; a class costs a row of the matrix.
const FORESEEN: usize = 64;

/// Policies, databases and the image that was made from them.
struct Loaded {
    policies: Vec<Policy>,
    geo: Arc<GeoSet>,
    image: Image,
    made_at: Minute,
}

/// An image that is not in force yet, and what goes with it.
struct Prepared {
    assigned: Vec<Assignment>,
    classes: Classes,
    loaded: Loaded,
}

/// Where an instance keeps what must outlive the daemon.
pub(super) fn state_directory(instance: &str) -> PathBuf {
    Path::new("/var/lib/enforcer").join(instance)
}

/// What `run` holds.
pub struct Node {
    settings: Settings,
    scope: Scope,
    cgroups: Cgroup2,
    state: PathBuf,
    enforcement: Enforcement,
    classes: Classes,
    loaded: Option<Loaded>,
    revisions: Revisions,
    cluster: ClusterSet,
    isolations: Isolations,
    generation: u64,
    seed: Seed,
    /// Tags as they were last written.
    tags: HashMap<CgroupId, (Tag, Assignment)>,
    surveyor: Surveyor,
    /// How the interfaces of workloads are covered.
    coverage: HashMap<CgroupPath, DeviceCoverage>,
    gaps: Gaps,
    pods: SeenPods,
    last_error: Option<String>,
    /// What is to be told.
    news: Vec<DaemonEvent>,
    ledger: Ledger,
    apply_time: Option<Duration>,
}

impl Node {
    /// Adopts what is in force for `instance`, or sets it up. When this returns, the policies are
    /// enforced, unless they are broken and an older image is in force: then that stays, and
    /// [`Node::last_error`] says why.
    ///
    /// # Errors
    /// Nothing is in force and nothing could be put into force. Nothing was attached.
    pub fn start(
        settings: Settings,
        scope: Scope,
        cgroups: Cgroup2,
        mut cluster: ClusterSet,
        instance: &str,
    ) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let state = state_directory(instance);
        fs::create_dir_all(&state).with_context(|| format!("make {}", state.display()))?;
        let revisions = Revisions::open(&state)?;
        cluster.begin(&settings.policies, revisions.bundle())?;
        let build = settings.programs;
        let dir = PinDir::of_run(instance, build);
        let adopted = Enforcement::adopt(dir.clone())?;
        let (mut enforcement, first) = match adopted {
            Some(enforcement) => (enforcement, None),
            None => {
                let programs = Loading::start(build);
                // Before anything is made: a broken policy leaves no trace.
                let first = load(&settings, &cluster.beside(revisions.bundle()))?;
                (Enforcement::create(dir, programs.finish()?)?, Some(first))
            }
        };
        let (generation, classes) = enforcement.in_force()?.unwrap_or((0, 0));
        let seed = match enforcement.name_seed()? {
            Some(seed) => seed,
            None => seed::draw().context("draw a seed for names")?,
        };
        let links = enforcement.device_links()?;
        let devices = Devices::open(links, cgroups.clone()).context("open a rtnetlink socket")?;
        let mut node = Self {
            classes: class_file::restore(&state, classes),
            settings,
            scope,
            cgroups,
            isolations: Isolations::open(&state)?,
            revisions,
            cluster,
            state,
            enforcement,
            loaded: None,
            generation,
            seed,
            tags: HashMap::new(),
            pods: SeenPods::default(),
            surveyor: Surveyor::start(devices).context("start a thread")?,
            coverage: HashMap::new(),
            gaps: Gaps::default(),
            last_error: None,
            news: Vec::new(),
            ledger: Ledger::default(),
            apply_time: None,
        };
        node.tags = node.adopted_tags()?;
        node.trust_interfaces();
        node.keep_isolations()?;
        let adopted = node.enforcement.is_adopted();
        let outcome = match first {
            Some((policies, geo)) => {
                let applied = node.apply(policies, geo, None);
                node.apply_time = Some(begun.elapsed());
                applied
            }
            None => node.reload(None),
        };
        let outcome = outcome.or_else(|error| node.start_without_namespaces(adopted, error));
        let outcome = outcome.and_then(|()| node.survey_now(Extent::All));
        match outcome {
            Err(error) if !adopted => {
                node.enforcement.dir().remove()?;
                return Err(error);
            }
            // `last_error` has it, and the old image stays.
            Ok(()) | Err(_) => {}
        }
        // Another build's enforcement goes only now that this one is in force.
        for old in PinDir::others(instance, build)? {
            old.remove()?;
        }
        Ok(node)
    }

    /// What namespaces say takes away from what others allow: where an image cannot hold both, the others
    /// hold rather than nothing.
    fn start_without_namespaces(
        &mut self,
        adopted: bool,
        error: anyhow::Error,
    ) -> anyhow::Result<()> {
        if adopted || !self.cluster.leave_namespaces_out() {
            return Err(error);
        }
        self.news.push(DaemonEvent::PoliciesRejected {
            generation: self.generation,
            diagnostics: vec![format!("policies of namespaces are left out: {error:#}")],
        });
        self.reload(None)
    }

    /// Reads policies and databases again and puts them into force.
    ///
    /// # Errors
    /// They are broken: the old image stays in force.
    pub fn reload(&mut self, reporter: Option<&mut Reporter>) -> anyhow::Result<()> {
        let begun = Instant::now();
        let bundle = self.cluster.beside(self.revisions.bundle());
        let outcome = load(&self.settings, &bundle);
        let outcome = outcome.and_then(|(policies, geo)| self.apply(policies, geo, reporter));
        if outcome.is_ok() {
            self.apply_time = Some(begun.elapsed());
        }
        self.last_error = outcome.as_ref().err().map(|error| format!("{error:#}"));
        outcome
    }

    fn apply(
        &mut self,
        policies: Vec<Policy>,
        geo: GeoSet,
        reporter: Option<&mut Reporter>,
    ) -> anyhow::Result<()> {
        let prepared = self.prepare(policies, Arc::new(geo))?;
        let assigned = self.publish(prepared, reporter)?;
        self.place(assigned)
    }

    /// Compiles for the workloads that there are now, and changes nothing.
    fn prepare(&self, policies: Vec<Policy>, geo: Arc<GeoSet>) -> anyhow::Result<Prepared> {
        let assigned = self.scope.assign(&self.cgroups, &policies, &Extent::All);
        let mut needed = self.classes.clone();
        for set in assigned.iter().flat_map(|it| self.sets_of(it)) {
            needed.of(set);
        }
        let mut classes = needed.clone();
        let selects_here =
            |policy: &&Policy| policy.selectors.iter().any(|it| *it != Selector::Exec);
        for policy in policies.iter().filter(selects_here).take(FORESEEN) {
            classes.of(vec![policy.name.clone()]);
        }
        let made_at = renewal::now();
        let mut compiled = self.compile(&policies, &geo, &classes, made_at);
        if compiled.is_err() && classes != needed {
            // What may never be there must not keep out what is.
            compiled = self.compile(&policies, &geo, &needed, made_at);
            classes = needed;
        }
        let loaded = Loaded {
            image: compiled?,
            policies,
            geo,
            made_at,
        };
        Ok(Prepared {
            assigned,
            classes,
            loaded,
        })
    }

    /// Puts an image into force. Tags come after it: a class is in the image before a tag names it.
    fn publish(
        &mut self,
        prepared: Prepared,
        reporter: Option<&mut Reporter>,
    ) -> anyhow::Result<Vec<Assignment>> {
        let Prepared {
            assigned,
            classes,
            loaded,
        } = prepared;
        if classes != self.classes || self.loaded.is_none() {
            class_file::store(&self.state, &classes)?;
            self.classes = classes;
        }
        if let Some(reporter) = reporter {
            reporter.known().learn_image(&loaded.image);
            reporter.known().learn_geo(Arc::clone(&loaded.geo));
        }
        // What was decided so far was decided by the rules of the image that goes.
        if self.loaded.is_some() {
            self.settle()?;
        }
        self.enforcement.publish(&loaded.image)?;
        self.replace(loaded);
        Ok(assigned)
    }

    /// Looks at all cgroups again.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn rescan(&mut self, reporter: &mut Reporter) -> anyhow::Result<()> {
        self.look(&Extent::All, reporter)
    }

    /// Looks at some cgroups again. A set of policies that no image has yet needs a new image.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn look(&mut self, extent: &Extent, reporter: &mut Reporter) -> anyhow::Result<()> {
        let Some(loaded) = &self.loaded else {
            return Ok(());
        };
        let assigned = self.scope.assign(&self.cgroups, &loaded.policies, extent);
        let mut sets = assigned
            .iter()
            .flat_map(|assignment| self.sets_of(assignment));
        if sets.all(|set| self.classes.has(&set)) {
            self.place_in(assigned, extent)?;
        } else {
            let (policies, geo) = (loaded.policies.clone(), Arc::clone(&loaded.geo));
            let prepared = self.prepare(policies, geo)?;
            let assigned = self.publish(prepared, Some(&mut *reporter))?;
            self.place(assigned)?;
        }
        self.introduce_in(reporter.known(), extent);
        Ok(())
    }

    /// Why the last change was refused.
    #[must_use]
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Number of the image in force.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The loaded policies.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        self.loaded.as_ref().map_or(&[], |loaded| &loaded.policies)
    }

    /// The image in force and the databases it was made from.
    #[must_use]
    pub fn image(&self) -> Option<(&Image, &GeoSet)> {
        self.loaded
            .as_ref()
            .map(|loaded| (&loaded.image, &*loaded.geo))
    }

    /// Cgroup ids with their paths.
    #[must_use]
    pub fn paths(&self) -> HashMap<CgroupId, String> {
        self.tags
            .iter()
            .map(|(cgroup, (_, assigned))| (*cgroup, assigned.path.clone()))
            .collect()
    }

    /// The policies of a class.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The kernel's side.
    pub fn enforcement(&mut self) -> &mut Enforcement {
        &mut self.enforcement
    }
}
