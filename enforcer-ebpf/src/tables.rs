//! The decision's questions, answered from maps.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, ImageHeader, Page, Tag},
    verdict::{Flow, Judgement, Pages, Tables, judge},
};

use crate::{
    flow::Context,
    maps::{IMAGE, Image, TAGS},
};

/// Deepest level of the machine's cgroup2 tree at which a tagged ancestor is found. The daemon
/// refuses to tag below it.
const DEEPEST_TAG: i32 = 16;

/// The image in force; its pointer is read once.
struct ImageInForce(Option<&'static Image>);

impl Pages for ImageInForce {
    #[inline(always)]
    fn page(&self, number: u32) -> Option<&Page> {
        self.0?.get(number)
    }
}

/// The shared [`judge`], out of line: a global function takes and returns plain numbers, and the
/// verifier walks it once instead of once for every way there (kernel 5.6).
///
/// `class_and_key` holds the class in its high and the key in its low 32 bits; the address comes in
/// two halves, host order.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn judge_flow(class_and_key: u64, hi: u64, lo: u64) -> u64 {
    let image = ImageInForce(IMAGE.get(0));
    let class = ClassId((class_and_key >> 32) as u16);
    judge(
        &image,
        class,
        Addr::from_halves(hi, lo),
        class_and_key as u32,
    )
    .pack()
}

/// Number of the image in force; 0 when there is none.
#[inline(always)]
pub fn generation() -> u64 {
    let image = ImageInForce(IMAGE.get(0));
    image
        .page(0)
        .map_or(0, |header| header.double(ImageHeader::GENERATION / 2))
}

/// Maps as one decision sees them.
pub struct KernelTables<'a, C>(pub &'a C);

impl<C: Context> Tables for KernelTables<'_, C> {
    #[inline(always)]
    fn tag(&self, flow: &Flow) -> Option<Tag> {
        if let Some(tag) = tag_of(flow.subject) {
            return Some(tag);
        }
        match ancestor_tag(self.0) {
            CgroupId(0) => None,
            tagged => tag_of(tagged),
        }
    }

    #[inline(always)]
    fn judge(&self, class: ClassId, dst: Addr, key: u32) -> Judgement {
        let (hi, lo) = dst.halves();
        Judgement::unpack(judge_flow(
            u64::from(class.0) << 32 | u64::from(key),
            hi,
            lo,
        ))
    }

    #[inline(always)]
    fn is_reply(&self, flow: &Flow) -> bool {
        self.0.is_reply(flow)
    }

    #[inline(always)]
    fn now_ns(&self) -> u64 {
        now_ns()
    }
}

/// The nearest ancestor with a tag, or 0. The helpers count levels from the root, so that is the
/// deepest hit.
#[inline(never)]
fn ancestor_tag<C: Context>(ctx: &C) -> CgroupId {
    for above in 0..DEEPEST_TAG {
        let ancestor = ctx.ancestor(DEEPEST_TAG - above);
        if ancestor.0 != 0 && tag_of(ancestor).is_some() {
            return ancestor;
        }
    }
    CgroupId(0)
}

#[inline(always)]
fn tag_of(cgroup: CgroupId) -> Option<Tag> {
    // SAFETY: the daemon replaces a tag whole; a reader copies one or the other.
    unsafe { TAGS.get(cgroup) }.copied()
}

/// `CLOCK_BOOTTIME` in nanoseconds.
#[inline(always)]
pub fn now_ns() -> u64 {
    // SAFETY: the helper takes no pointers.
    unsafe { bpf_ktime_get_boot_ns() }
}
