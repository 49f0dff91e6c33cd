//! For the bench only: what enforcer is compared with.
//!
//! * `floor_*`: programs that do nothing. What they cost, every program costs.
//! * `list_egress`, `list_ingress`: the design of systemd's `IPAddressAllow=` with
//!   `IPAddressDeny=any`: each packet's far address is looked up in a trie of longest prefixes.
#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::{LpmTrie, lpm_trie::Key},
    macros::{btf_map, cgroup_skb, cgroup_sock_addr},
    programs::{SkBuffContext, SockAddrContext},
};

const DROP: i32 = 0;
const PASS: i32 = 1;

/// Permitted IPv4 networks.
#[btf_map]
static ALLOW4: LpmTrie<[u8; 4], u32, { 1 << 21 }> = LpmTrie::new();

/// Permitted IPv6 networks.
#[btf_map]
static ALLOW6: LpmTrie<[u8; 16], u32, { 1 << 21 }> = LpmTrie::new();

#[cgroup_sock_addr(connect4)]
fn floor_connect4(_ctx: SockAddrContext) -> i32 {
    PASS
}

#[cgroup_sock_addr(connect6)]
fn floor_connect6(_ctx: SockAddrContext) -> i32 {
    PASS
}

#[cgroup_sock_addr(sendmsg4)]
fn floor_sendmsg4(_ctx: SockAddrContext) -> i32 {
    PASS
}

#[cgroup_sock_addr(sendmsg6)]
fn floor_sendmsg6(_ctx: SockAddrContext) -> i32 {
    PASS
}

#[cgroup_skb(egress)]
fn floor_egress(_ctx: SkBuffContext) -> i32 {
    PASS
}

#[cgroup_skb(ingress)]
fn floor_ingress(_ctx: SkBuffContext) -> i32 {
    PASS
}

#[cgroup_skb(egress)]
fn list_egress(ctx: SkBuffContext) -> i32 {
    judge(&ctx, 16, 24)
}

#[cgroup_skb(ingress)]
fn list_ingress(ctx: SkBuffContext) -> i32 {
    judge(&ctx, 12, 8)
}

/// Judges the address at `v4_at` of an IPv4 header, at `v6_at` of an IPv6 header.
#[inline(always)]
fn judge(ctx: &SkBuffContext, v4_at: usize, v6_at: usize) -> i32 {
    let listed = match ctx.load::<u8>(0).map(|first| first >> 4) {
        Ok(4) => ctx
            .load(v4_at)
            .is_ok_and(|address| ALLOW4.get(&Key::new(32, address)).is_some()),
        Ok(6) => ctx
            .load(v6_at)
            .is_ok_and(|address| ALLOW6.get(&Key::new(128, address)).is_some()),
        _ => false,
    };
    if listed { PASS } else { DROP }
}

/// See `main.rs`.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// No code path panics: the linker drops this, and the verifier would refuse it.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}
