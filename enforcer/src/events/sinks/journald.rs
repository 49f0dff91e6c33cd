//! The journal of systemd, by its native protocol: a datagram for each record, or a sealed file where
//! the record is longer than a datagram. <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>

use std::{
    fs::File,
    io::{self, IoSlice, Write as _},
    mem::MaybeUninit,
    os::{fd::AsFd as _, unix::net::UnixDatagram},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create},
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
};

use super::{Sink, SinkError, Stopped, syslog};
use crate::events::batch::{Batch, Item};

/// Where journald listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// Sends records to journald.
#[derive(Debug)]
pub struct JournaldSink {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    entry: Vec<u8>,
}

impl JournaldSink {
    /// A sink that sends to the socket at `path`. It is connected to when there is something to send.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            socket: None,
            entry: Vec::new(),
        }
    }
}

impl Sink for JournaldSink {
    fn send(&mut self, batch: &Batch) -> Result<(), Stopped> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => syslog::connect_unix(&self.path).map_err(SinkError::Connect)?,
        };
        for (sent, item) in batch.items().enumerate() {
            write_entry(item, &mut self.entry);
            if let Err(error) = send(&socket, &self.entry) {
                let error = SinkError::Write(error);
                return Err(Stopped { sent, error });
            }
        }
        self.socket = Some(socket);
        Ok(())
    }
}

fn write_entry(item: Item<'_>, entry: &mut Vec<u8>) {
    entry.clear();
    let priority = syslog::severity(item.severity);
    // Writing to memory cannot fail.
    let _ = writeln!(entry, "PRIORITY={priority}\nSYSLOG_IDENTIFIER=enforcer");
    entry.extend_from_slice(item.payload);
}

fn send(socket: &UnixDatagram, entry: &[u8]) -> io::Result<()> {
    match socket.send(entry) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::ENOBUFS)) => {
            send_file(socket, entry)
        }
        outcome => outcome.map(drop),
    }
}

/// journald takes a file only if nobody can change it any more.
fn send_file(socket: &UnixDatagram, entry: &[u8]) -> io::Result<()> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("enforcer-event", flags)?);
    file.write_all(entry)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut attached = SendAncillaryBuffer::new(&mut space);
    if !attached.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(
        socket,
        &[IoSlice::new(&[])],
        &mut attached,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
