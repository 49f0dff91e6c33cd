//! Connections that carry messages one after the other.
//!
//! Syslog has no acknowledgement. What the peer's kernel has acknowledged may still lie in its socket
//! when the server ends, and is lost then. So what was sent counts as arrived only when more has
//! been acknowledged after it than a socket holds, or when the connection has lived on for a while;
//! when the connection ends before that, it is sent again.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs as _, UdpSocket},
    os::{fd::AsRawFd as _, unix::net::UnixDatagram},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use crate::events::{
    batch::Place,
    sinks::{Settled, SinkError, tls::TlsOptions},
};

const CONNECT: Duration = Duration::from_secs(10);
/// A server that takes nothing for so long is given up.
const WRITE: Duration = Duration::from_secs(10);
/// More than the receive buffer of a socket can be (`net.ipv4.tcp_rmem`, 6 MiB by default).
const BUFFERED: u64 = 8 << 20;
/// How long a connection lives on after what it carried counts as arrived.
const GRACE: Duration = Duration::from_secs(5);
/// How long a server may take to read what is left when the connection is closed.
const FAREWELL: Duration = Duration::from_secs(2);

pub(super) struct Stream {
    address: String,
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Connection>,
    sent: VecDeque<Sent>,
    arrived: Option<Place>,
}

/// A batch that was sent.
struct Sent {
    last: Place,
    /// Bytes on the connection up to its end.
    end: u64,
    acknowledged: Option<Instant>,
}

enum Connection {
    Plain(Counted),
    Tls(Box<StreamOwned<ClientConnection, Counted>>),
}

/// A connection that knows how much was written to it.
struct Counted {
    socket: TcpStream,
    written: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.socket.write(bytes)?;
        self.written += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.socket.read(bytes)
    }
}

