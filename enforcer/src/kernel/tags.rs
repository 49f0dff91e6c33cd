//! Tags of cgroups.

use aya::maps::{HashMap, Map, MapData, MapError};
use enforcer_common::abi::{CgroupId, Tag, names};

use super::{
    error::KernelError,
    object::{Maps, typed},
};

pub(super) struct Tags(HashMap<MapData, CgroupId, Tag>);

impl Tags {
    pub(super) fn new(maps: &mut Maps) -> Result<Self, KernelError> {
        typed(names::TAGS, Map::HashMap(maps.get(names::TAGS)?)).map(Self)
    }

    pub(super) fn set(&mut self, cgroup: CgroupId, tag: Tag) -> Result<(), KernelError> {
        self.0
            .insert(cgroup, tag, 0)
            .map_err(KernelError::map("write", names::TAGS))
    }

    pub(super) fn remove(&mut self, cgroup: CgroupId) -> Result<(), KernelError> {
        match self.0.remove(&cgroup) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(error) => Err(KernelError::map("remove from", names::TAGS)(error)),
        }
    }

    pub(super) fn get(&self, cgroup: CgroupId) -> Result<Option<Tag>, KernelError> {
        match self.0.get(&cgroup, 0) {
            Ok(tag) => Ok(Some(tag)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(KernelError::map("read", names::TAGS)(error)),
        }
    }

    pub(super) fn all(&self) -> Result<Vec<(CgroupId, Tag)>, KernelError> {
        self.0
            .iter()
            .collect::<Result<_, _>>()
            .map_err(KernelError::map("read", names::TAGS))
    }
}
