//! The decision as the kernel makes it: the shared code, compiled for BPF, over real maps.

use anyhow::Context;
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, ArrayOfMaps, HashMap, MapData},
    programs::{SchedClassifier, TestRun, TestRunOptions},
};
use enforcer::kernel::PARITY_OBJECT;
use enforcer_common::{
    abi::{
        Addr, CgroupId, ClassId, FlowKey, Held, Holder, Page, Ports, Resolved, RuleId, Tag, names,
    },
    names::NameKey,
    verdict::Flow,
};
use zerocopy::IntoBytes;

/// `include/uapi/linux/bpf.h`, kernel 5.10: inner arrays may differ in length.
const BPF_F_INNER_MAP: u32 = 1 << 12;

/// Bytes before the flow in a packet: an Ethernet header.
const LINK_HEADER: usize = 14;

/// A loaded program with maps of its own, gone with this value.
pub struct Parity(Ebpf);

impl Parity {
    /// Loads it. There is no image and no tag yet.
    ///
    /// # Errors
    /// Without root, or the kernel refuses the program.
    pub fn load() -> anyhow::Result<Self> {
        crate::lab::require_root()?;
        let mut ebpf = EbpfLoader::new().load(PARITY_OBJECT)?;
        let program: &mut SchedClassifier = ebpf
            .program_mut("parity")
            .context("the object has no program `parity`")?
            .try_into()?;
        program.load()?;
        Ok(Self(ebpf))
    }

    /// Puts an image in force, as its pages.
    ///
    /// # Errors
    /// The kernel has no room.
    pub fn publish(&mut self, pages: &[Page]) -> anyhow::Result<()> {
        let mut inner: Array<MapData, Page> = Array::create(pages.len() as u32, BPF_F_INNER_MAP)?;
        for (number, page) in pages.iter().enumerate() {
            inner.set(number as u32, page, 0)?;
        }
        let map = self.0.map_mut(names::IMAGE).context("no map of images")?;
        let mut images: ArrayOfMaps<_, Array<MapData, Page>> = map.try_into()?;
        Ok(images.set(0, &inner, 0)?)
    }

    /// Sets the tag of a cgroup.
    ///
    /// # Errors
    /// The map is full.
    pub fn tag(&mut self, cgroup: CgroupId, tag: Tag) -> anyhow::Result<()> {
        let map = self.0.map_mut(names::TAGS).context("no map of tags")?;
        let mut tags: HashMap<_, CgroupId, Tag> = map.try_into()?;
        Ok(tags.insert(cgroup, tag, 0)?)
    }

    /// Makes [`workload`] of each of that many classes a workload of it.
    ///
    /// # Errors
    /// The map is full.
    pub fn tag_classes(&mut self, classes: usize) -> anyhow::Result<()> {
        for class in (0..classes).map(|class| ClassId(class as u16)) {
            self.tag(workload(class), Tag::judged(class))?;
        }
        Ok(())
    }

    /// Makes these, and no others, the names that a workload knows of an address.
    ///
    /// # Errors
    /// The map is full.
    ///
    /// # Panics
    /// There are more names than an address may have.
    pub fn learn(
        &mut self,
        workload: CgroupId,
        addr: Addr,
        names: &[NameKey],
    ) -> anyhow::Result<()> {
        let holder = Holder { workload, addr };
        let mut resolved = Resolved::of(holder);
        for key in names {
            assert_eq!(resolved.note(key, u64::MAX, 0), Held::Kept);
        }
        let map = self.0.map_mut(names::RESOLVED).context("no map of names")?;
        let mut map: HashMap<_, Holder, Resolved> = map.try_into()?;
        Ok(map.insert(holder, resolved, 0)?)
    }

    /// Decides a flow: [`Decision::pack`](enforcer_common::verdict::Decision::pack).
    ///
    /// # Errors
    /// The kernel cannot run the program.
    pub fn decide(&self, flow: &Flow) -> anyhow::Result<u32> {
        let key = FlowKey {
            cgroup: flow.subject,
            dst: flow.dst,
            port: flow.ports.port_or_zero(),
            proto: flow.proto,
            verdict: match flow.ports {
                Ports::UNKNOWN => 1,
                Ports::ABSENT => 2,
                _ => 0,
            },
            rule: RuleId::NONE,
            generation: 0,
        };
        let packet = [&[0; LINK_HEADER][..], key.as_bytes()].concat();
        let program: &SchedClassifier = self
            .0
            .program("parity")
            .context("the object has no program `parity`")?
            .try_into()?;
        let options = TestRunOptions {
            data_in: Some(&packet),
            ..TestRunOptions::default()
        };
        Ok(program.test_run(options)?.return_value)
    }
}

/// The cgroup that [`Parity::tag_classes`] tags with a class.
#[must_use]
pub fn workload(class: ClassId) -> CgroupId {
    CgroupId(u64::from(class.0) + 1)
}
