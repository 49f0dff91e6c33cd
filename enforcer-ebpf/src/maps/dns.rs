//! What is known of names.

use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    btf_maps::{HashMap, LruHashMap, PerCpuArray},
    macros::btf_map,
};
use enforcer_common::{
    abi::{Addr, CgroupId, Device, HELD_NAMES, Holder, Port, Resolved},
    names::{Answer, MAX_NAMES, NameKey, NameKeyBuilder},
};

use super::SocketMap;

/// Cookie of the network namespace, on sockets that asked a resolver.
#[btf_map]
pub static ASKERS: SocketMap<u64, { BPF_F_NO_PREALLOC as usize }> = SocketMap::new();

/// One question to a resolver.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Asked {
    /// Cookie of the socket: it tells workload, protocol and namespace.
    pub socket: u64,
    /// The resolver.
    pub resolver: Addr,
    /// The message's number.
    pub id: u16,
    /// The socket's port.
    pub local_port: Port,
    /// Always zero.
    pub reserved: u32,
}

/// What was asked, and when (`CLOCK_BOOTTIME` nanoseconds).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Question {
    /// Hash of name and type.
    pub hash: u64,
    /// When.
    pub at_ns: u64,
}

/// Questions without an answer yet. The oldest make room: who asks more than this at once loses
/// answers, not their limits.
#[btf_map]
pub static QUESTIONS: LruHashMap<Asked, Question, 16384> = LruHashMap::new();

/// Interfaces by which answers may arrive; what the value is does not matter. Written by the daemon.
#[btf_map]
pub static TRUSTED: HashMap<Device, u32, 4096, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();

/// Names of addresses; 432 bytes each with overhead, allocated on use. Written here, always whole;
/// the daemon removes what is over.
#[btf_map]
pub static RESOLVED: HashMap<Holder, Resolved, 131072, { BPF_F_NO_PREALLOC as usize }> =
    HashMap::new();

/// Entries of [`RESOLVED`] that a workload may have.
pub const HOLDER_ENTRIES: u64 = 16_384;

/// Entries that were ever made for a workload. Written here.
#[btf_map]
pub static TAKEN: HashMap<CgroupId, u64, 65536, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();

/// Entries of a workload that were ever removed. Written by the daemon: two counts with one writer
/// each need no lock between kernel and userspace.
#[btf_map]
pub static RETURNED: HashMap<CgroupId, u64, 65536, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();

/// The names under which a connected socket sends, from its first packet on.
#[repr(C)]
pub struct Peer {
    /// Where to.
    pub addr: Addr,
    /// And to which port; the protocol is the socket's.
    pub port: Port,
    /// How many names there are; 0 until the rest is written.
    pub count: u16,
    /// Always zero.
    pub reserved: u32,
    /// When the entry in [`RESOLVED`] was told that it is in use.
    pub told_ns: u64,
    /// What the names mean in the image that `check` tells.
    pub mask: u64,
    /// Holds mask and generation together: CPUs that write at once leave what fits neither.
    pub check: u64,
    /// The names.
    pub names: [NameKey; HELD_NAMES],
}

/// On connected sockets whose flows depend on names.
#[btf_map]
pub static PEERS: SocketMap<Peer, { BPF_F_NO_PREALLOC as usize }> = SocketMap::new();

/// Most bytes of a message that is read: what resolvers announce at most over UDP (RFC 6891, 6.2.5).
pub const MESSAGE_BYTES: usize = 4096;

/// Where an answer is read: the stack has no room for it.
#[repr(C)]
pub struct Desk {
    /// The message.
    pub message: [u8; MESSAGE_BYTES],
    /// Its length.
    pub length: u64,
    /// Not zero while somebody reads. Packets come in with softirqs off, so nobody else can on this
    /// CPU; this makes sure.
    pub busy: u64,
    /// What it answers.
    pub asked: Asked,
    /// What was asked.
    pub question: Question,
    /// Who asked.
    pub workload: CgroupId,
    /// Its class.
    pub class: u64,
    /// The name that is read.
    pub builder: NameKeyBuilder,
    /// The name that was read last.
    pub key: NameKey,
    /// What the message says.
    pub answer: Answer,
    /// What each of its names means.
    pub masks: [u64; MAX_NAMES],
    /// Names to hold.
    pub kept: [NameKey; HELD_NAMES],
    /// How many.
    pub kept_count: u64,
    /// The entry that is made.
    pub entry: Resolved,
}

/// One for each CPU.
#[btf_map]
pub static DESK: PerCpuArray<Desk, 1> = PerCpuArray::new();
