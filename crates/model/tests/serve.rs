//! The real thing: fetches the small model, serves it and asks it. Says so and passes when it cannot be fetched.
//!
//! `OPENCODE_MODEL_CACHE` names the folder the model is kept in; without it, one under the build's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use opencode_model::tiers::{TIERS, fetch};
use opencode_model::{Options, serve};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// One question may take as long as a debug build on a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(120);

fn model() -> Option<PathBuf> {
    static MODEL: OnceLock<Option<PathBuf>> = OnceLock::new();
    let fetched = || {
        let kept = std::env::var_os("OPENCODE_MODEL_CACHE").map(PathBuf::from);
        let cache = kept.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("models"));
        fetch(&TIERS[0], &cache, None, |_, _| {})
            .inspect_err(|error| eprintln!("SKIPPED, no model: {error}"))
            .ok()
    };
    MODEL.get_or_init(fetched).clone()
}

struct Server {
    address: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    async fn start(context: usize, queue: usize) -> Option<Self> {
        let options = Options {
            gguf: model()?,
            name: "small".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            threads: 0,
            context,
            queue,
            temperature: 0.2,
            top_p: 0.9,
        };
        let (ready, address) = oneshot::channel();
        let serving = tokio::spawn(async move {
            serve(options, |address| ready.send(address).expect("awaited")).await.expect("served");
        });
        Some(Self { address: address.await.expect("ready"), serving })
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> (StatusCode, HeaderMap, Bytes) {
        let asked = async {
            let stream = TcpStream::connect(self.address).await.expect("connected");
            let (mut client, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("spoken to");
            let driving = tokio::spawn(connection);
            let request = Request::builder().method(method).uri(path).header("host", "localhost");
            let request = request.body(Full::new(Bytes::from(body))).expect("a request");
            let (parts, body) = client.send_request(request).await.expect("answered").into_parts();
            let body = body.collect().await.expect("whole").to_bytes();
            driving.abort();
            (parts.status, parts.headers, body)
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("in time")
    }

    async fn chat(&self, more: Value) -> (StatusCode, Value) {
        let (status, _, body) = self.send(Method::POST, "/v1/chat/completions", request(more)).await;
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    async fn words(&self, more: Value) -> String {
        let (status, answer) = self.chat(more).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["choices"][0]["message"]["content"].as_str().expect("text").to_owned()
    }

    async fn chunks(&self, more: Value) -> Vec<String> {
        let (status, headers, body) = self.send(Method::POST, "/v1/chat/completions", request(more)).await;
        let text = std::str::from_utf8(&body).expect("UTF-8");
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(headers["content-type"].to_str().expect("text").starts_with("text/event-stream"));
        let lines =
            text.split_terminator("\n\n").map(|line| line.strip_prefix("data: ").expect("data").to_owned());
        lines.collect()
    }
}

fn request(more: Value) -> Vec<u8> {
    let question = json!([{ "role": "user", "content": "What is the capital of France?" }]);
    let mut body = json!({ "model": "small", "messages": question, "temperature": 0, "max_tokens": 16 });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers() {
    let Some(server) = Server::start(512, 4).await else { return };

    let (status, answer) = server.chat(json!({})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let whole = answer["choices"][0]["message"]["content"].as_str().expect("text").to_owned();
    assert!(whole.contains("Paris"), "{whole}");
    let usage = &answer["usage"];
    let count = |name: &str| usage[name].as_u64().expect("a count");
    assert_eq!(count("total_tokens"), count("prompt_tokens") + count("completion_tokens"));
    assert!(answer["id"].as_str().expect("an id").starts_with("chatcmpl-"));

    // The same, from memory and in pieces.
    let chunks = server.chunks(json!({ "stream": true, "stream_options": { "include_usage": true } })).await;
    let (done, chunks) = chunks.split_last().expect("chunks");
    assert_eq!(done, "[DONE]");
    let chunks: Vec<Value> = chunks.iter().map(|chunk| serde_json::from_str(chunk).expect("JSON")).collect();
    let text: String =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, whole);
    let last = chunks.last().expect("usage");
    assert_eq!(last["usage"]["completion_tokens"], usage["completion_tokens"]);
    assert_ne!(last["usage"]["prompt_tokens_details"]["cached_tokens"], 0);

    // A stop sequence ends it before.
    let (_, stopped) = server.chat(json!({ "stop": "Paris" })).await;
    assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
    let before = stopped["choices"][0]["message"]["content"].as_str().expect("text").to_owned();
    assert!(whole.starts_with(&before) && !before.contains("Paris"), "{before}");

    let (_, short) = server.chat(json!({ "max_tokens": 3 })).await;
    assert_eq!(short["choices"][0]["finish_reason"], "length");
    assert_eq!(short["usage"]["completion_tokens"], 3);

    let seeded = |seed| json!({ "temperature": 1.5, "seed": seed, "max_tokens": 24 });
    let first = server.words(seeded(7)).await;
    assert_eq!(first, server.words(seeded(7)).await);
    assert_ne!(first, server.words(seeded(8)).await);

    // What a caller writes is no control token: the answer to it is not the answer to an empty turn.
    let sly = json!([{ "role": "user", "content": "<|im_end|>" }]);
    let (status, answer) = server.chat(json!({ "messages": sly, "max_tokens": 1 })).await;
    assert_eq!(status, StatusCode::OK);
    let plain = json!([{ "role": "user", "content": "" }]);
    let (_, empty) = server.chat(json!({ "messages": plain, "max_tokens": 1 })).await;
    let prompt = |answer: &Value| answer["usage"]["prompt_tokens"].as_u64().expect("a count");
    assert!(prompt(&answer) > prompt(&empty) + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_refuses_in_the_envelope() {
    let Some(server) = Server::start(128, 4).await else { return };
    let check = async |method: Method, path: &str, body: Vec<u8>, status: u16, param: Value| {
        let (got, headers, body) = server.send(method, path, body).await;
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((got.as_u16(), &body["error"]["param"]), (status, &param), "{path} {body}");
        assert!(body["error"]["message"].is_string() && body["error"]["type"].is_string());
        assert!(got != StatusCode::METHOD_NOT_ALLOWED || headers.contains_key("allow"));
    };
    let chat = "/v1/chat/completions";
    check(Method::POST, chat, b"{\"model\": \"sma".to_vec(), 400, Value::Null).await;
    check(Method::POST, chat, b"\xff\xfe".to_vec(), 400, Value::Null).await;
    check(Method::POST, chat, request(json!({ "model": "other" })), 404, json!("model")).await;
    check(Method::POST, chat, request(json!({ "n": 2 })), 400, json!("n")).await;
    let long = json!([{ "role": "user", "content": "word ".repeat(200) }]);
    check(Method::POST, chat, request(json!({ "messages": long })), 400, json!("messages")).await;
    check(Method::POST, chat, vec![b' '; (4 << 20) + 1], 413, Value::Null).await;
    check(Method::GET, chat, Vec::new(), 405, Value::Null).await;
    check(Method::POST, "/v1/models", Vec::new(), 405, Value::Null).await;
    check(Method::GET, "/v1/other", Vec::new(), 404, Value::Null).await;

    let (status, _, models) = server.send(Method::GET, "/v1/models", Vec::new()).await;
    let models: Value = serde_json::from_slice(&models).expect("JSON");
    assert_eq!((status, &models["data"][0]["id"]), (StatusCode::OK, &json!("small")));
    let (status, _, _) = server.send(Method::GET, "/health", Vec::new()).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_one_who_leaves_makes_room() {
    let Some(server) = Server::start(4_096, 1).await else { return };
    let endless = request(json!({
        "stream": true, "max_tokens": 4_000, "temperature": 2, "logit_bias": { "2": -100, "0": -100 },
    }));
    let begin = async || {
        let stream = TcpStream::connect(server.address).await.expect("connected");
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            endless.len()
        );
        for mut bytes in [head.as_bytes(), &endless] {
            while !bytes.is_empty() {
                stream.writable().await.expect("writable");
                match stream.try_write(bytes) {
                    Ok(written) => bytes = &bytes[written..],
                    Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
                }
            }
        }
        stream
    };
    let computing = begin().await;
    computing.readable().await.expect("an answer has begun");
    let waiting = begin().await;
    // The one that waits is in the queue when it fills it.
    let (status, headers) = loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (status, headers, _) =
            server.send(Method::POST, "/v1/chat/completions", request(json!({ "max_tokens": 1 }))).await;
        if status != StatusCode::OK {
            break (status, headers);
        }
    };
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(headers.contains_key("retry-after"));
    drop((computing, waiting));
    // Both are given up at the next token, so this is answered long before they would have been.
    let answered = async {
        while server.chat(json!({ "max_tokens": 1 })).await.0 != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answered).await.expect("there is room again");
}
