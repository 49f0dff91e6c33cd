//! Syslog: messages of RFC 5424 over datagrams (RFC 5426, Unix), TCP (RFC 6587, octet counting) and
//! TLS (RFC 5425).

use std::{
    io::{self, Write as _},
    net::UdpSocket,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    time::Duration,
};

use jiff::Timestamp;

use super::{Settled, Sink, SinkError, Stopped, tls::TlsOptions};
use crate::events::{
    batch::{Batch, Item},
    encode::Format,
    record::{Observer, Severity},
};

mod stream;

use stream::Stream;
pub(super) use stream::unix as connect_unix;

/// How messages travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram each; lost ones are not noticed.
    Udp(String),
    /// A datagram each, to a socket of this machine such as `/dev/log`.
    Unix(PathBuf),
    /// `HOST:PORT`, and how long the server may take to read what is left when the connection is ended.
    Tcp(String, Duration),
    /// The same; the certificate must be for that host.
    Tls(String, Duration, TlsOptions),
}

/// Sends messages to a syslog server.
pub struct SyslogSink {
    way: Way,
    facility: u8,
    /// Host, application, process and message id, with the blanks around them.
    sender: String,
    buffer: Vec<u8>,
}

enum Way {
    Udp(String, Option<UdpSocket>),
    Unix(PathBuf, Option<UnixDatagram>),
    Stream(Box<Stream>),
}

impl SyslogSink {
    /// A sink that sends with this facility (RFC 5424 section 6.2.1).
    ///
    /// # Errors
    /// A certificate or key cannot be read.
    pub fn new(
        transport: &Transport,
        facility: u8,
        format: Format,
        observer: &Observer,
    ) -> Result<Self, SinkError> {
        let way = match transport {
            Transport::Udp(address) => Way::Udp(address.clone(), None),
            Transport::Unix(path) => Way::Unix(path.clone(), None),
            Transport::Tcp(address, farewell) => {
                Way::Stream(Box::new(Stream::plain(address, *farewell)))
            }
            Transport::Tls(address, farewell, options) => {
                Way::Stream(Box::new(Stream::tls(address, *farewell, options)?))
            }
        };
        let format = Format::CHOICES
            .iter()
            .find(|(known, _)| *known == format)
            .map_or("-", |(_, name)| *name);
        let sender = format!(
            " {} enforcer {} {format} - ",
            host(&observer.host),
            std::process::id()
        );
        Ok(Self {
            way,
            facility,
            sender,
            buffer: Vec::new(),
        })
    }

    fn write_message(&self, item: Item<'_>, out: &mut Vec<u8>) {
        let priority = self.facility * 8 + severity(item.severity);
        let at = Timestamp::from_nanosecond(item.at_ns.into()).unwrap_or(Timestamp::UNIX_EPOCH);
        // The RFC allows six digits of a second. Writing to memory cannot fail.
        let _ = write!(out, "<{priority}>1 {at:.6}{}", self.sender);
        out.extend_from_slice(item.text());
    }

    /// Sends one datagram for each record.
    fn send_each(
        &mut self,
        batch: &Batch,
        send: impl Fn(&[u8]) -> io::Result<usize>,
    ) -> Result<(), Stopped> {
        let mut message = std::mem::take(&mut self.buffer);
        let mut outcome = Ok(());
        for (sent, item) in batch.items().enumerate() {
            message.clear();
            self.write_message(item, &mut message);
            if let Err(error) = send(&message) {
                let error = if error.raw_os_error() == Some(libc::EMSGSIZE) {
                    SinkError::Refused {
                        status: 0,
                        text: "longer than a datagram: use TCP or TLS".into(),
                    }
                } else {
                    SinkError::Write(error)
                };
                outcome = Err(Stopped { sent, error });
                break;
            }
        }
        self.buffer = message;
        outcome
    }
}

/// A name as the header allows it: 1 to 255 visible ASCII characters (RFC 5424 section 6).
fn host(name: &str) -> String {
    let visible: String = name
        .chars()
        .filter(char::is_ascii_graphic)
        .take(255)
        .collect();
    if visible.is_empty() {
        "-".to_owned()
    } else {
        visible
    }
}

/// RFC 5424 section 6.2.1.
pub(super) fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 6,
        Severity::Low => 5,
        Severity::Medium => 4,
        Severity::High => 3,
    }
}

impl Sink for SyslogSink {
    fn send(&mut self, batch: &Batch) -> Result<(), Stopped> {
        let lost = |error| SinkError::Connect(error);
        match &mut self.way {
            Way::Udp(address, socket) => {
                let connected = match socket.take() {
                    Some(connected) => connected,
                    None => stream::udp(address).map_err(lost)?,
                };
                let outcome = self.send_each(batch, |message| connected.send(message));
                if let (Way::Udp(_, socket), true) = (&mut self.way, keeps(&outcome)) {
                    *socket = Some(connected);
                }
                outcome
            }
            Way::Unix(path, socket) => {
                let connected = match socket.take() {
                    Some(connected) => connected,
                    None => stream::unix(path).map_err(lost)?,
                };
                let outcome = self.send_each(batch, |message| connected.send(message));
                if let (Way::Unix(_, socket), true) = (&mut self.way, keeps(&outcome)) {
                    *socket = Some(connected);
                }
                outcome
            }
            Way::Stream(_) => {
                let Some(last) = batch.last() else {
                    return Ok(());
                };
                let mut frames = std::mem::take(&mut self.buffer);
                frames.clear();
                let mut message = Vec::new();
                for item in batch.items() {
                    message.clear();
                    self.write_message(item, &mut message);
                    let _ = write!(frames, "{} ", message.len());
                    frames.extend_from_slice(&message);
                }
                let outcome = match &mut self.way {
                    Way::Stream(stream) => stream.send(&frames, last),
                    Way::Udp(..) | Way::Unix(..) => Ok(()),
                };
                self.buffer = frames;
                Ok(outcome?)
            }
        }
    }

    fn settled(&mut self) -> Result<Settled, SinkError> {
        match &mut self.way {
            Way::Stream(stream) => stream.settled(),
            Way::Udp(..) | Way::Unix(..) => Ok(Settled::All),
        }
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        match &mut self.way {
            Way::Stream(stream) => stream.finish(),
            Way::Udp(..) | Way::Unix(..) => Ok(()),
        }
    }
}

/// A message that is too long says nothing about the socket.
fn keeps(outcome: &Result<(), Stopped>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(stopped) => matches!(stopped.error, SinkError::Refused { .. }),
    }
}

#[cfg(test)]
mod tests;
