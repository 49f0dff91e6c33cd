//! The program that the tests run over packets that hold a flow.

/// An ELF object with one classifier, `parity`, over maps as those of the hooks. Its packet is 14
/// bytes of anything and a [`FlowKey`](enforcer_common::abi::FlowKey) whose `verdict` says what is
/// known of the port (0: it is there, 1: unknown, 2: the protocol has none); it returns
/// [`Decision::pack`](enforcer_common::verdict::Decision::pack).
pub static PARITY_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/enforcer-parity"));
