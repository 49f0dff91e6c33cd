//! A server that behaves as it is told.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

/// How a receiver behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Takes,
    /// It accepts connections, and neither reads nor answers.
    Silent,
    /// It answers with this HTTP status, and `Retry-After` in seconds.
    Busy(u16, Option<u64>),
    /// It ends every connection with a reset as soon as something arrives.
    Resets,
}

/// A connection, with or without TLS.
pub trait Traffic: Read + Write + Send {}
impl<T: Read + Write + Send> Traffic for T {}

/// What is spoken on a connection.
pub trait Protocol: Send + Sync + 'static {
    /// Serves one connection to its end. `mood` is to be asked before each answer.
    ///
    /// # Errors
    /// The connection is to be reset.
    fn serve(&self, connection: &mut dyn Traffic, mood: &dyn Fn() -> Mood) -> io::Result<()>;
}

/// A server on a port of loopback. Stopped on drop.
pub struct Listener {
    address: SocketAddr,
    protocol: Arc<dyn Protocol>,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    mood: Mood,
    tls: Option<Arc<ServerConfig>>,
    stopped: bool,
    accepted: u64,
    connections: HashMap<u64, TcpStream>,
}

impl Listener {
    /// Listens, with TLS if `tls` is given.
    ///
    /// # Errors
    /// There is no port.
    pub fn start(protocol: impl Protocol, tls: Option<Arc<ServerConfig>>) -> anyhow::Result<Self> {
        let socket = TcpListener::bind("127.0.0.1:0").context("a port of loopback")?;
        let mut listener = Self {
            address: socket.local_addr()?,
            protocol: Arc::new(protocol),
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    mood: Mood::Takes,
                    tls,
                    stopped: false,
                    accepted: 0,
                    connections: HashMap::new(),
                }),
                changed: Condvar::new(),
            }),
            accepting: None,
        };
        listener.accept(socket);
        Ok(listener)
    }

    /// Listens on the same port again.
    ///
    /// # Errors
    /// Somebody else has taken it.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop();
        let socket = TcpListener::bind(self.address).context("the port of before")?;
        self.shared.state().stopped = false;
        self.accept(socket);
        Ok(())
    }

    fn accept(&mut self, socket: TcpListener) {
        let (shared, protocol) = (Arc::clone(&self.shared), Arc::clone(&self.protocol));
        self.accepting = Some(thread::spawn(move || {
            for connection in socket.incoming().map_while(Result::ok) {
                if !serve(&shared, &protocol, connection) {
                    return;
                }
            }
        }));
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there were.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.state().accepted
    }

    /// Changes how it behaves, from the next answer on. What was kept waiting is ended.
    pub fn behave(&self, mood: Mood) {
        self.shared.state().mood = mood;
        self.shared.changed.notify_all();
    }

    /// Presents another certificate, from the next connection on.
    pub fn present(&self, tls: Arc<ServerConfig>) {
        self.shared.state().tls = Some(tls);
    }

    /// Ends it and every connection. Nobody listens on the port then.
    pub fn stop(&mut self) {
        let Some(accepting) = self.accepting.take() else {
            return;
        };
        {
            let mut state = self.shared.state();
            state.stopped = true;
            for (_, connection) in state.connections.drain() {
                // It may have ended.
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
        self.shared.changed.notify_all();
        // So that `accept` returns once more.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        let _ = accepting.join();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Says whether to accept another one.
fn serve(shared: &Arc<Shared>, protocol: &Arc<dyn Protocol>, connection: TcpStream) -> bool {
    let (shared, protocol) = (Arc::clone(shared), Arc::clone(protocol));
    let (number, tls) = {
        let mut state = shared.state();
        if state.stopped {
            return false;
        }
        let Ok(second) = connection.try_clone() else {
            return true;
        };
        state.accepted += 1;
        let number = state.accepted;
        state.connections.insert(number, second);
        (number, state.tls.clone())
    };
    thread::spawn(move || {
        if converse(&shared, &*protocol, &connection, tls).is_err() {
            // Whoever waits hears of it at once, with whatever was not read.
            let _ = SockRef::from(&connection).set_linger(Some(Duration::ZERO));
        }
        shared.state().connections.remove(&number);
    });
    true
}

fn converse(
    shared: &Shared,
    protocol: &dyn Protocol,
    connection: &TcpStream,
    tls: Option<Arc<ServerConfig>>,
) -> io::Result<()> {
    let mood = || shared.wait_while_silent();
    mood();
    match tls {
        None => protocol.serve(&mut &*connection, &mood),
        Some(tls) => {
            let session = ServerConnection::new(tls).map_err(io::Error::other)?;
            protocol.serve(&mut StreamOwned::new(session, connection), &mood)
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server that was stopped takes nothing any more.
    fn wait_while_silent(&self) -> Mood {
        let mut state = self.state();
        while state.mood == Mood::Silent && !state.stopped {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped {
            Mood::Resets
        } else {
            state.mood
        }
    }
}
