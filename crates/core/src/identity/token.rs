//! Short-lived JSON Web Tokens (RFC 7519) that a key was exchanged for. HS256 and nothing else: the one algorithm
//! that is installed is the one that is asked for.

use hmac::{Hmac, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
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

/// Signs. `None` where the library cannot, which its own types do not rule out.
pub fn sign(secret: &str, claims: &Claims) -> Option<String> {
    install();
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(&signing_key(secret))).ok()
}

/// The claims of a token that this deployment signed, for its issuer and audience, and that has not expired. The
/// error says what is wrong, and never the token.
pub fn verify(secret: &str, auth: &Auth, text: &str, now: Time) -> Result<Claims, &'static str> {
    install();
    if text.len() > MAX_TEXT {
        return Err("this token is too long");
    }
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_issuer(&[&auth.issuer]);
    rules.set_audience(&[&auth.audience]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library reads a clock of its own.
    rules.validate_exp = false;
    let token = decode::<Claims>(text, &DecodingKey::from_secret(&signing_key(secret)), &rules);
    let claims = token.map_err(|error| said(&error))?.claims;
    let seconds = now.0.div_euclid(1_000);
    if seconds >= claims.exp {
        return Err("this token has expired: exchange your API key for another at /api/v1/auth/token");
    }
    if claims.iat > seconds.saturating_add(SKEW) {
        return Err("this token is from the future");
    }
    Ok(claims)
}

fn said(error: &JwtError) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            "this token is not signed with HS256"
        }
        ErrorKind::InvalidIssuer | ErrorKind::InvalidAudience => "this token is for another deployment",
        _ => "this token is not valid here",
    }
}

/// Keys are hashed with the secret itself; tokens are signed with another key made of it.
fn signing_key(secret: &str) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    mac.update(b"opencode/jwt/v1");
    mac.finalize().into_bytes().to_vec()
}

/// The library's algorithms are a process-wide choice; a second one is refused and changes nothing.
fn install() {
    static HS256: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| {
            let secret = key.inner_for(*algorithm)?;
            Ok(Box::new(secret))
        },
        verifier_factory: |algorithm, key| Ok(Box::new(key.inner_for(*algorithm)?)),
        key_utils: KeyUtils::new_unimplemented(),
    };
    let _ = HS256.install_default();
}

/// A key for HMAC-SHA-256.
struct Hs256(Hmac<Sha256>);

/// The part of the library's two key types that is needed here.
trait Inner {
    fn inner_for(&self, algorithm: Algorithm) -> Result<Hs256, JwtError>;
}

impl Inner for EncodingKey {
    fn inner_for(&self, algorithm: Algorithm) -> Result<Hs256, JwtError> {
        Hs256::new(algorithm, self.as_bytes())
    }
}

impl Inner for DecodingKey {
    fn inner_for(&self, algorithm: Algorithm) -> Result<Hs256, JwtError> {
        Hs256::new(algorithm, self.try_get_as_bytes()?)
    }
}

impl Hs256 {
    fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self, JwtError> {
        if algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Hmac::new_from_slice(key).map(Self).map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let mut mac = self.0.clone();
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let mut mac = self.0.clone();
        mac.update(message);
        // Compares in constant time.
        mac.verify_slice(signature).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

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
        let key = Hs256::new(Algorithm::HS256, &signing_key(SECRET)).unwrap();
        format!("{message}.{}", BASE64.encode(key.try_sign(message.as_bytes()).unwrap()))
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
