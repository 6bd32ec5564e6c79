//! Who may do what: roles, keys, users, sessions, webhook sources. A fold of records that the backend keeps.

mod hook;
mod secret;

pub use hook::Hook;
pub use secret::{Secret, digest, hash_password, same, verify_password};

use crate::data::DefKind;
use gyul_model::{Instant, MICROS_DAY};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What somebody or some program is trusted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything.
    Owner,
    /// Sees people, changes definitions, mends data.
    Marketer,
    /// Sees people, changes nothing but previews.
    Analyst,
    /// Sees definitions and numbers, no people.
    ReadOnly,
    /// Sends events, sees nothing.
    Ingest,
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Owner, Role::Marketer, Role::Analyst, Role::ReadOnly, Role::Ingest];
}

/// A foreign system whose webhooks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    Shopify,
    Woocommerce,
    Cafe24,
    Kakao,
}

impl SourceKind {
    pub const ALL: [SourceKind; 4] =
        [SourceKind::Shopify, SourceKind::Woocommerce, SourceKind::Cafe24, SourceKind::Kakao];

    /// As in paths.
    pub fn name(self) -> &'static str {
        match self {
            SourceKind::Shopify => "shopify",
            SourceKind::Woocommerce => "woocommerce",
            SourceKind::Cafe24 => "cafe24",
            SourceKind::Kakao => "kakao",
        }
    }
}

/// A change of who may do what. Its JSON is what the backend keeps: names of fields and variants stay.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// Made once: keys the pseudonyms of customers in the audit log.
    Salt {
        salt: String,
    },
    KeyMade {
        id: String,
        hash: String,
        name: String,
        role: Role,
        made: i64,
        expires: Option<i64>,
        by: String,
    },
    KeyGone {
        id: String,
    },
    /// At most one a day and key.
    KeyUsed {
        id: String,
        at: i64,
    },
    UserPut {
        email: String,
        name: String,
        role: Role,
        password: String,
        made: i64,
    },
    UserRole {
        email: String,
        role: Role,
    },
    UserPassword {
        email: String,
        password: String,
    },
    UserGone {
        email: String,
    },
    SessionMade {
        hash: String,
        email: String,
        expires: i64,
    },
    SessionGone {
        hash: String,
    },
    SourcePut {
        name: String,
        kind: SourceKind,
        secret: String,
        /// In front of its customers' ids.
        #[serde(default)]
        prefix: String,
        made: i64,
    },
    SourceGone {
        name: String,
    },
    HookPut {
        id: String,
        url: String,
        secret: String,
        only: Option<(DefKind, String)>,
        next: u64,
        made: i64,
    },
    HookGone {
        id: String,
    },
    /// Told up to here.
    HookAt {
        id: String,
        next: u64,
    },
    HookDead {
        id: String,
        offset: u64,
        reason: String,
        at: i64,
    },
    /// Dead letters are to be tried again, and a paused hook goes on.
    HookAgain {
        id: String,
    },
    /// A dead letter has arrived after all, or cannot any more.
    HookDone {
        id: String,
        offset: u64,
    },
    HookPaused {
        id: String,
        reason: String,
    },
}

#[derive(Clone, Debug)]
pub struct Key {
    pub hash: String,
    pub name: String,
    pub role: Role,
    pub made: i64,
    pub expires: Option<i64>,
    pub last_used: Option<i64>,
    pub by: String,
}

#[derive(Clone)]
pub struct User {
    pub name: String,
    pub role: Role,
    /// In PHC's notation.
    pub password: String,
    pub made: i64,
}

#[derive(Clone)]
pub struct Source {
    pub kind: SourceKind,
    pub secret: String,
    pub prefix: String,
    pub made: i64,
}

