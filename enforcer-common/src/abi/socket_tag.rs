//! What sockets of a workload carry.

/// Mark and DSCP of a class, in a double word.
///
/// ```text
/// has DSCP:1 | has mark:1 | unused:24 | DSCP:6 | mark:32
/// ```
///
/// A plain number rather than two `Option`s: programs pass it about.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketTag(u64);

impl SocketTag {
    /// Sockets stay as they are.
    pub const NONE: Self = Self(0);

    const DSCP: u64 = 1 << 63;
    const MARK: u64 = 1 << 62;
    const DSCP_AT: u32 = 32;

    /// `SO_MARK`, and the differentiated services code point (RFC 2474, 6 bits; higher ones are
    /// dropped).
    #[must_use]
    pub const fn new(mark: Option<u32>, dscp: Option<u8>) -> Self {
        let mark = match mark {
            Some(mark) => Self::MARK | mark as u64,
            None => 0,
        };
        let dscp = match dscp {
            Some(dscp) => Self::DSCP | ((dscp & 0x3f) as u64) << Self::DSCP_AT,
            None => 0,
        };
        Self(mark | dscp)
    }

    /// The mark, if it is to be set.
    #[inline(always)]
    #[must_use]
    pub const fn mark(self) -> Option<u32> {
        if self.0 & Self::MARK != 0 {
            Some(self.0 as u32)
        } else {
            None
        }
    }

    /// The code point, if it is to be set.
    #[inline(always)]
    #[must_use]
    pub const fn dscp(self) -> Option<u8> {
        if self.0 & Self::DSCP != 0 {
            Some((self.0 >> Self::DSCP_AT) as u8 & 0x3f)
        } else {
            None
        }
    }

    /// What this leaves open, as `other` says.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        let mark = match self.mark() {
            None => other.mark(),
            own => own,
        };
        let dscp = match self.dscp() {
            None => other.dscp(),
            own => own,
        };
        Self::new(mark, dscp)
    }

    /// As the image holds it.
    #[inline(always)]
    #[must_use]
    pub const fn from_double(double: u64) -> Self {
        Self(double)
    }

    /// For the image.
    #[must_use]
    pub const fn to_double(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::SocketTag;

    #[test]
    fn both_parts_survive_the_image() {
        for mark in [None, Some(0), Some(0x5e0), Some(u32::MAX)] {
            for dscp in [None, Some(0), Some(18), Some(63)] {
                let tag = SocketTag::from_double(SocketTag::new(mark, dscp).to_double());
                assert_eq!((tag.mark(), tag.dscp()), (mark, dscp));
            }
        }
        assert_eq!(SocketTag::new(None, None), SocketTag::NONE);
    }

    #[test]
    fn the_first_that_says_something_wins() {
        let (mark, both) = (
            SocketTag::new(Some(1), None),
            SocketTag::new(Some(2), Some(3)),
        );
        assert_eq!(mark.or(both), SocketTag::new(Some(1), Some(3)));
        assert_eq!(SocketTag::NONE.or(mark), mark);
    }
}
