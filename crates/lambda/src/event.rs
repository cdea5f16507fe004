//! The event of a Function URL (payload format 2.0) as an HTTP request.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use opencode_core::error::{Error, Kind};
use serde::Deserialize;

/// The largest body that a function takes, in bytes, whatever the configuration says: Lambda's own bound is 6 MB for the
/// event as a whole, in which a body is base64.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// What AWS sends for one request. Members that are not read are ignored; those that are may be missing or null.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UrlEvent {
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    cookies: Option<Vec<String>>,
    headers: Option<BTreeMap<String, String>>,
    request_context: RequestContext,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct RequestContext {
    http: Http,
}

#[derive(Debug, Deserialize)]
struct Http {
    method: String,
}

impl UrlEvent {
    /// The request's path and query, if they are valid.
    pub fn uri(&self) -> Option<Uri> {
        let path = self.raw_path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
        let text = match self.raw_query_string.as_deref() {
            None | Some("") => path.to_owned(),
            Some(query) => format!("{path}?{query}"),
        };
        Uri::builder().path_and_query(text).build().ok()
    }

    /// The request, or why it cannot be read.
    pub fn into_request(self) -> Result<Request<Bytes>, Error> {
        let uri = self.uri().ok_or_else(|| Error::invalid("the path or query is not a valid URL"))?;
        let method = Method::from_bytes(self.request_context.http.method.as_bytes())
            .map_err(|_| Error::invalid("the method is not valid"))?;
        let headers = headers(&self.headers.unwrap_or_default(), &self.cookies.unwrap_or_default());
        let body = body(self.body.unwrap_or_default(), self.is_base64_encoded == Some(true))?;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// What is not a valid header is left out, as a server that never let it in would have it.
fn headers(pairs: &BTreeMap<String, String>, cookies: &[String]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    if !cookies.is_empty()
        && let Ok(value) = HeaderValue::try_from(cookies.join("; "))
    {
        headers.insert(COOKIE, value);
    }
    headers
}

fn body(text: String, is_base64: bool) -> Result<Bytes, Error> {
    let most = if is_base64 { MAX_BODY.div_ceil(3).saturating_mul(4) } else { MAX_BODY };
    let bytes = match (text.len() > most, is_base64) {
        (true, _) => None,
        (false, true) => {
            let bytes = STANDARD.decode(text).map_err(|_| Error::invalid("the body is not valid base64"))?;
            Some(Bytes::from(bytes)).filter(|bytes| bytes.len() <= MAX_BODY)
        }
        (false, false) => Some(Bytes::from(text)),
    };
    bytes.ok_or_else(|| Error::new(Kind::TooLarge, format!("the body may have at most {MAX_BODY} bytes")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(body: &str, is_base64: bool) -> UrlEvent {
        let event = json!({
            "version": "2.0", "rawPath": "/v1/chat", "rawQueryString": "a=1&b=%20",
            "cookies": ["x=1", "y=2"], "headers": {"host": "h", "x-a": "1,2"},
            "requestContext": {"http": {"method": "POST", "path": "/v1/chat"}, "stage": "$default"},
            "body": body, "isBase64Encoded": is_base64
        });
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn a_request_is_read_whole() {
        let request = event("aGk=", true).into_request().unwrap();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "/v1/chat?a=1&b=%20");
        assert_eq!(request.headers()["cookie"], "x=1; y=2");
        assert_eq!(request.body(), "hi");
    }

    #[test]
    fn what_is_null_is_missing() {
        let event = json!({
            "rawPath": null, "rawQueryString": null, "cookies": null, "headers": null, "body": null,
            "isBase64Encoded": null, "requestContext": {"http": {"method": "GET"}}
        });
        let request = serde_json::from_value::<UrlEvent>(event).unwrap().into_request().unwrap();
        assert_eq!((request.uri().path(), request.body().len()), ("/", 0));
    }

    #[test]
    fn bodies_are_bounded() {
        let over = "x".repeat(MAX_BODY + 1);
        let encoded = STANDARD.encode(&over);
        for event in [event(&over, false), event(&encoded, true)] {
            assert_eq!(event.into_request().unwrap_err().kind, Kind::TooLarge);
        }
        assert_eq!(event(&over[1..], false).into_request().unwrap().body().len(), MAX_BODY);
        assert_eq!(event(&STANDARD.encode(&over[1..]), true).into_request().unwrap().body().len(), MAX_BODY);
        assert_eq!(event("%", true).into_request().unwrap_err().kind, Kind::Invalid);
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        let mut event = event("", false);
        event.raw_path = Some("/a b".to_owned());
        assert_eq!(event.into_request().unwrap_err().kind, Kind::Invalid);
    }
}
