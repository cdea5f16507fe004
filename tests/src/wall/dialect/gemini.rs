//! Gemini `generateContent` and `streamGenerateContent` as the wall writes them: CRLF, usage on every chunk, no
//! terminator, and an error inside a stream as bare JSON without `data:`.

use serde_json::{Value, json};

use super::{Dialect, Say};
use crate::wall::answer::{Answer, Call, Finish, SEAL, Usage};
use crate::wall::asked::{Asked, last_of};
use crate::wall::reason::Reason;

/// The model and whether the answer is to be streamed, from a path such as
/// `/v1beta/models/cut:5~tag:streamGenerateContent`; the model may be percent-encoded.
pub fn place(path: &str) -> Option<(String, bool)> {
    let rest = ["/v1beta/models/", "/v1/models/"].iter().find_map(|base| path.strip_prefix(base))?;
    let rest = decoded(rest)?;
    let (model, method) = rest.rsplit_once(':')?;
    match method {
        "generateContent" => Some((model.to_owned(), false)),
        "streamGenerateContent" => Some((model.to_owned(), true)),
        _ => None,
    }
}

/// Undoes percent-encoding (RFC 3986, section 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// Reads a request.
pub fn read(target: &str, body: &[u8]) -> Result<Asked, Reason> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (model, stream) = place(path).ok_or(Reason::Model)?;
    let json: Value =
        serde_json::from_slice(body).map_err(|_| Reason::invalid("Invalid JSON payload received."))?;
    let mut asked = Asked::new(Dialect::Gemini, &model, stream, "contents", json);
    let json = &asked.json;
    let contents = asked.messages();
    let config = &json["generationConfig"];
    let schema = [&config["responseJsonSchema"], &config["responseSchema"]];
    let last = contents.last();
    asked.tool = json["tools"][0]["functionDeclarations"][0]["name"].as_str().map(str::to_owned);
    asked.schema = schema.into_iter().find(|schema| schema.is_object()).cloned();
    asked.said = last_of(&contents, "user").or(last).map(said).unwrap_or_default();
    asked.prefilled = last.is_some_and(|content| content["role"] == "model");
    asked.result = result(&contents);
    let unsealed = unsealed(&contents);
    if contents.is_empty() {
        asked.complain(Some(Reason::invalid("* GenerateContentRequest.contents: contents is not specified")));
    }
    if stream && !query.split('&').any(|pair| pair == "alt=sse") {
        asked.complain(Some(Reason::invalid("the wall streams with alt=sse only")));
    }
    asked.complain(forged(&contents));
    asked.unsealed = unsealed;
    Ok(asked)
}

/// The texts of a message as one, or its parts where there are others.
fn said(content: &Value) -> Value {
    let parts = content["parts"].as_array().cloned().unwrap_or_default();
    let texts: Option<Vec<&str>> = parts.iter().map(|part| part["text"].as_str()).collect();
    texts.map_or(json!(parts), |texts| json!(texts.concat()))
}

fn parts(contents: &[Value]) -> impl Iterator<Item = &Value> {
    contents.iter().flat_map(|content| content["parts"].as_array().into_iter().flatten())
}

/// What the first tool said, when the last message brings results: its `result` or `output`, or all of it as JSON.
fn result(contents: &[Value]) -> Option<String> {
    parts(contents.last().map(std::slice::from_ref)?).find(|part| part["functionResponse"].is_object())?;
    let first = parts(contents).find(|part| part["functionResponse"].is_object())?;
    let response = &first["functionResponse"]["response"];
    let named = ["result", "output"].iter().find_map(|name| response[name].as_str());
    Some(named.map_or_else(|| response.to_string(), str::to_owned))
}

/// A signature that is not the wall's.
fn forged(contents: &[Value]) -> Option<Reason> {
    let bad = |part: &Value| part["thoughtSignature"].as_str().is_some_and(|seal| seal != SEAL);
    parts(contents).any(bad).then(|| Reason::invalid("Thought signature is not valid."))
}

/// A message of the model whose first call came back without its signature.
fn unsealed(contents: &[Value]) -> Option<Reason> {
    let first = |content: &Value| {
        parts(std::slice::from_ref(content)).find(|part| part["functionCall"].is_object()).cloned()
    };
    let bad = contents.iter().filter_map(first).find(|part| part["thoughtSignature"].is_null())?;
    let name = bad["functionCall"]["name"].as_str().unwrap_or_default();
    Some(Reason::Invalid(format!(
        "Function call is missing a thought_signature in functionCall parts. Additional data, function call `{name}`."
    )))
}

/// A whole answer.
pub fn whole(asked: &Asked, answer: &Answer) -> String {
    let sealed = !answer.thoughts.is_empty();
    let mut parts = Vec::new();
    if sealed {
        parts.push(json!({ "text": answer.thoughts.concat(), "thought": true }));
    }
    if !answer.tokens.is_empty() {
        let mut part = json!({ "text": answer.tokens.concat() });
        if sealed {
            part["thoughtSignature"] = json!(SEAL);
        }
        parts.push(part);
    }
    for (index, call) in answer.calls.iter().enumerate() {
        parts.push(function(call, sealed && index == 0));
    }
    chunk(asked, parts, answer.finish, answer.usage.map(count)).to_string()
}

