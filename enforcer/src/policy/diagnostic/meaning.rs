use super::Code;

impl Code {
    /// What findings of this kind say: the row of the policy reference.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Unreadable => "a file or directory cannot be read",
            Self::TooLarge => "a file exceeds the limit of size",
            Self::NotUtf8 => "a file is not UTF-8",
            Self::Empty => "a file has no document",
            Self::EmptyDirectory => "a directory has no policy file",
            Self::Syntax => "not valid YAML",
            Self::TooDeep => "nesting exceeds the limit",
            Self::YamlFeature => "an anchor, alias or tag",
            Self::DuplicateField => "a field is given twice",
            Self::UnknownField => "a field that does not exist",
            Self::MissingField => "a field that must be given",
            Self::WrongType => "text where a list should be, and the like",
            Self::EmptyList => "a list that must not be empty",
            Self::UnknownValue => "not one of the values that a field takes",
            Self::InvalidName => "not an RFC 1123 label",
            Self::DuplicateName => "two documents of a kind, or two rules, of one name",
            Self::InvalidCidr => "not a network or address",
            Self::HostBits => "a network with bits set beyond its length",
            Self::InvalidCountry => "not an assigned ISO 3166-1 alpha-2 code",
            Self::UnknownRegion => "a region that is not defined",
            Self::InvalidAsn => "not an AS number",
            Self::InvalidPort => "not a protocol and port",
            Self::InvalidCgroup => "not a pattern of cgroup paths",
            Self::InvalidDate => "not a date",
            Self::AllowsEverywhere => "an allow rule without peers",
            Self::UselessExcept => "an exception that takes nothing away",
            Self::UnreachableRule => "a rule that an earlier one leaves nothing to",
            Self::NeverMatches => "a peer, network or exception that no address matches",
            Self::Ipv6Only => "an IPv6 network that reads as if it covered IPv4",
            Self::SelectsEverything => "a pattern that selects every cgroup of the machine",
            Self::RegionValidity => "a member of a region that is no longer, or soon not, valid",
            Self::InvalidWorkload => "not the name of one workload",
            Self::InvalidHost => "not a host name or a pattern of host names",
            Self::InvalidResolver => "not the address of a resolver",
            Self::UnknownProvider => "a provider that is not defined",
            Self::NoResolvers => "names without a resolver whose answers count",
            Self::TooMany => "more than a policy can have",
            Self::AgreementValidity => {
                "an agreement that is missing, or is no longer, or soon not, in force"
            }
            Self::FlowDenied => "a declared flow that a policy refuses",
            Self::FlowNotSelected => "a declared flow of a workload that no policy selects",
            Self::FlowDataCategory => {
                "a data category of a declared flow that no policy of its workload names"
            }
            Self::FlowNotJudged => "a declared flow that cannot be decided from the files alone",
            Self::FlowLocationDisputed => {
                "an endpoint that the databases put into different countries"
            }
            Self::FlowWouldDeny => {
                "a declared flow that passes only because a policy is in audit mode"
            }
            Self::OtherNamespace => "a policy of one namespace names another",
        }
    }
}
