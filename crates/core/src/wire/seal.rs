//! Seals in another dialect's answer: opaque texts that a caller sends back with its next request.
//!
//! A wrapped seal is `oc1.` and, in base64url without padding (RFC 4648, section 5), the JSON object
//! `{"d":dialect,"v":value,"h":hidden,"i":item}`. It is not signed: whoever changes it changes what they themselves
//! send, and the provider checks its own seal.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

use super::Dialect;
use super::conversation::Seal;

/// The longest wrapped seal that is read back, in bytes.
pub const MAX_WRAPPED: usize = 64 * 1024;

/// Names the format and its version.
const PREFIX: &str = "oc1.";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped {
    d: Dialect,
    v: String,
    h: bool,
    i: Option<String>,
}

/// A seal as a text that says whose it is. One that comes out longer than [`MAX_WRAPPED`] is not read back.
pub fn wrap(seal: &Seal) -> String {
    let Seal { dialect, value, hidden, item } = seal.clone();
    let json = serde_json::to_vec(&Wrapped { d: dialect, v: value, h: hidden, i: item }).unwrap_or_default();
    let mut text = PREFIX.to_owned();
    BASE64.encode_string(json, &mut text);
    text
}

/// The seal in a text of [`wrap`]; `None` for every other text.
pub fn unwrap(text: &str) -> Option<Seal> {
    let encoded = text.strip_prefix(PREFIX).filter(|_| text.len() <= MAX_WRAPPED)?;
    let json = BASE64.decode(encoded).ok()?;
    let Wrapped { d, v, h, i } = serde_json::from_slice(&json).ok()?;
    Some(Seal { dialect: d, value: v, hidden: h, item: i })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(value: &str, hidden: bool, item: Option<&str>) -> Seal {
        Seal { dialect: Dialect::Responses, value: value.to_owned(), hidden, item: item.map(str::to_owned) }
    }

    #[test]
    fn what_is_wrapped_comes_back() {
        for seal in [seal("gAAA=+/", true, Some("rs_1")), seal("", false, None), seal("é\"\\\n", false, None)]
        {
            let text = wrap(&seal);
            assert!(
                text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
                "{text}"
            );
            assert_eq!(unwrap(&text), Some(seal));
        }
        let fixed = Seal::signature(Dialect::Gemini, "x");
        let json = BASE64.encode(r#"{"d":"gemini","v":"x","h":false,"i":null}"#);
        assert_eq!(wrap(&fixed), format!("oc1.{json}"));
    }

    #[test]
    fn any_other_text_is_none() {
        let genuine = wrap(&seal("value", false, None));
        let encoded = |json: &str| format!("oc1.{}", BASE64.encode(json));
        let others = [
            String::new(),
            "EqQBCgIYAhIM".to_owned(),
            "oc1.".to_owned(),
            genuine.replacen("oc1.", "oc2.", 1),
            genuine.replacen("oc1.", "", 1),
            format!("{genuine}="),
            format!("{genuine}A"),
            format!(" {genuine}"),
            genuine.chars().take(genuine.len() - 1).collect(),
            encoded(r#"{"d":"nobody","v":"x","h":false,"i":null}"#),
            encoded(r#"{"d":"gemini","h":false,"i":null}"#),
            encoded(r#"{"d":"gemini","v":"x","h":false,"i":null,"more":1}"#),
        ];
        for other in others {
            assert_eq!(unwrap(&other), None, "{other}");
        }
    }

    #[test]
    fn the_length_is_bounded() {
        let longest = (1..).map(|n| wrap(&seal(&"x".repeat(49_080 + n), false, None)));
        let mut longest = longest.skip_while(|text| text.len() < MAX_WRAPPED - 1);
        assert!(unwrap(&longest.next().unwrap()).is_some());
        let mut beyond = longest.skip_while(|text| text.len() <= MAX_WRAPPED);
        assert_eq!(unwrap(&beyond.next().unwrap()), None);
    }
}
