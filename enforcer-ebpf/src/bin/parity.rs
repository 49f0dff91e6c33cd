//! For tests only: decides the flow that it finds in a packet, over the same maps, and returns the
//! packed decision. `cgroup_sock_addr` programs cannot be test-run; a classifier can.
//!
//! Packet: 14 bytes of Ethernet header, then a [`FlowKey`] (its `verdict` byte is 1 where the port
//! is unknown, 2 where the protocol has none, else 0).
#![no_std]
#![no_main]

use aya_ebpf::{EbpfContext, bindings::bpf_sock, macros::classifier, programs::TcContext};
use enforcer_common::{
    abi::{Addr, CgroupId, FlowKey, Hook, Port, Ports},
    verdict::{Flow, decide},
};
use enforcer_ebpf::{flow::Context, tables::KernelTables};

/// What the decision may ask of the context, and a test-run packet does not have.
struct NoContext<'a>(&'a TcContext);

impl EbpfContext for NoContext<'_> {
    fn as_ptr(&self) -> *mut core::ffi::c_void {
        self.0.as_ptr()
    }
}

impl Context for NoContext<'_> {
    fn cgroup(&self) -> CgroupId {
        CgroupId(0)
    }
    fn ancestor(&self, _level: i32) -> CgroupId {
        CgroupId(0)
    }
    fn socket(&self) -> *mut bpf_sock {
        core::ptr::null_mut()
    }
    fn local_port(&self) -> Port {
        Port(0)
    }
    fn source(&self) -> (Addr, Port) {
        (Addr::from_v6([0; 16]), Port(0))
    }
    fn bytes(&self) -> u64 {
        0
    }
    fn process(&self) -> Option<(u32, u32, [u8; 16])> {
        None
    }
}

#[classifier]
fn parity(ctx: TcContext) -> i32 {
    let Ok(key) = ctx.load::<FlowKey>(14) else {
        return -1;
    };
    let ports = match key.verdict {
        0 => Ports::is(key.port),
        1 => Ports::UNKNOWN,
        _ => Ports::ABSENT,
    };
    let flow = Flow {
        subject: key.cgroup,
        dst: key.dst,
        proto: key.proto,
        ports,
        hook: Hook::Egress,
    };
    decide(&KernelTables(&NoContext(&ctx)), &flow).pack() as i32
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
