//! Interfaces by which workloads leave their own network namespaces, seen from the host.
//!
//! The kernel is asked over rtnetlink, in the network namespace of this process: for the links here
//! whose other end is in another namespace, and for the number by which this namespace knows the one
//! of a process (`RTM_GETNSID`, Linux 4.0).

use std::{fs, io, os::unix::fs::MetadataExt as _};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage},
    nsid::{NsidAttribute, NsidMessage},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// A network namespace, by its inode in nsfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetnsId(pub u64);

/// The number by which one network namespace knows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(i32);

/// The host's end of an interface of another network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEnd {
    /// Its index here.
    pub index: u32,
    /// Its name here.
    pub name: String,
    /// The namespace of the other end.
    pub peer: PeerId,
}

/// The network namespace of a process; `None` when it is gone.
#[must_use]
pub fn namespace_of(pid: u32) -> Option<NetnsId> {
    inode(&format!("/proc/{pid}/ns/net"))
}

/// Whether a process can ever open packet sockets in the network namespace that it is in: without
/// `CAP_NET_RAW` in its bounding set no program that it starts gets it (capabilities(7)).
#[must_use]
pub fn may_open_packet_sockets(pid: u32) -> bool {
    const CAP_NET_RAW: u64 = 1 << 13;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let bounding = bounding.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // A process that is gone opens nothing.
    bounding.is_some_and(|mask| mask & CAP_NET_RAW != 0)
}

/// The network namespace of this process.
///
/// # Errors
/// /proc is not mounted.
pub fn own_namespace() -> io::Result<NetnsId> {
    inode("/proc/self/ns/net").ok_or_else(|| io::Error::other("/proc/self/ns/net cannot be read"))
}

fn inode(path: &str) -> Option<NetnsId> {
    Some(NetnsId(fs::metadata(path).ok()?.ino()))
}

/// Questions to rtnetlink.
#[derive(Debug)]
pub struct Interfaces {
    socket: Socket,
    sequence: u32,
}

impl Interfaces {
    /// Opens a socket in the network namespace of this thread.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Links here that are one end of a pair whose other end is in another namespace: veth and netkit.
    /// Of other kinds (macvlan, ipvlan, a device that was moved) there is no end here that only
    /// carries what the workload sends.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn host_ends(&mut self) -> io::Result<Vec<HostEnd>> {
        let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.ask(question, NLM_F_DUMP)?;
        Ok(answers.iter().filter_map(host_end).collect())
    }

    /// The number of the network namespace of a process; `None` when no link leads from here to there,
    /// or the process is gone.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn peer_of(&mut self, pid: u32) -> io::Result<Option<PeerId>> {
        let mut question = NsidMessage::default();
        question.attributes.push(NsidAttribute::Pid(pid));
        let answers = match self.ask(RouteNetlinkMessage::GetNsId(question), 0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            outcome => outcome?,
        };
        let number = answers.iter().find_map(|answer| {
            let RouteNetlinkMessage::NewNsId(answer) = answer else {
                return None;
            };
            answer.attributes.iter().find_map(|attribute| {
                if let NsidAttribute::Id(number) = attribute {
                    Some(*number)
                } else {
                    None
                }
            })
        });
        Ok(number.filter(|number| *number >= 0).map(PeerId))
    }

    fn ask(
        &mut self,
        question: RouteNetlinkMessage,
        flags: u16,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut answers = Vec::new();
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let mut rest = &datagram[..];
            while !rest.is_empty() {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(io::Error::other)?;
                let length = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
                if message.header.sequence_number != self.sequence {
                    // Left over of a question that failed half way.
                    continue;
                }
                if let NetlinkPayload::InnerMessage(answer) = message.payload {
                    answers.push(answer);
                } else if let NetlinkPayload::Error(error) = message.payload
                    && error.code.is_some()
                {
                    return Err(error.to_io());
                } else {
                    return Ok(answers);
                }
            }
            if flags & NLM_F_DUMP == 0 && !answers.is_empty() {
                return Ok(answers);
            }
        }
    }
}

fn host_end(answer: &RouteNetlinkMessage) -> Option<HostEnd> {
    let RouteNetlinkMessage::NewLink(link) = answer else {
        return None;
    };
    let (mut name, mut peer, mut is_pair) = (None, None, false);
    for attribute in &link.attributes {
        if let LinkAttribute::IfName(it) = attribute {
            name = Some(it.clone());
        } else if let LinkAttribute::LinkNetNsId(number) = attribute {
            peer = Some(PeerId(*number));
        } else if let LinkAttribute::LinkInfo(infos) = attribute {
            is_pair = infos
                .iter()
                .any(|info| matches!(info, LinkInfo::Kind(InfoKind::Veth | InfoKind::Netkit)));
        }
    }
    is_pair.then_some(HostEnd {
        index: link.header.index,
        name: name?,
        peer: peer?,
    })
}

/// Notices of links that come, go or change.
#[derive(Debug)]
pub struct LinkNotices(Socket);

impl LinkNotices {
    /// Listens in the network namespace of this thread.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn open() -> io::Result<Self> {
        /// `RTMGRP_LINK` of rtnetlink(7).
        const LINKS: u32 = 1;
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, LINKS))?;
        socket.set_non_blocking(true)?;
        Ok(Self(socket))
    }

    /// Takes what was told so far; whether that was anything.
    ///
    /// # Errors
    /// The socket cannot be read.
    pub fn take(&mut self) -> io::Result<bool> {
        let mut anything = false;
        loop {
            match self.0.recv_from_full() {
                Ok(_) => anything = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(anything),
                // Notices were lost, but not the fact that there were some.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => anything = true,
                Err(error) => return Err(error),
            }
        }
    }
}

impl std::os::fd::AsFd for LinkNotices {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        use std::os::fd::AsRawFd as _;
        // SAFETY: the socket owns the descriptor and lives as long as the borrow.
        unsafe { std::os::fd::BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }
}
