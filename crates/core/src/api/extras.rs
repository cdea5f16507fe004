//! What a caller may ask of the platform beside the request itself: members of the body that no provider knows, or
//! headers of the same names after `x-opencode-`.

use http::HeaderMap;

use crate::config::features::Flags;
use crate::error::Error;
use crate::wire::json::Members;

/// Each is what the caller said; `None` where it said nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// The stream can be taken up again by whoever lost it.
    pub resumable: Option<bool>,
    /// A stream that breaks off may be continued by another target.
    pub continuation: Option<bool>,
}

const RESUMABLE: &str = "resumable";
const CONTINUATION: &str = "continuation";

impl Extras {
    /// Takes them out of a body, which goes to providers without them.
    pub fn take(members: &mut Members) -> Result<Self, Error> {
        let mut read = |name: &str| {
            let value = members
                .read::<bool>(name)
                .map_err(|_| Error::invalid(format!("`{name}` must be true or false")).at(name))?;
            members.unset(name);
            Ok::<_, Error>(value)
        };
        Ok(Self { resumable: read(RESUMABLE)?, continuation: read(CONTINUATION)? })
    }

    /// Reads `x-opencode-resumable` and `x-opencode-continuation`.
    pub fn read(headers: &HeaderMap) -> Result<Self, Error> {
        let read = |name: &str| {
            let name = format!("x-opencode-{name}");
            match headers.get(&name).map(|value| value.as_bytes()) {
                None => Ok(None),
                Some(b"true") => Ok(Some(true)),
                Some(b"false") => Ok(Some(false)),
                Some(_) => Err(Error::invalid(format!("{name} must be true or false")).at(&name)),
            }
        };
        Ok(Self { resumable: read(RESUMABLE)?, continuation: read(CONTINUATION)? })
    }

    /// What holds: the body's word, else the header's, else the tenant's flag. An answer that is not streamed is not
    /// taken up again: who asks for that is told.
    pub fn settle(self, headers: Self, flags: &Flags, stream: bool) -> Result<(bool, bool), Error> {
        let resumable = self.resumable.or(headers.resumable);
        if resumable == Some(true) && !stream {
            let detail = "only a stream can be resumed: ask for one, or leave `resumable` out";
            return Err(Error::invalid(detail).at(RESUMABLE));
        }
        let continuation = self.continuation.or(headers.continuation).unwrap_or(flags.continuation);
        Ok((stream && resumable.unwrap_or(flags.resumable), stream && continuation))
    }
}

/// Whether a request may ask for an answer that is resumable: quickly, and rather once too often.
pub fn may_resume(headers: &HeaderMap, body: &[u8], flags: &Flags) -> bool {
    let has = |text: &[u8]| body.windows(text.len()).any(|window| window == text);
    // A member's name may be written with escapes.
    let named = || has(RESUMABLE.as_bytes()) || has(b"\\u");
    flags.resumable || headers.contains_key("x-opencode-resumable") || named()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::features::Features;

    #[test]
    fn the_body_goes_over_the_header_over_the_flag() {
        let none = Features::default();
        let flags = |resumable| Features { resumable: Some(resumable), ..none.clone() }.over(&none);
        let header = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-opencode-resumable", value.parse().unwrap());
            Extras::read(&headers)
        };
        let body = |text: &str| {
            let mut members = Members::parse(text.as_bytes()).unwrap();
            Extras::take(&mut members).map(|extras| (extras, members.text()))
        };
        let (said, rest) = body(r#"{"a":1,"resumable":true,"continuation":false}"#).unwrap();
        assert_eq!(
            (said.resumable, said.continuation, rest.as_str()),
            (Some(true), Some(false), r#"{"a":1}"#)
        );
        assert_eq!(body(r#"{"resumable":1}"#).unwrap_err().param.as_deref(), Some("resumable"));
        assert!(header("yes").is_err());
        let nothing = Extras::default();
        let resumable = |said: Extras, headers, flag, stream| {
            said.settle(headers, &flags(flag), stream)
                .map(|(resumable, _)| resumable)
                .map_err(|it| it.status())
        };
        assert_eq!(resumable(said, header("false").unwrap(), false, true), Ok(true));
        assert_eq!(resumable(nothing, header("false").unwrap(), true, true), Ok(false));
        assert_eq!(resumable(nothing, nothing, true, true), Ok(true));
        assert_eq!(resumable(nothing, nothing, true, false), Ok(false));
        assert_eq!(resumable(said, nothing, false, false), Err(400));
    }
}
