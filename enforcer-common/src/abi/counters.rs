//! Counters: nothing is lost silently.

/// Index into the per-CPU `COUNTERS` array.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counter {
    /// Decisions that allowed.
    Allowed = 0,
    /// Decisions that denied.
    Denied = 1,
    /// Decisions that allowed only because a policy is in audit mode.
    WouldDeny = 2,
    /// Packets of unknown cgroups that were held.
    Held = 3,
    /// Packets that passed as replies to what the other side opened.
    Replies = 4,
    /// Flows of untagged cgroups, passed untouched.
    Untagged = 5,
    /// Events that found the ring full. Their flow is still counted in `FLOWS`.
    LostRingFull = 6,
    /// Refused packets whose flow found no room in `FLOWS`; the decision is still counted.
    LostFlowsFull = 7,
    /// Inbound UDP exchanges that could not be remembered: their reply may be judged.
    LostReplyFull = 8,
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
    /// The reply table was full.
    ReplyFull,
}

impl LossCause {
    /// Every cause with its counter and label.
    pub const ALL: [(Self, Counter, &'static str); 3] = [
        (Self::RingFull, Counter::LostRingFull, "ring_full"),
        (Self::FlowsFull, Counter::LostFlowsFull, "flow_table_full"),
        (Self::ReplyFull, Counter::LostReplyFull, "reply_table_full"),
    ];
}
