//! Secrets: made of the system's randomness, kept as hashes, compared in constant time.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A secret that is shown once. No `Debug`: it is not for logs.
pub struct Secret {
    pub text: String,
}

/// The parts of a key's text.
pub struct KeyText<'a> {
    pub id: &'a str,
}

impl Secret {
    /// `gyul_<12 hex>_<43 letters>`: the middle names the key, the end proves it.
    pub fn new_key() -> Secret {
        let id: String = random::<6>().iter().map(|b| format!("{b:02x}")).collect();
        Secret { text: format!("gyul_{id}_{}", URL_SAFE_NO_PAD.encode(random::<32>())) }
    }

    /// For sessions, and for the token of the first start.
    pub fn new_token() -> Secret {
        Secret { text: URL_SAFE_NO_PAD.encode(random::<32>()) }
    }

    /// For signing, in the notation of Standard Webhooks.
    pub fn new_signing() -> Secret {
        Secret { text: format!("whsec_{}", STANDARD.encode(random::<32>())) }
    }

    pub fn parse_key(text: &str) -> Option<KeyText<'_>> {
        let (id, proof) = text.strip_prefix("gyul_")?.split_once('_')?;
        (id.len() == 12 && proof.len() == 43).then_some(KeyText { id })
    }

    /// The public half of a key.
    pub fn id(&self) -> &str {
        Secret::parse_key(&self.text).map_or("", |k| k.id)
    }

    pub fn hash(&self) -> String {
        digest(&self.text)
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // A machine without randomness cannot keep anything secret: stopping is right.
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// SHA-256: enough for secrets of 256 random bits (passwords have Argon2).
pub fn digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

pub fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// Argon2id with its recommended cost. Takes tens of milliseconds and 19 MB on purpose.
pub fn hash_password(password: &str) -> Option<String> {
    let hash: argon2::PasswordHash = Argon2::default().hash_password(password.as_bytes()).ok()?;
    Some(hash.to_string())
}

/// Against nobody's hash where there is no user, so that the time tells nothing.
pub fn verify_password(password: &str, hash: Option<&str>) -> bool {
    const NOBODY: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let parsed = argon2::PasswordHash::new(hash.unwrap_or(NOBODY));
    let fits = parsed.is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok());
    fits && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_argon2id_and_verify() {
        let hash = hash_password("귤 상자 셋").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify_password("귤 상자 셋", Some(&hash)));
        assert!(!verify_password("귤 상자 넷", Some(&hash)));
        assert!(!verify_password("", None));
        assert!(!verify_password("x", Some("not a hash")));
        assert_ne!(hash, hash_password("귤 상자 셋").unwrap());
    }
}
