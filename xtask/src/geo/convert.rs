//! IPFire Location to the MaxMind DB format, with the field names of GeoIP2.

use std::{
    collections::HashMap,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use maxminddb::Reader;
use mmdb_writer::{Ipv4Aliasing, RecordSize, Value, Writer, ipnet::IpNet};

use super::location_db::{LocationDb, Network};

const DATABASE_TYPE: &str = "IPFire-Location";

/// Writes every network of `source`, with the source's own date as build date.
pub(super) fn to_mmdb(source: &LocationDb<'_>) -> Result<Vec<u8>> {
    // The alias of 6to4 and Teredo would be wrong for Teredo, whose addresses are inverted.
    let mut writer = Writer::builder(DATABASE_TYPE)
        .description(&[("en", "IPFire Location database, CC BY-SA 4.0")])
        .record_size(RecordSize::Bits32)
        .ipv4_aliasing(Ipv4Aliasing::Disabled)
        .build_epoch(UNIX_EPOCH + Duration::from_secs(source.created_at))
        .build();
    let names = source.names()?;
    for network in source.networks()? {
        let at = IpNet::new(network.address, network.length)?;
        writer
            .insert_value(at, record(&network, &names))
            .with_context(|| format!("cannot write {at}"))?;
    }
    Ok(writer.to_bytes()?)
}

/// Rewrites the search tree so that it compresses to half: a record that points at a node says how
/// far away the node is. `geo::builtin` undoes it.
pub(super) fn make_relative(mmdb: &mut [u8]) -> Result<()> {
    let nodes = Reader::from_source(&*mmdb)?.metadata().node_count;
    for (node, records) in (0..nodes).zip(mmdb.chunks_exact_mut(8)) {
        for record in records.chunks_exact_mut(4) {
            let to = u32::from_be_bytes([record[0], record[1], record[2], record[3]]);
            if to < nodes {
                // A pre-order tree points forward only, so the distance stays below the count of
                // nodes and cannot be taken for a record of another kind.
                ensure!(to > node, "node {node} points back at node {to}");
                record.copy_from_slice(&(to - node).to_be_bytes());
            }
        }
    }
    Ok(())
}

fn record(network: &Network, names: &HashMap<u32, &str>) -> Value {
    let mut fields = Vec::new();
    if let Some(country) = network.country {
        let code = String::from_utf8_lossy(&country).into_owned();
        fields.push(("country", Value::map([("iso_code", Value::from(code))])));
    }
    if network.anycast {
        let traits = Value::map([("is_anycast", Value::from(true))]);
        fields.push(("traits", traits));
    }
    if let Some(asn) = network.asn {
        fields.push(("autonomous_system_number", Value::from(asn)));
        if let Some(&name) = names.get(&asn) {
            fields.push(("autonomous_system_organization", Value::from(name)));
        }
    }
    Value::map(fields)
}
