//! Frames through AF_XDP (Documentation/networking/af_xdp.rst): the kernel takes them from memory that it
//! shares with the process and hands them to the interface, past the stack, the queue and what is
//! attached there.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
    ptr::{self, NonNull},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

/// Room for one frame.
const CHUNK: usize = 4096;
/// Slots of each ring.
const SLOTS: libc::c_int = 1;
/// A queue is free again only some time after the last socket that had it was closed.
const FREED: Duration = Duration::from_secs(5);

/// Sends a frame by the first queue of an interface, which need not know of AF_XDP.
pub(super) fn send(interface: u32, frame: &[u8]) -> io::Result<()> {
    let socket = Socket::new(Domain::from(libc::AF_XDP), Type::RAW, None)?;
    let fd = socket.as_raw_fd();
    let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let frames = Memory::map(-1, CHUNK, anonymous, 0)?;
    let area = libc::xdp_umem_reg {
        addr: frames.start.as_ptr().addr() as u64,
        len: CHUNK as u64,
        chunk_size: CHUNK as u32,
        headroom: 0,
        flags: 0,
        tx_metadata_len: 0,
    };
    set(fd, libc::XDP_UMEM_REG, &area)?;
    // A socket cannot be bound without the two that memory goes round by.
    for ring in [
        libc::XDP_UMEM_FILL_RING,
        libc::XDP_UMEM_COMPLETION_RING,
        libc::XDP_TX_RING,
    ] {
        set(fd, ring, &SLOTS)?;
    }
    let ring = offsets(fd)?.tx;
    let length = ring.desc as usize + size_of::<libc::xdp_desc>();
    let queue = Memory::map(fd, length, libc::MAP_SHARED, libc::XDP_PGOFF_TX_RING)?;
    bind(fd, interface)?;
    put(&frames, frame, &queue, &ring)?;
    // The kernel sends before the call returns, and takes no call that would wait for more.
    socket.send_with_flags(&[], libc::MSG_DONTWAIT)?;
    Ok(())
}

fn put(
    frames: &Memory,
    frame: &[u8],
    queue: &Memory,
    ring: &libc::xdp_ring_offset,
) -> io::Result<()> {
    if frame.len() > frames.length {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let descriptor = libc::xdp_desc {
        addr: 0,
        len: frame.len() as u32,
        options: 0,
    };
    // SAFETY: the frame fits, the first descriptor and the counter lie in the mapped queue where the
    // kernel said, aligned for what they are, and it reads neither before the counter is raised.
    unsafe {
        ptr::copy_nonoverlapping(frame.as_ptr(), frames.start.as_ptr(), frame.len());
        let slot = queue.start.add(ring.desc as usize);
        slot.cast::<libc::xdp_desc>().write(descriptor);
        let producer = queue.start.add(ring.producer as usize);
        producer
            .cast::<AtomicU32>()
            .as_ref()
            .store(1, Ordering::Release);
    }
    Ok(())
}

fn bind(fd: RawFd, interface: u32) -> io::Result<()> {
    let address = libc::sockaddr_xdp {
        sxdp_family: libc::AF_XDP as u16,
        sxdp_flags: libc::XDP_COPY,
        sxdp_ifindex: interface,
        sxdp_queue_id: 0,
        sxdp_shared_umem_fd: 0,
    };
    let length = size_of_val(&address) as libc::socklen_t;
    let begun = Instant::now();
    loop {
        // SAFETY: the pointer and the length are those of `address`, which outlives the call.
        match checked(unsafe { libc::bind(fd, (&raw const address).cast(), length) }) {
            Err(error)
                if error.kind() == io::ErrorKind::ResourceBusy && begun.elapsed() < FREED =>
            {
                thread::yield_now();
            }
            outcome => return outcome,
        }
    }
}

/// Where the parts of each ring are.
fn offsets(fd: RawFd) -> io::Result<libc::xdp_mmap_offsets> {
    // SAFETY: all zero is a valid value.
    let mut offsets: libc::xdp_mmap_offsets = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&offsets) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `offsets`, which outlives the call.
    checked(unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_XDP,
            libc::XDP_MMAP_OFFSETS,
            (&raw mut offsets).cast(),
            &raw mut length,
        )
    })?;
    Ok(offsets)
}

fn set<T>(fd: RawFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of `value`, which outlives the call.
    checked(unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_XDP,
            option,
            ptr::from_ref(value).cast(),
            length,
        )
    })
}

fn checked(status: libc::c_int) -> io::Result<()> {
    match status {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Mapped memory, given back when dropped.
struct Memory {
    start: NonNull<u8>,
    length: usize,
}

impl Memory {
    fn map(fd: RawFd, length: usize, flags: libc::c_int, offset: libc::off_t) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses a place where nothing is mapped yet.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, access, flags, fd, offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { start, length })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nobody has a reference to it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}
