//! The probe: a client that tries every way out it is told to, and says what happened.
//!
//! Each argument is one attempt; each attempt gives one line of JSON, an [`Outcome`]. An attempt that
//! is refused is an outcome, not an error: the exit status is 0 whenever the arguments made sense.
//!
//! ```text
//! tcp4|tcp6|mptcp|fastopen|io_uring ADDR:PORT     connect, send, await the echo
//! sctp ADDR:PORT                                  the same, where the kernel has SCTP
//! udp|udpc|sendmmsg|bigudp|udplite ADDR:PORT      send a datagram, await the echo
//! ping|rawping ADDR                               ICMP echo through a ping socket, a raw socket
//! raw4|raw6 ADDR PROTO                            a packet of that IP protocol through a raw socket
//! raw-hdrincl ADDR [VIA]                          own IPv4 header, loose source route through VIA
//! rawfrag ADDR                                    a fragment that is not the first
//! rawopts ADDR:PORT                               UDP behind IPv6 hop-by-hop and destination options
//! rthdr ADDR VIA                                  IPv6 routing header through VIA
//! packet ADDR                                     a frame through a packet socket
//! packet-bypass|packet-vlan|packet-mpls ADDR      the same past the queue, with a VLAN tag, with a label
//! packet-xdp ADDR                                 the same frame through AF_XDP
//! tun ADDR                                        a packet from a tun device that is made for it
//! handed PATH                                     through a socket that is handed over at this unix socket
//! listen|udp-listen PORT                          wait for one client and echo
//! udp-late PORT                                   answer one datagram, when a line is read
//! reuse-listener|reuse-accepted|reuse-fastopen PORT ADDR:PORT
//!                                                 wait for one client, then connect from that socket
//! spoof-udp|spoof-syn FROM:PORT OWN               a packet to oneself, answered where it claims to be from
//! hold|udp-hold ADDR:PORT                         connect, then send once for each line of input
//! ```
//! IPv6 addresses with a port stand in brackets. `tcp6` takes `[::ffff:a.b.c.d]:PORT` too.

mod attempt;
mod handed;
mod outcome;
mod packet;
mod raw;
mod reuse;
mod serve;
mod spoof;
mod tcp;
mod tun;
mod udp;
mod uring;
mod xdp;

use std::{
    io::{self, BufRead, Write},
    time::{Duration, Instant},
};

use attempt::Spoof;

pub use attempt::Attempt;
pub use outcome::{Failure, Outcome, Step};

/// How attempts are made.
#[derive(Clone, Debug)]
pub struct Options {
    /// No wait is longer.
    pub timeout: Duration,
    /// What packets carry, so that a recorder knows them.
    pub marker: String,
}

/// Makes each attempt in turn and writes its outcomes to `output`.
///
/// # Errors
/// `output` or `input` cannot be used. Refused attempts are outcomes.
pub fn run(
    attempts: &[Attempt],
    options: &Options,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> io::Result<()> {
    for attempt in attempts {
        let mut report = Report {
            attempt,
            started: Instant::now(),
            output,
        };
        match attempt {
            Attempt::Hold { to } => {
                serve::hold(serve::Held::Tcp(*to), options, input, &mut report)?;
            }
            Attempt::UdpHold { to } => {
                serve::hold(serve::Held::Udp(*to), options, input, &mut report)?;
            }
            Attempt::Listen { port } => serve::listen(*port, options, &mut report)?,
            Attempt::UdpListen { port } => serve::udp_listen(*port, options, &mut report)?,
            Attempt::UdpLate { port } => serve::udp_late(*port, options, input, &mut report)?,
            Attempt::Reuse { how, port, to } => {
                reuse::attempt(*how, *port, *to, options, &mut report)?;
            }
            Attempt::Spoof { how, from, own } => report.line(match how {
                Spoof::Udp => spoof::udp(*from, *own, options),
                Spoof::Syn => spoof::syn(*from, *own),
            })?,
            Attempt::Stream { how, to } => report.line(tcp::attempt(*how, *to, options))?,
            Attempt::Uring { to } => report.line(uring::attempt(*to, options))?,
            Attempt::Datagram { how, to } => report.line(udp::attempt(*how, *to, options))?,
            Attempt::Ping { how, to } => report.line(raw::ping(*how, *to, options))?,
            Attempt::Raw { to, proto } => report.line(raw::plain(*to, *proto, options))?,
            Attempt::HdrIncl { to, via } => report.line(raw::own_header(*to, *via, options))?,
            Attempt::Fragment { to } => report.line(raw::fragment(*to, options))?,
            Attempt::Options { to } => report.line(raw::behind_options(*to, options))?,
            Attempt::RoutingHeader { to, via } => {
                report.line(raw::routing_header(*to, *via, options))?;
            }
            Attempt::Packet { how, to } => report.line(packet::attempt(*how, *to, options))?,
            Attempt::Handed { at } => report.line(handed::attempt(at, options))?,
            Attempt::Tun { to } => report.line(tun::attempt(*to, options))?,
        }
    }
    Ok(())
}

/// Where the outcomes of one attempt go.
struct Report<'a, W> {
    attempt: &'a Attempt,
    started: Instant,
    output: &'a mut W,
}

impl<W: Write> Report<'_, W> {
    /// Writes one outcome: `Ok(reply)`, or what failed.
    fn line(&mut self, result: Result<bool, Failure>) -> io::Result<()> {
        let outcome = Outcome::new(self.attempt, result, self.started.elapsed());
        self.write(&outcome)
    }

    /// Says that from now on a client is answered.
    fn ready(&mut self) -> io::Result<()> {
        self.write(&Outcome::ready(self.attempt))
    }

    fn write(&mut self, outcome: &Outcome) -> io::Result<()> {
        serde_json::to_writer(&mut *self.output, outcome)?;
        self.output.write_all(b"\n")?;
        self.output.flush()?;
        self.started = Instant::now();
        Ok(())
    }
}
