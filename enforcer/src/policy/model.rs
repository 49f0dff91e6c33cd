//! Policies after checking: types that cannot hold an invalid policy.

use std::{fmt, path::Path, sync::Arc};

use enforcer_common::abi::{Addr, Family, Port, Proto, SocketTag};

use super::{
    name::NamePattern,
    pods::PodSelector,
    provider::{Endpoint, Provider},
};
use crate::geo::{Asn, CountrySet, SpecialRange};

/// Name of a policy, unique among the loaded ones: that of its document, `NAME` or `NAMESPACE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(pub Arc<str>);

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in a policy file. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// As given on the command line.
    pub file: Arc<Path>,
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// An `EgressPolicy` or a `NamespacedEgressPolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `metadata.name`, after `metadata.namespace` where it has one.
    pub name: PolicyName,
    /// Where `metadata.name` stands.
    pub at: Position,
    /// `spec.description`, empty if absent.
    pub description: String,
    /// Which workloads; any of them suffices. Never empty.
    pub selectors: Vec<Selector>,
    /// `spec.mode`.
    pub mode: Mode,
    /// `spec.dataCategories`, for events and flow checks.
    pub data_categories: Vec<String>,
    /// `spec.legalBasis`, for events.
    pub legal_basis: Vec<String>,
    /// `spec.default`: what holds when no rule matches.
    pub default: Action,
    /// Where `spec.default` stands, or `spec` when it is implied.
    pub default_at: Position,
    /// `spec.replies`.
    pub replies: Replies,
    /// `spec.dns`: whose answers say which names an address has. Given where a peer has names.
    pub dns: Option<Dns>,
    /// `spec.requireDpa`: a provider without an agreement that holds is denied.
    pub require_dpa: bool,
    /// `spec.tag`: what sockets carry that connect under this policy.
    pub tag: SocketTag,
    /// In the order of the file: the first match wins.
    pub rules: Vec<Rule>,
}

/// `spec.dns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Where it stands.
    pub at: Position,
    /// The only source of names, and allowed on port 53. Never empty.
    pub resolvers: Vec<Resolver>,
}

/// Who answers questions about names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolver {
    /// `cluster-dns`: the resolvers of the node.
    ClusterDns,
    /// This address.
    At(Addr),
}

/// Which workloads a policy applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// `exec: true`: the command of `enforcer exec`.
    Exec,
    /// `cgroups`: glob over the path below the cgroup2 mount, `*` within a component, `**` across
    /// components (`/llm/**` also selects `/llm`).
    Cgroup(String),
    /// `systemdUnits`: glob over the name of a unit, `*` within it (`vllm@*.service`).
    SystemdUnit(String),
    /// `pods`: Kubernetes pods.
    Pods(PodSelector),
}

/// Enforce, or only say what enforcing would have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Denials are denied.
    #[default]
    Enforce,
    /// Denials are allowed and recorded.
    Audit,
}

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Let it pass.
    Allow,
    /// Refuse it.
    Deny,
}

/// What happens to replies to what the other side opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Replies {
    /// They pass.
    #[default]
    Allow,
    /// They are judged as any other packet.
    Judge,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique in its policy.
    pub name: Arc<str>,
    /// Where the rule starts.
    pub at: Position,
    /// What it does.
    pub action: Action,
    /// Any of them suffices; empty matches every address.
    pub peers: Vec<Peer>,
    /// Any of them suffices; empty matches every protocol and port.
    pub ports: Vec<PortSpec>,
}

