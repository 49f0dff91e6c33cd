//! Records of the data section, each decoded once.

use std::{net::IpAddr, path::Path};

use maxminddb::{MaxMindDbError, Reader};
use rustc_hash::FxHashMap;

use super::{
    layout,
    names::{AsNames, Builder},
    tree::{Record, Runs},
};
use crate::geo::{CountryCode, GeoError, Location, LocationId};

pub(super) struct Records<'a> {
    path: &'a Path,
    reader: &'a Reader<&'a [u8]>,
    /// Those seen already. A table by offset would be quicker to ask, and is not: it is as large as the
    /// file, and what is read before it is written makes the kernel interrupt all processors.
    seen: FxHashMap<Record, LocationId>,
    ids: FxHashMap<u64, LocationId>,
    locations: Vec<Location>,
    names: Builder,
}

impl<'a> Records<'a> {
    pub(super) fn new(path: &'a Path, reader: &'a Reader<&'a [u8]>) -> Self {
        let unknown = Location::default();
        let nothing = Record(reader.metadata().node_count);
        Self {
            path,
            reader,
            seen: [(nothing, LocationId(0))].into_iter().collect(),
            ids: [(key(unknown), LocationId(0))].into_iter().collect(),
            locations: vec![unknown],
            names: Builder::default(),
        }
    }

    /// Says where the runs are instead of which record they have.
    pub(super) fn locate<T: Copy + Into<N>, N: Into<IpAddr>>(
        &mut self,
        runs: Runs<T>,
    ) -> Result<Vec<(T, LocationId)>, GeoError> {
        // In place: a range is as large as a run.
        let located = runs
            .into_iter()
            .map(|(start, record)| Ok((start, self.id(record, start)?)));
        let mut ranges: Vec<(T, LocationId)> = located.collect::<Result<_, _>>()?;
        ranges.dedup_by_key(|&mut (_, id)| id);
        Ok(ranges)
    }

    pub(super) fn finish(self) -> (Vec<Location>, AsNames) {
        (self.locations, self.names.finish())
    }

    fn id<T: Into<N>, N: Into<IpAddr>>(
        &mut self,
        record: Record,
        address: T,
    ) -> Result<LocationId, GeoError> {
        if let Some(&known) = self.seen.get(&record) {
            return Ok(known);
        }
        // A record that points beyond the file is refused here.
        let id = self.decode(address.into().into())?;
        self.seen.insert(record, id);
        Ok(id)
    }

    fn decode(&mut self, address: IpAddr) -> Result<LocationId, GeoError> {
        let found = self
            .reader
            .lookup(address)
            .map_err(|source| GeoError::Damaged {
                path: self.path.to_owned(),
                source,
            })?;
        let record: layout::Record<'_> = found
            .decode()
            .map_err(|source| self.incomprehensible(address, source))?
            .unwrap_or_default();
        let location = record.location();
        if let (Some(asn), Some(name)) = (location.asn, record.as_name()) {
            self.names.add(asn, name);
        }
        let next = LocationId(self.locations.len() as u32);
        let id = *self.ids.entry(key(location)).or_insert(next);
        if id == next {
            self.locations.push(location);
        }
        Ok(id)
    }

    fn incomprehensible(&self, address: IpAddr, source: MaxMindDbError) -> GeoError {
        GeoError::Record {
            path: self.path.to_owned(),
            address,
            source,
        }
    }
}

/// A location in one number: hashing its fields one by one takes longer than decoding it.
fn key(location: Location) -> u64 {
    let country = location.country.map_or([0; 2], CountryCode::letters);
    let asn = location.asn.map_or(0, |asn| asn.0);
    u64::from(asn) << 32 | u64::from(u16::from_be_bytes(country)) << 1 | u64::from(location.anycast)
}
