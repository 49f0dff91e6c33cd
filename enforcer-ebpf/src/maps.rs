//! Every map, with its size and who writes it.

mod dns;

use core::ptr::null_mut;

use aya_ebpf::{
    bindings::{
        BPF_F_CLONE, BPF_F_INNER_MAP, BPF_F_NO_PREALLOC, BPF_SK_STORAGE_GET_F_CREATE,
        bpf_map_type::BPF_MAP_TYPE_SK_STORAGE, bpf_sock,
    },
    btf_maps::{Array, ArrayOfMaps, HashMap, LruHashMap, PerCpuArray, RingBuf},
    helpers::bpf_sk_storage_get,
    macros::btf_map,
};
pub use dns::{
    ASKERS, Asked, DESK, Desk, HOLDER_ENTRIES, MESSAGE_BYTES, PEERS, Peer, QUESTIONS, Question,
    RESOLVED, RETURNED, TAKEN, TRUSTED,
};
use enforcer_common::abi::{
    Addr, CgroupId, Counter, Epoch, Event, FlowCount, FlowKey, Page, Port, Proto, Tag,
};

/// An image: as many pages as it needs (`BPF_F_INNER_MAP`, kernel 5.10, allows inner arrays of
/// different lengths).
pub type Image = Array<Page, 1, { BPF_F_INNER_MAP as usize }>;

/// Element 0 is the image in force. Written by the daemon: one pointer store publishes an image.
#[btf_map]
pub static IMAGE: ArrayOfMaps<Image, 1> = ArrayOfMaps::new();

/// Tags of workloads and managed roots; 48 bytes each with overhead, allocated on use. Written by
/// the daemon.
#[btf_map]
pub static TAGS: HashMap<CgroupId, Tag, 65536, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();

/// Element 0 is the epoch. Written by the daemon after it changed a tag or the image in force.
#[btf_map]
pub static EPOCH: Array<Epoch, 1> = Array::new();

/// Slots of [`ALLOWED`].
pub const ALLOWED_SLOTS: u32 = 1 << 14;

/// Marks of flows that were allowed, each in the slot its own bits name: 128 KiB, which stays in the
/// cache next to the core. A mark of an earlier epoch is like any other that is not the flow's.
#[btf_map]
pub static ALLOWED: Array<u64, { ALLOWED_SLOTS as usize }> = Array::new();

/// Flows with their counts: 112 bytes each with overhead, allocated on use.
pub type FlowMap = HashMap<FlowKey, FlowCount, 65536, { BPF_F_NO_PREALLOC as usize }>;

/// Refused traffic, counted where it happens. Written here; read and emptied by the daemon.
#[btf_map]
pub static FLOWS: FlowMap = HashMap::new();

/// Traffic that passed, of its own so that it never takes the room of refusals. Written here where
/// flows are recorded; read and emptied by the daemon. The loader leaves it one entry where they
/// are not.
#[btf_map]
pub static RECORDED: FlowMap = HashMap::new();

/// First refusals. 1 MiB holds 10,000 of them.
#[btf_map]
pub static EVENTS: RingBuf<Event, { 1 << 20 }> = RingBuf::new();

/// Indexed by `Counter`.
#[btf_map]
pub static COUNTERS: PerCpuArray<u64, { Counter::SLOTS as usize }> = PerCpuArray::new();

/// Rules with a row of their own in [`DECISIONS`].
pub const COUNTED_RULES: u16 = 4096;

/// Decisions by rule: allowed, denied, would deny. 96 KiB for each CPU.
#[btf_map]
pub static DECISIONS: PerCpuArray<[u64; 3], { COUNTED_RULES as usize }> = PerCpuArray::new();

/// One UDP exchange that the other side opened.
#[repr(C)]
pub struct Exchange {
    /// Cgroup of the receiving socket.
    pub cgroup: CgroupId,
    /// The other side.
    pub remote: Addr,
    /// Its port.
    pub remote_port: Port,
    /// The workload's port.
    pub local_port: Port,
    /// Always zero.
    pub reserved: u32,
}

/// `CLOCK_BOOTTIME` nanoseconds of the last packet in. The oldest make room: memory stays bounded
/// and no daemon is needed to clean up.
#[btf_map]
pub static REPLIES: LruHashMap<Exchange, u64, 16384> = LruHashMap::new();

