//! The events that Lambda hands to a function.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::h1::Head;

/// A Function URL's request (payload format 2.0).
pub fn request(head: &Head, body: &Bytes) -> Value {
    let (path, query) = head.word(1).split_once('?').unwrap_or((head.word(1), ""));
    let mut headers = Map::new();
    let mut cookies = Vec::new();
    for (name, value) in &head.headers {
        match (name.as_str(), headers.get_mut(name)) {
            ("cookie", _) => cookies.extend(value.split("; ").map(str::to_owned)),
            (_, Some(Value::String(known))) => *known = format!("{known},{value}"),
            _ => {
                headers.insert(name.clone(), value.clone().into());
            }
        }
    }
    let text = std::str::from_utf8(body).ok().filter(|_| is_text(head));
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "cookies": cookies, "headers": headers, "queryStringParameters": parameters(query),
        "requestContext": {
            "accountId": "anonymous", "apiId": "tests", "domainName": "tests.lambda-url.us-east-1.on.aws",
            "domainPrefix": "tests", "requestId": "00000000-0000-4000-8000-000000000000",
            "routeKey": "$default", "stage": "$default", "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_u64,
            "http": {
                "method": head.word(0), "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": head.header("user-agent").unwrap_or_default(),
            },
        },
        "body": text.map_or_else(|| STANDARD.encode(body), str::to_owned),
        "isBase64Encoded": text.is_none(),
    })
}

/// A batch of SQS messages, as `ReceiveMessage` gave them.
pub fn batch(messages: &[Value]) -> Value {
    let records: Vec<Value> = messages
        .iter()
        .map(|message| {
            json!({
                "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"], "md5OfBody": message["MD5OfBody"],
                "attributes": message["Attributes"], "messageAttributes": {},
                "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:work",
                "awsRegion": "us-east-1",
            })
        })
        .collect();
    json!({ "Records": records })
}

fn is_text(head: &Head) -> bool {
    let kind = head.header("content-type").unwrap_or("text/plain");
    kind.starts_with("text/") || kind.contains("json")
}

fn parameters(query: &str) -> Map<String, Value> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (k.to_owned(), v.into()))
        .collect()
}
