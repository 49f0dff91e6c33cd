//! Sockets that another process opened and hands over (unix(7), `SCM_RIGHTS`).

use std::{
    fs::File,
    io::{self, IoSliceMut, Write},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    path::Path,
};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::{Failure, Options, Step};

/// Takes a connected socket from whoever listens at `from`, and sends through it.
pub(super) fn attempt(from: &Path, options: &Options) -> Result<bool, Failure> {
    let socket = take(from).map_err(Step::Socket.failed())?;
    // Whatever it is, it is written to as a file is.
    let sent = File::from(socket).write_all(options.marker.as_bytes());
    sent.map_err(Step::Send.failed())?;
    Ok(false)
}

fn take(from: &Path) -> io::Result<OwnedFd> {
    let stream = UnixStream::connect(from)?;
    let mut word = [0; 1];
    let mut space = nix::cmsg_space!(RawFd);
    let mut words = [IoSliceMut::new(&mut word)];
    let message = recvmsg::<()>(
        stream.as_raw_fd(),
        &mut words,
        Some(&mut space),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let handed = message.cmsgs()?.find_map(|it| {
        if let ControlMessageOwned::ScmRights(descriptors) = it {
            descriptors.first().copied()
        } else {
            None
        }
    });
    let handed = handed.ok_or(io::ErrorKind::NotFound)?;
    // SAFETY: the kernel just gave it to this process, and nobody else here has it.
    Ok(unsafe { OwnedFd::from_raw_fd(handed) })
}
