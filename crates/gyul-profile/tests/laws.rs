//! The laws of docs/reference/identity.md on random names: a slow model that recomputes everything judges.

use gyul_model::{IdKind, Identifier, Instant};
use gyul_profile::{Change, Identities, Nobody, Reason, Rules, Said, Seen};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
enum Op {
    See(Vec<Identifier>, bool),
    Alias(Identifier, Identifier, bool),
    Register(Identifier),
    Merge(u32, u32),
    Unmerge(u32),
    TakeOut(u32),
    Erase(u32),
}

/// Few values, so that they meet; one is blocked.
fn identifier() -> impl Strategy<Value = Identifier> {
    let value = prop_oneof![8 => "[a-f]", 1 => Just("null".to_string())];
    (0..6usize, value).prop_map(|(k, v)| Identifier::new(IdKind::ALL[k], v))
}

fn op() -> impl Strategy<Value = Op> {
    let handle = 0..40u32;
    prop_oneof![
        12 => (prop::collection::vec(identifier(), 0..4), any::<bool>()).prop_map(|(w, v)| Op::See(w, v)),
        2 => (identifier(), identifier(), any::<bool>()).prop_map(|(p, u, v)| Op::Alias(p, u, v)),
        1 => identifier().prop_map(Op::Register),
        2 => (handle.clone(), handle.clone()).prop_map(|(a, b)| Op::Merge(a, b)),
        2 => handle.clone().prop_map(Op::Unmerge),
        1 => handle.clone().prop_map(Op::TakeOut),
        1 => handle.prop_map(Op::Erase),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    let tight = prop::array::uniform6(1..4u32);
    (tight, prop::array::uniform6(any::<bool>()), any::<bool>(), any::<bool>()).prop_map(
        |(limits, verify, alias_joins_users, usual)| {
            let usual_rules = Rules::default();
            match usual {
                true => Rules { alias_joins_users, ..usual_rules },
                false => Rules { limits, verify, alias_joins_users, ..usual_rules },
            }
        },
    )
}

/// Names, accepted links, pairs to keep apart; customers are worked out anew whenever they are asked for.
struct Model {
    rules: Rules,
    names: Vec<Option<Identifier>>,
    /// The ends, and whether it still holds. An erased one has no ends.
    links: Vec<(Option<(u32, u32)>, bool)>,
    parted: BTreeSet<(u32, u32)>,
}

impl Model {
    fn find(&self, id: &Identifier) -> Option<u32> {
        self.names.iter().position(|n| n.as_ref() == Some(id)).map(|n| n as u32)
    }

    fn number(&mut self, id: &Identifier) -> u32 {
        self.find(id).unwrap_or_else(|| {
            self.names.push(Some(id.clone()));
            self.names.len() as u32 - 1
        })
    }

    fn customer(&self, handle: u32) -> BTreeSet<u32> {
        let mut all = BTreeSet::from([handle]);
        loop {
            let before = all.len();
            for (a, b) in self.links.iter().filter(|l| l.1).filter_map(|l| l.0) {
                if all.contains(&a) || all.contains(&b) {
                    all.extend([a, b]);
                }
            }
            if all.len() == before {
                return all;
            }
        }
    }

    fn head(&self, handle: u32) -> u32 {
        let customer = self.customer(handle).into_iter();
        customer.min_by_key(|h| (self.names[*h as usize].as_ref().map(|n| n.kind), *h)).unwrap_or(handle)
    }

    fn alive(&self, handle: u32) -> bool {
        self.names.get(handle as usize).is_some_and(Option::is_some)
    }

    fn refuses(&self, a: u32, b: u32, users: bool) -> Option<Reason> {
        let (x, y) = (self.customer(a), self.customer(b));
        for kind in IdKind::ALL {
            let of = |c: &BTreeSet<u32>| {
                c.iter().filter(|h| self.names[**h as usize].as_ref().is_some_and(|n| n.kind == kind)).count() as u32
            };
            let both = of(&x) > 0 && of(&y) > 0;
            if both && of(&x) + of(&y) > self.rules.limit(kind) && !(users && kind == IdKind::User) {
                return Some(Reason::TooMany(kind));
            }
        }
        let crosses = |&(p, q): &(u32, u32)| (x.contains(&p) && y.contains(&q)) || (x.contains(&q) && y.contains(&p));
        self.parted.iter().any(crosses).then_some(Reason::Parted)
    }

    /// The refusal, if it came to one.
    fn link(&mut self, a: u32, b: u32, users: bool) -> Option<Reason> {
        if self.customer(a).contains(&b) {
            return None;
        }
        let refused = self.refuses(a, b, users);
        if refused.is_none() {
            self.links.push((Some((a, b)), true));
        }
        refused
    }

    fn see(&mut self, who: &[Identifier], verified: bool) -> Option<u32> {
        let weak = |id: &Identifier| !verified && self.rules.verify[id.kind as usize];
        let mut usable: Vec<_> = who.iter().filter(|id| !self.rules.blocks(id.kind, &id.value)).cloned().collect();
        usable.sort_by_key(|id| (weak(id), id.kind));
        let others: Vec<_> = usable.iter().skip(1).filter(|id| !weak(id)).cloned().collect();
        let owner = self.number(usable.first()?);
        for other in others {
            let other = self.number(&other);
            self.link(owner, other, false);
        }
        Some(owner)
    }

    fn unmerge(&mut self, merge: u32) -> bool {
        match self.links.get_mut(merge as usize) {
            Some((Some((a, b)), holds @ true)) => {
                *holds = false;
                self.parted.insert((*a, *b));
                true
            }
            _ => false,
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::See(who, verified) => drop(self.see(who, *verified)),
            Op::Alias(previous, user, verified) => {
                let Some(owner) = self.see(std::slice::from_ref(user), *verified) else { return };
                let weak = !verified && self.rules.verify[previous.kind as usize];
                if !weak && !self.rules.blocks(previous.kind, &previous.value) {
                    let other = self.number(previous);
                    self.link(owner, other, self.rules.alias_joins_users);
                }
            }
            Op::Register(id) => drop(self.number(id)),
            Op::Merge(a, b) => {
                let (x, y) = (self.customer(*a), self.customer(*b));
                if self.alive(*a) && self.alive(*b) && !x.contains(b) {
                    let across = |p: u32, q: u32| x.contains(&p) && y.contains(&q);
                    self.parted.retain(|&(p, q)| !across(p, q) && !across(q, p));
                    self.links.push((Some((*a, *b)), true));
                }
            }
            Op::Unmerge(merge) => drop(self.unmerge(*merge)),
            Op::TakeOut(handle) => {
                for merge in 0..self.links.len() as u32 {
                    if self.links[merge as usize].0.is_some_and(|(a, b)| a == *handle || b == *handle) {
                        self.unmerge(merge);
                    }
                }
            }
            Op::Erase(handle) if self.alive(*handle) => {
                let gone = self.customer(*handle);
                for h in &gone {
                    self.names[*h as usize] = None;
                }
                for link in &mut self.links {
                    if link.0.is_some_and(|(a, b)| gone.contains(&a) || gone.contains(&b)) {
                        *link = (None, false);
                    }
                }
                self.parted.retain(|(a, b)| !gone.contains(a) && !gone.contains(b));
            }
            Op::Erase(_) => {}
        }
    }
}

fn said(seq: u64, verified: bool) -> Said {
    Said { seq, at: Instant(seq as i64 * 7 - 20), verified }
}

fn apply(ids: &mut Identities, seq: u64, op: &Op) -> Vec<Change> {
    let at = Instant(seq as i64);
    let changes = |seen: Result<Seen, Nobody>| seen.map(|s| s.changes).unwrap_or_default();
    match op {
        Op::See(who, verified) => changes(ids.see(who, said(seq, *verified))),
        Op::Alias(previous, user, verified) => changes(ids.alias(previous, user, said(seq, *verified))),
        Op::Register(id) => {
            ids.register(&id.handle());
            vec![]
        }
        Op::Merge(a, b) => ids.merge(*a, *b, seq, at, "kim").into_iter().collect(),
        Op::Unmerge(merge) => ids.unmerge(*merge, seq, at, "lee").into_iter().collect(),
        Op::TakeOut(handle) => ids.take_out(*handle, seq, at, "kim").unwrap_or_default(),
        Op::Erase(head) => {
            ids.erase(*head);
            vec![]
        }
    }
}

fn agree(ids: &Identities, model: &Model) {
    assert_eq!(ids.len(), model.names.len());
    let mut heads = vec![];
    for (h, name) in (0u32..).zip(&model.names) {
        let Some(name) = name else {
            assert_eq!((ids.handle_id(h), ids.handles_of(h)), ("", &[][..]));
            continue;
        };
        assert_eq!((ids.find(name), ids.handle_id(h)), (Some(h), name.handle().as_str()));
        let head = model.head(h);
        assert_eq!(ids.head_of(h), head, "head of {h}");
        if head == h {
            heads.push(h);
            assert!(ids.handles_of(h).iter().eq(&model.customer(h)), "{:?} {:?}", ids.handles_of(h), model.customer(h));
            // A tree: as many merges hold it together as it needs.
            let holding = ids.merges_of(h).iter().filter(|m| m.undone.is_none()).count();
            assert_eq!(holding, ids.handles_of(h).len() - 1);
        } else {
            assert!(ids.handles_of(h).is_empty());
        }
    }
    assert!(ids.heads().eq(heads));
    for (id, (ends, holds)) in (0u32..).zip(&model.links) {
        let merge = ids.merge_of(id);
        assert_eq!(merge.map(|m| ((m.a, m.b), m.undone.is_none())), ends.map(|e| (e, *holds)), "merge {id}");
    }
    for refusal in ids.refusals() {
        assert_ne!(ids.head_of(refusal.a), ids.head_of(refusal.b), "what was refused stands apart");
        assert!(ids.refusals_of(ids.head_of(refusal.a)).contains(refusal));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn customers_are_what_links_make_of_names(rules in rules(), ops in prop::collection::vec(op(), 1..60)) {
        let mut ids = Identities::new(rules.clone());
        let mut model = Model { rules, names: vec![], links: vec![], parted: BTreeSet::new() };
        for (seq, op) in (1u64..).zip(&ops) {
            apply(&mut ids, seq, op);
            model.apply(op);
            agree(&ids, &model);
        }
    }

    #[test]
    fn changes_tell_how_heads_move(rules in rules(), ops in prop::collection::vec(op(), 1..60)) {
        let mut ids = Identities::new(rules);
        let mut heads: BTreeSet<u32> = BTreeSet::new();
        for (seq, op) in (1u64..).zip(&ops) {
            let before = ids.len() as u32;
            let changes = apply(&mut ids, seq, op);
            heads.extend(before..ids.len() as u32);
            for change in changes {
                match change {
                    Change::Joined { into, from, .. } => prop_assert!(heads.contains(&into) && heads.remove(&from)),
                    Change::Parted { head, out, .. } => prop_assert!(heads.contains(&head) && heads.insert(out)),
                    Change::Refused { a, b, .. } => prop_assert_ne!(ids.head_of(a), ids.head_of(b)),
                }
            }
            if let Op::Erase(_) = op {
                heads.retain(|h| ids.kind_of(*h).is_some());
            }
            prop_assert!(ids.heads().eq(heads.iter().copied()));
        }
    }

    #[test]
    fn saved_and_loaded_goes_on_as_if_nothing_had_happened(
        rules in rules(),
        ops in prop::collection::vec((op(), prop::bool::weighted(0.2)), 1..60),
    ) {
        let mut kept = Identities::new(rules.clone());
        let mut restarted = Identities::with_seed(rules.clone(), 99);
        for (seq, (op, restart)) in (1u64..).zip(&ops) {
            prop_assert_eq!(apply(&mut kept, seq, op), apply(&mut restarted, seq, op));
            if *restart {
                restarted = Identities::load_with_seed(&restarted.save(), rules.clone(), seq).expect("what was saved");
            }
            // The same calls give the same bytes, whatever the seed of the hash table.
            prop_assert_eq!(kept.save(), restarted.save());
        }
        prop_assert_eq!(kept.stats(), restarted.stats());
    }

    #[test]
    fn two_users_are_one_only_by_hand(ops in prop::collection::vec(op(), 1..80)) {
        let mut ids = Identities::new(Rules::default());
        for (seq, op) in (1u64..).zip(ops.iter().filter(|op| !matches!(op, Op::Merge(..)))) {
            apply(&mut ids, seq, op);
            for head in ids.heads() {
                let users = ids.identifiers_of(head).filter(|n| n.kind == IdKind::User).count();
                prop_assert!(users <= 1);
                prop_assert!(users == 0 || ids.kind_of(head) == Some(IdKind::User));
            }
        }
    }

    #[test]
    fn an_undone_merge_stays_undone_when_its_message_comes_again(
        ops in prop::collection::vec(op(), 1..40),
        who in prop::collection::vec(identifier(), 2..4),
    ) {
        let mut ids = Identities::new(Rules::default());
        for (seq, op) in (1u64..).zip(&ops) {
            apply(&mut ids, seq, op);
        }
        let before: Vec<u32> = (0..ids.len() as u32).map(|h| ids.head_of(h)).collect();
        let Ok(seen) = ids.see(&who, said(1_000, true)) else { return Ok(()) };
        let merges: Vec<_> = ids.merges_at(1_000).iter().map(|m| (m.id, m.a, m.b)).collect();
        for (merge, ..) in &merges {
            prop_assert!(ids.unmerge(*merge, 1_001, Instant(0), "kim").is_ok());
            prop_assert!(ids.unmerge(*merge, 1_001, Instant(0), "kim").is_err());
        }
        let restored: Vec<u32> = (0..before.len() as u32).map(|h| ids.head_of(h)).collect();
        prop_assert_eq!(&before, &restored);
        let again = ids.see(&who, said(1_002, true)).expect("the same names");
        prop_assert_eq!(again.handle, seen.handle);
        for (_, a, b) in merges {
            prop_assert_ne!(ids.head_of(a), ids.head_of(b));
        }
    }

    #[test]
    fn the_order_of_the_names_of_a_message_says_nothing(
        mut who in prop::collection::btree_map(0..6usize, "[a-c]", 1..6),
        ops in prop::collection::vec(op(), 0..30),
        verified in any::<bool>(),
    ) {
        let mut there = Identities::new(Rules::default());
        for (seq, op) in (1u64..).zip(&ops) {
            apply(&mut there, seq, op);
        }
        let names = |(k, v): (usize, String)| Identifier::new(IdKind::ALL[k], v);
        let who: Vec<_> = std::mem::take(&mut who).into_iter().map(names).collect();
        let mut back = there.clone();
        let reversed: Vec<_> = who.iter().rev().cloned().collect();
        prop_assert_eq!(there.see(&who, said(99, verified)), back.see(&reversed, said(99, verified)));
        prop_assert_eq!(there.save(), back.save());
    }

    #[test]
    fn damaged_bytes_are_errors_and_never_panics(
        ops in prop::collection::vec(op(), 1..30),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut ids = Identities::new(Rules::default());
        for (seq, op) in (1u64..).zip(&ops) {
            apply(&mut ids, seq, op);
        }
        let good = ids.save();
        let mut bad = good.clone();
        let i = at.index(bad.len());
        bad[i] = byte;
        // With a sum that agrees, too: what a later version writes wrong must not bring this one down.
        let body = bad.len() - 8;
        let sum = gyul_model::hash64(&bad[..body]);
        prop_assert!(bad == good || Identities::load(&bad, Rules::default()).is_err());
        bad[body..].copy_from_slice(&sum.to_le_bytes());
        let _ = Identities::load(&bad, Rules::default());
        prop_assert!(Identities::load(&good[..i], Rules::default()).is_err());
    }
}
