//! Recorded flows.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What `enforcer flows` lists, and `policy simulate` reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlowList {
    /// Flows that pass are recorded as well as those that are refused.
    pub recording: bool,
    /// A flow that was not seen for this long is forgotten.
    pub keep_seconds: u64,
    /// How many flows are kept at most.
    pub most: u64,
    /// Flows that found no room, or whose record could not be read.
    pub dropped: u64,
    /// In no order.
    pub flows: Vec<FlowRecord>,
}

/// All traffic of one workload to one destination with one verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRecord {
    /// Name of the workload, as `enforcer workloads` lists it.
    pub workload: Option<String>,
    /// Path of the cgroup below the cgroup2 mount.
    pub cgroup: Option<String>,
    /// Where it went, as the application or the packet gave it.
    pub destination: IpAddr,
    /// Destination port; absent where the protocol has none or it is unknown.
    pub port: Option<u16>,
    /// `tcp`, `udp`, `sctp`, `udplite`, `icmp`, or the number of the protocol.
    pub protocol: String,
    /// The name that the workload looked up before.
    pub name: Option<String>,
    /// ISO 3166-1 code. `ZZ`: no database knows it. Absent for special-purpose ranges.
    pub country: Option<String>,
    /// Autonomous system.
    pub asn: Option<u32>,
    /// Its name.
    pub as_name: Option<String>,
    /// Announced from several places.
    pub anycast: bool,
    /// Special-purpose range.
    pub range: Option<String>,
    /// `allow`, `deny`, or `would_deny`: it passed because the policy audits.
    pub verdict: String,
    /// Why: `rule`, `released` (no policy selects the workload), `isolated`, `unknown`, or the name of
    /// a fault; absent where the event that said so was lost.
    pub reason: Option<String>,
    /// The policy that decided; absent where none did.
    pub policy: Option<String>,
    /// `default` for the policy's default.
    pub rule: Option<String>,
    /// Where the rule stood.
    pub file: Option<PathBuf>,
    /// See [`FlowRecord::file`]; the first line is 1.
    pub line: Option<u32>,
    /// Connections and sends. Of what was refused, or would have been, packets too.
    pub count: u64,
    /// Payload bytes of packets that were counted.
    pub bytes: u64,
    /// The first of them.
    pub first_seen: Timestamp,
    /// The last of them.
    pub last_seen: Timestamp,
}

impl FlowRecord {
    /// The destination as `explain` takes it.
    #[must_use]
    pub fn to(&self) -> String {
        let protocol = &*self.protocol;
        // Without a port `explain` takes 443.
        let unknown = matches!(protocol, "tcp" | "udp" | "sctp" | "udplite").then_some(0);
        match self.port.or(unknown) {
            Some(port) => format!("{}/{protocol}", SocketAddr::new(self.destination, port)),
            None => format!("{}/{protocol}", self.destination),
        }
    }
}
