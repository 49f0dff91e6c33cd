//! Options of sinks, taken one by one: what is left in the end does not exist.

use std::{collections::BTreeMap, time::Duration};

use percent_encoding::percent_decode_str;

use super::SinkSpecError;
use crate::events::{
    encode::Format,
    record::Severity,
    sinks::{
        FileOptions, Filter, filter::VERDICTS, http::HttpOptions, splunk_hec::HecOptions,
        tls::TlsOptions,
    },
};

/// Names of facilities and their numbers (RFC 5424 section 6.2.1) that a program may use.
const FACILITIES: [(&str, u8); 11] = [
    ("user", 1),
    ("daemon", 3),
    ("auth", 4),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// How long a receiver may take unless it is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// `name=value&name=value`, percent-encoded.
pub(super) fn of_query(query: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, "true"));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// The options of one sink.
pub(super) struct Options {
    sink: String,
    left: BTreeMap<String, String>,
    asked: Vec<&'static str>,
}

impl Options {
    pub(super) fn new(sink: &str, given: BTreeMap<String, String>) -> Self {
        Self {
            sink: sink.to_owned(),
            left: given,
            asked: Vec::new(),
        }
    }

    /// What is left is not known.
    pub(super) fn end(self) -> Result<(), SinkSpecError> {
        match self.left.into_keys().next() {
            None => Ok(()),
            Some(option) => Err(SinkSpecError::UnknownOption {
                sink: self.sink,
                option,
                known: format!("it has {}", self.asked.join(", ")),
            }),
        }
    }

    fn take(&mut self, option: &'static str) -> Option<String> {
        self.asked.push(option);
        self.left.remove(option)
    }

    fn bad(&self, option: &'static str, value: String, expected: &str) -> SinkSpecError {
        SinkSpecError::BadValue {
            sink: self.sink.clone(),
            option,
            value,
            expected: expected.to_owned(),
        }
    }

    fn list(&mut self, option: &'static str) -> Vec<String> {
        let value = self.take(option).unwrap_or_default();
        let names = value.split(',').map(str::trim);
        names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn flag(&mut self, option: &'static str) -> Result<bool, SinkSpecError> {
        match self.take(option) {
            None => Ok(false),
            Some(value) => value
                .parse()
                .map_err(|_| self.bad(option, value, "write `true` or `false`")),
        }
    }

    /// Which of `choices` it is.
    pub(super) fn choice(
        &mut self,
        option: &'static str,
        choices: &[&str],
    ) -> Result<Option<usize>, SinkSpecError> {
        let Some(value) = self.take(option) else {
            return Ok(None);
        };
        match choices.iter().position(|choice| *choice == value) {
            Some(index) => Ok(Some(index)),
            None => {
                let expected = format!("write one of {}", choices.join(", "));
                Err(self.bad(option, value, &expected))
            }
        }
    }

    /// A number of bytes, with `KiB`, `MiB` or `GiB`.
    pub(super) fn bytes(&mut self, option: &'static str) -> Result<Option<u64>, SinkSpecError> {
        const UNITS: [(&str, u64); 4] = [
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("", 1),
        ];
        self.measure(option, &UNITS, "write a size such as `100MiB`")
    }

    fn duration(&mut self, option: &'static str) -> Result<Option<Duration>, SinkSpecError> {
        const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
        let seconds = self.measure(option, &UNITS, "write a time such as `24h`")?;
        Ok(seconds.map(Duration::from_secs))
    }

    fn measure(
        &mut self,
        option: &'static str,
        units: &[(&str, u64)],
        expected: &str,
    ) -> Result<Option<u64>, SinkSpecError> {
        let Some(value) = self.take(option) else {
            return Ok(None);
        };
        let measured = units.iter().find_map(|(unit, factor)| {
            let number: u64 = value.strip_suffix(unit)?.trim().parse().ok()?;
            number.checked_mul(*factor)
        });
        match measured {
            Some(measured) => Ok(Some(measured)),
            None => Err(self.bad(option, value, expected)),
        }
    }

    pub(super) fn format(&mut self, usual: Format) -> Result<Format, SinkSpecError> {
        let names = Format::CHOICES.map(|(_, name)| name);
        let chosen = self.choice("format", &names)?;
        Ok(chosen.map_or(usual, |index| Format::CHOICES[index].0))
    }

    pub(super) fn filter(&mut self) -> Result<Filter, SinkSpecError> {
        let verdicts = self.list("verdict");
        for verdict in &verdicts {
            if VERDICTS.iter().all(|known| known.as_str() != verdict) {
                let known = VERDICTS.map(|verdict| verdict.as_str()).join(", ");
                let expected = format!("write some of {known}");
                return Err(self.bad("verdict", verdict.clone(), &expected));
            }
        }
        let names = Severity::ALL.map(Severity::as_str);
        let severity = self.choice("severity", &names)?;
        Ok(Filter {
            verdicts,
            policies: self.list("policy"),
            workloads: self.list("workload"),
            severity: severity.map(|index| Severity::ALL[index]),
        })
    }

    pub(super) fn file(&mut self) -> Result<FileOptions, SinkSpecError> {
        let most_bytes = self.bytes("max-size")?;
        let most_age = self.duration("max-age")?;
        let keep = self.take("keep");
        let keep = match keep {
            None => 5,
            Some(value) => value
                .parse()
                .map_err(|_| self.bad("keep", value, "write how many old files are kept"))?,
        };
        Ok(FileOptions {
            most_bytes,
            most_age,
            keep,
            sync: self.flag("sync")?,
        })
    }

    pub(super) fn tls(&mut self) -> Result<TlsOptions, SinkSpecError> {
        let tls = TlsOptions {
            ca: self.take("ca").map(Into::into),
            certificate: self.take("cert").map(Into::into),
            key: self.take("key").map(Into::into),
        };
        if tls.certificate.is_some() != tls.key.is_some() {
            let given = tls.certificate.or(tls.key).unwrap_or_default();
            let given = given.display().to_string();
            return Err(self.bad("cert", given, "write both `cert` and `key`, or neither"));
        }
        Ok(tls)
    }

    pub(super) fn timeout(&mut self) -> Result<Duration, SinkSpecError> {
        match self.duration("timeout")? {
            Some(Duration::ZERO) => Err(self.bad("timeout", "0s".into(), "write a time above 0")),
            given => Ok(given.unwrap_or(TIMEOUT)),
        }
    }

    pub(super) fn http(&mut self) -> Result<HttpOptions, SinkSpecError> {
        Ok(HttpOptions {
            token_file: self.take("token-file").map(Into::into),
            gzip: self.flag("gzip")?,
            timeout: self.timeout()?,
            tls: self.tls()?,
        })
    }

    pub(super) fn hec(&mut self) -> Result<HecOptions, SinkSpecError> {
        Ok(HecOptions {
            index: self.take("index"),
            source_type: self
                .take("sourcetype")
                .unwrap_or_else(|| "enforcer".to_owned()),
            acknowledge: self.flag("ack")?,
        })
    }

    pub(super) fn facility(&mut self) -> Result<u8, SinkSpecError> {
        let names = FACILITIES.map(|(name, _)| name);
        let chosen = self.choice("facility", &names)?;
        Ok(chosen.map_or(16, |index| FACILITIES[index].1))
    }
}
