//! A small world: a database that is read at once, in the layout of GeoIP2.

use std::path::Path;

use mmdb_writer::{Value, Writer, ipnet::IpNet};

/// Networks and their countries. The built-in database says the same of them.
const COUNTRIES: [(&str, &str); 4] = [
    ("3.64.0.0/12", "DE"),
    ("2a05:d014::/36", "DE"),
    ("52.0.0.0/15", "US"),
    ("2600:1f14::/34", "US"),
];

/// The operator of all of them.
const ASN: u32 = 16509;

/// Writes it to `path`.
///
/// # Errors
/// The file cannot be written.
pub fn write_geo(path: &Path) -> anyhow::Result<()> {
    let mut writer = Writer::new("Laboratory");
    for (network, country) in COUNTRIES {
        let record = Value::map([
            ("country", Value::map([("iso_code", Value::from(country))])),
            ("autonomous_system_number", Value::from(ASN)),
            (
                "autonomous_system_organization",
                Value::from("Laboratory Networks"),
            ),
        ]);
        writer.insert_value(network.parse::<IpNet>()?, record)?;
    }
    Ok(std::fs::write(path, writer.to_bytes()?)?)
}
