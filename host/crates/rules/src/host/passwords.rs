//! `hookwire:host/passwords`: hashes of passwords, computed on the blocking
//! pool: a good hash takes a tenth of a second, which no worker has.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use hookwire_bindings::fault::to_guest;
use hookwire_bindings::wit::hookwire::host::passwords::Host as PasswordsHost;
use hookwire_bindings::wit::hookwire::types::faults::Fault as GuestFault;
use hookwire_driver::{Fault, FaultKind};
use tokio::sync::Semaphore;

use crate::host::{Host, fault, places};

/// Longest password that is looked at, in bytes.
const MAX_PASSWORD_BYTES: usize = 4096;
/// Highest cost of a bcrypt hash: a few seconds.
const MAX_BCRYPT_COST: u32 = 15;
/// Most memory that an Argon2 or scrypt hash may ask for, in KiB.
const MAX_MEMORY_KIB: u64 = 256 * 1024;
/// Most rounds that an Argon2 or PBKDF2 hash may ask for.
const MAX_ARGON2_ROUNDS: u64 = 64;
const MAX_PBKDF2_ROUNDS: u64 = 10_000_000;

/// Hashes computed at once.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(places::checks()));

impl PasswordsHost for Host {
    async fn verify(
        &mut self,
        password: Vec<u8>,
        hash: String,
    ) -> wasmtime::Result<Result<bool, GuestFault>> {
        self.check_may_call("passwords.verify")?;
        let own = Arc::clone(&self.access.places.passwords);
        // So long before the deadline that the guest can be told.
        let deadline = self.store_deadline();
        let checked = computed(own, deadline, move || verify(&password, &hash)).await;
        Ok(checked.map_err(to_guest))
    }

    async fn hash(&mut self, password: Vec<u8>) -> wasmtime::Result<Result<String, GuestFault>> {
        self.check_may_call("passwords.hash")?;
        let own = Arc::clone(&self.access.places.passwords);
        let deadline = self.store_deadline();
        let hashed = computed(own, deadline, move || hash(&password)).await;
        Ok(hashed.map_err(to_guest))
    }
}

/// Waits for a place and for the work in it, until the deadline.
async fn computed<T: Send + 'static>(
    own: Arc<Semaphore>,
    deadline: Instant,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let full = || {
        let message = "too many passwords are checked at once";
        fault(FaultKind::Saturated, "passwords", message)
    };
    let Some(place) = places::place(&own, &PLACES, deadline).await else {
        return Err(full());
    };
    let done = tokio::task::spawn_blocking(move || {
        // Held until the work is done, also where nobody waits any more.
        let _place = place;
        work()
    });
    match tokio::time::timeout_at(deadline.into(), done).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(fault(FaultKind::Other, "passwords", "the check failed")),
        Err(_) => Err(full()),
    }
}

fn verify(password: &[u8], hash: &str) -> Result<bool, Fault> {
    if password.len() > MAX_PASSWORD_BYTES {
        return Ok(false);
    }
    if hash.starts_with("$2") {
        return verify_bcrypt(password, hash);
    }
    let parsed = PasswordHash::new(hash)
        .map_err(|error| unusable(&format!("the hash cannot be read: {error}")))?;
    check_cost(&parsed)?;
    let verified = match parsed.algorithm.as_str() {
        "argon2d" | "argon2i" | "argon2id" => Argon2::default().verify_password(password, &parsed),
        "scrypt" => scrypt::Scrypt::default().verify_password(password, &parsed),
        "pbkdf2" | "pbkdf2-sha1" | "pbkdf2-sha256" | "pbkdf2-sha512" => {
            pbkdf2::Pbkdf2::default().verify_password(password, &parsed)
        }
        other => return Err(unusable(&format!("there is no check of {other:?} hashes"))),
    };
    match verified {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(unusable(&format!("the hash cannot be checked: {error}"))),
    }
}

