//! Every fault in every dialect, as it comes over the wire.

use std::time::Duration;

use serde_json::{Value, json};

use super::reader::{Seen, ask, bare, body, request, with};
use crate::client::Request;
use crate::wall::{Dialect, End, KEY, Wall};

const STREAMED: &[(&str, &str)] = &[
    ("ok", "8 stop end usage=8 eof"),
    ("ok:3", "3 stop end usage=3 eof"),
    ("ok-slow:1:4", "4 stop end usage=4 eof"),
    ("slow-first:40", "8 stop end usage=8 beats=2 eof"),
    ("slow-head:40", "8 stop end usage=8 eof"),
    ("usage", "8 stop end usage=20 eof"),
    ("usage-missing", "8 stop end eof"),
    ("no-prefill", "8 stop end usage=8 eof"),
    ("malformed:3", "8 stop end bad usage=8 eof"),
    ("filtered:5", "5 filtered end usage=5 eof"),
    ("length:5", "5 length end usage=5 eof"),
    ("cut:5", "5 broken"),
    ("reset-after:2", "2 broken"),
    ("drop:5", "5 broken"),
    ("eof:5", "5 eof"),
    ("error:5", "5 error eof"),
    ("error-after:2", "2 error eof"),
    ("error-first", "0 error eof"),
    ("early-error", "0 error beats=3 eof"),
    ("stall:5", "5 open"),
    ("head-hang", "0 open"),
];

const WHOLE: &[(&str, &str)] = &[
    ("ok", "8 stop usage=8 eof"),
    ("slow-first:40", "8 stop usage=8 eof"),
    ("usage", "8 stop usage=20 eof"),
    ("usage-missing", "8 stop eof"),
    ("no-done", "8 stop usage=8 eof"),
    ("no-prefill", "8 stop usage=8 eof"),
    ("filtered:5", "5 filtered usage=5 eof"),
    ("length:5", "5 length usage=5 eof"),
    ("cut:5", "0 broken"),
    ("drop:5", "0 broken"),
    ("error:5", "0 error eof"),
    ("error-first", "0 error eof"),
    ("early-error", "0 error eof"),
    ("malformed", "0 bad eof"),
    ("stall:5", "0 open"),
    ("head-hang", "0 open"),
];

