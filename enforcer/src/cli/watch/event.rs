//! Events as people see them.

use serde_json::Value;

use crate::policy::Color;

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Something was refused, held, or would have been.
    Violation(Violation),
    /// Something happened to the daemon.
    Daemon {
        /// When, RFC 3339.
        at: String,
        /// What, as `event.action` has it.
        action: String,
    },
    /// This many events were missed, because whoever watches is too slow.
    Missed(u64),
}

/// Refusals of one flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violation {
    /// When, RFC 3339.
    pub at: String,
    /// `deny`, `would_deny` or `hold`.
    pub verdict: String,
    /// Name of the workload, or its cgroup.
    pub workload: String,
    /// Name and id of the process, where known.
    pub process: String,
    /// Host name if known, else the address.
    pub host: String,
    /// Address, port and protocol.
    pub to: String,
    /// ISO 3166-1 code; `ZZ` for unknown; `-` for special-purpose ranges.
    pub country: String,
    /// Number and name of the autonomous system, where known.
    pub provider: String,
    /// Policy and rule, or the reason where no rule decided.
    pub because: String,
    /// How many packets and calls.
    pub count: u64,
}

impl Told {
    /// Reads an event of the stream; `None` for what is none.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        let event: Value = serde_json::from_slice(line).ok()?;
        if let Some(missed) = event.pointer("/enforcer/missed").and_then(Value::as_u64) {
            return Some(Self::Missed(missed));
        }
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let number = |pointer: &str| event.pointer(pointer).and_then(Value::as_u64);
        let own = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let at = own(text("/@timestamp"));
        let Some(verdict) = text("/enforcer/verdict") else {
            let action = text("/event/action")?.to_owned();
            return Some(Self::Daemon { at, action });
        };
        let address = text("/destination/ip").unwrap_or("?");
        let place = match number("/destination/port") {
            Some(port) if address.contains(':') => format!("[{address}]:{port}"),
            Some(port) => format!("{address}:{port}"),
            None => address.to_owned(),
        };
        let transport = text("/network/transport").unwrap_or("ip");
        let policy = text("/rule/ruleset").zip(text("/rule/name"));
        let workload = text("/enforcer/workload").or(text("/enforcer/workload/name"));
        let special = event.pointer("/enforcer/geo/range").is_some();
        Some(Self::Violation(Violation {
            at,
            verdict: verdict.to_owned(),
            workload: own(workload.or(text("/enforcer/cgroup"))),
            process: match (text("/process/name"), number("/process/pid")) {
                (Some(name), Some(pid)) => format!("{name}({pid})"),
                _ => String::new(),
            },
            host: text("/destination/domain").unwrap_or(address).to_owned(),
            to: format!("{place}/{transport}"),
            country: text("/destination/geo/country_iso_code")
                .unwrap_or(if special { "-" } else { "ZZ" })
                .to_owned(),
            provider: match number("/destination/as/number") {
                Some(number) => {
                    let name = text("/destination/as/organization/name").unwrap_or_default();
                    format!("AS{number} {name}").trim_end().to_owned()
                }
                None => String::new(),
            },
            because: policy.map_or_else(
                || own(text("/event/reason")),
                |(policy, rule)| format!("{policy}/{rule}"),
            ),
            count: number("/enforcer/count").unwrap_or(1),
        }))
    }

    /// One line for people.
    #[must_use]
    pub fn line(&self, color: Color) -> String {
        match self {
            Self::Violation(violation) => violation.line(color),
            Self::Daemon { at, action } => format!("{}  {action}", time(at)),
            Self::Missed(missed) => painted(&format!("{missed} events missed"), "1;33", color),
        }
    }
}

impl Violation {
    fn line(&self, color: Color) -> String {
        let paint = match &*self.verdict {
            "deny" => "1;31",
            "hold" => "1;34",
            _ => "1;33",
        };
        let mut parts = vec![
            time(&self.at).to_owned(),
            painted(&format!("{:<10}", self.verdict), paint, color),
            self.workload.clone(),
            self.process.clone(),
            format!("-> {}", self.to),
        ];
        if !self.to.contains(&self.host) {
            parts.push(format!("({})", self.host));
        }
        parts.extend([
            self.country.clone(),
            self.provider.clone(),
            self.because.clone(),
        ]);
        if self.count > 1 {
            parts.push(format!("x{}", self.count));
        }
        parts.retain(|part| !part.is_empty());
        parts.join("  ")
    }

    /// The time of day.
    #[must_use]
    pub fn time(&self) -> &str {
        time(&self.at)
    }
}

/// Hours, minutes and seconds of RFC 3339.
fn time(at: &str) -> &str {
    let clock = at.split_once('T').map_or(at, |(_, clock)| clock);
    clock.get(..8).unwrap_or(clock)
}

fn painted(text: &str, paint: &str, color: Color) -> String {
    match color {
        Color::Always => format!("\x1b[{paint}m{text}\x1b[0m"),
        Color::Never => text.to_owned(),
    }
}