/// Cookie of the listener, on the listener and (cloned by the kernel) on each socket it accepted.
#[btf_map]
pub static ACCEPTED: SocketMap<u64, { (BPF_F_NO_PREALLOC | BPF_F_CLONE) as usize }> =
    SocketMap::new();

/// Socket storage with values of `T`. `BPF_F_CLONE` (kernel 5.4), for which aya's `SkStorage` has no
/// parameter, copies a listener's value to the sockets that it accepts.
#[repr(C)]
pub struct SocketMap<T, const FLAGS: usize> {
    r#type: *const [i32; BPF_MAP_TYPE_SK_STORAGE as usize],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; FLAGS],
}

// SAFETY: the fields only describe the map to the loader and are never dereferenced.
unsafe impl<T, const FLAGS: usize> Sync for SocketMap<T, FLAGS> {}

impl<T, const FLAGS: usize> SocketMap<T, FLAGS> {
    const fn new() -> Self {
        use core::ptr::null;
        Self {
            r#type: null(),
            key: null(),
            value: null(),
            max_entries: null(),
            map_flags: null(),
        }
    }

    /// What the helpers take.
    #[inline(always)]
    pub fn as_ptr(&self) -> *mut core::ffi::c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }

    /// The value of a socket; null when it has none.
    ///
    /// # Safety
    /// `socket` is a full socket of the program's context.
    #[inline(always)]
    pub unsafe fn of(&self, socket: *mut bpf_sock) -> *mut T {
        // SAFETY: the verifier checks the socket pointer.
        unsafe { bpf_sk_storage_get(self.as_ptr(), socket.cast(), null_mut(), 0).cast() }
    }

    /// The value of a socket, made of zeros when it has none; null for want of memory.
    ///
    /// # Safety
    /// `socket` is a full socket of the program's context.
    #[inline(always)]
    pub unsafe fn of_or_zero(&self, socket: *mut bpf_sock) -> *mut T {
        let create = BPF_SK_STORAGE_GET_F_CREATE.into();
        // SAFETY: the verifier checks the socket pointer.
        unsafe { bpf_sk_storage_get(self.as_ptr(), socket.cast(), null_mut(), create).cast() }
    }
}

/// Interface index, in the daemon's network namespace, of the host's end of a workload's interface, to
/// the cgroup whose tag judges all that comes out of it. Written by the daemon.
#[btf_map]
pub static DEVICES: HashMap<u32, CgroupId, 4096, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();

/// One conversation across a workload's interface.
#[repr(C)]
pub struct Conversation {
    /// The workload.
    pub cgroup: CgroupId,
    /// The other side.
    pub remote: Addr,
    /// Its port; 0 for protocols without.
    pub remote_port: Port,
    /// The workload's port, or the identifier of a ping.
    pub local_port: Port,
    /// Protocol.
    pub proto: Proto,
    /// Always zero.
    pub reserved: [u8; 3],
}

/// `CLOCK_BOOTTIME` nanoseconds of the last packet in of what the other side opened; 0 for what the
/// workload opened. The least used make room.
#[btf_map]
pub static CONVERSATIONS: LruHashMap<Conversation, u64, 32768> = LruHashMap::new();

/// One packet in fragments (RFC 791, 3.2; RFC 8200, 4.5).
#[repr(C)]
pub struct FragmentedPacket {
    /// The workload.
    pub cgroup: CgroupId,
    /// Source.
    pub src: Addr,
    /// Destination.
    pub dst: Addr,
    /// Identification.
    pub id: u32,
    /// IPv4: the protocol, which is part of the identity. IPv6: 0.
    pub proto: Proto,
    /// Always zero.
    pub reserved: [u8; 3],
}

/// What the first fragment says of all.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FirstFragment {
    /// `CLOCK_BOOTTIME` nanoseconds.
    pub at_ns: u64,
    /// Source port.
    pub src_port: Port,
    /// Destination port.
    pub dst_port: Port,
    /// Protocol of the payload.
    pub proto: Proto,
    /// Always zero.
    pub reserved: [u8; 3],
}

/// The oldest make room; their later fragments are then judged without a port.
#[btf_map]
pub static FRAGMENTS: LruHashMap<FragmentedPacket, FirstFragment, 4096> = LruHashMap::new();
