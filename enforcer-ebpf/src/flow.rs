//! Contexts to flows. The only place of this crate that tells IPv4 from IPv6.

pub mod frame;
pub mod skb;
pub mod sock_addr;
pub mod socket_tag;

use aya_ebpf::{EbpfContext, bindings::bpf_sock};
use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Port},
    verdict::Flow,
};

use crate::{names, replies};

/// What a hook's context can tell beside the flow.
pub trait Context: EbpfContext + Sized {
    /// Cgroup of the socket, or of the process where the hook knows no socket.
    fn cgroup(&self) -> CgroupId;

    /// Ancestor of that cgroup at `level` of the machine's tree (the root is 0); 0 when there is
    /// none.
    fn ancestor(&self, level: i32) -> CgroupId;

    /// The full socket, for socket storage; null when there is none.
    fn socket(&self) -> *mut bpf_sock;

    /// The socket's own port; 0 when it has none yet.
    fn local_port(&self) -> Port;

    /// Source address and port as far as known.
    fn source(&self) -> (Addr, Port);

    /// Payload bytes that the verdict is about.
    fn bytes(&self) -> u64;

    /// What the names that the socket keeps of the flow's destination mean to a class; 0 when it keeps
    /// none.
    fn peer_mask(&self, _flow: &Flow, _class: ClassId) -> u64 {
        0
    }

    /// Keeps the names of the flow's destination with the socket, as this workload learnt them.
    fn keep_peer(&self, _flow: &Flow, _workload: CgroupId) {}

    /// Process id, user id and command name, where a process is at work.
    fn process(&self) -> Option<(u32, u32, [u8; 16])>;

    /// Whether the flow answers what the other side opened.
    #[inline(always)]
    fn is_reply(&self, flow: &Flow) -> bool {
        replies::is_reply(self, flow)
    }

    /// What holds of the names of the flow's destination, or [`names::UNREADABLE`].
    #[inline(always)]
    fn names(&self, flow: &Flow, class: ClassId) -> u64 {
        names::of(self, flow, class)
    }
}

/// Nothing is known of the address.
const UNKNOWN: Addr = Addr::from_v6([0; 16]);

/// Four words in network order to an address.
#[inline(always)]
fn v6(words: [u32; 4]) -> Addr {
    let [a, b, c, d] = words.map(u32::to_ne_bytes);
    Addr::from_v6([
        a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], d[0], d[1], d[2],
        d[3],
    ])
}
