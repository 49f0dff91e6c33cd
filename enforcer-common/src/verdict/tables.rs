use super::{
    Flow,
    judge::Judgement,
    names::{Names, walk},
};
use crate::abi::{Addr, ClassId, Page, Tag};

/// One image.
pub trait Pages {
    /// A page of the image. All pages of one decision come from one image.
    fn page(&self, number: u32) -> Option<&Page>;

    /// Follows a chain with the names of this image, [`walk`](super::walk). The kernel does it out of
    /// line, for its verifier.
    #[inline(always)]
    fn follow(&self, first: u32, names: Names) -> u32
    where
        Self: Sized,
    {
        walk(self, first, names)
    }
}

/// Everything a verdict may ask. The kernel answers from maps, userspace from memory.
pub trait Tables {
    /// The tag of the flow's cgroup, else of its nearest tagged ancestor.
    fn tag(&self, flow: &Flow) -> Option<Tag>;

    /// [`judge()`](super::judge()) over the image in force.
    fn judge(&self, class: ClassId, dst: Addr, key: u32, names: Names) -> Judgement;

    /// What holds of the names of the flow's destination, in the image in force. Asked only where
    /// the outcome depends on it. [`Names::UNASKED`] when it cannot be told: that is a fault.
    fn names(&self, flow: &Flow, class: ClassId) -> Names;

    /// Whether the flow answers what the other side opened. Asked only of flows that would be
    /// refused.
    fn is_reply(&self, flow: &Flow) -> bool;

    /// `CLOCK_BOOTTIME` in nanoseconds. Asked only of isolated workloads.
    fn now_ns(&self) -> u64;
}