/// All that the records say.
#[derive(Default)]
pub struct Access {
    pub salt: Option<String>,
    /// By their public half.
    pub keys: BTreeMap<String, Key>,
    /// By their address, in lower case.
    pub users: BTreeMap<String, User>,
    /// Hash to the user and the end.
    sessions: BTreeMap<String, (String, i64)>,
    pub sources: BTreeMap<String, Source>,
    pub hooks: BTreeMap<String, Hook>,
}

/// How many sessions one user can have; the one that ends first makes room.
const SESSIONS_MAX: usize = 20;

impl Access {
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> Result<Access, serde_json::Error> {
        let mut access = Access::default();
        for bytes in records {
            access.apply(serde_json::from_slice(bytes)?);
        }
        Ok(access)
    }

    pub fn apply(&mut self, record: Record) {
        match record {
            Record::Salt { salt } => {
                self.salt.get_or_insert(salt);
            }
            Record::KeyMade { id, hash, name, role, made, expires, by } => {
                self.keys.insert(id, Key { hash, name, role, made, expires, last_used: None, by });
            }
            Record::KeyGone { id } => {
                self.keys.remove(&id);
            }
            Record::KeyUsed { id, at } => {
                if let Some(key) = self.keys.get_mut(&id) {
                    key.last_used = key.last_used.max(Some(at));
                }
            }
            Record::UserPut { email, name, role, password, made } => {
                self.users.insert(email, User { name, role, password, made });
            }
            Record::UserRole { email, role } => {
                if let Some(user) = self.users.get_mut(&email) {
                    user.role = role;
                }
            }
            // A new password ends what was opened with the old one.
            Record::UserPassword { email, password } => {
                if let Some(user) = self.users.get_mut(&email) {
                    user.password = password;
                }
                self.sessions.retain(|_, (of, _)| *of != email);
            }
            Record::UserGone { email } => {
                self.users.remove(&email);
                self.sessions.retain(|_, (of, _)| *of != email);
            }
            Record::SessionMade { hash, email, expires } => {
                let own = self.sessions.iter().filter(|(_, (of, _))| *of == email);
                let first = own.clone().min_by_key(|(_, (_, end))| *end).map(|(hash, _)| hash.clone());
                if let (true, Some(first)) = (own.count() >= SESSIONS_MAX, first) {
                    self.sessions.remove(&first);
                }
                self.sessions.insert(hash, (email, expires));
            }
            Record::SessionGone { hash } => {
                self.sessions.remove(&hash);
            }
            Record::SourcePut { name, kind, secret, prefix, made } => {
                self.sources.insert(name, Source { kind, secret, prefix, made });
            }
            Record::SourceGone { name } => {
                self.sources.remove(&name);
            }
            Record::HookPut { id, url, secret, only, next, made } => {
                let (dead, again) = Default::default();
                let hook = Hook { url, secret, only, made, active: true, reason: None, next, dead, again };
                self.hooks.insert(id, hook);
            }
            Record::HookGone { id } => {
                self.hooks.remove(&id);
            }
            Record::HookAt { id, next } => self.of_hook(&id, |h| h.next = next),
            Record::HookDead { id, offset, reason, at } => self.of_hook(&id, |h| {
                h.again.remove(&offset);
                h.dead.insert(offset, (reason, at));
            }),
            Record::HookAgain { id } => self.of_hook(&id, |h| {
                (h.active, h.reason) = (true, None);
                h.again = h.dead.keys().copied().collect();
            }),
            Record::HookDone { id, offset } => self.of_hook(&id, |h| {
                h.again.remove(&offset);
                h.dead.remove(&offset);
            }),
            Record::HookPaused { id, reason } => self.of_hook(&id, |h| (h.active, h.reason) = (false, Some(reason))),
        }
    }

    fn of_hook(&mut self, id: &str, change: impl FnOnce(&mut Hook)) {
        if let Some(hook) = self.hooks.get_mut(id) {
            change(hook);
        }
    }

    /// Whether anybody could get in.
    pub fn is_open_to_somebody(&self) -> bool {
        !self.keys.is_empty() || !self.users.is_empty()
    }

