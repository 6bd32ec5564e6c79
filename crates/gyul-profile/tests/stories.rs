//! What a shop lives through, one story a test.

use gyul_model::{IdKind, Identifier, Instant, Lang};
use gyul_profile::{CannotMerge, Change, Identities, Nobody, Reason, Rules, Said, Seen, Why};

struct Shop {
    ids: Identities,
    seq: u64,
}

/// `C1` is a user id, others are written as handles.
fn who(names: &[&str]) -> Vec<Identifier> {
    names.iter().map(|n| Identifier::of_handle(n)).collect()
}

impl Shop {
    fn new() -> Shop {
        Shop { ids: Identities::new(Rules::default()), seq: 0 }
    }

    fn said(&mut self, verified: bool) -> Said {
        self.seq += 1;
        Said { seq: self.seq, at: Instant(self.seq as i64), verified }
    }

    /// From a source that verifies.
    fn see(&mut self, names: &[&str]) -> Seen {
        let said = self.said(true);
        self.ids.see(&who(names), said).expect("somebody")
    }

    /// From a browser.
    fn browse(&mut self, names: &[&str]) -> Seen {
        let said = self.said(false);
        self.ids.see(&who(names), said).expect("somebody")
    }

    fn number(&self, handle: &str) -> u32 {
        self.ids.find_handle(handle).expect("a handle")
    }

    /// All handles of the customer of a handle, the head first.
    fn customer(&self, handle: &str) -> Vec<&str> {
        let head = self.ids.head_of(self.number(handle));
        let others = self.ids.handles_of(head).iter().filter(|h| **h != head);
        std::iter::once(&head).chain(others).map(|h| self.ids.handle_id(*h)).collect()
    }
}

#[test]
fn a_visitor_signs_in_and_has_been_the_customer_all_along() {
    let mut shop = Shop::new();
    let first = shop.browse(&["anonymous:x"]);
    assert!(first.new && first.changes.is_empty());
    let seen = shop.browse(&["C1", "anonymous:x"]);
    let (c1, x) = (shop.number("C1"), shop.number("anonymous:x"));
    assert_eq!((seen.handle, seen.head, seen.new), (c1, c1, true));
    assert_eq!(seen.changes, [Change::Joined { merge: 0, into: c1, from: x }]);
    assert_eq!(shop.browse(&["anonymous:x"]).head, c1);
    assert!(shop.browse(&["anonymous:x", "C1"]).changes.is_empty());
}

#[test]
fn a_guest_order_finds_the_customer_whose_email_was_verified() {
    let mut shop = Shop::new();
    shop.see(&["C1", "email:a@b.kr"]);
    let order = shop.browse(&["email:a@b.kr", "phone:+821011112222"]);
    assert_eq!(shop.ids.handle_id(order.handle), "email:a@b.kr");
    assert_eq!(shop.ids.handle_id(order.head), "C1");
    assert_eq!(shop.ids.find_handle("phone:+821011112222"), None, "nobody verified it");
    assert_eq!(shop.ids.stats().unverified, 1);
}

#[test]
fn what_a_browser_claims_joins_nobody() {
    let mut shop = Shop::new();
    shop.see(&["C1", "email:victim@b.kr"]);
    let seen = shop.browse(&["anonymous:x", "email:victim@b.kr"]);
    assert_eq!((shop.ids.handle_id(seen.handle), seen.head), ("anonymous:x", seen.handle));
    let seen = shop.browse(&["C2", "email:victim@b.kr"]);
    assert_eq!((shop.customer("C2"), seen.changes), (vec!["C2"], vec![]));
}

#[test]
fn a_shared_device_stays_with_the_first_and_the_second_has_an_own_timeline() {
    let mut shop = Shop::new();
    shop.browse(&["C1", "anonymous:kiosk"]);
    let second = shop.browse(&["C2", "anonymous:kiosk"]);
    let (c2, kiosk) = (shop.number("C2"), shop.number("anonymous:kiosk"));
    assert_eq!(second.handle, c2);
    assert_eq!(second.changes, [Change::Refused { a: c2, b: kiosk, reason: Reason::TooMany(IdKind::User) }]);
    assert!(shop.browse(&["C2", "anonymous:kiosk"]).changes.is_empty(), "told once");
    let refusals = shop.ids.refusals_of(c2);
    assert_eq!((refusals.len(), refusals[0].times, refusals[0].seq), (1, 2, 2));
    assert_eq!(shop.customer("anonymous:kiosk"), ["C1", "anonymous:kiosk"]);
    // The conflict is settled when the two turn out to be one person.
    let c1 = shop.number("C1");
    assert!(shop.ids.merge(c1, c2, 9, Instant(9), "kim").is_ok());
    assert!(shop.ids.refusals_of(shop.ids.head_of(c2)).is_empty());
}

