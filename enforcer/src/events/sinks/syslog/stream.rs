//! Connections that carry messages one after the other.
//!
//! Syslog has no acknowledgement. What the server's kernel has acknowledged may still lie in its socket
//! when the server hangs or dies, and is lost then. But a server ends a connection that its client has
//! ended, once it has read everything. So every few seconds or MiB the connection is ended, and what it
//! carried counts as arrived when the server ends it too.

use std::{
    io,
    net::{ToSocketAddrs as _, UdpSocket},
    os::unix::net::UnixDatagram,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::ClientConfig;

use crate::events::{
    batch::Place,
    sinks::{Settled, SinkError, tls::TlsOptions},
};

mod connection;

use connection::{Connection, broken};

/// How many bytes a connection carries before it is ended.
const ROUND_BYTES: usize = 4 << 20;
/// How long a connection carries messages before it is ended.
const ROUND: Duration = Duration::from_secs(5);
/// How long a server may take to read what is left when the daemon ends.
const LAST_FAREWELL: Duration = Duration::from_secs(2);
/// A datagram that cannot be sent for so long is given up.
const WRITE: Duration = Duration::from_secs(10);

pub(super) struct Stream {
    address: String,
    /// How long a server may take to read what is left when a connection is ended.
    farewell: Duration,
    tls: Option<Arc<ClientConfig>>,
    round: Option<Round>,
    /// The last record that was sent, if it is not certain to have arrived.
    owed: Option<Place>,
    /// The last record that is certain to have arrived.
    arrived: Place,
}

/// The life of one connection.
struct Round {
    connection: Connection,
    /// When something was sent first.
    since: Option<Instant>,
    bytes: usize,
    /// When it was ended.
    ended: Option<Instant>,
}

impl Stream {
    pub(super) fn plain(address: &str, farewell: Duration) -> Self {
        Self {
            address: address.to_owned(),
            farewell,
            tls: None,
            round: None,
            owed: None,
            arrived: Place::default(),
        }
    }

    pub(super) fn tls(
        address: &str,
        farewell: Duration,
        options: &TlsOptions,
    ) -> Result<Self, SinkError> {
        Ok(Self {
            tls: Some(options.client()?),
            ..Self::plain(address, farewell)
        })
    }

    /// Sends messages, of which `last` is the last. A connection that was ended is waited for: the server
    /// gets everything in order.
    pub(super) fn send(&mut self, messages: &[u8], last: Place) -> Result<(), SinkError> {
        if let Some(round) = &self.round
            && let Some(ended) = round.ended
        {
            self.part(self.farewell.saturating_sub(ended.elapsed()))?;
        }
        let mut round = match self.round.take() {
            Some(round) => round,
            None => Round {
                connection: Connection::open(&self.address, self.tls.as_ref())?,
                since: None,
                bytes: 0,
                ended: None,
            },
        };
        self.owed = Some(last);
        match round.connection.ended(Duration::ZERO) {
            Ok(false) => round.connection.write_all(messages).map_err(broken)?,
            Ok(true) => return Err(broken(io::ErrorKind::ConnectionReset.into())),
            Err(error) => return Err(broken(error)),
        }
        round.since.get_or_insert_with(Instant::now);
        round.bytes += messages.len();
        self.round = Some(round);
        Ok(())
    }

    pub(super) fn settled(&mut self) -> Result<Settled, SinkError> {
        match self.round.take() {
            None => {}
            Some(round) if round.ended.is_some() => {
                let late = round
                    .ended
                    .is_some_and(|ended| ended.elapsed() >= self.farewell);
                self.round = Some(round);
                if self.parted(Duration::ZERO)? || !late {
                    return Ok(self.known());
                }
                self.round = None;
                return Err(unread());
            }
            Some(mut round) => {
                if round.connection.ended(Duration::ZERO).map_err(broken)? {
                    return Err(broken(io::ErrorKind::ConnectionReset.into()));
                }
                let long = round.since.is_some_and(|since| since.elapsed() >= ROUND);
                if long || round.bytes >= ROUND_BYTES {
                    round.end()?;
                }
                self.round = Some(round);
            }
        }
        Ok(self.known())
    }

    fn known(&self) -> Settled {
        if self.owed.is_some() {
            Settled::Through(self.arrived)
        } else {
            Settled::All
        }
    }

    /// Ends the connection and waits until the server has read everything.
    pub(super) fn finish(&mut self) -> Result<(), SinkError> {
        let Some(round) = &mut self.round else {
            return Ok(());
        };
        if round.ended.is_none() {
            round.end()?;
        }
        self.part(LAST_FAREWELL)
    }

    /// Waits for the end of a connection that was ended.
    fn part(&mut self, patience: Duration) -> Result<(), SinkError> {
        if self.parted(patience)? {
            return Ok(());
        }
        self.round = None;
        Err(unread())
    }

    /// Whether the server has ended it too.
    fn parted(&mut self, patience: Duration) -> Result<bool, SinkError> {
        let Some(mut round) = self.round.take() else {
            return Ok(true);
        };
        if round.connection.ended(patience).map_err(broken)? {
            self.arrived = self.owed.take().unwrap_or(self.arrived);
            return Ok(true);
        }
        self.round = Some(round);
        Ok(false)
    }
}

impl Round {
    fn end(&mut self) -> Result<(), SinkError> {
        self.ended = Some(Instant::now());
        self.connection.end().map_err(broken)
    }
}

fn unread() -> SinkError {
    SinkError::Silent("the server does not read to the end of the connection and end it too".into())
}

pub(super) fn udp(address: &str) -> io::Result<UdpSocket> {
    let mut last = io::Error::other("the name has no address");
    for address in address.to_socket_addrs()? {
        let any: std::net::IpAddr = if address.is_ipv4() {
            std::net::Ipv4Addr::UNSPECIFIED.into()
        } else {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        };
        let bound = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.connect(address)?;
            Ok(socket)
        });
        match bound {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

pub(in crate::events::sinks) fn unix(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_write_timeout(Some(WRITE))?;
    Ok(socket)
}
