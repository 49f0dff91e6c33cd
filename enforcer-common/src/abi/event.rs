//! Records of refused (or would-be refused) flows.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    addr::Addr,
    ids::{CgroupId, ClassId, Port, Proto, RuleId},
};

/// Key of the `FLOWS` map: one kind of refused traffic of one workload.
#[repr(C)]
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
pub struct FlowKey {
    /// Cgroup of the socket or process, not of its tagged ancestor.
    pub cgroup: CgroupId,
    /// Destination as the application gave it.
    pub dst: Addr,
    /// Destination port; 0 where the protocol has none or it is unknown.
    pub port: Port,
    /// IP protocol.
    pub proto: Proto,
    /// A [`Verdict`](crate::verdict::Verdict), with bit 7 set when an audit policy would deny.
    pub verdict: u8,
    /// The rule that decided.
    pub rule: RuleId,
    /// Low 16 bits of the number of the image that decided, for rules are numbered anew in each; 0
    /// where no image was asked.
    pub generation: u16,
}

const _: () = assert!(size_of::<FlowKey>() == 32);

/// Value of the `FLOWS` map. Updated with atomic adds by every CPU.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct FlowCount {
    /// Packets and calls with this verdict, the first included.
    pub count: u64,
    /// Payload bytes seen by the packet hook; 0 from the socket hooks.
    pub bytes: u64,
    /// `CLOCK_BOOTTIME` nanoseconds of the first.
    pub first_ns: u64,
    /// `CLOCK_BOOTTIME` nanoseconds of the last.
    pub last_ns: u64,
}

const _: () = assert!(size_of::<FlowCount>() == 32);

/// One element of the `EVENTS` ring: the first refusal of a flow. Repeats are counted in `FLOWS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Event {
    /// What was refused, by which rule.
    pub flow: FlowKey,
    /// `CLOCK_BOOTTIME` nanoseconds.
    pub at_ns: u64,
    /// Number of the image that decided.
    pub generation: u64,
    /// Source address; all zero where the hook does not know it.
    pub src: Addr,
    /// Process (thread group) id in the initial pid namespace; 0 where the hook has no process.
    pub pid: u32,
    /// User id in the initial user namespace; meaningless when `pid` is 0.
    pub uid: u32,
    /// Command name, NUL-padded; all zero when `pid` is 0.
    pub comm: [u8; 16],
    /// Source port; 0 where unknown.
    pub src_port: Port,
    /// Class of the workload.
    pub class: ClassId,
    /// A [`Hook`](super::Hook).
    pub hook: u8,
    /// A [`Reason`](crate::verdict::Reason).
    pub reason: u8,
    /// Always zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<Event>() == 96);
const _: () = assert!(size_of::<Event>().is_multiple_of(8));
