//! `bpf_sock_addr`: connect and sendmsg.

use aya_ebpf::{
    EbpfContext,
    bindings::bpf_sock,
    helpers::{
        bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id, bpf_get_current_pid_tgid,
        bpf_get_current_uid_gid,
    },
    programs::SockAddrContext,
};
use enforcer_common::{
    abi::{Addr, CgroupId, Hook, Port, Ports, Proto},
    verdict::Flow,
};

use super::{Context, UNKNOWN, v6};

/// What `socket(2)` calls multipath TCP; it does not fit the protocol byte and is TCP on the wire.
const IPPROTO_MPTCP: u32 = 262;

impl Context for SockAddrContext {
    #[inline(always)]
    fn cgroup(&self) -> CgroupId {
        // SAFETY: the helper takes no pointers.
        CgroupId(unsafe { bpf_get_current_cgroup_id() })
    }

    #[inline(always)]
    fn ancestor(&self, level: i32) -> CgroupId {
        // SAFETY: the helper takes no pointers.
        CgroupId(unsafe { bpf_get_current_ancestor_cgroup_id(level) })
    }

    #[inline(always)]
    fn socket(&self) -> *mut bpf_sock {
        // SAFETY: the verifier checks every read of the context.
        unsafe { (*self.sock_addr).__bindgen_anon_1.sk }
    }

    #[inline(always)]
    fn local_port(&self) -> Port {
        let socket = self.socket();
        if socket.is_null() {
            return Port(0);
        }
        // SAFETY: the verifier checks every read of the socket.
        Port(unsafe { (*socket).src_port } as u16)
    }

    #[inline(always)]
    fn source(&self) -> (Addr, Port) {
        (UNKNOWN, self.local_port())
    }

    #[inline(always)]
    fn bytes(&self) -> u64 {
        0
    }

    #[inline(always)]
    fn process(&self) -> Option<(u32, u32, [u8; 16])> {
        let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
        let uid = bpf_get_current_uid_gid() as u32;
        Some((pid, uid, self.command().unwrap_or_default()))
    }
}

/// The flow of an IPv4 hook.
#[inline(always)]
pub fn v4_flow(ctx: &SockAddrContext, hook: Hook) -> Flow {
    // SAFETY: the verifier checks every read of the context.
    let word = unsafe { (*ctx.sock_addr).user_ip4 };
    let octets = word.to_ne_bytes();
    // The kernel sends to the unspecified address as to loopback (RFC 1122, 3.2.1.3 aside).
    let dst = if word == 0 {
        Addr::from_v4([127, 0, 0, 1])
    } else {
        Addr::from_v4(octets)
    };
    flow(ctx, dst, hook)
}

/// The flow of an IPv6 hook. A v4-mapped destination is the IPv4 address.
#[inline(always)]
pub fn v6_flow(ctx: &SockAddrContext, hook: Hook) -> Flow {
    // The verifier allows reads of one word each, so no copy of the array.
    // SAFETY: the verifier checks every read of the context.
    let words = unsafe {
        let ip6 = &raw const (*ctx.sock_addr).user_ip6;
        let word = |index| ip6.cast::<u32>().add(index).read_volatile();
        [word(0), word(1), word(2), word(3)]
    };
    let [a, b, c, d] = words;
    let mapped_or_zero = c == 0 || c == 0xffff_u32.to_be();
    let unspecified = a | b | d == 0 && mapped_or_zero;
    let dst = if unspecified {
        Addr::from_v4([127, 0, 0, 1])
    } else {
        v6(words)
    };
    flow(ctx, dst, hook)
}

#[inline(always)]
fn flow(ctx: &SockAddrContext, dst: Addr, hook: Hook) -> Flow {
    // SAFETY: the verifier checks every read of the context.
    let (protocol, port) = unsafe { ((*ctx.sock_addr).protocol, (*ctx.sock_addr).user_port) };
    let proto = if protocol == IPPROTO_MPTCP {
        Proto::TCP
    } else {
        Proto(protocol as u8)
    };
    let port = Port(u16::from_be(port as u16));
    let ports = if proto.has_ports() {
        Ports::is(port)
    } else {
        Ports::ABSENT
    };
    Flow {
        subject: ctx.cgroup(),
        dst,
        proto,
        ports,
        hook,
    }
}
