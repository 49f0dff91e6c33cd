//! `enforcer geo info`.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::SystemTime,
};

use serde::Serialize;

use super::{Databases, built};
use crate::geo::{Database, GeoSet};

const DAY: u64 = 24 * 60 * 60;

/// `enforcer geo info`.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Networks move: a database older than 45 days is a warning. The built-in database is as old as this
program; give a newer one with --geo, here and where policies are enforced.

Examples:
  enforcer geo info
  enforcer geo info --geo GeoLite2-Country.mmdb --geo GeoLite2-ASN.mmdb --json")]
pub struct InfoArgs {
    #[command(flatten)]
    databases: Databases,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

/// Says what the databases are: date, content, licence.
///
/// # Errors
/// A database cannot be used, or standard output cannot be written.
pub fn info(args: &InfoArgs) -> anyhow::Result<()> {
    let set = args.databases.open()?;
    let report = Report::of(&set, SystemTime::now())?;
    let mut out = io::stdout().lock();
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
    databases: Vec<Entry>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    path: Option<PathBuf>,
    #[serde(rename = "type")]
    kind: String,
    built: String,
    age_days: u64,
    has_countries: bool,
    has_asns: bool,
    has_anycast: bool,
    /// IPv4 and IPv6.
    ranges: (usize, usize),
    locations: usize,
    as_names: usize,
    attribution: String,
}

impl Report {
    fn of(set: &GeoSet, now: SystemTime) -> anyhow::Result<Self> {
        let databases = set
            .databases
            .iter()
            .map(|database| Entry::of(database, now));
        Ok(Self {
            databases: databases.collect::<anyhow::Result<_>>()?,
            warnings: set.warnings(now),
        })
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for database in &self.databases {
            database.write(out)?;
        }
        for warning in &self.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        Ok(())
    }
}

impl Entry {
    fn of(database: &Database, now: SystemTime) -> anyhow::Result<Self> {
        let info = &database.info;
        Ok(Self {
            name: info.name.clone(),
            path: info.path.clone(),
            kind: info.database_type.clone(),
            built: built(info)?,
            age_days: info.age(now).as_secs() / DAY,
            has_countries: info.has_countries,
            has_asns: info.has_asns,
            has_anycast: info.has_anycast,
            ranges: database.ranges(),
            // The first is the unknown one.
            locations: database.locations.len().saturating_sub(1),
            as_names: database.as_names.len(),
            attribution: info.attribution.clone(),
        })
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let known = [
            (self.has_countries, "countries"),
            (self.has_asns, "ASNs"),
            (self.has_anycast, "anycast"),
        ];
        let known: Vec<_> = known
            .into_iter()
            .filter_map(|(has, what)| has.then_some(what))
            .collect();
        let (first, second) = self.ranges;
        writeln!(out, "{}", self.name)?;
        writeln!(out, "  type       {}", self.kind)?;
        writeln!(
            out,
            "  built      {} ({} days ago)",
            self.built, self.age_days
        )?;
        writeln!(out, "  knows      {}", known.join(", "))?;
        writeln!(out, "  ranges     {first} IPv4, {second} IPv6")?;
        writeln!(out, "  locations  {}", self.locations)?;
        writeln!(out, "  AS names   {}", self.as_names)?;
        for (index, line) in self.attribution.lines().enumerate() {
            let label = if index == 0 { "licence" } else { "" };
            writeln!(out, "  {label:<10} {line}")?;
        }
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{DAY, Report};
    use crate::geo::{Agreement, GeoSet};

    #[test]
    fn the_built_in_database_shows_its_licence_and_its_age() {
        let set = GeoSet::open(&[], Agreement::All).expect("the built-in database");
        let built = set.databases[0].info.built;
        let text = |now: SystemTime| {
            let mut text = Vec::new();
            let report = Report::of(&set, now).expect("a report");
            report.write(&mut text).expect("memory");
            String::from_utf8(text).expect("UTF-8")
        };
        let fresh = text(built + Duration::from_secs(45 * DAY));
        for part in [
            "built-in",
            "IPFire-Location",
            "(45 days ago)",
            "countries, ASNs, anycast",
        ] {
            assert!(fresh.contains(part), "{part}: {fresh}");
        }
        assert!(fresh.contains("CC BY-SA 4.0"), "{fresh}");
        assert!(!fresh.contains("warning"), "{fresh}");
        let old = text(built + Duration::from_secs(46 * DAY));
        assert!(
            old.contains("warning: geo database built-in is 46 days old"),
            "{old}"
        );
    }
}
