//! The bytes that cross between kernel and userspace.
//!
//! Byte order: addresses are stored as the network gives them; everything else is native.
//!
//! Every record is `#[repr(C)]` without padding (`zerocopy` refuses padding at compile time) and
//! states its size in a `const` assertion, so that a drift breaks both builds.

mod addr;
mod counters;
mod event;
mod ids;
mod image;
#[cfg(feature = "user")]
mod pod;
mod resolved;
mod socket_tag;
mod tag;

pub use addr::{Addr, EmbeddedV4, Family, Nat64Prefix};
pub use counters::{Counter, DnsCount, LossCause};
pub use event::{Event, FlowCount, FlowKey};
pub use ids::{Atom, CgroupId, ClassId, Hook, NameMask, NameSet, Port, Ports, Proto, RuleId};
pub use image::{
    BUCKET_ENTRIES, CHAIN_STEPS, CLASS_SLOTS, Chain, ChainNode, ClassEntry, Fence, ImageHeader,
    MatrixEntry, Node, Outcome, PAGE_BYTES, PAGE_WORDS, Page, RESOLVER_SLOTS, Resolvers,
    SHORT_ENTRIES, SOCKET_TAGS_PER_PAGE, Says, Segment, TAIL_ENTRIES_PER_PAGE, TAIL_PAGES,
    TailEntry,
};
pub use resolved::{Device, HELD_NAMES, Held, HeldName, Holder, Resolved};
pub use socket_tag::SocketTag;
pub use tag::{Epoch, Stance, Tag};

/// Version of everything in this module. A daemon refuses to adopt pinned maps of another version.
pub const ABI_VERSION: u32 = 4;

/// Names of maps and programs, as in the object. The kernel truncates at 15 bytes.
pub mod names {
    /// Outer array; element 0 is the image in force, an array of [`Page`](super::Page)s.
    pub const IMAGE: &str = "IMAGE";
    /// Cgroup id to [`Tag`](super::Tag).
    pub const TAGS: &str = "TAGS";
    /// [`FlowKey`](super::FlowKey) to [`FlowCount`](super::FlowCount).
    pub const FLOWS: &str = "FLOWS";
    /// The same of flows that passed, where flows are recorded.
    pub const RECORDED: &str = "RECORDED";
    /// Ring buffer of [`Event`](super::Event)s.
    pub const EVENTS: &str = "EVENTS";
    /// Per CPU, indexed by [`Counter`](super::Counter).
    pub const COUNTERS: &str = "COUNTERS";
    /// Per CPU decisions, indexed by [`RuleId`](super::RuleId).
    pub const DECISIONS: &str = "DECISIONS";
    /// Constant of the programs: whether flows that pass are recorded. One byte.
    pub const RECORD_FLOWS: &str = "RECORD_FLOWS";
    /// Constant of the programs: whether answers from DNS are read. One byte.
    pub const READ_NAMES: &str = "READ_NAMES";
    /// Who opened a UDP exchange with a workload, and when.
    pub const REPLIES: &str = "REPLIES";
    /// Marks of TCP sockets that were accepted.
    pub const ACCEPTED: &str = "ACCEPTED";
    /// Element 0 is the [`Epoch`](super::Epoch).
    pub const EPOCH: &str = "EPOCH";
    /// [`Mark`](crate::verdict::Mark)s of flows that were allowed in this epoch.
    pub const ALLOWED: &str = "ALLOWED";
    /// Network namespaces of sockets that ask resolvers.
    pub const ASKERS: &str = "ASKERS";
    /// Questions without an answer yet.
    pub const QUESTIONS: &str = "QUESTIONS";
    /// [`Device`](super::Device)s by which answers may arrive.
    pub const TRUSTED: &str = "TRUSTED";
    /// [`Holder`](super::Holder) to [`Resolved`](super::Resolved).
    pub const RESOLVED: &str = "RESOLVED";
    /// Cgroup id to the number of entries that the programs ever made in `RESOLVED`.
    pub const TAKEN: &str = "TAKEN";
    /// Cgroup id to the number of entries that userspace ever removed from `RESOLVED`.
    pub const RETURNED: &str = "RETURNED";
    /// Names under which a connected socket sends.
    pub const PEERS: &str = "PEERS";
    /// Where a message is read, one for each CPU.
    pub const DESK: &str = "DESK";
    /// Interface index of the host's end of a workload's interface to its cgroup.
    pub const DEVICES: &str = "DEVICES";
    /// Who opened what across workloads' interfaces.
    pub const CONVERSATIONS: &str = "CONVERSATIONS";
    /// What first fragments say of later ones.
    pub const FRAGMENTS: &str = "FRAGMENTS";
}
