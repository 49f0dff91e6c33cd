//! The kernel: loading, attaching, publishing, reading back. The only room that knows aya.
//!
//! An [`Enforcement`] is one set of programs, maps and links, held by pins below one directory of
//! bpffs, so that it goes on without the process that made it.

mod attach;
mod build;
mod counters;
mod devices;
mod epoch;
mod error;
mod fill;
mod interfaces;
mod object;
#[cfg(feature = "parity")]
mod parity;
mod pins;
mod publish;
mod refusal;
mod resolved;
mod ring;
mod tags;
mod take;
mod traces;

use std::path::Path;

use enforcer_common::{
    abi::{CgroupId, Holder, RuleId, Stance, Tag, names},
    names::{NameKey, Seed},
};

pub use attach::{AttachError, AttachedCgroup, HOOKS};
pub use build::Build;
pub use counters::{DecisionCount, Flows, KernelCounters, MapMemory};
pub use devices::{AttachedDevice, DEVICE_HOOKS, DeviceLinks, Interface};
pub use error::KernelError;
pub use fill::TableFill;
pub use interfaces::Interfaces;
pub use object::{Loading, Object, ProgramReport};
#[cfg(feature = "parity")]
pub use parity::PARITY_OBJECT;
pub use pins::PinDir;
pub use refusal::Refusal;
pub use resolved::HeldNames;
pub use ring::EventRing;
pub use traces::Traces;

use self::{
    attach::Links, epoch::EpochSlot, object::Maps, publish::ImageSlot, resolved::ResolvedNames,
    tags::Tags,
};
use crate::compile::Image;

/// Programs in force for one instance.
pub struct Enforcement {
    dir: PinDir,
    image: ImageSlot,
    tags: Tags,
    devices: DeviceLinks,
    epoch: EpochSlot,
    flows: Flows,
    recorded: Flows,
    resolved: ResolvedNames,
    maps: Maps,
    adopted: bool,
}

impl Enforcement {
    /// Pins programs and maps below `dir`. Nothing is attached yet.
    ///
    /// # Errors
    /// bpffs is missing, or `dir` holds another enforcement.
    pub fn create(dir: PinDir, programs: Object) -> Result<Self, KernelError> {
        let maps = programs.pin(&dir)?;
        Self::over(dir, maps, false)
    }

    /// Takes over what another process of the same build pinned below `dir`. `None` when there is
    /// nothing, or another build made it.
    ///
    /// # Errors
    /// The pins are damaged.
    pub fn adopt(dir: PinDir) -> Result<Option<Self>, KernelError> {
        let Some(maps) = Maps::open(&dir)? else {
            return Ok(None);
        };
        let mut adopted = Self::over(dir, maps, true)?;
        adopted.image.finish()?;
        Ok(Some(adopted))
    }

    fn over(dir: PinDir, mut maps: Maps, adopted: bool) -> Result<Self, KernelError> {
        let image = ImageSlot::new(&mut maps)?;
        let tags = Tags::new(&mut maps)?;
        let devices = DeviceLinks::new(&dir, &mut maps)?;
        let epoch = EpochSlot::new(&mut maps)?;
        let flows = Flows::new(&mut maps, names::FLOWS)?;
        let recorded = Flows::new(&mut maps, names::RECORDED)?;
        let resolved = ResolvedNames::new(&mut maps)?;
        Ok(Self {
            dir,
            image,
            tags,
            devices,
            epoch,
            flows,
            recorded,
            resolved,
            maps,
            adopted,
        })
    }

    /// Whether another process made it.
    #[must_use]
    pub fn is_adopted(&self) -> bool {
        self.adopted
    }

    /// The pins.
    #[must_use]
    pub fn dir(&self) -> &PinDir {
        &self.dir
    }

    /// Puts an image in force. When this returns, no decision uses the old one any more.
    ///
    /// # Errors
    /// The kernel has no room; the old image stays in force.
    pub fn publish(&mut self, image: &Image) -> Result<(), KernelError> {
        self.image.publish(image)?;
        self.epoch.end()
    }

