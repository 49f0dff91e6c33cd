use core::hint::cold_path;

use crate::abi::{ClassId, Counter, Outcome, RuleId};

/// What happens to the flow.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It passes.
    Allow = 0,
    /// It is refused.
    Deny = 1,
    /// It waits: the packet is dropped without an answer and the sender tries again.
    Hold = 2,
}

impl Verdict {
    /// The verdict of an event, if this build knows it. Bit 7 is not part of it.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte & 0x7f {
            0 => Some(Self::Allow),
            1 => Some(Self::Deny),
            2 => Some(Self::Hold),
            _ => None,
        }
    }
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The cgroup has no tag and no tagged ancestor.
    Untagged,
    /// No policy selects the cgroup.
    Released,
    /// The destination is on this host's loopback.
    Loopback,
    /// A rule, or a policy's default.
    Rule,
    /// It answers what the other side opened.
    Reply,
    /// The cgroup is below a managed root and not yet known.
    Unknown,
    /// The workload is isolated.
    Isolated,
    /// Neighbour discovery or multicast listener discovery on the link.
    Housekeeping,
    /// The decision could not be made.
    Fault(Fault),
}

/// What went wrong inside a decision. A tagged workload is then refused, and each is counted.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No image is loaded.
    NoImage = 0,
    /// The tag is of another version.
    BadTag = 1,
    /// The image has no such class.
    NoClass = 2,
    /// The image has no such page.
    NoPage = 3,
    /// An index word that no version wrote.
    BadNode = 4,
    /// A decision list that no version wrote.
    BadList = 5,
    /// A packet whose headers cannot be followed.
    BadPacket = 6,
    /// An IPv4 source-route option (RFC 791): the packet goes elsewhere than it says.
    SourceRoute = 7,
    /// An IPv6 routing header (RFC 8200, 4.4): the packet goes elsewhere than it says.
    RoutingHeader = 8,
    /// The names of the destination could not be looked up in the image in force.
    NoNames = 9,
    /// The packet says that a resolver of the workload sent it.
    Forged = 10,
    /// A frame on a workload's interface that is neither IP nor ARP, or that carries a VLAN tag.
    NotIp = 11,
}

impl Fault {
    /// Every fault with its label in metrics and events.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::NoImage, "no_image"),
        (Self::BadTag, "bad_tag"),
        (Self::NoClass, "no_class"),
        (Self::NoPage, "no_page"),
        (Self::BadNode, "bad_node"),
        (Self::BadList, "bad_list"),
        (Self::BadPacket, "bad_packet"),
        (Self::SourceRoute, "source_route"),
        (Self::RoutingHeader, "routing_header"),
        (Self::NoNames, "no_names"),
        (Self::Forged, "forged_answer"),
        (Self::NotIp, "not_ip"),
    ];

    /// The fault of a byte; an unknown one counts as a bad list.
    #[inline(always)]
    #[must_use]
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::NoImage,
            1 => Self::BadTag,
            2 => Self::NoClass,
            3 => Self::NoPage,
            4 => Self::BadNode,
            6 => Self::BadPacket,
            7 => Self::SourceRoute,
            8 => Self::RoutingHeader,
            9 => Self::NoNames,
            10 => Self::Forged,
            11 => Self::NotIp,
            _ => Self::BadList,
        }
    }

    /// Index into the `COUNTERS` array.
    #[inline(always)]
    #[must_use]
    pub fn counter(self) -> u32 {
        Counter::FaultBase as u32 + self as u32
    }
}

impl Reason {
    const FAULT: u8 = 0x40;

    /// The byte of an event.
    #[inline(always)]
    #[must_use]
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Untagged => 0,
            Self::Released => 1,
            Self::Loopback => 2,
            Self::Rule => 3,
            Self::Reply => 4,
            Self::Unknown => 5,
            Self::Isolated => 6,
            Self::Housekeeping => 7,
            Self::Fault(fault) => Self::FAULT | fault as u8,
        }
    }

    /// The reason of an event, if this build knows it.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        let plain = [
            Self::Untagged,
            Self::Released,
            Self::Loopback,
            Self::Rule,
            Self::Reply,
            Self::Unknown,
            Self::Isolated,
            Self::Housekeeping,
        ];
        let faults = Fault::ALL.iter().map(|&(fault, _)| Self::Fault(fault));
        plain
            .into_iter()
            .chain(faults)
            .find(|reason| reason.to_byte() == byte)
    }

    /// The name in events, metrics and `explain`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Untagged => "untagged",
            Self::Released => "released",
            Self::Loopback => "loopback",
            Self::Rule => "rule",
            Self::Reply => "reply",
            Self::Unknown => "unknown",
            Self::Isolated => "isolated",
            Self::Housekeeping => "housekeeping",
            Self::Fault(fault) => Fault::ALL[fault as usize].1,
        }
    }
}

/// A verdict with its provenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What happens.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The rule that decided; [`RuleId::NONE`] unless the reason is [`Reason::Rule`] or
    /// [`Reason::Reply`] (then: the rule that would have refused it).
    pub rule: RuleId,
    /// Allowed, but `rule` belongs to a policy in audit mode and would deny.
    pub would_deny: bool,
    /// It depends on the names of the destination, which come and go.
    pub by_name: bool,
    /// Low 16 bits of the number of the image that decided; 0 where none was asked.
    pub generation: u16,
    /// The workload's class; 0 where no policy was asked.
    pub class: ClassId,
}

impl Decision {
    /// A decision without a rule.
    #[inline(always)]
    #[must_use]
    pub const fn because(verdict: Verdict, reason: Reason) -> Self {
        Self {
            verdict,
            reason,
            rule: RuleId::NONE,
            would_deny: false,
            by_name: false,
            generation: 0,
            class: ClassId(0),
        }
    }

    /// What a rule says of a class, in the image with these low bits of its number.
    #[inline(always)]
    #[must_use]
    pub const fn ruled(outcome: Outcome, class: ClassId, generation: u16) -> Self {
        Self {
            verdict: if outcome.deny {
                Verdict::Deny
            } else {
                Verdict::Allow
            },
            reason: Reason::Rule,
            rule: outcome.rule,
            would_deny: outcome.audit,
            by_name: false,
            generation,
            class,
        }
    }

    /// All of it in a word, for programs that can return no more: rule, reason, `would_deny` and
    /// verdict, from the highest bit down.
    #[inline(always)]
    #[must_use]
    pub fn pack(&self) -> u32 {
        u32::from(self.rule.0) << 16
            | u32::from(self.reason.to_byte()) << 8
            | u32::from(self.would_deny) << 7
            | self.verdict as u32
    }

    /// A fault denies: a decision that cannot be made is not an allow.
    #[inline(always)]
    #[must_use]
    pub const fn fault(fault: Fault) -> Self {
        // So that the way of what passes lies in one piece.
        cold_path();
        Self::because(Verdict::Deny, Reason::Fault(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Reason};

    #[test]
    fn reasons_survive_the_wire() {
        for byte in 0..=u8::MAX {
            if let Some(reason) = Reason::from_byte(byte) {
                assert_eq!(reason.to_byte(), byte);
            }
        }
        for (index, (fault, label)) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index, "{label}");
            assert_eq!(Fault::from_byte(fault as u8), fault);
            assert_eq!(
                Reason::from_byte(Reason::Fault(fault).to_byte()),
                Some(Reason::Fault(fault))
            );
        }
    }
}
