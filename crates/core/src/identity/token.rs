//! Short-lived JSON Web Tokens (RFC 7519) that a key was exchanged for: three parts in base64url without padding,
//! `header.claims.signature` (RFC 7515, section 7.1). HS256 and nothing else, whatever a header asks for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::role::Role;
use super::{Identity, Tenant};
use crate::config::Auth;
use crate::host::Time;

/// The longest token that is looked at, in bytes.
const MAX_TEXT: usize = 4_096;
/// How far the clock of the host that made a token may be ahead, in seconds.
const SKEW: u64 = 60;
/// The header of every token that is made here.
const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// `auth.issuer`.
    pub iss: String,
    /// `auth.audience`.
    pub aud: String,
    /// Seconds since the Unix epoch.
    pub exp: u64,
    /// Seconds since the Unix epoch.
    pub iat: u64,
    /// `tenant/key`.
    pub sub: String,
    /// Whose data it may reach.
    pub tenant: Tenant,
    /// What it may do; the highest counts.
    pub roles: Vec<Role>,
    /// The id of the key it was exchanged for: it ends with it.
    pub key: String,
    /// The beginning of that key's hash: another key of the same id does not revive it.
    pub key_hash: String,
}

impl Claims {
    /// For a key, from now on.
    pub fn new(auth: &Auth, identity: &Identity, role: Role, seconds: u64, now: Time) -> Self {
        let Identity { tenant, key, key_hash, .. } = identity;
        let iat = now.0.div_euclid(1_000);
        Self {
            iss: auth.issuer.clone(),
            aud: auth.audience.clone(),
            exp: iat.saturating_add(seconds),
            iat,
            sub: format!("{tenant}/{key}"),
            tenant: tenant.clone(),
            roles: vec![role],
            key: key.clone(),
            key_hash: key_hash.clone(),
        }
    }
}

/// Signs. `None` where the claims cannot be written, which their types rule out.
pub fn sign(secret: &str, claims: &Claims) -> Option<String> {
    let claims = serde_json::to_vec(claims).ok()?;
    let message = format!("{}.{}", BASE64.encode(HEADER), BASE64.encode(claims));
    let signature = mac(secret, &message)?.finalize().into_bytes();
    Some(format!("{message}.{}", BASE64.encode(signature)))
}

/// The claims of a token that this deployment signed, for its issuer and audience, and that has not expired. The
/// error says what is wrong, and never the token.
pub fn verify(secret: &str, auth: &Auth, text: &str, now: Time) -> Result<Claims, &'static str> {
    if text.len() > MAX_TEXT {
        return Err("this token is too long");
    }
    let claims = signed(secret, text)?;
    if claims.iss != auth.issuer || claims.aud != auth.audience {
        return Err("this token is for another deployment");
    }
    let seconds = now.0.div_euclid(1_000);
    if seconds >= claims.exp {
        return Err("this token has expired: exchange your API key for another at /api/v1/auth/token");
    }
    if claims.iat > seconds.saturating_add(SKEW) {
        return Err("this token is from the future");
    }
    Ok(claims)
}

/// The claims, once the signature over them holds. A header is only believed when it asks for what is done anyway, and
/// names nothing that must be understood (`crit`: RFC 7515, section 4.1.11).
fn signed(secret: &str, text: &str) -> Result<Claims, &'static str> {
    #[derive(Deserialize)]
    struct Header {
        alg: String,
        #[serde(default)]
        crit: Option<serde_json::Value>,
    }
    const INVALID: &str = "this token is not valid here";
    let (message, signature) = text.rsplit_once('.').ok_or(INVALID)?;
    let (header, claims) = message.split_once('.').ok_or(INVALID)?;
    let decoded = |part: &str| BASE64.decode(part).map_err(|_| INVALID);
    let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| INVALID)?;
    if header.alg != "HS256" {
        return Err("this token is not signed with HS256");
    }
    // Compares in constant time.
    let holds = mac(secret, message)
        .is_some_and(|mac| decoded(signature).is_ok_and(|signature| mac.verify_slice(&signature).is_ok()));
    if !holds || header.crit.is_some() {
        return Err(INVALID);
    }
    serde_json::from_slice(&decoded(claims)?).map_err(|_| INVALID)
}

