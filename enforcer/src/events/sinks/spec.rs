use std::{collections::BTreeMap, path::PathBuf, str::FromStr};

use super::{
    FileOptions, Filter, JournaldSink, LineSink, OtlpGrpcSink, OtlpHttpSink, Sink, SinkError,
    SplunkHecSink, SyslogSink, WebhookSink, http::HttpOptions, journald, splunk_hec::HecOptions,
    syslog::Transport,
};
use crate::events::{encode::Format, record::Observer};

mod options;

use options::Options;

/// What a spool may take on disk unless it is said.
const SPOOL_BYTES: u64 = 256 << 20;

/// A sink as named on the command line or in the settings: `-`, `stdout`, a path, `file:PATH`, or a
/// URL whose scheme says what the receiver is. Options follow a `?`, as in a URL.
///
/// `docs/sinks.md` has them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkSpec {
    name: String,
    kind: Kind,
    format: Format,
    filter: Filter,
    spool: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Stdout,
    File(PathBuf, FileOptions),
    Journald(PathBuf),
    Syslog {
        transport: Transport,
        facility: u8,
    },
    SplunkHec {
        base: String,
        hec: HecOptions,
        http: HttpOptions,
    },
    OtlpHttp {
        base: String,
        http: HttpOptions,
    },
    OtlpGrpc {
        address: String,
        encrypted: bool,
        http: HttpOptions,
    },
    Webhook {
        url: String,
        array: bool,
        http: HttpOptions,
    },
}

/// A sink that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkSpecError {
    /// Nothing was named.
    #[error("event sink is empty: write `-` for standard output, or `file:PATH`")]
    Empty,
    /// `file:` without a path.
    #[error(
        "event sink `file:` has no path: write `file:PATH`, as in `file:/var/log/enforcer.ndjson`"
    )]
    NoPath,
    /// A kind that does not exist, or a file that must be told apart from one.
    #[error(
        "event sink `{0}` is not known: write `-`, `file:PATH`, `syslog+tls://HOST:6514`, \
         `syslog+tcp://`, `syslog+udp://`, `syslog+unix:PATH`, `journald`, `splunk-hec+https://HOST:8088`, \
         `otlp+https://HOST:4318`, `otlp+grpcs://HOST:4317` or `webhook+https://HOST/PATH`; or `file:{0}` if a file is meant"
    )]
    Unknown(String),
    /// A receiver without host or port.
    #[error("event sink `{0}` has no {1}: write `{2}`")]
    Incomplete(String, &'static str, &'static str),
    /// An option that the kind does not have.
    #[error("event sink `{sink}` has no option `{option}`: {known}")]
    UnknownOption {
        /// The sink.
        sink: String,
        /// The option.
        option: String,
        /// Which there are.
        known: String,
    },
    /// An option with a value that it cannot have.
    #[error("event sink `{sink}`: option `{option}` is `{value}`: {expected}")]
    BadValue {
        /// The sink.
        sink: String,
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: String,
    },
}

impl FromStr for SinkSpec {
    type Err = SinkSpecError;

    fn from_str(text: &str) -> Result<Self, SinkSpecError> {
        // In a plain path a question mark is one.
        let scheme = scheme(text);
        let (target, query) = match text.split_once('?') {
            Some((target, query)) if scheme.is_some() || target == "-" => (target, query),
            _ => (text, ""),
        };
        Self::from_parts(target, options::of_query(query))
    }
}

/// What stands before the colon, if that is no part of a path.
fn scheme(text: &str) -> Option<&str> {
    // What options hold is theirs.
    let target = text.split('?').next().unwrap_or_default();
    match target.split_once(':') {
        Some((scheme, _)) if !scheme.contains(['/', '.']) => Some(scheme),
        _ => ["stdout", "journald"]
            .into_iter()
            .find(|known| *known == target),
    }
}

impl SinkSpec {
    /// From the target, as before the `?` of a URL, and the options.
    ///
    /// # Errors
    /// There is no such kind of sink, it has no such option, or an option has a value that it cannot
    /// have.
    pub fn from_parts(
        target: &str,
        options: BTreeMap<String, String>,
    ) -> Result<Self, SinkSpecError> {
        let mut options = Options::new(target, options);
        let (kind, remote, format) = kind(target, &mut options)?;
        let spec = Self {
            name: match &kind {
                Kind::Stdout => "stdout".to_owned(),
                Kind::File(path, _) => path.display().to_string(),
                Kind::Journald(_)
                | Kind::Syslog { .. }
                | Kind::SplunkHec { .. }
                | Kind::OtlpHttp { .. }
                | Kind::OtlpGrpc { .. }
                | Kind::Webhook { .. } => target.to_owned(),
            },
            format: match format {
                own @ (Format::Otlp | Format::Journal) => own,
                Format::Ecs | Format::Ocsf | Format::Cef => options.format(format)?,
            },
            filter: options.filter()?,
            spool: if remote {
                Some(options.bytes("spool")?.unwrap_or(SPOOL_BYTES)).filter(|bytes| *bytes > 0)
            } else {
                None
            },
            kind,
        };
        options.end()?;
        Ok(spec)
    }

    /// Name in messages and metrics.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name of its directory: readable, and different for different sinks.
    #[must_use]
    pub fn slug(&self) -> String {
        let plain = |char: char| {
            if char.is_ascii_alphanumeric() {
                char
            } else {
                '-'
            }
        };
        let readable: String = self.name.chars().map(plain).take(60).collect();
        format!("{readable}-{:08x}", crc32fast::hash(self.name.as_bytes()))
    }

