use serde::{Serialize, Serializer};

/// Whether a finding keeps the policies from being loaded, or the check of declared flows from
/// succeeding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but the policy probably does not mean what it says.
    Warning,
}

impl Severity {
    /// The name in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// What kind of finding it is. Names are stable: scripts may filter by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A file or directory cannot be read.
    Unreadable,
    /// A file exceeds the limit of size.
    TooLarge,
    /// A file is not UTF-8.
    NotUtf8,
    /// A file has no document.
    Empty,
    /// A directory has no policy file.
    EmptyDirectory,
    /// Not valid YAML.
    Syntax,
    /// Nesting exceeds the limit.
    TooDeep,
    /// An anchor, alias or tag.
    YamlFeature,
    /// A field is given twice.
    DuplicateField,
    /// A field that does not exist.
    UnknownField,
    /// A field that must be given.
    MissingField,
    /// Text where a list should be, and the like.
    WrongType,
    /// A list that must not be empty.
    EmptyList,
    /// Not one of the values that a field takes.
    UnknownValue,
    /// Not an RFC 1123 label.
    InvalidName,
    /// Two policies, rules or regions of one name.
    DuplicateName,
    /// Not a network or address.
    InvalidCidr,
    /// A network with bits set beyond its length.
    HostBits,
    /// Not an assigned ISO 3166-1 alpha-2 code.
    InvalidCountry,
    /// A region that is not defined.
    UnknownRegion,
    /// Not an AS number.
    InvalidAsn,
    /// Not a protocol and port.
    InvalidPort,
    /// Not a pattern of cgroup paths.
    InvalidCgroup,
    /// Not a date.
    InvalidDate,
    /// An allow rule without peers.
    AllowsEverywhere,
    /// An exception that takes nothing away.
    UselessExcept,
    /// A rule that an earlier one leaves nothing to.
    UnreachableRule,
    /// A peer, network or exception that no address matches.
    NeverMatches,
    /// An IPv6 network that reads as if it covered IPv4.
    Ipv6Only,
    /// A pattern that selects every cgroup of the machine.
    SelectsEverything,
    /// A member of a region that is no longer, or soon not, valid.
    RegionValidity,
    /// Not a host name or a pattern of host names.
    InvalidHost,
    /// Not the address of a resolver.
    InvalidResolver,
    /// A provider that is not defined.
    UnknownProvider,
    /// Names without a resolver whose answers count.
    NoResolvers,
    /// More than a policy can have.
    TooMany,
    /// An agreement that is missing, or is no longer, or soon not, in force.
    AgreementValidity,
    /// Not the name of one workload.
    InvalidWorkload,
    /// A declared flow that a policy refuses.
    FlowDenied,
    /// A declared flow of a workload that no policy selects.
    FlowNotSelected,
    /// A data category of a declared flow that no policy of its workload names.
    FlowDataCategory,
    /// A declared flow that cannot be decided from the files alone.
    FlowNotJudged,
    /// An endpoint that the databases put into different countries.
    FlowLocationDisputed,
    /// A declared flow that passes only because a policy is in audit mode.
    FlowWouldDeny,
    /// A policy of one namespace names another.
    OtherNamespace,
}

impl Code {
    /// Every code with its severity and name.
    pub const ALL: [(Self, Severity, &'static str); 45] = [
        (Self::Unreadable, Severity::Error, "unreadable"),
        (Self::TooLarge, Severity::Error, "too-large"),
        (Self::NotUtf8, Severity::Error, "not-utf8"),
        (Self::Empty, Severity::Error, "empty"),
        (Self::EmptyDirectory, Severity::Warning, "empty-directory"),
        (Self::Syntax, Severity::Error, "syntax"),
        (Self::TooDeep, Severity::Error, "too-deep"),
        (Self::YamlFeature, Severity::Error, "yaml-feature"),
        (Self::DuplicateField, Severity::Error, "duplicate-field"),
        (Self::UnknownField, Severity::Error, "unknown-field"),
        (Self::MissingField, Severity::Error, "missing-field"),
        (Self::WrongType, Severity::Error, "wrong-type"),
        (Self::EmptyList, Severity::Error, "empty-list"),
        (Self::UnknownValue, Severity::Error, "unknown-value"),
        (Self::InvalidName, Severity::Error, "invalid-name"),
        (Self::DuplicateName, Severity::Error, "duplicate-name"),
        (Self::InvalidCidr, Severity::Error, "invalid-cidr"),
        (Self::HostBits, Severity::Error, "host-bits"),
        (Self::InvalidCountry, Severity::Error, "invalid-country"),
        (Self::UnknownRegion, Severity::Error, "unknown-region"),
        (Self::InvalidAsn, Severity::Error, "invalid-asn"),
        (Self::InvalidPort, Severity::Error, "invalid-port"),
        (Self::InvalidCgroup, Severity::Error, "invalid-cgroup"),
        (Self::InvalidDate, Severity::Error, "invalid-date"),
        (
            Self::AllowsEverywhere,
            Severity::Warning,
            "allows-everywhere",
        ),
        (Self::UselessExcept, Severity::Warning, "useless-except"),
        (Self::UnreachableRule, Severity::Warning, "unreachable-rule"),
        (Self::NeverMatches, Severity::Warning, "never-matches"),
        (Self::Ipv6Only, Severity::Warning, "ipv6-only"),
        (
            Self::SelectsEverything,
            Severity::Warning,
            "selects-everything",
        ),
        (Self::RegionValidity, Severity::Warning, "region-validity"),
        (Self::InvalidHost, Severity::Error, "invalid-host"),
        (Self::InvalidResolver, Severity::Error, "invalid-resolver"),
        (Self::UnknownProvider, Severity::Error, "unknown-provider"),
        (Self::NoResolvers, Severity::Error, "no-resolvers"),
        (Self::TooMany, Severity::Error, "too-many"),
        (
            Self::AgreementValidity,
            Severity::Warning,
            "agreement-validity",
        ),
        (Self::InvalidWorkload, Severity::Error, "invalid-workload"),
        (Self::FlowDenied, Severity::Error, "flow-denied"),
        (Self::FlowNotSelected, Severity::Error, "flow-not-selected"),
        (
            Self::FlowDataCategory,
            Severity::Error,
            "flow-data-category",
        ),
        (Self::FlowNotJudged, Severity::Error, "flow-not-judged"),
        (
            Self::FlowLocationDisputed,
            Severity::Error,
            "flow-location-disputed",
        ),
        (Self::FlowWouldDeny, Severity::Warning, "flow-would-deny"),
        (Self::OtherNamespace, Severity::Error, "other-namespace"),
    ];

    /// Whether a finding of this kind keeps the policies from being loaded.
    #[must_use]
    pub fn severity(self) -> Severity {
        Self::ALL[self as usize].1
    }

    /// The name in listings and in the form for machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].2
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, (code, _, name)) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, index, "{name}");
        }
    }
}