fn verify_bcrypt(password: &[u8], hash: &str) -> Result<bool, Fault> {
    let cost = hash.split('$').nth(2).and_then(|cost| cost.parse().ok());
    if cost.is_none_or(|cost: u32| cost > MAX_BCRYPT_COST) {
        return Err(unusable(
            "the hash is no bcrypt hash with a cost of 15 at most",
        ));
    }
    bcrypt::verify(password, hash)
        .map_err(|error| unusable(&format!("the hash cannot be checked: {error}")))
}

fn hash(password: &[u8]) -> Result<String, Fault> {
    let hashed = Argon2::default()
        .hash_password(password)
        .map_err(|error| unusable(&format!("the password cannot be hashed: {error}")))?;
    Ok(hashed.to_string())
}

/// A hash names its own cost: one that asks for too much is not computed.
fn check_cost(hash: &PasswordHash) -> Result<(), Fault> {
    let number = |name: &str| hash.params.get_decimal(name).map(u64::from);
    let algorithm = hash.algorithm.as_str();
    let is_too_much = match algorithm {
        "scrypt" => {
            let (log_n, r, p) = (number("ln"), number("r"), number("p"));
            let kib = 1_u64
                .checked_shl(u32::try_from(log_n.unwrap_or(0)).unwrap_or(64))
                .and_then(|n| n.checked_mul(r.unwrap_or(8)))
                .map(|blocks| blocks / 8);
            kib.is_none_or(|kib| kib > MAX_MEMORY_KIB) || p.is_some_and(|p| p > 16)
        }
        name if name.starts_with("argon2") => {
            number("m").is_some_and(|kib| kib > MAX_MEMORY_KIB)
                || number("t").is_some_and(|rounds| rounds > MAX_ARGON2_ROUNDS)
                || number("p").is_some_and(|lanes| lanes > 64)
        }
        _ => number("i").is_some_and(|rounds| rounds > MAX_PBKDF2_ROUNDS),
    };
    if is_too_much {
        return Err(unusable("the hash asks for more than is spent on one"));
    }
    Ok(())
}

fn unusable(message: &str) -> Fault {
    fault(FaultKind::Invalid, "password-hash", message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::{Access, Phase};

    #[tokio::test]
    async fn who_finds_no_place_is_told_before_its_deadline() {
        let host = |wait_ms| {
            let access = Arc::new(Access::default());
            let mut host = Host::new("m".into(), Phase::Serving, access, 1 << 20);
            host.deadline = Instant::now() + Duration::from_millis(wait_ms);
            host
        };
        let mut one = host(400);
        let own = Arc::clone(&one.access.places.passwords);
        let all = u32::try_from(own.available_permits()).unwrap();
        let taken = own.acquire_many_owned(all).await.unwrap();
        let full = one.hash(b"secret".to_vec()).await.unwrap().unwrap_err();
        assert!(full.retryable && full.code == "host:passwords", "{full:?}");
        assert!(Instant::now() < one.deadline, "its guest is not stopped");
        let mut other = host(20_000);
        other.hash(b"secret".to_vec()).await.unwrap().unwrap();
        drop(taken);
    }

    #[test]
    fn a_hash_knows_its_password() {
        let own = hash(b"secret").unwrap();
        assert!(own.starts_with("$argon2id$"), "{own}");
        let known = [
            own.as_str(),
            // From the bcrypt paper's reference implementation, cost 4.
            &bcrypt::hash("secret", 4).unwrap(),
        ];
        for hash in known {
            assert_eq!(verify(b"secret", hash), Ok(true), "{hash}");
            assert_eq!(verify(b"Secret", hash), Ok(false), "{hash}");
        }
    }

    #[test]
    fn hashes_that_cost_too_much_or_are_none_are_refused() {
        for hash in [
            "",
            "plain",
            "$2b$31$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijklmnopqrs",
            "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
            "$argon2id$v=19$m=16,t=4000000000,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
            "$scrypt$ln=40,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
            "$md5$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        ] {
            let refused = verify(b"secret", hash).unwrap_err();
            assert_eq!(refused.kind, FaultKind::Invalid, "{hash}: {refused:?}");
        }
    }
}
