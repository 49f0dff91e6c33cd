//! Names of addresses, as workloads learnt them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{addr::Addr, ids::CgroupId};
use crate::names::NameKey;

/// Key of the `RESOLVED` map: what one workload learnt of one address.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Holder {
    /// The cgroup that carries the tag.
    pub workload: CgroupId,
    /// As the answer had it.
    pub addr: Addr,
}

const _: () = assert!(size_of::<Holder>() == 24);

/// Most names that are held of one address.
pub const HELD_NAMES: usize = 4;

/// Value of the `RESOLVED` map. Times are `CLOCK_BOOTTIME` nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Resolved {
    /// The key of the entry, first: the kernel may use the memory of an entry that is replaced for
    /// another one while somebody reads it, who then finds another key here.
    pub holder: Holder,
    /// The names.
    pub names: [HeldName; HELD_NAMES],
    /// When a connection to the address last sent anything; 0 is never.
    pub used_ns: u64,
}

const _: () = assert!(size_of::<Resolved>() == 384);

/// One name of an address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct HeldName {
    /// The name.
    pub key: NameKey,
    /// Until when it holds, used or not; 0 where there is none.
    pub until_ns: u64,
}

/// What became of a name that was to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is held.
    Kept,
    /// It is held, and another name that still held is not any more.
    Displaced,
}

impl Resolved {
    /// Least time for which an answer is believed, in seconds. Programs keep addresses for longer
    /// than they may: Java for 30 seconds, whatever the TTL is.
    pub const LEAST_SECONDS: u32 = 60;
    /// Most time for which an answer is believed, in seconds: a day, as resolvers have it.
    pub const MOST_SECONDS: u32 = 86_400;
    /// How long the names of an address still hold after a connection to it last sent anything.
    pub const IN_USE_NS: u64 = 60_000_000_000;

    /// No names yet.
    #[inline(always)]
    #[must_use]
    pub fn of(holder: Holder) -> Self {
        Self {
            holder,
            names: [HeldName::default(); HELD_NAMES],
            used_ns: 0,
        }
    }

    /// Until when an answer with this TTL (in seconds) holds.
    #[inline(always)]
    #[must_use]
    pub fn until(now_ns: u64, ttl: u32) -> u64 {
        let seconds = ttl.clamp(Self::LEAST_SECONDS, Self::MOST_SECONDS);
        now_ns + u64::from(seconds) * 1_000_000_000
    }

    /// Whether the name in a slot holds.
    #[inline(always)]
    #[must_use]
    pub fn holds(&self, slot: usize, now_ns: u64) -> bool {
        let until = self.names[slot % HELD_NAMES].until_ns;
        until != 0 && (now_ns < until || self.is_used(now_ns))
    }

    /// Whether nothing of it holds any more.
    #[must_use]
    pub fn is_over(&self, now_ns: u64) -> bool {
        (0..HELD_NAMES).all(|slot| !self.holds(slot, now_ns))
    }

    #[inline(always)]
    fn is_used(&self, now_ns: u64) -> bool {
        self.used_ns != 0 && now_ns < self.used_ns + Self::IN_USE_NS
    }

    /// Holds a name until `until_ns`, in the place of the one that ends first where there is no room.
    #[inline(always)]
    pub fn note(&mut self, key: &NameKey, until_ns: u64, now_ns: u64) -> Held {
        let mut at = 0;
        let mut least = u64::MAX;
        for slot in 0..HELD_NAMES {
            let held = &self.names[slot];
            let rank = if held.until_ns != 0 && held.key.whole == key.whole {
                0
            } else if !self.holds(slot, now_ns) {
                1
            } else {
                held.until_ns
            };
            if rank < least {
                least = rank;
                at = slot;
            }
        }
        let slot = &mut self.names[at % HELD_NAMES];
        // The application may still go by an earlier answer that holds for longer.
        let until_ns = if least == 0 {
            until_ns.max(slot.until_ns)
        } else {
            until_ns
        };
        slot.key = *key;
        slot.until_ns = until_ns;
        if least > 1 {
            Held::Displaced
        } else {
            Held::Kept
        }
    }

    /// Whether it has the name.
    #[inline(always)]
    #[must_use]
    pub fn has(&self, key: &NameKey) -> bool {
        let mut found = false;
        for held in &self.names {
            found |= held.until_ns != 0 && held.key.whole == key.whole;
        }
        found
    }
}

/// Key of the `TRUSTED` map: an interface by which answers may arrive.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Device {
    /// Cookie of its network namespace (`SO_NETNS_COOKIE`, kernel 5.14).
    pub netns: u64,
    /// Its index there.
    pub ifindex: u32,
    /// Always zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Device>() == 16);

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;

    use super::{Addr, CgroupId, HELD_NAMES, Held, Holder, NameKey, Resolved};
    use crate::names::Seed;

    const SECOND: u64 = 1_000_000_000;

    fn key(text: &str) -> NameKey {
        NameKey::of_text(text, &Seed([1, 2])).expect("a name")
    }

    fn unknown() -> Resolved {
        Resolved::of(Holder {
            workload: CgroupId(1),
            addr: Addr::from_v4([192, 0, 2, 1]),
        })
    }

    #[test]
    fn a_name_holds_for_its_time_and_while_it_is_used() {
        let mut resolved = unknown();
        assert!(resolved.is_over(SECOND));
        let until = Resolved::until(SECOND, 300);
        assert_eq!(until, 301 * SECOND);
        assert_eq!(resolved.note(&key("a"), until, SECOND), Held::Kept);
        assert!(resolved.holds(0, until - 1) && !resolved.holds(0, until));
        resolved.used_ns = until;
        assert!(resolved.holds(0, until + Resolved::IN_USE_NS - 1));
        assert!(resolved.is_over(until + Resolved::IN_USE_NS));
        assert!(!resolved.holds(1, until), "an empty slot is never used");
    }

    #[test]
    fn short_and_long_times_have_bounds() {
        assert_eq!(Resolved::until(0, 0), 60 * SECOND);
        assert_eq!(Resolved::until(0, u32::MAX), 86_400 * SECOND);
    }

    #[test]
    fn the_same_name_again_keeps_the_longer_time() {
        let mut resolved = unknown();
        resolved.note(&key("a"), 500, 1);
        resolved.note(&key("a"), 400, 1);
        assert_eq!(resolved.names[0].until_ns, 500);
        assert_eq!(resolved.names[1].until_ns, 0);
    }

    #[test]
    fn the_name_that_ends_first_makes_room() {
        let mut resolved = unknown();
        for at in 0..HELD_NAMES {
            let held = resolved.note(&key(&format!("n{at}")), 1000 + at as u64, 1);
            assert_eq!(held, Held::Kept);
        }
        assert_eq!(resolved.note(&key("new"), 2000, 1), Held::Displaced);
        assert!(resolved.has(&key("new")) && !resolved.has(&key("n0")));
        // n1 is over by then, so nothing is lost.
        assert_eq!(resolved.note(&key("newer"), 3000, 1001), Held::Kept);
        assert!(!resolved.has(&key("n1")));
    }
}
