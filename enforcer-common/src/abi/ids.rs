//! Identifiers and the small numbers of a flow. No bare integer crosses a function.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::addr::{Addr, Family};

/// A cgroup, by the 64-bit id that the kernel and `stat().st_ino` of its directory give.
#[repr(transparent)]
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
pub struct CgroupId(pub u64);

/// A set of policies that some workloads share. Stable across images.
#[repr(transparent)]
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
pub struct ClassId(pub u16);

/// An equivalence class of addresses that no loaded policy can tell apart.
#[repr(transparent)]
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
pub struct Atom(pub u16);

impl Atom {
    /// Not an atom: the addresses of this /64 differ, look in the tail table.
    pub const SPLIT: Self = Self(u16::MAX);
}

/// All patterns of names that a name matches, as a number: 0 is none. Every name has exactly one in
/// an image.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameSet(pub u16);

/// Conditions on names that hold, as the policies of one class number them in one image.
#[repr(transparent)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct NameMask(pub u64);

impl NameMask {
    /// No condition holds: the address has no name that a policy knows.
    pub const NONE: Self = Self(0);
    /// Most conditions that a class may have: all bits at once are not a mask.
    pub const CONDITIONS: u32 = 63;
}

impl core::ops::BitOr for NameMask {
    type Output = Self;

    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One rule, or the default, of one policy in one image. Userspace knows its name, file and line.
#[repr(transparent)]
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
pub struct RuleId(pub u16);

impl RuleId {
    /// No rule had a say.
    pub const NONE: Self = Self(0);
}

/// IP protocol number (IANA protocol-numbers registry).
#[repr(transparent)]
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
pub struct Proto(pub u8);

impl Proto {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6.
    pub const ICMPV6: Self = Self(58);
    /// SCTP.
    pub const SCTP: Self = Self(132);
    /// UDP-Lite (RFC 3828).
    pub const UDPLITE: Self = Self(136);

    /// The ICMP that goes to `dst`: each family of addresses has its own.
    #[must_use]
    pub fn icmp_to(dst: Addr) -> Self {
        match dst.family() {
            Family::V4(_) => Self::ICMP,
            Family::V6(..) => Self::ICMPV6,
        }
    }

    /// Whether the header starts with a source and a destination port.
    #[inline(always)]
    #[must_use]
    pub fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::SCTP | Self::UDPLITE)
    }
}

/// A port, host order.
#[repr(transparent)]
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
pub struct Port(pub u16);

/// What is known of the destination port: a number, that there is none, or nothing.
///
/// A plain number rather than an enum: the payload of an enum's other variants is undefined, and the
/// verifier refuses programs that move it about.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ports(u32);

impl Ports {
    /// The protocol has none (ICMP, GRE).
    pub const ABSENT: Self = Self(1 << 16);
    /// The packet does not carry it (a later fragment). A rule that denies a port then holds and a
    /// rule that allows one does not.
    pub const UNKNOWN: Self = Self(1 << 17);

    /// This one.
    #[inline(always)]
    #[must_use]
    pub const fn is(port: Port) -> Self {
        Self(port.0 as u32)
    }

    /// The port, if it is known.
    #[inline(always)]
    #[must_use]
    pub const fn port(self) -> Option<Port> {
        if self.0 < 1 << 16 {
            Some(Port(self.0 as u16))
        } else {
            None
        }
    }

    /// The port, or 0.
    #[inline(always)]
    #[must_use]
    pub const fn port_or_zero(self) -> Port {
        Port(self.0 as u16)
    }

    /// All that is known, as a number.
    #[inline(always)]
    #[must_use]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// The port, or 65536.
    #[inline(always)]
    #[must_use]
    pub const fn slot(self) -> u32 {
        if self.0 < 1 << 16 { self.0 } else { 1 << 16 }
    }
}

impl core::fmt::Debug for Ports {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::ABSENT => f.write_str("no port"),
            Self::UNKNOWN => f.write_str("unknown port"),
            Self(port) => write!(f, "port {port}"),
        }
    }
}

/// The place in the kernel that asked.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// `cgroup/connect4` and `cgroup/connect6`.
    Connect = 1,
    /// `cgroup/sendmsg4` and `cgroup/sendmsg6`.
    Sendmsg = 2,
    /// `cgroup_skb/egress`.
    Egress = 3,
    /// tcx or clsact, at the host's end of the workload's interface.
    Device = 4,
}

impl Hook {
    /// The hook of an [`Event`](super::Event), if this build knows it.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Connect),
            2 => Some(Self::Sendmsg),
            3 => Some(Self::Egress),
            4 => Some(Self::Device),
            _ => None,
        }
    }

    /// The name in events and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Sendmsg => "sendmsg",
            Self::Egress => "egress",
            Self::Device => "device",
        }
    }
}
