//! Mark and DSCP, on a socket that connects.

use aya_ebpf::{EbpfContext as _, helpers::bpf_setsockopt, programs::SockAddrContext};
use enforcer_common::abi::{Addr, Counter, Family, SocketTag};

use crate::emit::count;

/// `asm-generic/socket.h`.
const SOL_SOCKET: i32 = 1;
/// See [`SOL_SOCKET`].
const SO_MARK: i32 = 36;
/// `linux/in.h`.
const SOL_IP: i32 = 0;
/// See [`SOL_IP`].
const IP_TOS: i32 = 1;
/// `linux/in6.h`.
const SOL_IPV6: i32 = 41;
/// See [`SOL_IPV6`].
const IPV6_TCLASS: i32 = 67;

/// Sets what the tag says. What the kernel does not take is counted and changes nothing else. The
/// level is that of the packets: an IPv6 socket may go to an IPv4 address.
#[inline(always)]
pub fn apply(ctx: &SockAddrContext, dst: Addr, tag: SocketTag) {
    if let Some(mark) = tag.mark() {
        set(ctx, SOL_SOCKET, SO_MARK, mark);
    }
    if let Some(dscp) = tag.dscp() {
        // The low two bits are for congestion notification (RFC 3168).
        let class = u32::from(dscp) << 2;
        match dst.family() {
            Family::V4(_) => set(ctx, SOL_IP, IP_TOS, class),
            Family::V6(..) => set(ctx, SOL_IPV6, IPV6_TCLASS, class),
        }
    }
}

#[inline(always)]
fn set(ctx: &SockAddrContext, level: i32, option: i32, value: u32) {
    let mut value = value;
    // SAFETY: the verifier checks the context, and that the value has this size.
    let outcome = unsafe {
        bpf_setsockopt(
            ctx.as_ptr(),
            level,
            option,
            (&raw mut value).cast(),
            size_of::<u32>() as i32,
        )
    };
    if outcome != 0 {
        count(Counter::SocketTagFailed as u32);
    }
}
