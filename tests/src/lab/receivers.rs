//! Receivers of events, on loopback: programs as they are run in production, and one that misbehaves
//! when it is told to. `cargo xtask setup` puts the programs below `target/receivers`.

mod arrivals;
mod certificates;
mod hec;
mod http;
mod listener;
mod otlp;
mod process;
mod rotel;
mod source;
mod syslog;
mod syslog_frames;
mod tls_front;
mod webhook;

pub use arrivals::Arrivals;
pub use certificates::Certificates;
pub use hec::Hec;
pub use http::{Answer, Http, Request, Service};
pub use listener::{Listener, Mood, Protocol, Traffic};
pub use otlp::Otlp;
pub use rotel::Rotel;
pub use source::{Report, Source};
pub use syslog::{Flavour, SyslogServer};
pub use syslog_frames::SyslogFrames;
pub use tls_front::TlsFront;
pub use webhook::Webhook;
