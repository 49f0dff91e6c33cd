//! `enforcer geo lookup`.

use std::{
    io::{self, Write},
    net::IpAddr,
};

use enforcer_common::abi::Addr;
use serde::Serialize;

use super::{Databases, built};
use crate::geo::{GeoSet, Located, Location};

/// `enforcer geo lookup`.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
An address that no database knows has the country ZZ and is in no region. Neither is an anycast
address, unless a peer says `anycast: allow`, nor an address in a special-purpose range, whatever a
database says of it: name such a range with `ranges:`.

Examples:
  enforcer geo lookup 3.64.0.1
  enforcer geo lookup 64:ff9b::8.8.8.8                  # judged as 8.8.8.8
  enforcer geo lookup --geo city.mmdb --geo asn.mmdb 2001:4860:4860::8888")]
pub struct LookupArgs {
    /// The address; IPv4 inside IPv6 (mapped, NAT64, 6to4, Teredo, ISATAP) is unwrapped
    #[arg(value_name = "ADDR")]
    address: IpAddr,
    #[command(flatten)]
    databases: Databases,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

/// Says where an address is, by each database and by all together.
///
/// # Errors
/// A database cannot be used, or standard output cannot be written.
pub fn lookup(args: &LookupArgs) -> anyhow::Result<()> {
    let set = args.databases.open()?;
    let mut out = io::stdout().lock();
    let report = Report::of(&set, args.address)?;
    if args.json {
        serde_json::to_writer(&mut out, &report)?;
        writeln!(out)?;
    } else {
        report.write(&mut out)?;
    }
    Ok(out.flush()?)
}

#[derive(Serialize)]
struct Report {
    address: IpAddr,
    #[serde(flatten)]
    judged: Judged,
    /// What must be permitted as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    also: Option<Judged>,
}

#[derive(Serialize)]
struct Judged {
    judged: IpAddr,
    /// Name of the special-purpose range.
    range: Option<&'static str>,
    /// `ZZ` for unknown.
    country: String,
    countries_agree: bool,
    asn: Option<u32>,
    as_name: Option<String>,
    anycast: bool,
    databases: Vec<Answer>,
}

#[derive(Serialize)]
struct Answer {
    database: String,
    built: String,
    country: String,
    asn: Option<u32>,
    anycast: bool,
}

impl Report {
    fn of(set: &GeoSet, address: IpAddr) -> anyhow::Result<Self> {
        let located = set.locate(Addr::from(address));
        let also = located
            .also
            .map(|also| Judged::of(&set.locate_as_written(also)));
        Ok(Self {
            address,
            judged: Judged::of(&located)?,
            also: also.transpose()?,
        })
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "address   {}", self.address)?;
        self.judged.write(out, self.address)?;
        if let Some(also) = &self.also {
            writeln!(
                out,
                "\nThe packet may end at the IPv6 address as well, so that must be permitted too:"
            )?;
            also.write(out, self.address)?;
        }
        Ok(())
    }
}

impl Judged {
    fn of(located: &Located<'_>) -> anyhow::Result<Self> {
        let answers = located.answers.iter().map(|answer| {
            Ok(Answer {
                database: answer.database.name.clone(),
                built: built(answer.database)?,
                country: country(&answer.location),
                asn: answer.location.asn.map(|asn| asn.0),
                anycast: answer.location.anycast,
            })
        });
        let together = Location {
            country: located.country,
            ..Location::default()
        };
        Ok(Self {
            judged: IpAddr::from(located.judged.octets()).to_canonical(),
            range: located.special.map(|range| range.as_str()),
            country: country(&together),
            countries_agree: located.countries_agree,
            asn: located.asn.map(|asn| asn.0),
            as_name: located.as_name.map(str::to_owned),
            anycast: located.anycast,
            databases: answers.collect::<anyhow::Result<_>>()?,
        })
    }

    fn write(&self, out: &mut impl Write, asked: IpAddr) -> io::Result<()> {
        if self.judged != asked {
            writeln!(out, "judged as {}", self.judged)?;
        }
        if let Some(range) = self.range {
            writeln!(out, "range     {range}: special-purpose, in no region")?;
        }
        let note = if self.countries_agree {
            ""
        } else {
            " (the databases disagree)"
        };
        writeln!(out, "country   {}{note}", self.country)?;
        let name = self.as_name.as_deref().unwrap_or_default();
        match self.asn {
            Some(asn) => writeln!(out, "{}", format!("asn       AS{asn} {name}").trim_end())?,
            None => writeln!(out, "asn       unknown")?,
        }
        if self.anycast {
            writeln!(
                out,
                "anycast   yes: in no region unless a peer says `anycast: allow`"
            )?;
        }
        for answer in &self.databases {
            let asn = answer
                .asn
                .map_or_else(String::new, |asn| format!(" AS{asn}"));
            let anycast = if answer.anycast { " anycast" } else { "" };
            let (name, date) = (&answer.database, &answer.built);
            writeln!(
                out,
                "says      {}{asn}{anycast}: {name}, built {date}",
                answer.country
            )?;
        }
        Ok(())
    }
}

fn country(location: &Location) -> String {
    location
        .country
        .map_or_else(|| "ZZ".to_owned(), |code| code.to_string())
}

#[cfg(test)]
mod tests;
