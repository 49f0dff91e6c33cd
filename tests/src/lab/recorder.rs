//! What reached the peer's end of the link, whatever became of it there.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    arrival::Arrival,
    netns::NetNs,
    world::{GATEWAY_V4, World},
};

#[derive(Debug, Default)]
struct Record {
    arrivals: Mutex<Vec<Arrival>>,
    grown: Condvar,
}

/// Records from its making until dropped.
#[derive(Debug)]
pub struct Recorder<'a> {
    client: &'a NetNs,
    record: Arc<Record>,
    stop: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl<'a> Recorder<'a> {
    /// Starts recording.
    ///
    /// # Errors
    /// A packet socket cannot be made.
    pub fn new(world: &'a World) -> anyhow::Result<Self> {
        let socket = world.peer.run(|| {
            let every_protocol = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(every_protocol))
                .context("cannot make a packet socket")?;
            // Frames that the kernel has no room for would be missing from the record.
            socket.set_recv_buffer_size(8 << 20)?;
            ignore_outgoing(&socket)?;
            Ok(socket)
        })?;
        let record = Arc::new(Record::default());
        let (stop, stopped) = UnixStream::pair()?;
        let thread = thread::spawn({
            let record = Arc::clone(&record);
            move || keep(&socket, &stopped, &record)
        });
        Ok(Self {
            client: &world.client,
            record,
            stop,
            thread: Some(thread),
        })
    }

    /// Everything that the client had sent when this was called, in the order of arrival.
    ///
    /// # Errors
    /// A sentinel got lost.
    pub fn arrivals(&self) -> anyhow::Result<Vec<Arrival>> {
        self.settle()?;
        Ok(self.lock().clone())
    }

    /// What arrived for `dst`.
    ///
    /// # Errors
    /// A sentinel got lost.
    pub fn arrived_at(&self, dst: IpAddr) -> anyhow::Result<Vec<Arrival>> {
        let mut arrivals = self.arrivals()?;
        arrivals.retain(|arrival| arrival.dst == Some(dst));
        Ok(arrivals)
    }

    /// Forgets what has arrived so far.
    ///
    /// # Errors
    /// A sentinel got lost.
    pub fn clear(&self) -> anyhow::Result<()> {
        self.settle()?;
        self.lock().clear();
        Ok(())
    }

    /// A veth hands packets over in per-CPU queues, in order. So what was sent before a sentinel on
    /// the same CPU has arrived when the sentinel has, and nothing needs to be waited for by the
    /// clock.
    fn settle(&self) -> anyhow::Result<()> {
        let mut expected = BTreeSet::new();
        let all = sched_getaffinity(Pid::from_raw(0))?;
        for cpu in (0..CpuSet::count()).filter(|&cpu| all.is_set(cpu) == Ok(true)) {
            let sentinel = format!("sentinel-{cpu}-{:?}", Instant::now());
            self.client.run(|| {
                let mut only = CpuSet::new();
                only.set(cpu)?;
                sched_setaffinity(Pid::from_raw(0), &only)?;
                let socket = UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))?;
                socket.send_to(sentinel.as_bytes(), SocketAddr::from((GATEWAY_V4, 9)))?;
                Ok(())
            })?;
            expected.insert(sentinel);
        }
        let deadline = Duration::from_secs(5);
        let (mut arrivals, wait) = self
            .record
            .grown
            .wait_timeout_while(self.lock(), deadline, |arrivals| {
                expected.retain(|sentinel| !arrivals.iter().any(|it| it.carries(sentinel)));
                !expected.is_empty()
            })
            .unwrap_or_else(PoisonError::into_inner);
        ensure!(!wait.timed_out(), "the link lost {expected:?}");
        arrivals.retain(|arrival| !arrival.carries("sentinel-"));
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arrival>> {
        self.record
            .arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Recorder<'_> {
    fn drop(&mut self) {
        let _ = self.stop.shutdown(std::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the peer answers is not an arrival (packet(7), Linux 4.20).
fn ignore_outgoing(socket: &Socket) -> std::io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the pointer and the length are those of `on`, which outlives the call.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_IGNORE_OUTGOING,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if status == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

fn keep(mut socket: &Socket, stopped: &UnixStream, record: &Record) {
    let mut buffer = vec![0; 1 << 17];
    loop {
        let mut waits = [
            PollFd::new(socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
        ];
        let waited = poll(&mut waits, PollTimeout::NONE);
        if waited.is_err() || waits[1].any() == Some(true) {
            return;
        }
        let Ok(length) = std::io::Read::read(&mut socket, &mut buffer) else {
            continue;
        };
        let arrival = Arrival::parse(&buffer[..length]);
        let mut arrivals = record
            .arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        arrivals.push(arrival);
        record.grown.notify_all();
    }
}