/// The status of a refusal, and what its body says in each dialect, in the order of [`Dialect::ALL`].
const REFUSED: &[(&str, u16, [&str; 4])] = &[
    ("429", 429, ["rate_limit_exceeded", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"]),
    ("s429:2", 429, ["server_error", "server_error", "rate_limit_error", "\"2s\""]),
    ("503", 503, ["server_error", "server_error", "api_error", "UNAVAILABLE"]),
    ("529", 529, ["server_error", "server_error", "overloaded_error", "UNAVAILABLE"]),
    ("500-once", 500, ["server_error", "server_error", "api_error", "INTERNAL"]),
    ("404", 404, ["model_not_found", "model_not_found", "not_found_error", "NOT_FOUND"]),
    ("nobody", 404, ["no such model", "no such model", "not_found_error", "NOT_FOUND"]),
    ("context", 400, ["context_length_exceeded", "\"input\"", "prompt is too long", "input token count"]),
    ("filter", 400, ["content_filter", "invalid_prompt", "content filtering policy", ""]),
];

/// What a dialect cannot show: Gemini has no terminator.
fn wanted(dialect: Dialect, row: &str) -> String {
    if dialect == Dialect::Gemini { row.replace(" end", "") } else { row.to_owned() }
}

#[tokio::test]
async fn streams() {
    let wall = Wall::start().await.unwrap();
    for dialect in Dialect::ALL {
        for (model, row) in STREAMED {
            let mut response = ask(&wall, dialect, model, true).send().await.unwrap();
            assert!(response.header("content-type").unwrap().starts_with("text/event-stream"));
            let seen = Seen::stream(dialect, &mut response).await;
            assert_eq!(seen.to_string(), wanted(dialect, row), "{dialect:?} {model}: {seen:?}");
            let crlf = if dialect == Dialect::Gemini { seen.frames } else { 0 };
            assert_eq!(seen.crlf, crlf, "{dialect:?} {model}");
        }
        let seen =
            Seen::stream(dialect, &mut ask(&wall, dialect, "no-done", true).send().await.unwrap()).await;
        let row = if dialect == Dialect::Responses { "8 stop end usage=8 eof" } else { "8 stop usage=8 eof" };
        assert_eq!(seen.to_string(), row, "{dialect:?}");
    }
}

#[tokio::test]
async fn answers_that_are_not_streamed() {
    let wall = Wall::start().await.unwrap();
    for dialect in Dialect::ALL {
        for (model, row) in WHOLE {
            let mut response = ask(&wall, dialect, model, false).send().await.unwrap();
            assert_eq!(response.header("content-type"), Some("application/json"));
            let seen = Seen::whole(dialect, &mut response).await;
            assert_eq!(seen.to_string(), *row, "{dialect:?} {model}: {seen:?}");
        }
        let seen = Seen::whole(dialect, &mut ask(&wall, dialect, "eof:5", false).send().await.unwrap()).await;
        assert!(seen.finish.is_none() && seen.text == "tok0 tok1 tok2 tok3 tok4", "{dialect:?}: {seen:?}");
    }
}

#[tokio::test]
async fn refusals() {
    let wall = Wall::start().await.unwrap();
    for (dialect, index) in Dialect::ALL.into_iter().zip(0..) {
        for (model, status, words) in REFUSED {
            for stream in [false, true] {
                if *model == "filter" && dialect == Dialect::Gemini {
                    continue;
                }
                let model = format!("{model}~{dialect:?}{stream}");
                let mut response = ask(&wall, dialect, &model, stream).send().await.unwrap();
                let text = response.text().await.unwrap();
                assert_eq!(response.status, *status, "{dialect:?} {model}: {text}");
                assert!(text.contains(words[index]), "{dialect:?} {model}: {text}");
                let error: Value = serde_json::from_str(&text).unwrap();
                assert!(error["error"]["message"].is_string(), "{text}");
            }
        }
        assert!(ask(&wall, dialect, "reset", true).send().await.is_err());
        let silent = ask(&wall, dialect, "silent", true);
        let answer = tokio::time::timeout(Duration::from_millis(100), silent.send());
        assert!(answer.await.is_err(), "{dialect:?}");
    }
    for stream in [false, true] {
        let mut response = ask(&wall, Dialect::Gemini, "filter", stream).send().await.unwrap();
        let seen = if stream {
            Seen::stream(Dialect::Gemini, &mut response).await
        } else {
            Seen::whole(Dialect::Gemini, &mut response).await
        };
        assert_eq!((response.status, seen.to_string().as_str()), (200, "0 filtered eof"));
    }
}

#[tokio::test]
async fn what_changes_from_call_to_call() {
    let wall = Wall::start().await.unwrap();
    let rows: [(&str, &[u16]); 4] = [
        ("500-once", &[500, 200, 200]),
        ("flaky:2", &[500, 500, 200]),
        ("flap", &[503, 200, 503, 200]),
        ("flap:2", &[503, 503, 200, 200, 503, 503, 200]),
    ];
    for dialect in Dialect::ALL {
        for (fault, row) in rows {
            let tag = format!("{dialect:?}{fault}");
            // Another model of the same tag counts for nothing.
            ask(&wall, dialect, &format!("ok~{tag}"), false).send().await.unwrap();
            for (status, stream) in row.iter().zip([false, true].into_iter().cycle()) {
                let response = ask(&wall, dialect, &format!("{fault}~{tag}"), stream).send().await.unwrap();
                assert_eq!(response.status, *status, "{dialect:?} {fault}");
            }
            let statuses: Vec<u16> = wall.stats(&tag).of(fault).filter_map(|call| call.status).collect();
            assert_eq!(statuses, row, "{dialect:?} {fault}");
        }
    }
}

#[tokio::test]
async fn retry_after_is_kept_and_who_does_not_is_seen() {
    let wall = Wall::start().await.unwrap();
    for dialect in Dialect::ALL {
        let model = format!("429-after:300~{dialect:?}");
        for _ in 0..2 {
            let response = ask(&wall, dialect, &model, true).send().await.unwrap();
            assert_eq!((response.status, response.header("retry-after")), (429, Some("1")), "{dialect:?}");
        }
    }
    tokio::time::sleep(Duration::from_millis(1050)).await;
    for dialect in Dialect::ALL {
        let tag = format!("{dialect:?}");
        let response = ask(&wall, dialect, &format!("429-after:300~{tag}"), true).send().await.unwrap();
        assert_eq!((response.status, wall.stats(&tag).early()), (200, 1), "{dialect:?}");
    }
}

#[tokio::test]
async fn only_the_key_in_its_own_header_opens() {
    let wall = Wall::start().await.unwrap();
    let all = ["authorization", "x-api-key", "x-goog-api-key"];
    for dialect in Dialect::ALL {
        let (own, before) = dialect.credential();
        let model = format!("ok~{dialect:?}");
        let bare = || bare(&wall, dialect, &model, true, &body(dialect, &model, true));
        let mut wrong = vec![bare(), bare().header(own, &format!("{before}other"))];
        let others = all.into_iter().filter(|name| *name != own);
        wrong.extend(others.map(|name| bare().header(name, KEY).header("x-else", "1")));
        for request in &wrong {
            let mut response = request.send().await.unwrap();
            assert_eq!(response.status, 401, "{dialect:?}");
            assert!(response.json().await.unwrap()["error"]["message"].is_string());
        }
        let good = bare().header(own, &format!("{before}{KEY}")).send().await.unwrap();
        assert_eq!(good.status, 200, "{dialect:?}");
        let stats = wall.stats(&format!("{dialect:?}"));
        assert_eq!(stats.calls(), wrong.len() + 1);
        assert_eq!(stats.list.last().unwrap().credentials(), [(own, format!("{before}{KEY}").as_str())]);
        assert!(stats.list[0].credentials().is_empty());
    }
    let unversioned = Request::post(format!("{}/messages", wall.url), &body(Dialect::Messages, "ok", false));
    assert_eq!(unversioned.header("x-api-key", KEY).send().await.unwrap().status, 400);
}

#[tokio::test]
async fn what_providers_require_is_required() {
    let wall = Wall::start().await.unwrap();
    let rows = [
        (
            Dialect::Messages,
            "ok",
            json!({ "model": "ok", "messages": [{ "role": "user", "content": "hi" }] }),
        ),
        (Dialect::Messages, "ok", json!({ "model": "ok", "max_tokens": 1, "messages": [] })),
        (Dialect::Responses, "ok", json!({ "model": "ok" })),
        (Dialect::Gemini, "ok", json!({ "contents": [] })),
    ];
    for (dialect, model, body) in rows {
        assert_eq!(request(&wall, dialect, model, false, &body).send().await.unwrap().status, 400, "{body}");
    }
    let url = format!("{}/models/ok:streamGenerateContent", wall.base(Dialect::Gemini));
    let plain = Request::post(url, &body(Dialect::Gemini, "ok", true)).header("x-goog-api-key", KEY);
    assert_eq!(plain.send().await.unwrap().status, 400);
}

#[tokio::test]
async fn a_prefilled_answer_is_refused_where_that_is_said() {
    let wall = Wall::start().await.unwrap();
    for dialect in Dialect::ALL {
        let talk = match dialect {
            Dialect::Gemini => json!([{ "role": "model", "parts": [{ "text": "so" }] }]),
            _ => json!([{ "role": "user", "content": "hi" }, { "role": "assistant", "content": "so" }]),
        };
        for (model, status) in [("no-prefill", 400), ("ok", 200)] {
            let request = request(&wall, dialect, model, true, &with(dialect, model, true, talk.clone()));
            assert_eq!(request.send().await.unwrap().status, status, "{dialect:?} {model}");
        }
    }
}

#[tokio::test]
async fn what_was_sent_and_when_is_known() {
    let wall = Wall::start().await.unwrap();
    for dialect in Dialect::ALL {
        let tag = format!("{dialect:?}");
        let mut left = ask(&wall, dialect, &format!("ok-slow:30:100~{tag}"), true).send().await.unwrap();
        let mut seen = String::new();
        while !seen.contains("tok2") {
            seen += &String::from_utf8_lossy(&left.piece().await.unwrap().unwrap());
        }
        left.fin().await;
        wall.until(&tag, |stats| stats.cancelled() == 1).await.unwrap();
        let mut cut = ask(&wall, dialect, &format!("cut:4~{tag}"), true).send().await.unwrap();
        Seen::stream(dialect, &mut cut).await;
        let stats = wall.until(&tag, |stats| stats.broken() == 1).await.unwrap();
        let [left, cut] = stats.list.as_slice() else { panic!("{stats:?}") };
        assert!((3..20).contains(&left.tokens) && left.end == End::Cancelled, "{left:?}");
        assert_eq!((cut.tokens, cut.end, cut.status, cut.dialect), (4, End::Broken, Some(200), dialect));
        let times = [
            Some(left.at),
            left.headed,
            left.first,
            left.ended,
            Some(cut.at),
            cut.headed,
            cut.first,
            cut.ended,
            Some(wall.now()),
        ];
        assert!(times.is_sorted() && times.iter().all(Option::is_some), "{times:?}");
        assert!(left.header("content-type") == Some("application/json") && !left.target.is_empty());
        assert_eq!((stats.open(), stats.open_max, stats.waiting), (0, 1, 0));
    }
}
