//! A node's enforcement: policies, databases and workloads brought into the kernel together.

mod class_file;
mod devices;
mod pods;
mod renew;
mod tell;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use enforcer_common::{
    abi::{CgroupId, Tag},
    names::Seed,
};

use self::{devices::Devices, pods::SeenPods};
use super::{reporter::Reporter, seed, settings::Settings};
use crate::{
    compile::Image,
    events::DaemonEvent,
    geo::GeoSet,
    kernel::{Build, Enforcement, KernelError, Loading, PinDir, Traces},
    policy::{self, Minute, Policy},
    workloads::{Assignment, Cgroup2, CgroupPath, Classes, Scope, cgroup2},
};

/// Deepest level at which the kernel programs find a tag.
const DEEPEST: usize = 16;

/// Policies, databases and the image that was made from them.
struct Loaded {
    policies: Vec<Policy>,
    geo: Arc<GeoSet>,
    image: Image,
    made_at: Minute,
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
    generation: u64,
    seed: Seed,
    /// Tags as they were last written.
    tags: HashMap<CgroupId, (Tag, Assignment)>,
    devices: Devices,
    pods: SeenPods,
    last_error: Option<String>,
    ended: Vec<DaemonEvent>,
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
        instance: &str,
    ) -> anyhow::Result<Self> {
        let state = Path::new("/var/lib/enforcer").join(instance);
        fs::create_dir_all(&state).with_context(|| format!("make {}", state.display()))?;
        let build = settings.programs;
        let dir = PinDir::of_run(instance, build);
        let adopted = Enforcement::adopt(dir.clone())?;
        let (enforcement, first) = match adopted {
            Some(enforcement) => (enforcement, None),
            None => {
                let programs = Loading::start(build);
                // Before anything is made: a broken policy leaves no trace.
                let first = load(&settings)?;
                (Enforcement::create(dir, programs.finish()?)?, Some(first))
            }
        };
        let (generation, classes) = enforcement.in_force()?.unwrap_or((0, 0));
        let seed = match enforcement.name_seed()? {
            Some(seed) => seed,
            None => seed::draw().context("draw a seed for names")?,
        };
        let mut node = Self {
            classes: class_file::restore(&state, classes),
            settings,
            scope,
            cgroups,
            state,
            enforcement,
            loaded: None,
            generation,
            seed,
            tags: HashMap::new(),
            pods: SeenPods::default(),
            devices: Devices::open().context("open a rtnetlink socket")?,
            last_error: None,
            ended: Vec::new(),
        };
        node.tags = node.adopted_tags()?;
        let adopted = node.enforcement.is_adopted();
        let outcome = match first {
            Some((policies, geo)) => node.apply(policies, geo, None),
            None => node.reload(None),
        };
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

    /// Reads policies and databases again and puts them into force.
    ///
    /// # Errors
    /// They are broken: the old image stays in force.
    pub fn reload(&mut self, reporter: Option<&mut Reporter>) -> anyhow::Result<()> {
        let outcome = load(&self.settings);
        let outcome = outcome.and_then(|(policies, geo)| self.apply(policies, geo, reporter));
        self.last_error = outcome.as_ref().err().map(|error| format!("{error:#}"));
        outcome
    }

    /// Compiles, publishes, tags, in this order: a class is in the image before a tag names it.
    fn apply(
        &mut self,
        policies: Vec<Policy>,
        geo: GeoSet,
        reporter: Option<&mut Reporter>,
    ) -> anyhow::Result<()> {
        let assigned = self.scope.assign(&self.cgroups, &policies);
        let known = self.classes.clone();
        for assignment in assigned
            .iter()
            .filter(|assignment| !assignment.policies.is_empty())
        {
            self.classes.of(assignment.policies.clone());
        }
        let geo = Arc::new(geo);
        let loaded = self.compile(policies, geo).and_then(|loaded| {
            class_file::store(&self.state, &self.classes)?;
            Ok(loaded)
        });
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                self.classes = known;
                return Err(error);
            }
        };
        if let Some(reporter) = reporter {
            reporter.known().learn_image(&loaded.image);
            reporter.known().learn_geo(Arc::clone(&loaded.geo));
        }
        self.enforcement.publish(&loaded.image)?;
        self.replace(loaded);
        self.place(assigned)?;
        self.cover_devices()
    }

    /// Looks at the cgroups again. A set of policies that no image has yet needs a new image.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn rescan(&mut self, reporter: &mut Reporter) -> anyhow::Result<()> {
        let Some(loaded) = &self.loaded else {
            return Ok(());
        };
        let assigned = self.scope.assign(&self.cgroups, &loaded.policies);
        let known = self.classes.sets().len();
        for assignment in assigned
            .iter()
            .filter(|assignment| !assignment.policies.is_empty())
        {
            self.classes.of(assignment.policies.clone());
        }
        if self.classes.sets().len() != known {
            let (policies, geo) = (loaded.policies.clone(), Arc::clone(&loaded.geo));
            let loaded = self.compile(policies, geo)?;
            class_file::store(&self.state, &self.classes)?;
            reporter.known().learn_image(&loaded.image);
            self.enforcement.publish(&loaded.image)?;
            self.replace(loaded);
        }
        self.place(assigned)?;
        self.introduce(reporter.known());
        self.cover_devices()
    }

    /// Writes the tags that changed, removes those of cgroups that are gone, attaches.
    fn place(&mut self, assigned: Vec<Assignment>) -> anyhow::Result<()> {
        self.pods = SeenPods::of(&assigned);
        let mut placed = HashMap::new();
        for assignment in assigned {
            // A cgroup may go at any time; then there is nothing to place.
            let Ok(cgroup) = self.cgroups.id(&assignment.path) else {
                continue;
            };
            let tag = if assignment.awaited {
                self.tags.get(&cgroup).map(|(tag, _)| *tag)
            } else {
                self.tag_of(&assignment)
            };
            if let Some(tag) = tag {
                let before = self.tags.get(&cgroup).map(|(tag, _)| *tag);
                let tag = tag.isolated(before.map_or(0, |tag| tag.isolated_until));
                if before != Some(tag) {
                    self.check_depth(&assignment)?;
                    self.enforcement.tag(cgroup, tag)?;
                }
                placed.insert(cgroup, (tag, assignment.clone()));
            }
            if assignment.attach {
                self.enforcement
                    .attach(&self.cgroups.directory(&assignment.path))?;
            }
        }
        for gone in self
            .tags
            .keys()
            .filter(|cgroup| !placed.contains_key(cgroup))
        {
            self.enforcement.untag(*gone)?;
            self.enforcement.forget_links(*gone)?;
        }
        self.tags = placed;
        Ok(())
    }

    fn tag_of(&mut self, assignment: &Assignment) -> Option<Tag> {
        if assignment.policies.is_empty() {
            assignment.otherwise.map(Tag::standing)
        } else {
            Some(Tag::judged(self.classes.of(assignment.policies.clone())))
        }
    }

    fn check_depth(&self, assignment: &Assignment) -> anyhow::Result<()> {
        let depth = cgroup2::depth(&assignment.path);
        anyhow::ensure!(
            depth <= DEEPEST,
            "cgroup {} is {depth} levels deep, and tags are found down to level {DEEPEST}",
            assignment.path
        );
        Ok(())
    }

    /// Tags that an earlier daemon wrote, with what their cgroups are called now.
    fn adopted_tags(&self) -> anyhow::Result<HashMap<CgroupId, (Tag, Assignment)>> {
        let tags = self.enforcement.tags()?.into_iter().map(|(cgroup, tag)| {
            let nameless = Assignment {
                path: String::new(),
                policies: Vec::new(),
                otherwise: None,
                attach: false,
                pod: None,
                awaited: false,
            };
            (cgroup, (tag, nameless))
        });
        Ok(tags.collect())
    }

    /// Directories whose changes matter.
    #[must_use]
    pub fn watched(&self) -> Vec<PathBuf> {
        let roots = if self.scope.roots.is_empty() {
            &["/".to_owned()][..]
        } else {
            &self.scope.roots
        };
        let cgroups = roots.iter().flat_map(|root| self.cgroups.tree(root));
        cgroups.map(|path| self.cgroups.directory(&path)).collect()
    }

    /// Directories of policies and databases.
    #[must_use]
    pub fn sources(&self) -> Vec<PathBuf> {
        let files = self.settings.policies.iter().chain(&self.settings.geo);
        let directory = |path: &PathBuf| {
            if path.is_dir() {
                path.clone()
            } else {
                path.parent().map(PathBuf::from).unwrap_or_default()
            }
        };
        files.map(directory).collect()
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

    /// The tag that holds for a cgroup, and the cgroup that has it: this one, or the nearest above.
    ///
    /// # Errors
    /// There is no such cgroup, or the tags cannot be read.
    pub fn nearest_tag(&self, cgroup: &Path) -> anyhow::Result<Option<(CgroupPath, Tag)>> {
        let path = self.cgroups.path_of(cgroup)?;
        // As the kernel programs look for it: the root holds for nobody but itself.
        for path in cgroup2::upwards(&path) {
            let id = self.cgroups.id(path)?;
            if let Some(tag) = self.enforcement.tag_of(id)? {
                return Ok(Some((path.to_owned(), tag)));
            }
        }
        Ok(None)
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

    /// What the kernel programs log, if those that do were asked for.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn traces(&self) -> Result<Option<Traces>, KernelError> {
        match self.settings.programs {
            Build::Plain => Ok(None),
            Build::Traced => self.enforcement.traces().map(Some),
        }
    }

    /// The kernel's side.
    pub fn enforcement(&mut self) -> &mut Enforcement {
        &mut self.enforcement
    }
}

fn load(settings: &Settings) -> anyhow::Result<(Vec<Policy>, GeoSet)> {
    let loaded = policy::load(&settings.policies)?;
    let geo = GeoSet::open(&settings.geo, settings.agreement.unwrap_or_default().into())?;
    Ok((loaded.policies, geo))
}