impl Connection {
    fn counted(&self) -> &Counted {
        match self {
            Self::Plain(counted) => counted,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(counted) => counted.write_all(bytes),
            Self::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Whether the peer has ended the connection. Servers say nothing else.
    fn ended(&mut self) -> io::Result<bool> {
        self.counted().socket.set_nonblocking(true)?;
        let mut said = [0; 512];
        let outcome = match self {
            Self::Plain(counted) => counted.read(&mut said),
            Self::Tls(stream) => stream.read(&mut said),
        };
        self.counted().socket.set_nonblocking(false)?;
        match outcome {
            Ok(0) => Ok(true),
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many bytes the peer's kernel has acknowledged.
    fn acknowledged(&self) -> io::Result<u64> {
        let counted = self.counted();
        let mut unacknowledged: libc::c_int = 0;
        // SAFETY: SIOCOUTQ (tcp(7)) writes one int, and `unacknowledged` is one.
        let outcome = unsafe {
            libc::ioctl(
                counted.socket.as_raw_fd(),
                libc::TIOCOUTQ,
                &raw mut unacknowledged,
            )
        };
        if outcome < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(counted
            .written
            .saturating_sub(u64::try_from(unacknowledged).unwrap_or(0)))
    }
}

impl Stream {
    pub(super) fn plain(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            tls: None,
            connection: None,
            sent: VecDeque::new(),
            arrived: None,
        }
    }

    pub(super) fn tls(address: &str, options: &TlsOptions) -> Result<Self, SinkError> {
        Ok(Self {
            tls: Some(options.client()?),
            ..Self::plain(address)
        })
    }

    fn connect(&mut self) -> Result<(), SinkError> {
        if self.connection.is_some() {
            return Ok(());
        }
        let socket = tcp(&self.address).map_err(SinkError::Connect)?;
        let counted = Counted { socket, written: 0 };
        let connection = match &self.tls {
            None => Connection::Plain(counted),
            Some(config) => {
                let host = self.address.rsplit_once(':').map_or("", |(host, _)| host);
                let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
                    .map_err(|error| SinkError::Tls(error.to_string()))?;
                let session = ClientConnection::new(Arc::clone(config), name)
                    .map_err(|error| SinkError::Tls(error.to_string()))?;
                let mut stream = StreamOwned::new(session, counted);
                // A write would do it too, and lose what went wrong.
                while stream.conn.is_handshaking() {
                    stream
                        .conn
                        .complete_io(&mut stream.sock)
                        .map_err(|error| SinkError::Tls(error.to_string()))?;
                }
                Connection::Tls(Box::new(stream))
            }
        };
        self.sent.clear();
        self.arrived = None;
        self.connection = Some(connection);
        Ok(())
    }

    /// Sends messages, the last of which has the place `last`.
    pub(super) fn send(&mut self, messages: &[u8], last: Option<Place>) -> Result<(), SinkError> {
        self.connect()?;
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let outcome = match connection.ended() {
            Ok(false) => connection.write_all(messages),
            Ok(true) => Err(io::ErrorKind::ConnectionReset.into()),
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            self.connection = None;
            return Err(broken(error));
        }
        let end = connection.counted().written;
        self.sent.extend(last.map(|last| Sent {
            last,
            end,
            acknowledged: None,
        }));
        Ok(())
    }

    pub(super) fn settled(&mut self) -> Result<Settled, SinkError> {
        let Some(connection) = &mut self.connection else {
            return Ok(self.known());
        };
        let state = connection
            .ended()
            .and_then(|ended| Ok((ended, connection.acknowledged()?)));
        let acknowledged = match state {
            Ok((false, acknowledged)) => acknowledged,
            // The end of a connection that owes nothing is the server's right.
            Ok((true, _)) if self.sent.is_empty() => {
                self.connection = None;
                return Ok(Settled::All);
            }
            Ok((true, _)) => {
                self.connection = None;
                return Err(broken(io::ErrorKind::ConnectionReset.into()));
            }
            Err(error) => {
                self.connection = None;
                return Err(broken(error));
            }
        };
        let now = Instant::now();
        let reached = self
            .sent
            .iter_mut()
            .take_while(|sent| sent.end <= acknowledged);
        reached.for_each(|sent| {
            sent.acknowledged.get_or_insert(now);
        });
        while let Some(sent) = self.sent.front() {
            let long_ago = sent
                .acknowledged
                .is_some_and(|since| now.duration_since(since) >= GRACE);
            if !long_ago && acknowledged < sent.end + BUFFERED {
                break;
            }
            self.arrived = Some(sent.last);
            self.sent.pop_front();
        }
        Ok(self.known())
    }

    fn known(&self) -> Settled {
        if self.sent.is_empty() {
            Settled::All
        } else {
            Settled::Through(self.arrived.unwrap_or_default())
        }
    }

    /// Ends the connection and waits until the server has read everything.
    pub(super) fn finish(&mut self) -> Result<(), SinkError> {
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        let farewell = |connection: &mut Connection| -> io::Result<()> {
            if let Connection::Tls(stream) = connection {
                stream.conn.send_close_notify();
                stream.flush()?;
            }
            let socket = &connection.counted().socket;
            socket.shutdown(Shutdown::Write)?;
            socket.set_read_timeout(Some(FAREWELL))?;
            let mut socket = socket;
            let mut said = [0; 512];
            while socket.read(&mut said)? > 0 {}
            Ok(())
        };
        farewell(&mut connection).map_err(broken)?;
        self.sent.clear();
        Ok(())
    }
}

fn broken(error: io::Error) -> SinkError {
    let tls = error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>());
    if tls {
        return SinkError::Tls(error.to_string());
    }
    if matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    ) {
        return SinkError::Silent("the server reads nothing".into());
    }
    SinkError::Write(error)
}

fn tcp(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(socket) => {
                socket.set_write_timeout(Some(WRITE))?;
                socket.set_read_timeout(Some(WRITE))?;
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
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

pub(super) fn unix(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_write_timeout(Some(WRITE))?;
    Ok(socket)
}