/// What a prompt that was blocked gives.
pub fn blocked(asked: &Asked) -> Value {
    json!({
        "promptFeedback": { "blockReason": "PROHIBITED_CONTENT" },
        "usageMetadata": { "promptTokenCount": asked.words(), "totalTokenCount": asked.words() },
        "modelVersion": asked.model, "responseId": "wall",
    })
}

/// The chunks of a stream.
pub struct Voice<'a> {
    asked: &'a Asked,
    answer: &'a Answer,
    thoughts: usize,
    tokens: usize,
    /// Whether a signature is due that has not been sent.
    sealed: bool,
}

impl super::Voice for Voice<'_> {
    fn say(&mut self, say: &Say) -> String {
        match say {
            Say::Start | Say::Arguments(..) | Say::Terminator => String::new(),
            Say::Beat => self.part(json!({ "text": "" })),
            Say::Thought(piece) => {
                self.thoughts += 1;
                self.part(json!({ "text": piece, "thought": true }))
            }
            Say::Seal => {
                self.sealed = true;
                String::new()
            }
            Say::Token(piece) => {
                self.tokens += 1;
                self.part(json!({ "text": piece }))
            }
            Say::Call(index) => {
                self.tokens += 1;
                let sealed = std::mem::take(&mut self.sealed);
                self.part(function(&self.answer.calls[*index], sealed))
            }
            Say::Malformed => "data: {\"candidates\":[{\"content\":{\"parts\":[\r\n\r\n".to_owned(),
            Say::Finish => {
                let mut part = json!({ "text": "" });
                if std::mem::take(&mut self.sealed) {
                    part["thoughtSignature"] = json!(SEAL);
                }
                frame(&chunk(self.asked, vec![part], self.answer.finish, self.answer.usage.map(count)))
            }
            Say::Error(reason) => error(reason) + "\n",
            Say::Blocked => frame(&blocked(self.asked)),
        }
    }
}

impl<'a> Voice<'a> {
    /// A stream that has not begun.
    pub(super) fn new(asked: &'a Asked, answer: &'a Answer) -> Self {
        Self { asked, answer, thoughts: 0, tokens: 0, sealed: false }
    }

    fn part(&self, part: Value) -> String {
        frame(&chunk(self.asked, vec![part], None, self.so_far()))
    }

    /// The counts so far, without those that are still nothing.
    fn so_far(&self) -> Option<Value> {
        let usage = self.answer.usage?;
        let mut counts =
            count(Usage { output: self.tokens + self.thoughts, reasoning: self.thoughts, ..usage });
        if self.tokens == 0 {
            counts.as_object_mut()?.remove("candidatesTokenCount");
        }
        Some(counts)
    }
}

fn chunk(asked: &Asked, parts: Vec<Value>, end: Option<Finish>, counts: Option<Value>) -> Value {
    let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": 0 });
    if let Some(end) = end {
        candidate["finishReason"] = json!(finish(end));
    }
    let mut chunk = json!({ "candidates": [candidate], "modelVersion": asked.model, "responseId": "wall" });
    if let Some(counts) = counts {
        chunk["usageMetadata"] = counts;
    }
    chunk
}

/// A call stands whole in its part, without an id.
fn function(call: &Call, sealed: bool) -> Value {
    let mut part = json!({ "functionCall": { "name": call.name, "args": call.json() } });
    if sealed {
        part["thoughtSignature"] = json!(SEAL);
    }
    part
}

/// `candidatesTokenCount` leaves out the thoughts.
fn count(usage: Usage) -> Value {
    let mut counts = json!({
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "totalTokenCount": usage.input + usage.output,
        "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": usage.input }],
    });
    for (name, part) in [("cachedContentTokenCount", usage.cached), ("thoughtsTokenCount", usage.reasoning)] {
        if part > 0 {
            counts[name] = json!(part);
        }
    }
    counts
}

/// Calling tools is `STOP` as well.
fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Tools => "STOP",
        Finish::Filtered => "SAFETY",
        Finish::Length => "MAX_TOKENS",
    }
}

fn frame(data: &Value) -> String {
    format!("data: {data}\r\n\r\n")
}

/// The error that the wall reports, over several lines as Google writes it.
pub fn error(reason: &Reason) -> String {
    let message = match reason {
        Reason::Context => {
            "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576)."
                .to_owned()
        }
        Reason::Prefill => {
            "Please ensure that multiturn requests end with a user role or a function response.".to_owned()
        }
        Reason::Overloaded => "The model is overloaded. Please try again later.".to_owned(),
        _ => reason.message(),
    };
    let (code, status) = match reason.status() {
        401 => (401, "UNAUTHENTICATED"),
        403 => (403, "PERMISSION_DENIED"),
        404 => (404, "NOT_FOUND"),
        429 => (429, "RESOURCE_EXHAUSTED"),
        code @ 400..500 => (code, "INVALID_ARGUMENT"),
        503 | 529 => (503, "UNAVAILABLE"),
        504 => (504, "DEADLINE_EXCEEDED"),
        code => (code, "INTERNAL"),
    };
    let mut error = json!({ "code": code, "message": message, "status": status });
    if let Reason::Plain(_, Some(seconds)) | Reason::Status(_, Some(seconds)) = reason {
        error["details"] = json!([{
            "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s"),
        }]);
    }
    format!("{:#}", json!({ "error": error }))
}