    pub fn owners(&self) -> usize {
        self.users.values().filter(|u| u.role == Role::Owner).count()
    }

    /// The key that a text is, if it is one, in force.
    pub fn key(&self, text: &str, now: Instant) -> Option<(&str, &Key)> {
        let secret = Secret::parse_key(text)?;
        let (id, key) = self.keys.get_key_value(secret.id)?;
        let in_force = key.expires.is_none_or(|end| now.0 < end);
        (secret::same(&secret::digest(text), &key.hash) && in_force).then_some((id, key))
    }

    /// Whether to keep a record that a key was used: a day is exact enough.
    pub fn wants_use(&self, id: &str, now: Instant) -> bool {
        self.keys.get(id).is_some_and(|k| k.last_used.is_none_or(|last| now.0 - last >= MICROS_DAY))
    }

    /// The user of a session's token, in force.
    pub fn session(&self, token: &str, now: Instant) -> Option<(&str, &User)> {
        let (email, end) = self.sessions.get(&secret::digest(token))?;
        let (email, user) = self.users.get_key_value(email)?;
        (now.0 < *end).then_some((email.as_str(), user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(access: &mut Access, id: &str, expires: Option<i64>) -> String {
        let secret = Secret::new_key();
        let text = secret.text.clone();
        access.apply(Record::KeyMade {
            id: secret.id().to_string(),
            hash: secret.hash(),
            name: id.into(),
            role: Role::Analyst,
            made: 0,
            expires,
            by: "test".into(),
        });
        text
    }

    #[test]
    fn a_key_is_known_by_its_secret_until_it_ends() {
        let mut access = Access::default();
        let (a, b) = (key(&mut access, "a", None), key(&mut access, "b", Some(100)));
        assert_eq!(access.key(&a, Instant(1)).unwrap().1.name, "a");
        assert!(access.key(&b, Instant(99)).is_some());
        assert!(access.key(&b, Instant(100)).is_none());
        // The public half of one with the secret of the other.
        let mixed = format!("{}_{}", &a[..a.rfind('_').unwrap()], &b[b.rfind('_').unwrap() + 1..]);
        assert!(access.key(&mixed, Instant(1)).is_none());
        for junk in ["", "gyul_", "gyul__", "_", "gyul_ffffffffffff_x", &a[..a.len() - 1]] {
            assert!(access.key(junk, Instant(1)).is_none(), "{junk}");
        }
        let id = access.keys.iter().find(|(_, k)| k.name == "a").unwrap().0.clone();
        access.apply(Record::KeyGone { id });
        assert!(access.key(&a, Instant(1)).is_none());
    }

    #[test]
    fn a_new_password_ends_sessions_and_the_fold_is_the_same_again() {
        let user = Record::UserPut {
            email: "a@b.kr".into(),
            name: "A".into(),
            role: Role::Owner,
            password: "x".into(),
            made: 0,
        };
        let session = Record::SessionMade { hash: secret::digest("t"), email: "a@b.kr".into(), expires: 10 };
        let records: Vec<Vec<u8>> = [user, session].iter().map(|r| serde_json::to_vec(r).unwrap()).collect();
        let mut access = Access::replay(records.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(access.session("t", Instant(9)).unwrap().0, "a@b.kr");
        assert!(access.session("t", Instant(10)).is_none());
        assert!(access.session("u", Instant(9)).is_none());
        access.apply(Record::UserPassword { email: "a@b.kr".into(), password: "y".into() });
        assert!(access.session("t", Instant(9)).is_none());
    }

    #[test]
    fn sessions_of_one_user_are_limited() {
        let mut access = Access::default();
        for i in 0..100 {
            access.apply(Record::SessionMade { hash: format!("{i:03}"), email: "a".into(), expires: i });
        }
        assert_eq!(access.sessions.len(), SESSIONS_MAX);
        assert!(access.sessions.contains_key("099"));
    }
}
