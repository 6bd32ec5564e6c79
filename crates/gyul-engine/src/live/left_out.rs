//! What the staleness policy leaves out of answers about one person is kept all the same, and theirs to have.

use super::hub::Hub;
use super::record;
use gyul_model::{Event, names};
use gyul_store::log::Entry;
use gyul_store::{Store, StoreError};
use std::collections::HashMap;

impl Hub {
    /// The events of some handles that no answer rests on, each with the name it came under. Reads base and log: for exports.
    pub fn left_out_of(&self, handles: &[u32]) -> Result<Vec<(String, Event)>, StoreError> {
        if self.world().stale.policy.is_none() {
            // Nothing is left out: nobody waits for an import or a checkpoint to end.
            return Ok(vec![]);
        }
        self.alone(|| {
            let (policy, ids, owned) = {
                let world = self.world();
                let Some(policy) = world.stale.policy.clone() else { return Ok(vec![]) };
                let ids: Vec<String> = handles.iter().map(|h| world.identities.handle_id(*h).to_string()).collect();
                let own = world.owners.iter().filter_map(|(seq, h)| Some((*seq, handles.iter().position(|o| o == h)?)));
                (policy, ids, own.collect::<HashMap<u64, usize>>())
            };
            let stale = |e: &Event| e.ts < policy.from && e.name != names::IDENTIFY;
            let mut out = vec![];
            let base = Store::open(self.dir())?.load_whole()?;
            for id in &ids {
                let Some((b, c)) = base.find(id) else { continue };
                out.extend(base.timeline(b, c).events.into_iter().filter(stale).map(|e| (id.clone(), e)));
            }
            // What the base has not taken in yet.
            if let Some(mut log) = self.read_log(self.settled()) {
                while let Some(entry) = log.next()? {
                    let r = match entry {
                        Entry::Record(r) => r,
                        Entry::Damaged(d) => {
                            self.shared.harmed.met(&d)?;
                            continue;
                        }
                    };
                    let (record::MESSAGE, Some(of)) = (r.kind, owned.get(&r.seq)) else { continue };
                    let Ok(m) = record::read_message(r.payload) else { continue };
                    out.extend(m.events_at(r.seq).filter(stale).map(|e| (ids[*of].clone(), e)));
                }
            }
            Ok(out)
        })
    }
}
