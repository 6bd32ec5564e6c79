//! How names become customers, as the owner decides it.

use super::{Live, invalid, lock};
use gyul_engine::live::{Action, SOURCES};
use gyul_model::IdKind;
use gyul_profile::{BlockList, Blocked, Rules};
use gyul_web::Reply;
use gyul_web::data::{IdentityRules, KnownRules, NameLimits};
use std::sync::PoisonError;

const LIMIT_MAX: u32 = 10_000;
const BLOCKED_MAX: usize = 1000;

impl Live {
    pub(super) fn rules_shown(&self) -> IdentityRules {
        let rules = self.hub.rules();
        let [user, email, phone, kakao, device, anonymous] = rules.limits;
        let verify = IdKind::ALL.into_iter().filter(|k| rules.verify[*k as usize]);
        IdentityRules {
            limits: NameLimits { user, email, phone, kakao, device, anonymous },
            verify: verify.map(|k| k.name().to_string()).collect(),
            blocked: rules.own_blocked().into_iter().map(Blocked::to_string).collect(),
            known: KnownRules {
                // Files bring customers, not names to be joined.
                sources: SOURCES.iter().filter(|s| **s != "import").map(|s| s.to_string()).collect(),
                built_in: Blocked::built_in().iter().map(Blocked::to_string).collect(),
            },
            verified_sources: rules.verified_sources,
            alias_joins_users: rules.alias_joins_users,
        }
    }

    pub(super) fn rules_decided(&self, said: &IdentityRules) -> Reply<()> {
        let rules = read(said)?;
        let _one = lock(&self.deciding);
        if self.hub.rules() == rules {
            return Ok(());
        }
        let blocked = BlockList::of(&rules);
        self.act(Action::Rules(Box::new(rules)))?;
        *self.blocked.write().unwrap_or_else(PoisonError::into_inner) = blocked;
        Ok(())
    }
}

fn read(said: &IdentityRules) -> Reply<Rules> {
    let l = said.limits;
    let limits = [l.user, l.email, l.phone, l.kakao, l.device, l.anonymous];
    if let Some((kind, _)) = IdKind::ALL.into_iter().zip(limits).find(|(_, n)| *n > LIMIT_MAX) {
        let name = kind.name();
        return Err(invalid(
            "bad_limit",
            format!("limits.{name}에는 0에서 {LIMIT_MAX}까지 적을 수 있습니다. 예: 5"),
            format!("limits.{name} is from 0 to {LIMIT_MAX}, for example 5."),
        ));
    }
    let mut verify = [false; 6];
    for name in &said.verify {
        let Some(kind) = IdKind::parse(name) else {
            let all = IdKind::ALL.map(IdKind::name).join(", ");
            return Err(invalid(
                "bad_kind",
                format!("verify: '{name}'은(는) 식별자의 종류가 아닙니다. {all} 중에서 고르세요."),
                format!("verify: '{name}' is no kind of identifier. Choose from {all}."),
            ));
        };
        verify[kind as usize] = true;
    }
    if let Some(name) = said.verified_sources.iter().find(|s| !SOURCES.contains(&s.as_str())) {
        let all = SOURCES.join(", ");
        return Err(invalid(
            "bad_source",
            format!("verified_sources: '{name}'은(는) 없는 출처입니다. {all} 중에서 고르세요."),
            format!("verified_sources: there is no source '{name}'. Choose from {all}."),
        ));
    }
    if said.blocked.len() > BLOCKED_MAX {
        return Err(invalid(
            "too_many_blocked",
            format!("blocked: {BLOCKED_MAX}개까지 적을 수 있습니다. *를 써서 여러 값을 한 줄로 묶으세요."),
            format!("blocked: at most {BLOCKED_MAX} values. Unite some by *."),
        ));
    }
    let mut rules = Rules { limits, verify, alias_joins_users: said.alias_joins_users, ..Rules::default() };
    rules.verified_sources.clone_from(&said.verified_sources);
    for line in &said.blocked {
        let Some(blocked) = Blocked::parse(line) else {
            let ko =
                "막을 수 없는 값입니다. 빈 값, 너무 긴 값, *만 있는 값은 쓸 수 없습니다. 예: email:*@counter.shop.kr";
            let en = "cannot be blocked: empty, too long, or nothing but *. Write it like email:*@counter.shop.kr.";
            return Err(invalid(
                "bad_blocked",
                format!("blocked: '{line}'은(는) {ko}"),
                format!("blocked: '{line}' {en}"),
            ));
        };
        if !rules.blocked.contains(&blocked) {
            rules.blocked.push(blocked);
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        let good = IdentityRules {
            limits: NameLimits { user: 1, email: 5, phone: 5, kakao: 5, device: 20, anonymous: 100 },
            verify: vec!["email".into()],
            verified_sources: vec!["api".into()],
            blocked: vec!["매장 손님".into(), "null".into(), "email:*@counter.kr".into()],
            ..IdentityRules::default()
        };
        let rules = read(&good).unwrap();
        // What is built in is not said twice.
        let own: Vec<String> = rules.own_blocked().into_iter().map(Blocked::to_string).collect();
        assert_eq!(own, ["매장 손님", "email:*@counter.kr"]);
        let limits = NameLimits { email: 10_001, ..good.limits };
        for (place, bad) in [
            ("limits.email", IdentityRules { limits, ..good.clone() }),
            ("verify", IdentityRules { verify: vec!["mail".into()], ..good.clone() }),
            ("verified_sources", IdentityRules { verified_sources: vec!["browser".into()], ..good.clone() }),
            ("blocked", IdentityRules { blocked: vec!["*".into()], ..good.clone() }),
            ("blocked", IdentityRules { blocked: vec!["x".into(); BLOCKED_MAX + 1], ..good.clone() }),
        ] {
            match read(&bad) {
                Err(gyul_web::Refusal::Invalid(p)) => {
                    assert!(p[0].en.starts_with(place) && p[0].ko.starts_with(place), "{place}: {}", p[0].en);
                }
                other => panic!("{place}: {:?}", other.map(|_| ())),
            }
        }
    }
}
