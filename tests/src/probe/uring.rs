//! A connect that the kernel makes on its own, from a ring.

use std::{io, net::SocketAddr, os::fd::AsRawFd};

use io_uring::{IoUring, opcode, squeue::Flags, types};
use socket2::{Protocol, SockAddr};

use super::{Failure, Options, Step, tcp};

pub(super) fn attempt(to: SocketAddr, options: &Options) -> Result<bool, Failure> {
    let socket = tcp::open(to, Protocol::TCP, options)?;
    let mut ring = IoUring::new(2).map_err(Step::Socket.failed())?;
    connect(&mut ring, &socket, &to.into(), options).map_err(Step::Connect.failed())?;
    tcp::echo(&mut socket.into(), options)
}

fn connect(
    ring: &mut IoUring,
    socket: &socket2::Socket,
    to: &SockAddr,
    options: &Options,
) -> io::Result<()> {
    const CONNECT: u64 = 1;
    let timeout = types::Timespec::from(options.timeout);
    let fd = types::Fd(socket.as_raw_fd());
    let entries = [
        opcode::Connect::new(fd, to.as_ptr().cast(), to.len())
            .build()
            .flags(Flags::IO_LINK)
            .user_data(CONNECT),
        opcode::LinkTimeout::new(&timeout).build(),
    ];
    // SAFETY: the address, the timeout and the socket outlive both entries: they are borrowed until
    // both completions have been waited for.
    unsafe { ring.submission().push_multiple(&entries) }.map_err(io::Error::other)?;
    ring.submit_and_wait(entries.len())?;
    let result = ring
        .completion()
        .find(|entry| entry.user_data() == CONNECT)
        .map_or(-libc::EIO, |entry| entry.result());
    match result {
        // Cancelled by the timeout that is linked to it.
        code if code == -libc::ECANCELED => Err(io::Error::from_raw_os_error(libc::ETIMEDOUT)),
        code if code < 0 => Err(io::Error::from_raw_os_error(-code)),
        _ => Ok(()),
    }
}
