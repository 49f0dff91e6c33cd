//! The tag of a cgroup.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::ids::ClassId;

/// Value of the `TAGS` map: what a cgroup, and all below it that has no tag of its own, is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Tag {
    /// The policies that apply. Meaningless unless `stance` is [`Stance::Judge`].
    pub class: ClassId,
    /// A [`Stance`].
    stance: u8,
    /// Always zero.
    reserved: u8,
    /// What an isolation leaves open: one more than the number of a class, 0 for nothing.
    exceptions: u16,
    /// Always zero.
    reserved_too: u16,
    /// `CLOCK_BOOTTIME` nanoseconds until which it is isolated; 0 is not at all.
    pub isolated_until: u64,
}

const _: () = assert!(size_of::<Tag>() == 16);

/// The time between two changes of what verdicts are made from: of a tag, or of the image in force.
///
/// 1024 bits drawn at random for each epoch and known to root alone; they are the key of
/// [`Mark`](crate::verdict::Mark). A change ends the epoch after it was made.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Epoch(pub [[u64; 8]; 2]);

impl Epoch {
    /// Before the first one: nothing is remembered.
    pub const NONE: Self = Self([[0; 8]; 2]);

    /// Whether there is one. The first word tells: it is 0 by chance once in 2^64 epochs, in which
    /// nothing is remembered.
    #[inline(always)]
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.0[0][0] != 0
    }
}

impl core::fmt::Debug for Epoch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Epoch(secret)")
    }
}

/// What happens to the flows of a tagged cgroup.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stance {
    /// The policies of the class decide.
    Judge = 0,
    /// No policy selects it: everything passes.
    Release = 1,
    /// A managed root: what is below it and has no tag yet is unknown, and its packets wait.
    UnknownHold = 2,
    /// A managed root whose unknown cgroups are denied.
    UnknownDeny = 3,
    /// A managed root whose unknown cgroups are allowed.
    UnknownAllow = 4,
}

impl Tag {
    /// A workload under the policies of `class`.
    #[must_use]
    pub const fn judged(class: ClassId) -> Self {
        Self::new(class, Stance::Judge)
    }

    /// A cgroup that no policy selects, or a managed root.
    #[must_use]
    pub const fn standing(stance: Stance) -> Self {
        Self::new(ClassId(0), stance)
    }

    /// The same, isolated without exceptions until `until` (`CLOCK_BOOTTIME` nanoseconds; 0 is not
    /// at all).
    #[must_use]
    pub const fn isolated(self, until: u64) -> Self {
        Self {
            exceptions: 0,
            isolated_until: until,
            ..self
        }
    }

    /// While it is isolated, the policies of this class decide instead of refusing everything.
    #[must_use]
    pub const fn with_exceptions(self, class: ClassId) -> Self {
        Self {
            exceptions: class.0.wrapping_add(1),
            ..self
        }
    }

    /// See [`Tag::with_exceptions`].
    #[inline(always)]
    #[must_use]
    pub const fn exceptions(&self) -> Option<ClassId> {
        match self.exceptions {
            0 => None,
            next => Some(ClassId(next - 1)),
        }
    }

    const fn new(class: ClassId, stance: Stance) -> Self {
        Self {
            class,
            stance: stance as u8,
            reserved: 0,
            exceptions: 0,
            reserved_too: 0,
            isolated_until: 0,
        }
    }

    /// `None` when the byte is none of this version's: a fault.
    #[inline(always)]
    #[must_use]
    pub fn stance(&self) -> Option<Stance> {
        match self.stance {
            0 => Some(Stance::Judge),
            1 => Some(Stance::Release),
            2 => Some(Stance::UnknownHold),
            3 => Some(Stance::UnknownDeny),
            4 => Some(Stance::UnknownAllow),
            _ => None,
        }
    }
}
