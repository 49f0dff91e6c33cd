//! The bench's own programs: what they cost, and the design of a trie for each packet.

use std::fs::File;

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    programs::{
        CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSockAddr, Program, ProgramError,
    },
};
use enforcer_tests::lab::Cgroup;

static RIVALS: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("ENFORCER_OBJECTS"), "/enforcer-rivals"));

const FLOOR: [&str; 6] = [
    "floor_ingress",
    "floor_egress",
    "floor_sendmsg4",
    "floor_sendmsg6",
    "floor_connect4",
    "floor_connect6",
];

/// A cgroup with a program that does nothing at every hook of enforcer.
pub(crate) struct Floor {
    pub(crate) cgroup: Cgroup,
    programs: Ebpf,
}

impl Floor {
    /// Attaches them to a cgroup of its own.
    ///
    /// # Errors
    /// Without root.
    pub(crate) fn new() -> Result<Self> {
        let cgroup = Cgroup::new("floor")?;
        let mut programs = object()?;
        attach(&mut programs, &FLOOR, &cgroup)?;
        Ok(Self { cgroup, programs })
    }

    /// The id of the program at each hook.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(crate) fn programs(&self) -> Result<Vec<(String, u32)>> {
        let program = |(hook, program): (&str, &Program)| {
            let hook = hook.strip_prefix("floor_")?;
            Some(program.info().map(|info| (hook.to_owned(), info.id())))
        };
        let loaded = self
            .programs
            .programs()
            .filter(|(name, _)| FLOOR.contains(name));
        Ok(loaded.filter_map(program).collect::<Result<_, _>>()?)
    }
}

/// The bench's own programs, none of them attached.
pub(crate) fn object() -> Result<Ebpf> {
    Ebpf::load(RIVALS).context("load the bench's programs")
}

/// Attaches programs for as long as `object` lives.
pub(crate) fn attach(object: &mut Ebpf, names: &[&str], cgroup: &Cgroup) -> Result<()> {
    let handle = File::open(cgroup.path())?;
    for name in names {
        let program = object.program_mut(name).context("no such program")?;
        attach_one(name, program, &handle).with_context(|| format!("attach {name}"))?;
    }
    Ok(())
}

fn attach_one(name: &str, program: &mut Program, cgroup: &File) -> Result<(), ProgramError> {
    let mode = CgroupAttachMode::Single;
    if name.ends_with("gress") {
        let kind = if name.ends_with("_ingress") {
            CgroupSkbAttachType::Ingress
        } else {
            CgroupSkbAttachType::Egress
        };
        let program: &mut CgroupSkb = program.try_into()?;
        program.load()?;
        program.attach(cgroup, kind, mode).map(drop)
    } else {
        let program: &mut CgroupSockAddr = program.try_into()?;
        program.load()?;
        program.attach(cgroup, mode).map(drop)
    }
}
