//! One-time codes by time, TOTP (RFC 6238): HMAC-SHA-1, 6 digits, a new code every 30 s, because that is what every code
//! generator does.

use std::fmt::{self, Write};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use ground_world::Time;
use ground_world::chance::Chance;

use super::Name;
use crate::DirectoryError;

const STEP_MILLIS: i64 = 30_000;

const DIGITS: usize = 6;

/// Steps before and after the present one whose codes are taken: the time it takes to type, and clocks that differ
/// (RFC 6238 s5.2 wants no more).
const TOLERANCE: i64 = 1;

/// What a code generator is given: 160 bits made by chance (RFC 4226 s4, R6), in Base32. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(String);

impl TotpSecret {
    pub(super) fn new(chance: &Chance) -> Result<Self, DirectoryError> {
        let secret = chance.secret::<20>();
        let secret = secret.map_err(|error| DirectoryError::NoChance(error.to_string()))?;
        Ok(Self(BASE32_NOPAD.encode(&secret)))
    }

    /// The text to type into a code generator that cannot read [`TotpSecret::uri`].
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The `otpauth:` URI that code generators read from a picture. `issuer` names this server to whoever has many.
    #[must_use]
    pub fn uri(&self, issuer: &str, name: &Name) -> String {
        let (issuer, name) = (escaped(issuer), escaped(name.as_str()));
        let secret = &self.0;
        format!("otpauth://totp/{issuer}:{name}?secret={secret}&issuer={issuer}")
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(..)")
    }
}

/// RFC 3986 s2.1: everything but unreserved characters as octets.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for octet in text.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(octet.into());
            }
            _ => write!(escaped, "%{octet:02X}").unwrap_or_default(),
        }
    }
    escaped
}

/// The time step whose code `code` is, of those that count at `now`. Spaces in it are how people read it out.
pub(super) fn step_of(secret: &str, code: &str, now: Time) -> Result<Option<i64>, DirectoryError> {
    let key = key(secret)?;
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let present = now.as_millis().div_euclid(STEP_MILLIS);
    let mut steps = present - TOLERANCE..=present + TOLERANCE;
    Ok(steps.find(|step| {
        verify_slices_are_equal(code_at(&key, *step).as_bytes(), code.as_bytes()).is_ok()
    }))
}

/// What a code generator with this secret shows: for tests of who logs in.
///
/// # Errors
/// When it is no secret.
pub fn totp_code(secret: &str, now: Time) -> Result<String, DirectoryError> {
    let step = now.as_millis().div_euclid(STEP_MILLIS);
    key(secret).map(|key| code_at(&key, step))
}

fn key(secret: &str) -> Result<hmac::Key, DirectoryError> {
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).map_err(|error| {
        DirectoryError::Damaged(format!("the secret of a code generator: {error}"))
    })?;
    Ok(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret))
}

/// The code of a step (RFC 4226 s5.3).
fn code_at(key: &hmac::Key, step: i64) -> String {
    let tag = hmac::sign(key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = tag.last().map_or(0, |last| usize::from(last & 0x0F));
    let four = tag.get(offset..).and_then(<[u8]>::first_chunk);
    let number = u32::from_be_bytes(four.copied().unwrap_or_default()) & 0x7FFF_FFFF;
    format!("{:0DIGITS$}", number % 10_u32.pow(DIGITS as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "12345678901234567890": the secret of the examples in both RFCs.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn codes_are_those_of_rfc_4226_appendix_d() {
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        for (step, code) in (0..).zip(codes) {
            let now = Time::from_millis(step * STEP_MILLIS);
            assert_eq!(totp_code(SECRET, now).unwrap(), code);
        }
    }

    #[test]
    fn codes_are_the_last_six_digits_of_rfc_6238_appendix_b() {
        for (seconds, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let now = Time::from_millis(seconds * 1000);
            let found = step_of(SECRET, &code[2..], now).unwrap();
            assert_eq!(found, Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_code_counts_one_step_early_and_one_step_late() {
        let at = |seconds: i64, code: &str| {
            let now = Time::from_millis(seconds * 1000);
            step_of(SECRET, code, now).unwrap()
        };
        // 359152 is the code of step 2, from the 60th second to the 89th.
        for (second, step) in [(29, None), (30, Some(2)), (119, Some(2)), (120, None)] {
            assert_eq!(at(second, "359152"), step, "{second}");
        }
        assert_eq!(at(75, " 359 152 "), Some(2));
        for wrong in ["", "359153", "35915", "3591520", "35915\u{0661}"] {
            assert_eq!(at(75, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_uri_names_the_server_and_the_operator() {
        let secret = TotpSecret(SECRET.to_owned());
        let name = "jo@here.test".parse().unwrap();
        assert_eq!(
            secret.uri("Post rider", &name),
            format!(
                "otpauth://totp/Post%20rider:jo%40here.test?secret={SECRET}&issuer=Post%20rider"
            )
        );
    }

    #[test]
    fn a_secret_that_is_none_is_damage_and_no_wrong_code() {
        let read = step_of("not base32", "359152", Time::from_millis(0));
        assert!(matches!(read, Err(DirectoryError::Damaged(_))), "{read:?}");
    }
}
