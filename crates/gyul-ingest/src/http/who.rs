//! The names that somebody goes by.

use super::RejectCode;
use super::problem::Fault;
use crate::values::traits;
use gyul_model::{IdKind, Identifier};

/// Longer names are nobody's; those of push subscriptions are addresses of some hundred bytes.
const ID_MAX: usize = 512;

/// Collects identifiers, each once.
#[derive(Default)]
pub(crate) struct Who {
    pub ids: Vec<Identifier>,
}

impl Who {
    /// Adds what can be an identifier of that kind; blank texts are none, numbers are taken as text.
    pub fn add(&mut self, kind: IdKind, text: Option<impl AsRef<str>>, place: &str) -> Result<(), Fault> {
        let Some(text) = text.as_ref().map(|t| t.as_ref().trim()).filter(|t| !t.is_empty()) else { return Ok(()) };
        if text.len() > ID_MAX {
            // Everybody has other names than a token.
            if kind == IdKind::Device {
                return Ok(());
            }
            return Err(Fault::new(RejectCode::TooLong, place));
        }
        let id = match kind {
            IdKind::User => user(text),
            IdKind::Email => match traits::email(text) {
                Some(email) => Identifier::new(IdKind::Email, email),
                None => return Ok(()),
            },
            IdKind::Phone => match traits::phone(text).filter(|p| !p.starts_with("+8250")) {
                // 050x numbers are lent to an order and mean somebody else tomorrow.
                Some(phone) => Identifier::new(IdKind::Phone, phone),
                None => return Ok(()),
            },
            kind => Identifier::new(kind, text),
        };
        if !self.ids.contains(&id) {
            self.ids.push(id);
        }
        Ok(())
    }

    pub fn finish(self, place: &str) -> Result<Vec<Identifier>, Fault> {
        if self.ids.is_empty() { Err(Fault::new(RejectCode::NoIdentity, place)) } else { Ok(self.ids) }
    }
}

/// A customer's own id, as in imports: an address is compared in lower case. An id written like a handle
/// (`email:a@b.kr`) is that handle, so that nobody's id can pass for another kind.
pub(crate) fn user(text: &str) -> Identifier {
    if text.contains('@')
        && let Some(email) = traits::email(text)
        && !text.contains(':')
    {
        return Identifier::new(IdKind::User, email);
    }
    Identifier::of_handle(text)
}
