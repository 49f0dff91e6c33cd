//! The embedded object.

use aya::{
    Ebpf, EbpfLoader,
    programs::{CgroupSkb, CgroupSockAddr},
};

/// The kernel programs.
static HOOKS: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/enforcer-hooks"));

/// Loads.
pub fn probe() -> anyhow::Result<()> {
    let mut ebpf: Ebpf = EbpfLoader::new().load(HOOKS)?;
    for name in ["connect4", "connect6", "sendmsg4", "sendmsg6"] {
        let p: &mut CgroupSockAddr = ebpf.program_mut(name).unwrap().try_into()?;
        p.load()?;
        println!("{name} {:?}", p.info()?.verified_instruction_count());
    }
    for name in ["egress", "ingress"] {
        let p: &mut CgroupSkb = ebpf.program_mut(name).unwrap().try_into()?;
        p.load()?;
        println!("{name} {:?}", p.info()?.verified_instruction_count());
    }
    Ok(())
}
