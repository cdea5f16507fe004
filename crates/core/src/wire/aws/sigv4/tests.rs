//! AWS's own vectors: the example of the documentation of signatures (`GET iam ListUsers`) and cases of the test suite
//! that AWS publishes for those who write a signer.

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30, 12:36:00 UTC.
const NOW: Time = Time(1_440_938_160_000);
const SERVICE: Scope<'static> = Scope { region: "us-east-1", service: "service" };

fn credentials(token: Option<&'static str>) -> Credentials<'static> {
    Credentials { id: "AKIDEXAMPLE", secret: SECRET, token }
}

fn request<'a>(
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: &'a [(&'a str, &'a str)],
) -> Request<'a> {
    Request { method, path, query, headers, body: b"" }
}

/// The signature of a request as its caller would send it.
fn signed(request: &Request<'_>, token: Option<&'static str>, scope: Scope<'_>) -> String {
    let query = canonical_query(request.query);
    let request = Request { query: &query, ..*request };
    let added = sign(&request, &credentials(token), scope, NOW);
    let (_, header) = added.last().unwrap();
    header.rsplit_once("Signature=").unwrap().1.to_owned()
}

#[test]
fn the_documented_example_is_signed_alike() {
    let headers =
        [("host", "iam.amazonaws.com"), ("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    let request = request("GET", "/", "Action=ListUsers&Version=2010-05-08", &headers);
    let scope = Scope { region: "us-east-1", service: "iam" };
    assert_eq!(
        sign(&request, &credentials(None), scope, NOW),
        [
            ("x-amz-date", "20150830T123600Z".to_owned()),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, \
                 Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
                    .to_owned()
            ),
        ]
    );
}

#[test]
fn the_published_suite_is_signed_alike() {
    let host = [("host", "example.amazonaws.com")];
    let spaced =
        [("host", "example.amazonaws.com"), ("my-header1", " value1"), ("my-header2", " \"a   b   c\"")];
    for (request, wanted) in [
        // get-vanilla
        (request("GET", "/", "", &host), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        // post-vanilla
        (request("POST", "/", "", &host), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        // get-vanilla-query-order-key-case
        (
            request("GET", "/", "Param2=value2&Param1=value1", &host),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        // get-vanilla-utf8-query
        (
            request("GET", "/", "ሴ=bar", &host),
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
        // get-utf8
        (request("GET", "/ሴ", "", &host), "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        // get-header-value-trim
        (
            request("GET", "/", "", &spaced),
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
    ] {
        assert_eq!(
            signed(&request, None, SERVICE),
            wanted,
            "{} {}?{}",
            request.method,
            request.path,
            request.query
        );
    }
}

#[test]
fn a_session_token_is_sent_and_signed() {
    let host = [("host", "example.amazonaws.com")];
    let request = request("GET", "/", "", &host);
    let added = sign(&request, &credentials(Some("a token")), SERVICE, NOW);
    assert_eq!(added[1], ("x-amz-security-token", "a token".to_owned()));
    assert!(added[2].1.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"));
    assert_ne!(signed(&request, Some("a token"), SERVICE), signed(&request, None, SERVICE));
}

#[test]
fn only_the_very_request_holds() {
    let path = "/2015-03-31/functions/arn%3Aaws%3Alambda/invocations";
    let host = [("host", "127.0.0.1:9"), ("x-amz-tenant-id", "acme")];
    let scope = Scope { region: "local", service: "lambda" };
    let unsigned = Request { method: "POST", path, query: "", headers: &host, body: b"{}" };
    let added = sign(&unsigned, &credentials(Some("t")), scope, NOW);
    let header = added[2].1.as_str();
    let authorization = Authorization::parse(header).unwrap();
    assert_eq!((authorization.id, authorization.scope), ("AKIDEXAMPLE", scope));
    let headers = [host[1], ("x-amz-date", &added[0].1), ("x-amz-security-token", "t"), host[0]];
    let sent = Request { headers: &headers, ..unsigned };
    let holds = |request: &Request<'_>, secret: &str, now: u64| {
        authorization.holds(request, secret, Time(now), 300_000)
    };
    assert!(holds(&sent, SECRET, NOW.0));
    assert!(holds(&sent, SECRET, NOW.0 + 300_000) && holds(&sent, SECRET, NOW.0 - 300_000));
    assert!(!holds(&sent, SECRET, NOW.0 + 300_001) && !holds(&sent, SECRET, NOW.0 - 300_001));
    assert!(!holds(&sent, "another", NOW.0));
    assert!(!holds(&Request { body: b"{ }", ..sent }, SECRET, NOW.0));
    assert!(!holds(&Request { method: "PUT", ..sent }, SECRET, NOW.0));
    assert!(!holds(&Request { path: "/", ..sent }, SECRET, NOW.0));
    assert!(!holds(&Request { query: "a=b", ..sent }, SECRET, NOW.0));
    let other = [headers[0], headers[1], headers[2], ("host", "127.0.0.1:8")];
    assert!(!holds(&Request { headers: &other, ..sent }, SECRET, NOW.0));
    assert!(!holds(&Request { headers: &headers[..3], ..sent }, SECRET, NOW.0));
    let day = header.replace("/20150830/", "/20150831/");
    assert!(!Authorization::parse(&day).unwrap().holds(&sent, SECRET, NOW, 300_000));
    for torn in [
        "",
        "AWS4-HMAC-SHA256",
        &header.replace("aws4_request", "x"),
        &format!("{header}, More=1"),
        "Bearer x",
    ] {
        assert_eq!(Authorization::parse(torn), None, "{torn}");
    }
    let short = header.replace("Signature=", "Signature=é");
    assert!(!Authorization::parse(&short).unwrap().holds(&sent, SECRET, NOW, 300_000));
}

#[test]
fn dates_are_written_and_read() {
    for (time, text) in [
        (0, "19700101T000000Z"),
        (951_782_399_000, "20000228T235959Z"),
        (951_868_799_000, "20000229T235959Z"),
        (1_440_938_160_000, "20150830T123600Z"),
        (1_798_761_599_000, "20261231T235959Z"),
    ] {
        assert_eq!(date(Time(time)), text);
        assert_eq!(read_date(text), Some(Time(time)));
    }
    assert_eq!(date(Time(u64::MAX)), "99991231T235959Z");
    for torn in [
        "",
        "20150830",
        "20150230T123600Z",
        "20151330T123600Z",
        "20150830T126000Z",
        "20150830T123600z",
        "é0150830T123600Z",
    ] {
        assert_eq!(read_date(torn), None, "{torn}");
    }
}