#[test]
fn a_merge_by_hand_is_undone_exactly_and_does_not_come_back() {
    let mut shop = Shop::new();
    shop.see(&["C1", "email:a@b.kr"]);
    shop.see(&["C2", "phone:+821011112222"]);
    let (c1, c2) = (shop.number("C1"), shop.number("C2"));
    let Ok(Change::Joined { merge, into, from }) = shop.ids.merge(c2, c1, 7, Instant(7), "kim") else { panic!() };
    assert_eq!((into, from), (c1, c2), "the oldest user id is the head");
    assert_eq!(shop.ids.merge(c1, c2, 8, Instant(8), "kim"), Err(CannotMerge::SameCustomer));
    shop.browse(&["C2", "anonymous:new"]);
    assert_eq!(shop.customer("C2"), ["C1", "email:a@b.kr", "C2", "phone:+821011112222", "anonymous:new"]);

    let parted = shop.ids.unmerge(merge, 9, Instant(9), "lee");
    assert_eq!(parted, Ok(Change::Parted { merge, head: c1, out: c2 }));
    assert_eq!(shop.customer("C1"), ["C1", "email:a@b.kr"]);
    assert_eq!(shop.customer("C2"), ["C2", "phone:+821011112222", "anonymous:new"]);
    assert_eq!(shop.ids.unmerge(merge, 10, Instant(10), "lee"), Err(CannotMerge::AlreadyUndone));

    let history = shop.ids.merges_of(c1);
    let told = history.last().map(|m| (m.why, m.by, m.undone.map(|u| (u.seq, u.by))));
    assert_eq!(told, Some((Why::Hand, Some("kim"), Some((9, "lee")))));
    assert_eq!(history.len(), 2);
}

#[test]
fn parted_customers_are_kept_apart_whatever_names_meet() {
    let mut shop = Shop::new();
    shop.see(&["C1", "email:a@b.kr"]);
    shop.see(&["C1", "anonymous:x"]);
    shop.see(&["anonymous:x", "device:d"]);
    let merge = shop.ids.merges_at(2)[0].id;
    assert!(shop.ids.unmerge(merge, 4, Instant(4), "kim").is_ok());
    assert_eq!(shop.customer("device:d"), ["device:d", "anonymous:x"]);
    shop.see(&["C1", "anonymous:x"]);
    let seen = shop.see(&["email:a@b.kr", "device:d"]);
    assert!(matches!(seen.changes[..], [Change::Refused { reason: Reason::Parted, .. }]), "{seen:?}");
    // Another user may have the device.
    shop.see(&["C2", "device:d"]);
    assert_eq!(shop.customer("anonymous:x"), ["C2", "anonymous:x", "device:d"]);
    // By hand it is possible again, and lasts.
    let taken = shop.ids.take_out(shop.number("C2"), 9, Instant(9), "kim");
    assert_eq!(taken.map(|t| t.len()), Ok(1));
    assert!(shop.ids.merge(shop.number("C1"), shop.number("device:d"), 10, Instant(10), "kim").is_ok());
    assert_eq!(shop.customer("C1").len(), 4);
}

#[test]
fn limits_stop_what_gathers_too_much_and_leave_the_rest() {
    let mut shop = Shop::new();
    for i in 0..7 {
        shop.see(&["C1", &format!("email:a{i}@b.kr"), "anonymous:x"]);
    }
    assert_eq!(shop.customer("C1").len(), 1 + 5 + 1);
    let refusals = shop.ids.refusals_of(shop.number("C1"));
    assert_eq!(refusals.len(), 2);
    assert!(refusals.iter().all(|r| r.reason == Reason::TooMany(IdKind::Email)));
    assert_eq!(shop.customer("email:a6@b.kr"), ["email:a6@b.kr"]);
}

#[test]
fn a_kind_with_limit_zero_joins_nothing_and_hinders_nothing() {
    let mut shop = Shop::new();
    shop.see(&["C1", "device:old"]);
    let mut rules = Rules::default();
    rules.limits[IdKind::Device as usize] = 0;
    shop.ids.set_rules(rules);
    shop.see(&["C1", "email:a@b.kr", "device:new"]);
    shop.see(&["C2", "device:new"]);
    assert_eq!(shop.customer("C1"), ["C1", "device:old", "email:a@b.kr"]);
    assert_eq!(shop.customer("C2"), ["C2"]);
}

