//! Counters: nothing is lost silently.

/// Index into the per-CPU `COUNTERS` array.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counter {
    /// Flows of untagged cgroups, passed untouched.
    Untagged = 0,
    /// Flows that pass whatever the policies say: loopback, released cgroups, link housekeeping.
    Passed = 1,
    /// Flows of unknown cgroups: held, denied or allowed as their managed root says.
    Unknown = 2,
    /// Flows refused because the workload is isolated.
    Isolated = 3,
    /// Flows that passed as replies to what the other side opened.
    Replies = 4,
    /// Events that found the ring full. Their flow is still counted in `FLOWS`.
    LostRingFull = 5,
    /// Refused packets whose flow found no room in `FLOWS`; the decision is still counted.
    LostFlowsFull = 6,
    /// Marks and code points that a socket did not take. Its flow passed all the same.
    SocketTagFailed = 7,
    /// Flows that passed and found no room in `RECORDED`.
    LostRecordsFull = 15,
    /// First fault; see [`Fault`](crate::verdict::Fault). One counter each from here on.
    FaultBase = 16,
    /// First of what became of DNS messages; see [`DnsCount`]. One counter each from here on.
    DnsBase = 32,
}

impl Counter {
    /// Number of elements of the `COUNTERS` array.
    pub const SLOTS: u32 = 64;
}

/// Why an event did not reach userspace, as the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LossCause {
    /// The ring was full.
    RingFull,
    /// The flow table was full.
    FlowsFull,
    /// The table of recorded flows was full.
    RecordsFull,
}

impl LossCause {
    /// Every cause with its counter and label.
    pub const ALL: [(Self, Counter, &'static str); 3] = [
        (Self::RingFull, Counter::LostRingFull, "ring_full"),
        (Self::FlowsFull, Counter::LostFlowsFull, "flow_table_full"),
        (
            Self::RecordsFull,
            Counter::LostRecordsFull,
            "record_table_full",
        ),
    ];
}

/// What became of a question or an answer at port 53 of a resolver, of a workload whose policies have
/// conditions on names.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DnsCount {
    /// A question that was remembered.
    Asked = 0,
    /// An answer whose addresses have their names now.
    Learnt = 1,
    /// An answer without an address: none exists, the resolver failed, or another type was asked.
    NoAddress = 2,
    /// An answer whose names no policy of the workload knows.
    NotNamed = 3,
    /// An answer that nobody waits for: of another resolver, port, number or name, too late, or a
    /// second one.
    Unasked = 4,
    /// An answer that came by an interface which is not trusted.
    Untrusted = 5,
    /// An answer over TCP in more than one segment, or a message of more than 4096 bytes.
    NotWhole = 6,
    /// An answer that came while another was read on this CPU.
    Busy = 7,
    /// An address that the workload has no room for: too many addresses, or no memory.
    NoRoom = 8,
    /// A name that made room for another name of the same address, before its time.
    Displaced = 9,
    /// First [`Unread`](crate::names::Unread), which starts at 1.
    UnreadBase = 15,
}

impl DnsCount {
    /// Every count with its label in metrics, besides those of [`Unread`](crate::names::Unread).
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Asked, "asked"),
        (Self::Learnt, "learnt"),
        (Self::NoAddress, "no_address"),
        (Self::NotNamed, "not_named"),
        (Self::Unasked, "unasked"),
        (Self::Untrusted, "untrusted_interface"),
        (Self::NotWhole, "not_whole"),
        (Self::Busy, "busy"),
        (Self::NoRoom, "no_room"),
        (Self::Displaced, "displaced"),
    ];

    /// Index into the `COUNTERS` array.
    #[inline(always)]
    #[must_use]
    pub const fn counter(self) -> u32 {
        Counter::DnsBase as u32 + self as u32
    }

    /// Index of a message that could not be read.
    #[inline(always)]
    #[must_use]
    pub const fn unread(cause: crate::names::Unread) -> u32 {
        Self::UnreadBase.counter() + cause as u32
    }
}