    /// Number of the image in force and of its classes; `None` when there is none.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn in_force(&self) -> Result<Option<(u64, u32)>, KernelError> {
        self.image.in_force()
    }

    /// The names that a workload knows of an address at a moment of `CLOCK_BOOTTIME` in nanoseconds.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn names_of(&self, holder: &Holder, now_ns: u64) -> Result<Vec<NameKey>, KernelError> {
        self.resolved.names_of(holder, now_ns)
    }

    /// The seed of the names of the image in force: what the kernel noted of names is only found by an
    /// image with the same. `None` when there is no image.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn name_seed(&self) -> Result<Option<Seed>, KernelError> {
        self.image.name_seed()
    }

    /// Attaches every hook to a cgroup and pins the links. A cgroup that is attached already stays
    /// as it is.
    ///
    /// # Errors
    /// The cgroup cannot be opened or the kernel refuses.
    pub fn attach(&mut self, cgroup: &Path) -> Result<(), KernelError> {
        Links::new(&self.dir).attach(&self.dir, cgroup)
    }

    /// Cgroups with pinned links.
    ///
    /// # Errors
    /// The pins cannot be listed.
    pub fn attached(&self) -> Result<Vec<AttachedCgroup>, KernelError> {
        Links::new(&self.dir).list()
    }

    /// The interfaces of workloads, to be attached to while this value does other work.
    ///
    /// # Errors
    /// The map cannot be opened.
    pub fn device_links(&mut self) -> Result<DeviceLinks, KernelError> {
        DeviceLinks::new(&self.dir, &mut self.maps)
    }

    /// Interfaces with programs.
    ///
    /// # Errors
    /// The pins cannot be listed, or the map cannot be read.
    pub fn devices(&self) -> Result<Vec<AttachedDevice>, KernelError> {
        self.devices.list()
    }

    /// Sets the tag of a cgroup.
    ///
    /// # Errors
    /// The map is full or cannot be written.
    pub fn tag(&mut self, cgroup: CgroupId, tag: Tag) -> Result<(), KernelError> {
        self.tags.set(cgroup, tag)?;
        self.epoch.end()
    }

    /// Removes the tag of a cgroup that is gone.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn untag(&mut self, cgroup: CgroupId) -> Result<(), KernelError> {
        self.tags.remove(cgroup)?;
        self.epoch.end()
    }

    /// Removes the links of a cgroup that is gone.
    ///
    /// # Errors
    /// A pin cannot be removed.
    pub fn forget_links(&mut self, cgroup: CgroupId) -> Result<(), KernelError> {
        Links::new(&self.dir).forget(cgroup)
    }

    /// Makes a cgroup a managed root: what is below it without a tag stands as `unknown` says.
    ///
    /// # Errors
    /// The map is full or cannot be written.
    pub fn manage(&mut self, cgroup: CgroupId, unknown: Stance) -> Result<(), KernelError> {
        self.tag(cgroup, Tag::standing(unknown))
    }

    /// The tag of a cgroup, if it has one of its own.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn tag_of(&self, cgroup: CgroupId) -> Result<Option<Tag>, KernelError> {
        self.tags.get(cgroup)
    }

    /// Every tag.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn tags(&self) -> Result<Vec<(CgroupId, Tag)>, KernelError> {
        self.tags.all()
    }

    /// Believes DNS answers that come by these interfaces, and by no others of their namespace.
    ///
    /// # Errors
    /// The map is full or cannot be written.
    pub fn trust(&mut self, interfaces: &Interfaces) -> Result<(), KernelError> {
        self.resolved.trust(interfaces.netns, &interfaces.devices)
    }

    /// Removes names of addresses that are over, and those of workloads without a tag, every ten
    /// seconds. `now_ns` is `CLOCK_BOOTTIME`.
    ///
    /// # Errors
    /// A map cannot be read or written.
    pub fn expire_names(&mut self, now_ns: u64) -> Result<(), KernelError> {
        let Self { resolved, tags, .. } = self;
        resolved.expire(now_ns, |cgroup| !matches!(tags.get(cgroup), Ok(None)))
    }

    /// The ring of events. Only one reader sees each event.
    ///
    /// # Errors
    /// The ring cannot be mapped.
    pub fn events(&mut self) -> Result<EventRing, KernelError> {
        EventRing::new(&mut self.maps)
    }

    /// The names of addresses, to be read while this value does other work.
    ///
    /// # Errors
    /// The table cannot be opened.
    pub fn held_names(&mut self) -> Result<HeldNames, KernelError> {
        HeldNames::new(&mut self.maps)
    }

    /// What the programs log of each decision. Only those of [`Build::Traced`] do.
    ///
    /// # Errors
    /// The programs are not traced, or their log cannot be mapped.
    pub fn traces(&self) -> Result<Traces, KernelError> {
        Traces::open(&self.dir)
    }

    /// Counts of refused flows, and removal of those that are idle.
    #[must_use]
    pub fn flows(&mut self) -> &mut Flows {
        &mut self.flows
    }

    /// The same of flows that passed: empty unless they are recorded ([`Build::Recording`]).
    #[must_use]
    pub fn recorded(&mut self) -> &mut Flows {
        &mut self.recorded
    }

    /// Counters of the programs.
    ///
    /// # Errors
    /// A map cannot be read.
    pub fn counters(&self) -> Result<KernelCounters, KernelError> {
        KernelCounters::read(&self.dir)
    }

    /// What each rule decided, by its number in the image that was in force. Those of the first `rules`
    /// numbers that decided anything.
    ///
    /// # Errors
    /// A map cannot be read.
    pub fn decisions(&self, rules: usize) -> Result<Vec<(RuleId, DecisionCount)>, KernelError> {
        counters::decisions(&self.dir, rules)
    }

    /// How full the tables are.
    ///
    /// # Errors
    /// A map cannot be read.
    pub fn fill(&self) -> Result<Vec<TableFill>, KernelError> {
        TableFill::read(&self.maps)
    }

    /// Kernel memory of each map.
    ///
    /// # Errors
    /// A map cannot be read.
    pub fn memory(&self) -> Result<Vec<MapMemory>, KernelError> {
        MapMemory::read(&self.dir)
    }
}
