//! Special-purpose ranges of the IANA registries, by name.

/// A named special-purpose range. Such an address is never in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecialRange {
    /// 127.0.0.0/8, ::1.
    Loopback,
    /// RFC 1918, fc00::/7.
    Private,
    /// 100.64.0.0/10 (RFC 6598).
    Cgnat,
    /// 169.254.0.0/16, fe80::/10.
    LinkLocal,
    /// Metadata services of the clouds, wherever they are. Wins over all others.
    Metadata,
    /// 224.0.0.0/4, ff00::/8.
    Multicast,
    /// Everything else that the registries reserve.
    Reserved,
}

impl SpecialRange {
    /// Every range with the name that policies use.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Loopback, "loopback"),
        (Self::Private, "private"),
        (Self::Cgnat, "cgnat"),
        (Self::LinkLocal, "link-local"),
        (Self::Metadata, "metadata"),
        (Self::Multicast, "multicast"),
        (Self::Reserved, "reserved"),
    ];
}
