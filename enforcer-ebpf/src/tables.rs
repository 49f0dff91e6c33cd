//! The decision's questions, answered from maps.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use enforcer_common::{
    abi::{
        Addr, CgroupId, ClassId, ImageHeader, NameMask, NameSet, Page, SOCKET_TAGS_PER_PAGE,
        SocketTag, Stance, Tag,
    },
    names::Seed,
    verdict::{
        Fault, Flow, Judgement, Names, Pages, Tables, is_resolver, judge, name_seed,
        name_set as find_set, set_mask as find_mask, walk,
    },
};

use crate::{
    flow::Context,
    maps::{IMAGE, Image, TAGS},
    names,
};

/// Deepest level of the machine's cgroup2 tree at which a tagged ancestor is found. The daemon
/// refuses to tag below it.
pub const DEEPEST_TAG: i32 = 16;

/// The image in force; its pointer is read once.
struct ImageInForce(Option<&'static Image>);

impl Pages for ImageInForce {
    #[inline(always)]
    fn page(&self, number: u32) -> Option<&Page> {
        self.0?.get(number)
    }

    #[inline(always)]
    fn follow(&self, first: u32, names: Names) -> u32 {
        let (mask, image) = names.words();
        follow_chain(u64::from(first), mask, image) as u32
    }
}

/// The shared [`walk`], a global function as [`judge_flow`] is. It reads the image's pointer anew;
/// should that be another image by now, the names are not of it, and the flow is judged again.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn follow_chain(first: u64, mask: u64, names_image: u32) -> u64 {
    let image = ImageInForce(IMAGE.get(0));
    u64::from(walk(
        &image,
        first as u32,
        Names::from_words(mask, names_image),
    ))
}

/// The shared [`judge`], out of line: a global function takes and returns plain numbers, and the
/// verifier walks it once instead of once for every way there (kernel 5.6).
///
/// `class_and_key` holds the class in its high and the key in its low 32 bits; the address comes in
/// two halves, host order, and so do [`Names`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn judge_flow(
    class_and_key: u64,
    hi: u64,
    lo: u64,
    mask: u64,
    names_image: u32,
) -> u64 {
    let image = ImageInForce(IMAGE.get(0));
    let class = ClassId((class_and_key >> 32) as u16);
    judge(
        &image,
        class,
        Addr::from_halves(hi, lo),
        class_and_key as u32,
        Names::from_words(mask, names_image),
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

/// What sockets of a class carry. Asked once a connect has passed, and of an image that may be newer
/// than the one that let it pass: a mark is no verdict.
#[inline(always)]
pub fn socket_tag(class: ClassId) -> SocketTag {
    let image = ImageInForce(IMAGE.get(0));
    let first = image
        .page(0)
        .map_or(0, |header| header.word(ImageHeader::SOCKET_TAGS));
    if first == 0 {
        return SocketTag::NONE;
    }
    let number = first.wrapping_add(u32::from(class.0 / SOCKET_TAGS_PER_PAGE));
    image.page(number).map_or(SocketTag::NONE, |page| {
        SocketTag::from_double(page.double(class.0 % SOCKET_TAGS_PER_PAGE))
    })
}

/// What sockets of a workload carry, if policies judge it.
#[inline(always)]
pub fn socket_tag_of<C: Context>(ctx: &C, subject: CgroupId) -> SocketTag {
    match workload(ctx, subject) {
        Some((_, tag)) if tag.stance() == Some(Stance::Judge) => socket_tag(tag.class),
        Some(_) | None => SocketTag::NONE,
    }
}

/// The seed of the image in force.
#[inline(always)]
pub fn seed() -> Option<Seed> {
    let image = ImageInForce(IMAGE.get(0));
    image.page(0).map(name_seed)
}

/// Whether a class believes what this address answers.
#[inline(always)]
pub fn resolver(class: ClassId, address: Addr) -> bool {
    let (hi, lo) = address.halves();
    is_resolver_of(u64::from(class.0), hi, lo) != 0
}

/// A global function, as [`judge_flow`] is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn is_resolver_of(class: u64, hi: u64, lo: u64) -> u64 {
    let image = ImageInForce(IMAGE.get(0));
    let address = Addr::from_halves(hi, lo);
    u64::from(is_resolver(&image, ClassId(class as u16), address))
}

/// The set of the pattern of names with this hash, in the image in force.
#[inline(always)]
pub fn name_set(hash: u64) -> Result<NameSet, Fault> {
    match set_of_hash(hash) {
        set @ 0..=0xffff => Ok(NameSet(set as u16)),
        fault => Err(Fault::from_byte((fault >> 16) as u8 - 1)),
    }
}

/// The set, or the fault plus one shifted by 16 bits. A global function, as [`judge_flow`] is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn set_of_hash(hash: u64) -> u64 {
    let image = ImageInForce(IMAGE.get(0));
    match find_set(&image, hash) {
        Ok(set) => u64::from(set.0),
        Err(fault) => (fault as u64 + 1) << 16,
    }
}

/// What a set of names means to a class in the image in force, or [`names::UNREADABLE`].
#[inline(always)]
pub fn set_mask(class: ClassId, set: NameSet) -> u64 {
    mask_of_set(u64::from(class.0), u64::from(set.0))
}

/// A global function, as [`judge_flow`] is.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn mask_of_set(class: u64, set: u64) -> u64 {
    let image = ImageInForce(IMAGE.get(0));
    match find_mask(&image, ClassId(class as u16), NameSet(set as u16)) {
        Ok(mask) => mask.0,
        Err(_) => names::UNREADABLE,
    }
}

/// Maps as one decision sees them.
pub struct KernelTables<'a, C>(pub &'a C);

impl<C: Context> Tables for KernelTables<'_, C> {
    #[inline(always)]
    fn tag(&self, flow: &Flow) -> Option<Tag> {
        workload(self.0, flow.subject).map(|(_, tag)| tag)
    }

    #[inline(always)]
    fn judge(&self, class: ClassId, dst: Addr, key: u32, names: Names) -> Judgement {
        let (hi, lo) = dst.halves();
        let (mask, image) = names.words();
        Judgement::unpack(judge_flow(
            u64::from(class.0) << 32 | u64::from(key),
            hi,
            lo,
            mask,
            image,
        ))
    }

    #[inline(always)]
    fn names(&self, flow: &Flow, class: ClassId) -> Names {
        let image = generation();
        let mask = self.0.names(flow, class);
        // Generations only grow: the mask is of this image unless another was published meanwhile.
        if mask == names::UNREADABLE || generation() != image {
            return Names::UNASKED;
        }
        Names::in_image(NameMask(mask), image)
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

/// The cgroup that carries the tag of `subject`, itself or its nearest tagged ancestor, and the tag.
#[inline(always)]
pub fn workload<C: Context>(ctx: &C, subject: CgroupId) -> Option<(CgroupId, Tag)> {
    if let Some(tag) = tag_of(subject) {
        return Some((subject, tag));
    }
    match ancestor_tag(ctx) {
        CgroupId(0) => None,
        tagged => tag_of(tagged).map(|tag| (tagged, tag)),
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
