//! Reading an entry of a hash and deleting it in one step.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use aya::Pod;

/// What came of it.
pub(super) enum Taken<V> {
    /// The entry, which is gone now.
    Value(V),
    /// There was none.
    Nothing,
    /// This kernel cannot.
    Unsupported,
}

/// The kernel's own "not supported", which libc does not name.
const ENOTSUPP: libc::c_int = 524;

/// `BPF_MAP_LOOKUP_AND_DELETE_ELEM` on a hash (kernel 5.14), which aya does not offer. Key and value
/// must be those of the map.
pub(super) fn take<K: Pod, V: Pod>(map: BorrowedFd<'_>, key: &K) -> io::Result<Taken<V>> {
    const COMMAND: libc::c_long = 21;
    /// The head of `union bpf_attr` for element commands.
    #[repr(C)]
    struct Element {
        map: u32,
        padding: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    let mut value = MaybeUninit::<V>::zeroed();
    let element = Element {
        map: map.as_raw_fd() as u32,
        padding: 0,
        key: std::ptr::from_ref(key).addr() as u64,
        value: value.as_mut_ptr().addr() as u64,
        flags: 0,
    };
    // SAFETY: key and value have the map's sizes and live until the call returns.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            COMMAND,
            &raw const element,
            size_of::<Element>(),
        )
    };
    if outcome == 0 {
        // SAFETY: any bytes are a value of a `Pod`.
        return Ok(Taken::Value(unsafe { value.assume_init() }));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOENT) => Ok(Taken::Nothing),
        Some(libc::EINVAL | ENOTSUPP) => Ok(Taken::Unsupported),
        _ => Err(error),
    }
}
