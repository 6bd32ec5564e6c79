//! How many event names and properties a shop may have. Each name is files of its own in every generation of the base: a
//! sender that makes names of its data would make checkpoints, erasures and starts slow for everybody.

use super::Live;
use gyul_engine::live::{Rejected, World};
use gyul_engine::{EVENT_NAMES_MAX, PROPERTIES_MAX};
use gyul_model::Message;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

type Known = HashMap<String, HashSet<String>>;

/// Names that were taken, with their properties.
#[derive(Default)]
pub(super) struct Names {
    known: RwLock<Known>,
    /// Properties that were left out of events.
    pub dropped: AtomicU64,
}

impl Names {
    pub fn of(world: &World) -> Names {
        let columns = |s: &gyul_model::StreamInfo| s.columns.iter().map(|c| c.name.clone()).collect();
        let known = world.live.schema().iter().map(|s| (s.name.clone(), columns(s))).collect();
        Names { known: RwLock::new(known), dropped: AtomicU64::new(0) }
    }
}

fn knows(known: &Known, m: &Message) -> bool {
    m.events.iter().all(|(name, props)| {
        known.get(name).is_some_and(|own| props.iter().all(|(property, _)| own.contains(property)))
    })
}

impl Live {
    /// Takes out the messages with a name too many, and properties too many out of events. Gives the places of those.
    pub(super) fn bounded(&self, messages: Vec<(usize, Message)>) -> (Vec<Message>, Vec<(usize, Message)>) {
        {
            let known = self.names.known.read().unwrap_or_else(PoisonError::into_inner);
            if messages.iter().all(|(_, m)| knows(&known, m)) {
                return (messages.into_iter().map(|(_, m)| m).collect(), vec![]);
            }
        }
        let mut known = self.names.known.write().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, mut beyond) = (Vec::with_capacity(messages.len()), vec![]);
        for (n, mut m) in messages {
            let new: HashSet<&String> =
                m.events.iter().map(|(name, _)| name).filter(|n| !known.contains_key(*n)).collect();
            if !new.is_empty() && !self.has_room(&mut known, new.into_iter().cloned().collect()) {
                beyond.push((n, m));
                continue;
            }
            for (name, props) in &mut m.events {
                let own = known.entry(name.clone()).or_default();
                let before = props.len();
                props.retain(|(p, _)| own.contains(p) || (own.len() < PROPERTIES_MAX && own.insert(p.clone())));
                self.names.dropped.fetch_add((before - props.len()) as u64, Ordering::Relaxed);
            }
            taken.push(m);
        }
        (taken, beyond)
    }

    /// Whether these names may come to those known; files may have brought some meanwhile.
    fn has_room(&self, known: &mut Known, mut new: Vec<String>) -> bool {
        let world = self.hub.world();
        let there = world.live.schema();
        new.retain(|name| match there.iter().find(|s| s.name == *name) {
            Some(s) => {
                known.insert(name.clone(), s.columns.iter().map(|c| c.name.clone()).collect());
                false
            }
            None => true,
        });
        if known.len() + new.len() > EVENT_NAMES_MAX {
            return new.is_empty();
        }
        let elsewhere = there.iter().filter(|s| !known.contains_key(&s.name)).count();
        new.is_empty() || known.len() + elsewhere + new.len() <= EVENT_NAMES_MAX
    }
}

pub(super) fn too_many() -> Rejected {
    Rejected {
        code: "too_many_names".into(),
        place: "event".into(),
        ko: format!(
            "이벤트 이름이 {EVENT_NAMES_MAX}개를 넘었습니다. 이름에 상품이나 번호를 넣지 말고 속성으로 보내세요."
        ),
        en: format!(
            "there are {EVENT_NAMES_MAX} event names already. Send what differs, such as products or numbers, as properties."
        ),
        ..Rejected::default()
    }
}
