//! What is tried, and what became of it.

use std::{fmt, net::SocketAddr};

use enforcer_tests::{lab::Recorder, probe::Outcome};

use crate::place::{Place, Side};

/// How the network is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Connect,
    SendTo,
    Ping,
}

/// One way to one address.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) way: Way,
    pub(crate) place: Place,
}

/// Every way to every place.
pub(crate) fn all(places: &[Place]) -> Vec<Attempt> {
    let ways = [Way::Connect, Way::SendTo, Way::Ping];
    ways.into_iter()
        .flat_map(|way| {
            let attempt = move |place: &Place| Attempt {
                way,
                place: place.clone(),
            };
            places.iter().map(attempt)
        })
        .collect()
}

impl Attempt {
    /// As the probe takes it.
    pub(crate) fn words(&self) -> String {
        let kind = match self.way {
            Way::Connect if self.place.address.is_ipv4() => "tcp4",
            Way::Connect => "tcp6",
            Way::SendTo => "udp",
            Way::Ping => "ping",
        };
        format!("{kind} {}", self.destination())
    }

    /// Whether this is what the policy wants.
    pub(crate) fn is_right(&self, verdict: &Verdict) -> bool {
        match self.place.side {
            Side::Inside => *verdict == Verdict::Answered,
            // The kernel tells no error to those who ping over IPv6, whoever drops the packet.
            Side::Outside if self.way == Way::Ping => {
                matches!(verdict, Verdict::Refused | Verdict::Dropped)
            }
            Side::Outside => *verdict == Verdict::Refused,
        }
    }

    /// `network.transport` of its events.
    pub(crate) fn transport(&self) -> &'static str {
        match self.way {
            Way::Connect => "tcp",
            Way::SendTo => "udp",
            Way::Ping if self.place.address.is_ipv4() => "icmp",
            Way::Ping => "ipv6-icmp",
        }
    }

    fn destination(&self) -> String {
        let port = match self.way {
            Way::Connect => 443,
            Way::SendTo => 53,
            Way::Ping => return self.place.address.to_string(),
        };
        SocketAddr::new(self.place.address, port).to_string()
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::Connect => "TCP connect",
            Way::SendTo => "UDP sendto",
            Way::Ping => "ping",
        };
        write!(f, "{way:<11}  {:<18}", self.destination())
    }
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Answered,
    /// The system call said EPERM, and no packet arrived.
    Refused,
    /// The system call said nothing, but no packet arrived.
    Dropped,
    /// None of these: what it was instead.
    Otherwise(String),
}

impl Verdict {
    pub(crate) fn of(outcome: &Outcome, recorder: &Recorder<'_>) -> anyhow::Result<Self> {
        if outcome.reply {
            return Ok(Self::Answered);
        }
        let place = outcome.to.parse().map(|to: SocketAddr| to.ip());
        let place = place.or_else(|_| outcome.to.parse())?;
        let arrived = recorder.arrived_at(place)?.len();
        Ok(match (outcome.errno_name.as_deref(), arrived) {
            (Some("EPERM"), 0) => Self::Refused,
            (None, 0) => Self::Dropped,
            (error, arrived) => Self::Otherwise(format!(
                "no answer, {}, {arrived} packets arrived",
                error.unwrap_or("no error")
            )),
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answered => "answered",
            Self::Refused => "refused: EPERM, and no packet arrived",
            Self::Dropped => "dropped: no packet arrived",
            Self::Otherwise(what) => what,
        })
    }
}