    /// The format that it takes.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Which records it takes.
    #[must_use]
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// How much may wait on disk; `None` where records wait in memory.
    #[must_use]
    pub fn spool_bytes(&self) -> Option<u64> {
        self.spool
    }

    /// Opens it. Receivers on the network are not connected to yet.
    ///
    /// # Errors
    /// Standard output is closed, a file cannot be opened, or a certificate, key or token cannot be
    /// read.
    pub fn open(&self, observer: &Observer) -> Result<Box<dyn Sink>, SinkError> {
        Ok(match &self.kind {
            Kind::Stdout => Box::new(LineSink::stdout()?),
            Kind::File(path, options) => Box::new(LineSink::file(path, *options)?),
            Kind::Journald(path) => Box::new(JournaldSink::new(path)),
            Kind::Syslog {
                transport,
                facility,
            } => Box::new(SyslogSink::new(
                transport,
                *facility,
                self.format,
                observer,
            )?),
            Kind::SplunkHec { base, hec, http } => {
                Box::new(SplunkHecSink::new(base, hec, http, observer)?)
            }
            Kind::OtlpHttp { base, http } => Box::new(OtlpHttpSink::new(base, http, observer)?),
            Kind::OtlpGrpc {
                address,
                encrypted,
                http,
            } => Box::new(OtlpGrpcSink::new(address, *encrypted, http, observer)?),
            Kind::Webhook { url, array, http } => Box::new(WebhookSink::new(url, *array, http)?),
        })
    }
}

/// The kind, whether it is on the network, and its usual format.
fn kind(target: &str, options: &mut Options) -> Result<(Kind, bool, Format), SinkSpecError> {
    let unknown = || SinkSpecError::Unknown(target.to_owned());
    let Some(scheme) = scheme(target) else {
        return match target {
            "" => Err(SinkSpecError::Empty),
            "-" => Ok((Kind::Stdout, false, Format::Ecs)),
            path => Ok((Kind::File(path.into(), options.file()?), false, Format::Ecs)),
        };
    };
    let rest = target.strip_prefix(scheme).unwrap_or_default();
    let rest = rest.strip_prefix(':').unwrap_or_default();
    let authority = rest.strip_prefix("//");
    let url = |protocol: &str| {
        let host = authority.filter(|host| !host.is_empty());
        host.map(|rest| format!("{protocol}://{rest}"))
            .ok_or_else(|| {
                SinkSpecError::Incomplete(target.to_owned(), "host", "SCHEME://HOST:PORT")
            })
    };
    let address = || match authority {
        Some(authority)
            if authority
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) =>
        {
            Ok(authority.to_owned())
        }
        _ => Err(SinkSpecError::Incomplete(
            target.to_owned(),
            "host and port",
            "SCHEME://HOST:PORT",
        )),
    };
    let kind = match scheme {
        "stdout" => return Ok((Kind::Stdout, false, Format::Ecs)),
        "file" if rest.is_empty() => return Err(SinkSpecError::NoPath),
        "file" => {
            let kind = Kind::File(rest.into(), options.file()?);
            return Ok((kind, false, Format::Ecs));
        }
        "journald" if rest.is_empty() => Kind::Journald(journald::SOCKET.into()),
        "journald" => Kind::Journald(rest.into()),
        "syslog+unix" if rest.is_empty() => return Err(SinkSpecError::NoPath),
        "syslog+unix" => syslog(Transport::Unix(rest.into()), options)?,
        "syslog+udp" => syslog(Transport::Udp(address()?), options)?,
        "syslog+tcp" => syslog(Transport::Tcp(address()?, options.timeout()?), options)?,
        "syslog+tls" => syslog(
            Transport::Tls(address()?, options.timeout()?, options.tls()?),
            options,
        )?,
        "splunk-hec+https" | "splunk-hec+http" => Kind::SplunkHec {
            base: url(protocol(scheme))?,
            hec: options.hec()?,
            http: options.http()?,
        },
        "otlp+https" | "otlp+http" => Kind::OtlpHttp {
            base: url(protocol(scheme))?,
            http: options.http()?,
        },
        "otlp+grpcs" | "otlp+grpc" => Kind::OtlpGrpc {
            address: address()?,
            encrypted: scheme == "otlp+grpcs",
            http: options.http()?,
        },
        "webhook+https" | "webhook+http" => Kind::Webhook {
            url: url(protocol(scheme))?,
            array: options.choice("body", &["lines", "array"])? == Some(1),
            http: options.http()?,
        },
        _ => return Err(unknown()),
    };
    let format = match &kind {
        Kind::Syslog { .. } => Format::Cef,
        Kind::OtlpHttp { .. } | Kind::OtlpGrpc { .. } => Format::Otlp,
        Kind::Journald(_) => Format::Journal,
        Kind::Stdout | Kind::File(..) | Kind::SplunkHec { .. } | Kind::Webhook { .. } => {
            Format::Ecs
        }
    };
    Ok((kind, true, format))
}

fn protocol(scheme: &str) -> &str {
    scheme.rsplit_once('+').map_or(scheme, |(_, last)| last)
}

fn syslog(transport: Transport, options: &mut Options) -> Result<Kind, SinkSpecError> {
    Ok(Kind::Syslog {
        transport,
        facility: options.facility()?,
    })
}

#[cfg(test)]
mod tests;