#[test]
fn blocked_values_name_nobody_and_others_take_their_place() {
    let mut shop = Shop::new();
    assert_eq!(shop.browse(&["null", "anonymous:x"]).head, shop.number("anonymous:x"));
    let said = shop.said(true);
    assert_eq!(shop.ids.see(&who(&["Undefined", "email:test@test.com"]), said), Err(Nobody::Blocked(IdKind::User)));
    assert_eq!(shop.ids.see(&[], said), Err(Nobody::NoNames));
    assert_eq!(shop.ids.len(), 1);
    // A customer of the base by that name keeps the timeline, and no message leads to it.
    let guest = shop.ids.register("guest");
    assert_eq!(guest, Some(1));
    assert_eq!(shop.ids.see(&who(&["guest"]), said), Err(Nobody::Blocked(IdKind::User)));
    // Until the rules say otherwise.
    shop.ids.set_rules(Rules { blocked: vec![], ..Rules::default() });
    assert_eq!(shop.ids.see(&who(&["guest"]), said).map(|s| Some(s.handle)), Ok(guest));
}

#[test]
fn an_alias_is_for_visitors_and_for_users_only_if_the_rules_say_so() {
    let mut shop = Shop::new();
    shop.browse(&["anonymous:x"]);
    shop.browse(&["C1"]);
    assert_eq!(shop.ids.previous("C1"), Identifier::new(IdKind::User, "C1"));
    assert_eq!(shop.ids.previous("x"), Identifier::new(IdKind::Anonymous, "x"));
    let said = shop.said(false);
    let (x, c1, c2) = (&shop.ids.previous("x"), &shop.ids.previous("C1"), &Identifier::new(IdKind::User, "C2"));
    assert!(shop.ids.alias(x, c2, said).is_ok());
    assert_eq!(shop.customer("anonymous:x"), ["C2", "anonymous:x"]);
    let refused = shop.ids.alias(c1, c2, said).map(|s| s.changes.len());
    assert_eq!((refused, shop.customer("C1")), (Ok(1), vec!["C1"]));
    shop.ids.set_rules(Rules { alias_joins_users: true, ..Rules::default() });
    assert!(shop.ids.alias(c1, c2, said).is_ok());
    assert_eq!(shop.customer("C2"), ["C1", "anonymous:x", "C2"]);
    assert_eq!(shop.ids.merges_of(shop.number("C1")).last().map(|m| m.why), Some(Why::Alias));
}

#[test]
fn the_erased_leave_nothing_behind() {
    let mut shop = Shop::new();
    shop.see(&["C1", "email:secret@b.kr", "anonymous:shared"]);
    shop.see(&["C2", "anonymous:shared"]);
    let c1 = shop.number("C1");
    let erased = shop.ids.erase(c1);
    let forgotten: Vec<_> = erased.iter().map(|e| e.id.handle()).collect();
    assert_eq!(forgotten, ["C1", "email:secret@b.kr", "anonymous:shared"]);
    assert!(shop.ids.erase(c1).is_empty());
    assert_eq!((shop.ids.find_handle("C1"), shop.ids.handle_id(c1)), (None, ""));
    let saved = shop.ids.save();
    assert!(!saved.windows(6).any(|w| w == b"secret" || w == b"shared"));
    assert!(shop.ids.refusals().next().is_none() && shop.ids.merge_of(0).is_none());
    assert!(!format!("{:?}", shop.ids).contains("C2"));
    // Who comes back is somebody new.
    let back = shop.see(&["C1", "email:secret@b.kr"]);
    assert!(back.new && back.handle > c1);
}

#[test]
fn everything_is_said_in_two_languages() {
    let reasons = [Reason::TooMany(IdKind::User), Reason::TooMany(IdKind::Phone), Reason::Parted];
    let nobody = [Nobody::NoNames, Nobody::Blocked(IdKind::User), Nobody::Full];
    let texts = |lang| -> Vec<String> {
        reasons.iter().map(|r| r.message(lang)).chain(nobody.iter().map(|n| n.message(lang))).collect()
    };
    for (ko, en) in texts(Lang::Ko).iter().zip(texts(Lang::En)) {
        assert!(ko.chars().any(|c| ('가'..='힣').contains(&c)) && en.is_ascii(), "{ko} {en}");
    }
}
