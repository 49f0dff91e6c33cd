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
    /// Flows that passed and found no room in `RECORDED`.
    LostRecordsFull = 15,
    /// First fault; see [`Fault`](crate::verdict::Fault). One counter each from here on.
    FaultBase = 16,
}

impl Counter {
    /// Number of elements of the `COUNTERS` array.
    pub const SLOTS: u32 = 32;
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
