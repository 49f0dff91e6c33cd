//! The table of hooks.
#![no_std]
#![no_main]

use aya_ebpf::{
    macros::{cgroup_skb, cgroup_sock_addr, classifier},
    programs::{SkBuffContext, SockAddrContext, TcContext},
};
use enforcer_common::abi::Hook;
use enforcer_ebpf::{
    flow::sock_addr::{v4_flow, v6_flow},
    gate,
};

#[cgroup_sock_addr(connect4)]
fn connect4(ctx: SockAddrContext) -> i32 {
    gate::connect(&ctx, &v4_flow(&ctx, Hook::Connect))
}

#[cgroup_sock_addr(connect6)]
fn connect6(ctx: SockAddrContext) -> i32 {
    gate::connect(&ctx, &v6_flow(&ctx, Hook::Connect))
}

#[cgroup_sock_addr(sendmsg4)]
fn sendmsg4(ctx: SockAddrContext) -> i32 {
    gate::sendmsg(&ctx, &v4_flow(&ctx, Hook::Sendmsg))
}

#[cgroup_sock_addr(sendmsg6)]
fn sendmsg6(ctx: SockAddrContext) -> i32 {
    gate::sendmsg(&ctx, &v6_flow(&ctx, Hook::Sendmsg))
}

#[cgroup_skb(egress)]
fn egress(ctx: SkBuffContext) -> i32 {
    gate::egress(&ctx)
}

#[cgroup_skb(ingress)]
fn ingress(ctx: SkBuffContext) -> i32 {
    gate::ingress(&ctx)
}

/// At the host's end of a workload's interface: what comes out of it.
#[classifier]
fn device_egress(ctx: TcContext) -> i32 {
    gate::device_egress(&SkBuffContext::new(ctx.skb.skb))
}

/// The same end: what goes into it.
#[classifier]
fn device_ingress(ctx: TcContext) -> i32 {
    gate::device_ingress(&SkBuffContext::new(ctx.skb.skb))
}

/// The source is `Apache-2.0 OR MIT`; the kernel asks for a GPL-compatible word before it lends
/// some helpers.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// No code path panics: the linker drops this, and the verifier would refuse it.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
