//! Entity ids and the resources that they stand for.

use collector_pdata::encode::put_resource_integer;
use collector_pdata::traces::resource_attributes;
use std::collections::{BTreeSet, HashMap, VecDeque};

#[derive(Debug)]
struct Entity {
    resource: Vec<u8>,
    has_pid: bool,
    gone: bool,
}

/// What Odiglet has announced.
#[derive(Debug, Default)]
pub struct Entities {
    known: HashMap<u32, Entity>,
    /// Those of `known` that are gone, the oldest first.
    gone: VecDeque<u32>,
    refused: BTreeSet<u32>,
}

/// Refused entities that are remembered. Their ids count upwards, so that the least one is the oldest.
const MAX_REFUSED: usize = 1 << 16;

/// Entities that are remembered after they are gone, until the ring has been read to its end: as long as nobody reads it,
/// processes come and go all the same.
const MAX_GONE: usize = 1 << 14;

impl Entities {
    /// An entity is new or has changed. A resource that is not well formed is left out.
    pub fn set(&mut self, id: u32, resource: Vec<u8>) {
        // It would spoil every span that it is written beside.
        let Ok(has_pid) = has_pid(&resource) else {
            tracing::warn!(entity = id, "an entity's resource is not well formed and is left out");
            return;
        };
        self.refused.remove(&id);
        let entity = Entity {
            resource,
            has_pid,
            gone: false,
        };
        self.known.insert(id, entity);
    }

    /// Its records are not wanted, those that come later included: a connection may end long after it was refused.
    pub(crate) fn refuse(&mut self, id: u32) {
        self.refused.insert(id);
        if self.refused.len() > MAX_REFUSED {
            self.refused.pop_first();
        }
    }

    pub(crate) fn is_refused(&self, id: u32) -> bool {
        self.refused.contains(&id)
    }

    /// Records of the entity may still wait in the ring, so it is only marked.
    pub(crate) fn mark_gone(&mut self, id: u32) {
        if let Some(entity) = self.known.get_mut(&id)
            && !std::mem::replace(&mut entity.gone, true)
        {
            self.gone.push_back(id);
        }
        if self.gone.len() > MAX_GONE {
            self.forget_oldest();
        }
    }

    /// Forgets what is gone; to be called when the ring has been read to its end.
    pub(crate) fn forget_gone(&mut self) {
        while !self.gone.is_empty() {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(id) = self.gone.pop_front()
            // It may have been announced again since.
            && self.known.get(&id).is_some_and(|entity| entity.gone)
        {
            self.known.remove(&id);
        }
    }

    pub(crate) fn is_known(&self, id: u32) -> bool {
        self.known.contains_key(&id)
    }

    /// Writes the encoded `Resource` of the spans of a process.
    pub(crate) fn put_resource(&self, id: u32, pid: u32, out: &mut Vec<u8>) {
        let entity = self.known.get(&id);
        if let Some(entity) = entity {
            out.extend_from_slice(&entity.resource);
        }
        if !entity.is_some_and(|entity| entity.has_pid) {
            put_resource_integer(out, "process.pid", i64::from(pid));
        }
    }
}

fn has_pid(resource: &[u8]) -> Result<bool, collector_pdata::Malformed> {
    let mut found = false;
    for attribute in resource_attributes(resource) {
        found |= attribute?.key == b"process.pid";
    }
    Ok(found)
}
