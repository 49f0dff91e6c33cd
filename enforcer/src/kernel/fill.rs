//! How full the tables are.

use aya::maps::{HashMap, Map, MapData};
use enforcer_common::abi::{CgroupId, FlowCount, FlowKey, Tag, names};

use super::{
    error::KernelError,
    object::{Maps, typed},
};

/// How full a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFill {
    /// Its name.
    pub name: &'static str,
    /// Entries it has.
    pub entries: u64,
    /// Entries it can hold.
    pub capacity: u64,
}

/// A UDP exchange of the programs, of which only the size matters here.
type Exchange = [u8; 32];

impl TableFill {
    /// The tables that fill with use. Programs add while this counts.
    pub(super) fn read(maps: &Maps) -> Result<Vec<Self>, KernelError> {
        let open = |name| Ok::<_, KernelError>(Map::HashMap(maps.get(name)?));
        Ok(vec![
            Self::of::<CgroupId, Tag>(maps, names::TAGS, open(names::TAGS)?)?,
            Self::of::<FlowKey, FlowCount>(maps, names::FLOWS, open(names::FLOWS)?)?,
            Self::of::<FlowKey, FlowCount>(maps, names::RECORDED, open(names::RECORDED)?)?,
            Self::of::<Exchange, u64>(
                maps,
                names::REPLIES,
                Map::LruHashMap(maps.get(names::REPLIES)?),
            )?,
        ])
    }

    fn of<K: aya::Pod, V: aya::Pod>(
        maps: &Maps,
        name: &'static str,
        map: Map,
    ) -> Result<Self, KernelError> {
        let capacity = maps.get(name)?.info().map_or(0, |info| info.max_entries());
        let table: HashMap<MapData, K, V> = typed(name, map)?;
        let mut entries = 0;
        for key in table.keys() {
            key.map_err(KernelError::map("read", name))?;
            entries += 1;
        }
        Ok(Self {
            name,
            entries,
            capacity: capacity.into(),
        })
    }
}
