//! How the gateway asks a sandbox: as an AWS Lambda function is invoked, `InvokeWithResponseStream`
//! (<https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html>).

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Execution;
use crate::config::sandbox::Sandbox;
use crate::error::{Error, Kind};
use crate::host::Time;
use crate::identity::Tenant;
use crate::wire::aws::sigv4::{self, Credentials, Scope};
use crate::wire::json::parse;

/// RFC 3986's unreserved characters stand as they are.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whose environment is asked for.
const TENANT: &str = "x-amz-tenant-id";

/// The signed request of one run.
pub fn request(
    sandbox: &Sandbox,
    credentials: &Credentials<'_>,
    tenant: &Tenant,
    execution: &Execution,
    now: Time,
) -> Result<Request<Bytes>, Error> {
    let ours = |what: &str| Error::new(Kind::Internal, format!("the sandbox cannot be asked: {what}"));
    let region = sandbox.region.as_str();
    let lambda = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let base = match sandbox.endpoint.as_str() {
        "" => format!("https://lambda.{region}.{lambda}"),
        endpoint => endpoint.to_owned(),
    };
    let name = utf8_percent_encode(&sandbox.function, NAME);
    let path = format!("/2021-11-15/functions/{name}/response-streaming-invocations");
    let host = base.split_once("://").map_or("", |(_, host)| host);
    let body = serde_json::to_vec(execution).map_err(|_| ours("the run cannot be written"))?;
    let mut headers = vec![("content-type", "application/json"), ("host", host)];
    if sandbox.per_tenant {
        headers.push((TENANT, tenant.as_str()));
    }
    let unsigned = sigv4::Request { method: "POST", path: &path, query: "", headers: &headers, body: &body };
    let added = sigv4::sign(&unsigned, credentials, Scope { region, service: "lambda" }, now);
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("{base}{path}").parse().map_err(|_| ours("its endpoint is not a URL"))?;
    let all = request.headers_mut();
    all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    all.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if sandbox.per_tenant {
        let value = HeaderValue::from_str(tenant.as_str()).map_err(|_| ours("the tenant has no name"))?;
        all.insert(HeaderName::from_static(TENANT), value);
    }
    for (name, value) in added {
        let value = HeaderValue::from_str(&value).map_err(|_| ours("a credential is not printable ASCII"))?;
        all.insert(HeaderName::from_static(name), value);
    }
    // Clients write it of the URL, as it was signed.
    all.remove(HOST);
    *request.body_mut() = body.into();
    Ok(request)
}

/// What a status other than 200 says.
pub fn refused(status: u16, kind: Option<&str>, body: &[u8]) -> Error {
    let said = body.get(..body.len().min(4_096)).unwrap_or_default();
    let said = parse::<serde_json::Value>(&String::from_utf8_lossy(said)).unwrap_or_default();
    let of_body = || said.get("Type").or_else(|| said.get("__type")).and_then(|kind| kind.as_str());
    let word: String = kind
        .or_else(of_body)
        .unwrap_or_default()
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .take(80)
        .collect();
    let says = |what: &str| format!("{what} (status {status} {word})");
    match status {
        429 => Error::new(Kind::Limited, says("the sandbox has no room now")).after(Duration::from_secs(1)),
        401 | 403 => {
            Error::new(Kind::Unavailable, says("the sandbox does not take this platform's credentials"))
        }
        404 => Error::new(Kind::Unavailable, says("there is no sandbox of the configured name")),
        413 => {
            Error::new(Kind::TooLarge, says("the sandbox does not take as much: send fewer or smaller files"))
        }
        _ => Error::new(Kind::Upstream, says("the sandbox could not be run")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::aws::sigv4::{Authorization, Request as Signed};

    #[test]
    fn a_run_is_asked_for_with_a_signature_that_holds() {
        let sandbox = Sandbox {
            function: "arn:aws:lambda:eu-west-1:1:function:f".to_owned(),
            region: "eu-west-1".to_owned(),
            ..Sandbox::default()
        };
        let credentials = Credentials { id: "AKID", secret: "secret", token: Some("token") };
        let tenant = Tenant::try_from("acme".to_owned()).unwrap();
        let now = Time(1_800_000_000_000);
        let asked = |sandbox: &Sandbox| {
            request(sandbox, &credentials, &tenant, &Execution::of("python", "print(1)"), now).unwrap()
        };
        let request = asked(&sandbox);
        assert_eq!(
            request.uri(),
            "https://lambda.eu-west-1.amazonaws.com/2021-11-15/functions/\
             arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af/response-streaming-invocations"
        );
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        let headers: Vec<(&str, &str)> = ["content-type", TENANT, "x-amz-date", "x-amz-security-token"]
            .into_iter()
            .map(|name| (name, header(name)))
            .chain([("host", "lambda.eu-west-1.amazonaws.com")])
            .collect();
        let path = request.uri().path();
        let signed = Signed { method: "POST", path, query: "", headers: &headers, body: request.body() };
        let authorization = Authorization::parse(header("authorization")).unwrap();
        assert!(authorization.holds(&signed, "secret", now, 0));
        assert_eq!(header(TENANT), "acme");
        let shared =
            asked(&Sandbox { per_tenant: false, endpoint: "http://127.0.0.1:9".to_owned(), ..sandbox });
        assert!(shared.uri().to_string().starts_with("http://127.0.0.1:9/2021"));
        assert!(!shared.headers().contains_key(TENANT));
    }

    #[test]
    fn what_lambda_refuses_is_told_apart() {
        let told = |status, kind: Option<&str>, body: &str| {
            let error = refused(status, kind, body.as_bytes());
            (error.status(), error.detail)
        };
        assert_eq!(told(429, Some("TooManyRequestsException:http://x"), "").0, 429);
        assert!(
            told(429, Some("TooManyRequestsException:http://x"), "")
                .1
                .ends_with("(status 429 TooManyRequestsException)")
        );
        assert_eq!(told(403, None, r#"{"__type":"AccessDeniedException"}"#).0, 503);
        assert_eq!(told(404, None, "<html>").0, 503);
        assert_eq!(told(413, None, "").0, 413);
        assert_eq!(told(500, None, "").0, 502);
    }
}
