//! Passwords: what they have to be, and their argon2id hashes.

use std::sync::OnceLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};

use super::{AccountError, random_token};
use andon_core::Role;

/// Characters of a password at most: hashing takes as long as it is.
const MOST: usize = 200;

/// Whether a password will do for a role: at least 4 digits for an operator (a PIN, typed with gloves), at least 8 characters for the
/// others.
///
/// # Errors
/// [`AccountError::Password`].
pub fn check_password(role: Role, password: &str) -> Result<(), AccountError> {
    let length = password.chars().count();
    let fits = match role {
        Role::Viewer | Role::Operator => length >= 4 && (length >= 8 || password.chars().all(|c| c.is_ascii_digit())),
        Role::Leader | Role::Quality | Role::Admin => length >= 8,
    };
    if fits && length <= MOST { Ok(()) } else { Err(AccountError::Password(role)) }
}

/// The hash to keep, in the PHC format: argon2id with the parameters that RFC 9106 recommends for little memory, and a salt of its own.
pub(super) fn hash(password: &str) -> Result<String, AccountError> {
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).map_err(|e| AccountError::Random(e.to_string()))?;
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|h| h.to_string()).map_err(|e| AccountError::Hash(e.to_string()))
}

/// Whether a password belongs to a hash. An unknown user is checked against `None`, which takes as long, so that the time does not tell
/// which names there are.
pub(super) fn is_right(password: &str, kept: Option<&str>) -> bool {
    // A hash of a random password that nobody knows.
    static NOBODY: OnceLock<String> = OnceLock::new();
    let nobody = NOBODY.get_or_init(|| random_token().and_then(|p| hash(&p)).unwrap_or_default());
    let cut: String = password.chars().take(MOST).collect();
    let Ok(hash) = PasswordHash::new(kept.unwrap_or(nobody)) else { return false };
    Argon2::default().verify_password(cut.as_bytes(), &hash).is_ok() && kept.is_some()
}
