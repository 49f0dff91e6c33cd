//! The decision's questions, answered from maps.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use enforcer_common::{
    abi::{CgroupId, Page, Tag},
    verdict::{Flow, Tables},
};

use crate::{
    flow::Context,
    maps::{IMAGE, Image, TAGS},
    replies,
};

/// Deepest level of the machine's cgroup2 tree at which a tagged ancestor is found. The daemon
/// refuses to tag below it.
const DEEPEST_TAG: i32 = 16;

/// Maps as one decision sees them: the image pointer is read once.
pub struct KernelTables<'a, C> {
    context: &'a C,
    image: Option<&'static Image>,
}

impl<'a, C: Context> KernelTables<'a, C> {
    /// Takes the image in force.
    #[inline(always)]
    pub fn new(context: &'a C) -> Self {
        Self {
            context,
            image: IMAGE.get(0),
        }
    }
}

impl<C: Context> Tables for KernelTables<'_, C> {
    #[inline(always)]
    fn tag(&self, flow: &Flow) -> Option<Tag> {
        if let Some(tag) = tag_of(flow.subject) {
            return Some(tag);
        }
        // The helpers count levels from the root, so the nearest ancestor is the deepest hit.
        for above in 0..DEEPEST_TAG {
            let ancestor = self.context.ancestor(DEEPEST_TAG - above);
            if ancestor.0 != 0
                && let Some(tag) = tag_of(ancestor)
            {
                return Some(tag);
            }
        }
        None
    }

    #[inline(always)]
    fn page(&self, number: u32) -> Option<&Page> {
        self.image?.get(number)
    }

    #[inline(always)]
    fn is_reply(&self, flow: &Flow) -> bool {
        replies::is_reply(self.context, flow)
    }

    #[inline(always)]
    fn now_ns(&self) -> u64 {
        now_ns()
    }
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
