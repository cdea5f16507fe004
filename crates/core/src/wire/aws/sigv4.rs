//! Signature Version 4, AWS's signature over a request
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>): made by the caller
//! here, checked by the stand-in for Lambda. The time is passed in.
//!
//! Paths are encoded once more than they are sent, as every service but S3 has it, and are never shortened: a path
//! with `.` or `..` in it has no signature.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::cache::hex;
use crate::host::Time;

/// The only algorithm here.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last millisecond of the year 9999.
const LAST: u64 = 253_402_300_799_999;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Who signs.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The access key's id, which is no secret.
    pub id: &'a str,
    /// The secret access key.
    pub secret: &'a str,
    /// The session token of temporary credentials: it is sent and signed as `x-amz-security-token`.
    pub token: Option<&'a str>,
}

/// What a signature is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// `eu-west-1`, for example.
    pub region: &'a str,
    /// `lambda`, for example.
    pub service: &'a str,
}

/// A request as it is signed.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// In capitals.
    pub method: &'a str,
    /// As it is sent, percent-encoded where it must be.
    pub path: &'a str,
    /// Without the question mark, in the order and the spelling of [`canonical_query`].
    pub query: &'a str,
    /// The headers that are signed: `host`, `x-amz-date` and every other `x-amz-…` must be among them. Names in small
    /// letters, in any order.
    pub headers: &'a [(&'a str, &'a str)],
    /// Whole.
    pub body: &'a [u8],
}

/// `x-amz-date`: `20150830T123600Z`.
pub fn date(time: Time) -> String {
    // `Sun, 30 Aug 2015 12:36:00 GMT`: the latest that can be written so is the year 9999.
    let since = Duration::from_millis(time.0.min(LAST));
    let written = httpdate::fmt_http_date(UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH));
    let part = |from: usize, to: usize| written.get(from..to).unwrap_or_default();
    let month = MONTHS.iter().position(|month| *month == part(8, 11)).unwrap_or_default().saturating_add(1);
    let (year, day) = (part(12, 16), part(5, 7));
    format!("{year}{month:02}{day}T{}{}{}Z", part(17, 19), part(20, 22), part(23, 25))
}

/// The headers that a request is to have beside the given ones, `authorization` last. `request.headers` must have
/// `host` and every other header that is to be signed, and none that this adds.
pub fn sign(
    request: &Request<'_>,
    credentials: &Credentials<'_>,
    scope: Scope<'_>,
    now: Time,
) -> Vec<(&'static str, String)> {
    let date = date(now);
    let mut added = vec![("x-amz-date", date.clone())];
    added.extend(credentials.token.map(|token| ("x-amz-security-token", token.to_owned())));
    let mut headers = request.headers.to_vec();
    headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
    let signed = Request { headers: &headers, ..*request };
    let signature = signature(&signed, credentials.secret, scope, &date);
    let names = names(&headers);
    let scope = scope.text(&date);
    let id = credentials.id;
    added.push((
        "authorization",
        format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"),
    ));
    added
}

/// What an `authorization` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// [`Credentials::id`].
    pub id: &'a str,
    /// `20150830`: must be the day of `x-amz-date`.
    pub day: &'a str,
    /// What it is good for.
    pub scope: Scope<'a>,
    /// The names of the headers that are signed, in small letters.
    pub headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// `None` where it is not written as [`sign`] writes it, but for the space around its parts.
    pub fn parse(header: &'a str) -> Option<Self> {
        let rest = header.strip_prefix(ALGORITHM)?;
        let mut parts = rest.split(',').map(str::trim);
        let mut credential = parts.next()?.strip_prefix("Credential=")?.split('/');
        let headers = parts.next()?.strip_prefix("SignedHeaders=")?.split(';').collect();
        let signature = parts.next()?.strip_prefix("Signature=")?;
        let (id, day) = (credential.next()?, credential.next()?);
        let scope = Scope { region: credential.next()?, service: credential.next()? };
        let whole = credential.next() == Some("aws4_request") && credential.next().is_none();
        (whole && parts.next().is_none()).then_some(Self { id, day, scope, headers, signature })
    }

    /// Whether a request was signed with this secret, for this day, within `window` milliseconds of `now`. The request
    /// must have exactly the headers that [`Authorization::headers`] names; `host` and `x-amz-date` must be among them.
    /// Compares in constant time.
    pub fn holds(&self, request: &Request<'_>, secret: &str, now: Time, window: u64) -> bool {
        let sent =
            |wanted: &str| request.headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let (Some(date), Some(_)) = (sent("x-amz-date"), sent("host")) else { return false };
        let near = read_date(date).is_some_and(|time| time.0.abs_diff(now.0) <= window);
        let same_day = date.get(..8) == Some(self.day);
        let same_headers = names(request.headers) == self.headers.join(";");
        let Some(said) = unhex(self.signature) else { return false };
        let Some(mac) = mac_of(request, secret, self.scope, date) else { return false };
        near && same_day && same_headers && mac.verify_slice(&said).is_ok()
    }
}

