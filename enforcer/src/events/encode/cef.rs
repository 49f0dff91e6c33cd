//! Common Event Format of ArcSight (implementation standard, revision 25): one line a record.
//!
//! The format has no keys for a country, an autonomous system or a policy: they are custom strings
//! and numbers, each with its label. Custom fields of address type are left alone: readers disagree
//! about the names of their labels.

use std::fmt::{self, Write as _};

use jiff::Timestamp;

use super::{
    ecs::{action, reason},
    json::disturbs,
    text::{Sentence, place, pod_of, workload},
    transport,
};
use crate::events::record::{Facts, Finding, Observer, Outcome, Record, Severity, Violation, ip};

/// Encodes records of one run.
#[derive(Clone, Debug)]
pub struct Encoder {
    observer: Observer,
}

impl Encoder {
    /// An encoder that signs as `observer`.
    #[must_use]
    pub fn new(observer: &Observer) -> Self {
        Self {
            observer: observer.clone(),
        }
    }

    /// Appends the record as one line, line feed included.
    pub fn encode(&mut self, record: &Record, sequence: u64, out: &mut Vec<u8>) {
        let action = action(record);
        let mut line = Line {
            out,
            extension: false,
        };
        line.raw("CEF:0|enforcer|enforcer|");
        line.header(self.observer.version);
        line.header(action);
        line.header(headline(record));
        line.header(severity(record.severity()));
        line.key("rt", milliseconds(record.at()));
        line.key("externalId", sequence);
        line.key("dvchost", &self.observer.host);
        line.key("act", action);
        line.key("msg", Sentence(record));
        match record {
            Record::Violation(violation) => write_violation(&mut line, violation),
            Record::Finding(finding) => write_finding(&mut line, finding),
            Record::Daemon(..) => line.key("cat", "enforcer.daemon"),
        }
        line.custom("cs6", "Stream", &self.observer.stream);
        line.out.push(b'\n');
    }
}

fn write_violation(line: &mut Line<'_>, violation: &Violation) {
    line.key("cat", "enforcer.violation");
    write_span(line, violation.start, violation.end, violation.count);
    if violation.bytes > 0 {
        line.key("out", clamped(violation.bytes));
    }
    write_facts(line, &violation.facts);
    if let Some(database) = &violation.facts.destination.place.database
        && database.build_epoch().is_some()
    {
        let age = database.age_days(violation.end);
        line.custom("cn3", "GeoDatabaseAgeDays", age);
    }
}

fn write_finding(line: &mut Line<'_>, finding: &Finding) {
    line.key("cat", "enforcer.finding");
    write_span(line, finding.start, finding.end, finding.count);
    write_facts(line, &finding.facts);
    line.custom("cn3", "Evidence", finding.evidence);
}

fn write_span(line: &mut Line<'_>, start: Timestamp, end: Timestamp, count: u64) {
    line.key("start", milliseconds(start));
    line.key("end", milliseconds(end));
    line.key("cnt", clamped(count));
}

fn write_facts(line: &mut Line<'_>, facts: &Facts) {
    let destination = &facts.destination;
    line.key("outcome", outcome(facts.outcome));
    line.key("reason", reason(facts));
    line.key("deviceDirection", 1);
    match transport(destination.proto) {
        Some(name) => line.key("proto", name),
        None => line.key("proto", destination.proto.0),
    }
    line.key("dst", ip(destination.addr));
    if let Some(port) = destination.port {
        line.key("dpt", port.0);
    }
    line.maybe("dhost", destination.names.domain.as_deref());
    if let Some(source) = facts.source {
        if let Some(addr) = source.addr {
            line.key("src", ip(addr));
        }
        if let Some(port) = source.port {
            line.key("spt", port.0);
        }
    }
    write_process(line, facts);
    line.custom("cs1", "DestinationCountry", place(facts));
    if let Some(rule) = &facts.rule {
        line.custom(
            "cs2",
            "Policy",
            format_args!("{}/{}", rule.policy, rule.rule),
        );
        line.custom("cs4", "LegalBasis", rule.legal_basis.join(","));
    }
    match pod_of(facts) {
        Some((namespace, pod)) => line.custom("cs3", "Workload", format_args!("{namespace}/{pod}")),
        None => line.custom("cs3", "Workload", workload(facts)),
    }
    if let Some(database) = &destination.place.database {
        line.custom("cs5", "GeoDatabase", &database.name);
    }
    if let Some(asn) = destination.place.asn {
        line.custom("cn1", "DestinationASN", asn.0);
    }
    line.custom("cn2", "Generation", facts.generation);
}

fn write_process(line: &mut Line<'_>, facts: &Facts) {
    let Some(process) = &facts.process else {
        return;
    };
    line.key("spid", process.pid);
    line.key("sproc", process.name.to_text());
    line.key("suid", process.uid);
    if let Some(image) = &process.image {
        line.maybe("filePath", image.executable.as_deref());
    }
}

fn headline(record: &Record) -> &'static str {
    match record {
        Record::Violation(violation) => match violation.facts.outcome {
            Outcome::Denied => "Connection denied",
            Outcome::WouldDeny => "Connection would be denied",
            Outcome::Held => "Connection held",
            Outcome::Allowed => "Connection allowed",
            Outcome::Unknown => "Connection judged",
        },
        Record::Finding(_) => "Denied again and again",
        Record::Daemon(..) => "Enforcer",
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Denied | Outcome::Held => "failure",
        Outcome::WouldDeny | Outcome::Allowed => "success",
        Outcome::Unknown => "unknown",
    }
}

/// 0 to 10.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "1",
        Severity::Low => "3",
        Severity::Medium => "5",
        Severity::High => "8",
    }
}

/// These keys are integers of 32 bits.
fn clamped(count: u64) -> u64 {
    count.min(i32::MAX as u64)
}

fn milliseconds(at: Timestamp) -> i64 {
    at.as_millisecond()
}

struct Line<'a> {
    out: &'a mut Vec<u8>,
    /// Something stands in the extension.
    extension: bool,
}

impl Line<'_> {
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn header(&mut self, value: &str) {
        // Writing to memory cannot fail.
        let _ = Escaping::header(self.out).write_str(value);
        self.out.push(b'|');
    }

    fn key(&mut self, key: &str, value: impl fmt::Display) {
        if self.extension {
            self.out.push(b' ');
        }
        self.extension = true;
        self.raw(key);
        self.out.push(b'=');
        let _ = write!(Escaping::value(self.out), "{value}");
    }

    fn maybe(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.key(key, value);
        }
    }

    /// A custom field and what it means.
    fn custom(&mut self, key: &str, label: &str, value: impl fmt::Display) {
        self.key(&format!("{key}Label"), label);
        self.key(key, value);
    }
}

/// In the header `|` and `\` are escaped, in values `=`, `\` and line ends. What else would end a line
/// somewhere, or reorder it on a screen, becomes a blank.
struct Escaping<'a> {
    out: &'a mut Vec<u8>,
    delimiter: char,
}

impl<'a> Escaping<'a> {
    fn header(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            delimiter: '|',
        }
    }

    fn value(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            delimiter: '=',
        }
    }
}

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            match char {
                '\\' => self.out.extend_from_slice(b"\\\\"),
                '\n' if self.delimiter == '=' => self.out.extend_from_slice(b"\\n"),
                '\r' if self.delimiter == '=' => self.out.extend_from_slice(b"\\r"),
                _ if char == self.delimiter => {
                    self.out.push(b'\\');
                    self.out.push(char as u8);
                }
                _ if disturbs(char) => self.out.push(b' '),
                _ => self
                    .out
                    .extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Ok(())
    }
}