/// Over a token's first two parts. Keys are hashed with the secret itself; tokens are signed with another key made of
/// it.
fn mac(secret: &str, message: &str) -> Option<Hmac<Sha256>> {
    let mut key = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    key.update(b"opencode/jwt/v1");
    let mut mac = Hmac::new_from_slice(&key.finalize().into_bytes()).ok()?;
    mac.update(message.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of at least thirty-two bytes";
    const NOW: Time = Time(1_800_000_000_000);

    fn claims() -> Claims {
        let tenant = Tenant::try_from("acme".to_owned()).unwrap();
        let identity =
            Identity { tenant, key: "k1".to_owned(), key_hash: "0123".to_owned(), role: Role::Admin };
        Claims::new(&Auth::default(), &identity, Role::User, 3_600, NOW)
    }

    /// A token whose header and claims are these, signed with the deployment's own key.
    fn forged(header: &str, claims: &str) -> String {
        let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let signature = mac(SECRET, &message).unwrap().finalize().into_bytes();
        format!("{message}.{}", BASE64.encode(signature))
    }

    #[test]
    fn only_what_was_signed_here_is_believed() {
        let (auth, claims) = (Auth::default(), claims());
        let token = sign(SECRET, &claims).unwrap();
        assert_eq!(verify(SECRET, &auth, &token, NOW), Ok(claims.clone()));
        let json = serde_json::to_string(&claims).unwrap();
        let hs256 = r#"{"alg":"HS256","typ":"JWT"}"#;
        assert_eq!(verify(SECRET, &auth, &forged(hs256, &json), NOW), Ok(claims.clone()));

        let (message, signature) = token.rsplit_once('.').unwrap();
        let without = |name: &str| {
            let mut claims = serde_json::to_value(&claims).unwrap();
            claims.as_object_mut().unwrap().remove(name);
            forged(hs256, &claims.to_string())
        };
        let wrong = [
            forged(r#"{"alg":"none"}"#, &json),
            format!("{}.{}.", BASE64.encode(r#"{"alg":"none"}"#), BASE64.encode(&json)),
            forged(r#"{"alg":"HS512"}"#, &json),
            forged(r#"{"alg":"RS256"}"#, &json),
            forged(r#"{"alg":"ES256"}"#, &json),
            forged("{}", &json),
            forged("[]", &json),
            forged(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, &json),
            forged(hs256, &json.replace("\"aud\":\"opencode\"", "\"aud\":[\"opencode\"]")),
            forged(hs256, &json.replace("\"iss\":\"opencode\"", "\"iss\":\"other\"")),
            forged(hs256, &json.replace("\"aud\":\"opencode\"", "\"aud\":\"other\"")),
            forged(hs256, &json.replace("acme", "ACME")),
            forged(hs256, &json.replace("\"user\"", "\"king\"")),
            without("exp"),
            without("iss"),
            without("aud"),
            without("sub"),
            without("tenant"),
            without("roles"),
            without("key"),
            without("key_hash"),
            message.to_owned(),
            format!("{message}."),
            format!("{message}.{}", signature.replace(|c: char| c.is_ascii_lowercase(), "A")),
            format!("{message}.{signature}.{signature}"),
            token.replacen("ey", "", 1),
            "x".repeat(MAX_TEXT + 1),
            String::new(),
        ];
        for token in wrong {
            assert!(verify(SECRET, &auth, &token, NOW).is_err(), "{token}");
        }
        assert!(verify("another secret of thirty-two bytes!", &auth, &token, NOW).is_err());
        let elsewhere = Auth { audience: "elsewhere".to_owned(), ..Auth::default() };
        assert!(verify(SECRET, &elsewhere, &token, NOW).is_err());
    }

    #[test]
    fn a_token_holds_from_its_making_to_its_expiry() {
        let (auth, token) = (Auth::default(), sign(SECRET, &claims()).unwrap());
        let at = |seconds: i64| {
            let now = Time(NOW.0.saturating_add_signed(seconds * 1_000));
            verify(SECRET, &auth, &token, now).is_ok()
        };
        assert!(at(0) && at(3_599) && at(-59));
        assert!(!at(3_600) && !at(-61));
    }
}
