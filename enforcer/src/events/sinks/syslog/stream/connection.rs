//! A connection to a syslog server, with or without TLS.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream, ToSocketAddrs as _},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use crate::events::sinks::SinkError;

const CONNECT: Duration = Duration::from_secs(10);
/// A server that takes nothing for so long is given up.
const WRITE: Duration = Duration::from_secs(10);

pub(super) enum Connection {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub(super) fn open(address: &str, tls: Option<&Arc<ClientConfig>>) -> Result<Self, SinkError> {
        let socket = tcp(address).map_err(SinkError::Connect)?;
        let Some(config) = tls else {
            return Ok(Self::Plain(socket));
        };
        let host = address.rsplit_once(':').map_or("", |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| SinkError::Tls(error.to_string()))?;
        let session = ClientConnection::new(Arc::clone(config), name)
            .map_err(|error| SinkError::Tls(error.to_string()))?;
        let mut stream = StreamOwned::new(session, socket);
        // A write would do it too, and lose what went wrong.
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(broken)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Tells the server that nothing follows.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            stream.flush()?;
        }
        self.socket().shutdown(Shutdown::Write)
    }

    /// Whether the server has ended the connection, or does within `patience`. Servers say nothing
    /// else.
    pub(super) fn ended(&mut self, patience: Duration) -> io::Result<bool> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            self.socket().set_nonblocking(left.is_zero())?;
            if !left.is_zero() {
                self.socket().set_read_timeout(Some(left))?;
            }
            let mut said = [0; 512];
            let outcome = match self {
                Self::Plain(socket) => socket.read(&mut said),
                Self::Tls(stream) => stream.read(&mut said),
            };
            self.socket().set_nonblocking(false)?;
            match outcome {
                Ok(0) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Without the farewell of TLS.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(true),
                Err(error) if late(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
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

fn late(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

pub(super) fn broken(error: io::Error) -> SinkError {
    let tls = error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>());
    if tls {
        return SinkError::Tls(error.to_string());
    }
    if late(&error) {
        return SinkError::Silent("the server reads nothing".into());
    }
    SinkError::Write(error)
}