/// Addresses and names: what every given field says at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where the peer starts.
    pub at: Position,
    /// Union of the `regions`; `None` when the field is absent.
    pub regions: Option<CountrySet>,
    /// `countries`; `None` when the field is absent.
    pub countries: Option<CountrySet>,
    /// `anycast: allow`: an anycast address counts as being where the database puts it. Otherwise
    /// it is in no region and no country.
    pub anycast: bool,
    /// `asns`: any of them; `None` when the field is absent.
    pub asns: Option<Vec<Asn>>,
    /// `ranges`: any of them; `None` when the field is absent.
    pub ranges: Option<Vec<SpecialRange>>,
    /// `cidrs`: any of them; `None` when the field is absent.
    pub cidrs: Option<Vec<Cidr>>,
    /// `except`: none of them.
    pub except: Vec<Cidr>,
    /// `fqdns`: any name of the address matches any of them; `None` when the field is absent.
    pub fqdns: Option<Vec<NamePattern>>,
    /// `providers`: any of them; `None` when the field is absent. Then `regions` and `countries` are
    /// about where the provider processes, and not about where the address is.
    pub providers: Option<Vec<Arc<Provider>>>,
}

impl Peer {
    /// Whether an endpoint processes where the peer's `regions` and `countries` say: in no country
    /// that is not in all of them.
    #[must_use]
    pub fn admits_processing_at(&self, endpoint: &Endpoint) -> bool {
        let places = [&self.regions, &self.countries];
        let mut places = places.into_iter().flatten();
        places.all(|places| endpoint.processes_within(places))
    }
}

/// Protocol and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortSpec {
    /// The protocol. `icmp` in the file stands for two of these, ICMP and ICMPv6.
    pub proto: Proto,
    /// First and last port, inclusive; `None` for every port and for protocols without ports.
    pub ports: Option<(Port, Port)>,
}

/// A network: an address without host bits, and a prefix length in bits of its own family.
///
/// IPv4 networks written as v4-mapped IPv6 (`::ffff:10.0.0.0/104`) are IPv4 networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    network: Addr,
    length: u8,
}

impl Cidr {
    /// `None` when the length exceeds the family's, or host bits are set.
    #[must_use]
    pub fn new(network: Addr, length: u8) -> Option<Self> {
        let cidr = Self { network, length };
        let valid = match network.family() {
            Family::V4(v4) => length <= 32 && v4 & host_mask(length + 96) as u32 == 0,
            Family::V6(hi, lo) => {
                length <= 128 && (u128::from(hi) << 64 | u128::from(lo)) & host_mask(length) == 0
            }
        };
        valid.then_some(cidr)
    }

    /// The network of one address.
    #[must_use]
    pub fn host(address: Addr) -> Self {
        let length = match address.family() {
            Family::V4(_) => 32,
            Family::V6(..) => 128,
        };
        Self {
            network: address,
            length,
        }
    }

    /// The network's address.
    #[must_use]
    pub fn network(self) -> Addr {
        self.network
    }

    /// Prefix length in bits: 0 to 32 for IPv4, 0 to 128 for IPv6.
    #[must_use]
    pub fn length(self) -> u8 {
        self.length
    }

    /// First and last address, as numbers of the network's own family (IPv4 in the low 32 bits).
    #[must_use]
    pub fn bounds(self) -> (u128, u128) {
        match self.network.family() {
            Family::V4(v4) => (v4.into(), u128::from(v4) | host_mask(self.length + 96)),
            Family::V6(hi, lo) => {
                let first = u128::from(hi) << 64 | u128::from(lo);
                (first, first | host_mask(self.length))
            }
        }
    }

    /// First and last address.
    #[must_use]
    pub fn ends(self) -> (Addr, Addr) {
        let (_, last) = self.bounds();
        let last = if self.is_v4() {
            Addr::from_v4((last as u32).to_be_bytes())
        } else {
            Addr::from_v6(last.to_be_bytes())
        };
        (self.network, last)
    }

    /// Whether the network is IPv4.
    #[must_use]
    pub fn is_v4(self) -> bool {
        matches!(self.network.family(), Family::V4(_))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = std::net::Ipv6Addr::from(self.network.octets()).to_canonical();
        write!(f, "{address}/{}", self.length)
    }
}

/// The bits of a 128-bit address that a prefix of `length` leaves to hosts.
fn host_mask(length: u8) -> u128 {
    u128::MAX.checked_shr(length.into()).unwrap_or(0)
}