impl Scope<'_> {
    fn text(&self, date: &str) -> String {
        format!("{}/{}/{}/aws4_request", date.get(..8).unwrap_or_default(), self.region, self.service)
    }
}

fn signature(request: &Request<'_>, secret: &str, scope: Scope<'_>, date: &str) -> String {
    mac_of(request, secret, scope, date).map(|mac| hex(&mac.finalize().into_bytes())).unwrap_or_default()
}

/// Over the request and all that its signature is good for. `None` never happens: every length of key is taken.
fn mac_of(request: &Request<'_>, secret: &str, scope: Scope<'_>, date: &str) -> Option<Hmac<Sha256>> {
    let canonical = hex(&Sha256::digest(canonical(request)));
    let text = format!("{ALGORITHM}\n{date}\n{}\n{canonical}", scope.text(date));
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [date.get(..8).unwrap_or_default(), scope.region, scope.service, "aws4_request"] {
        key = keyed(&key, part)?.finalize().into_bytes().to_vec();
    }
    keyed(&key, &text)
}

fn keyed(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

fn canonical(request: &Request<'_>) -> String {
    let Request { method, path, query, headers, body } = request;
    let mut text = format!("{method}\n{}\n{}\n", encoded(path, true), query);
    for (name, value) in sorted(headers) {
        let words: Vec<_> = value.split(' ').filter(|word| !word.is_empty()).collect();
        let _ = writeln!(text, "{name}:{}", words.join(" "));
    }
    let _ = write!(text, "\n{}\n{}", names(headers), hex(&Sha256::digest(body)));
    text
}

/// A query as it is signed: names and values decoded where they came encoded, encoded one way, and sorted.
pub fn canonical_query(query: &str) -> String {
    let again = |text: &str| {
        let raw = percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        encoded(&raw, false)
    };
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (again(name), again(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Everything but RFC 3986's unreserved characters, and slashes where they part a path.
fn encoded(text: &str, path: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (path && byte == b'/');
        if plain {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn sorted<'a>(headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    // A few: what the library sorts with is larger than everything else here.
    let mut sorted: Vec<(&str, &str)> = Vec::with_capacity(headers.len());
    for header in headers {
        let place = sorted.iter().position(|(name, _)| *name > header.0).unwrap_or(sorted.len());
        sorted.insert(place, *header);
    }
    sorted
}

fn names(headers: &[(&str, &str)]) -> String {
    let names: Vec<_> = sorted(headers).into_iter().map(|(name, _)| name).collect();
    names.join(";")
}

/// The reverse of [`date`].
fn read_date(text: &str) -> Option<Time> {
    let part = |from: usize, to: usize| text.get(from..to);
    let month = part(4, 6)?.parse::<usize>().ok()?.checked_sub(1)?;
    let (year, month, day) = (part(0, 4)?, MONTHS.get(month)?, part(6, 8)?);
    let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, 15)?);
    // Only one day of the week is right, and the reader knows which.
    let time = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].into_iter().find_map(|weekday| {
        let usual = format!("{weekday}, {day} {month} {year} {hour}:{minute}:{second} GMT");
        let since = httpdate::parse_http_date(&usual).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Time(0).plus(since))
    })?;
    (date(time) == text).then_some(time)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests;
