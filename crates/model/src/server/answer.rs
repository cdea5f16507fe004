//! What goes back: one JSON document, or events as the model speaks.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::refusal::Refusal;
use crate::generate::{End, Finish, Piece};

/// What every part of one answer says.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: String,
}

impl Head {
    pub(super) fn new(model: String) -> Self {
        let id = format!("chatcmpl-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Self { id, created: super::now(), model }
    }
}

/// A response's body.
pub(super) enum Body {
    /// Everything at once.
    Whole(Option<Bytes>),
    /// Server-sent events. Dropping it ends the computation.
    Events(Box<Events>),
}

/// An answer that is being computed.
pub(super) struct Events {
    head: Head,
    pieces: mpsc::Receiver<Piece>,
    include_usage: bool,
    ready: VecDeque<Bytes>,
    ended: bool,
}

impl Body {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }

    /// The pieces that follow [`Piece::Begun`].
    pub(super) fn events(head: Head, pieces: mpsc::Receiver<Piece>, include_usage: bool) -> Self {
        let mut events = Events { head, pieces, include_usage, ready: VecDeque::new(), ended: false };
        events.choice(&json!({ "role": "assistant", "content": "", "refusal": null }), None);
        Self::Events(Box::new(events))
    }
}

impl Events {
    fn take(&mut self, piece: Option<Piece>) {
        match piece {
            Some(Piece::Text(text)) => self.choice(&json!({ "content": text }), None),
            Some(Piece::End(end)) => {
                self.choice(&json!({}), Some(finish(end.finish)));
                if self.include_usage {
                    self.chunk(&json!([]), &usage(end));
                }
                self.data("[DONE]");
                self.ended = true;
            }
            Some(Piece::Begun | Piece::Refused(_)) | None => {
                self.data(&Refusal::ended().envelope().to_string());
                self.ended = true;
            }
        }
    }

    fn choice(&mut self, delta: &Value, finish: Option<&str>) {
        let choice = json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
        self.chunk(&choice, &Value::Null);
    }

    /// OpenAI's `CreateChatCompletionStreamResponse`: the member `usage` is there only if it was asked for.
    fn chunk(&mut self, choices: &Value, usage: &Value) {
        let mut chunk = json!({
            "id": self.head.id,
            "object": "chat.completion.chunk",
            "created": self.head.created,
            "model": self.head.model,
            "choices": choices,
        });
        if self.include_usage {
            chunk["usage"] = usage.clone();
        }
        self.data(&chunk.to_string());
    }

    fn data(&mut self, data: &str) {
        self.ready.push_back(Bytes::from(format!("data: {data}\n\n")));
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match self.get_mut() {
            Self::Whole(bytes) => bytes.take(),
            Self::Events(events) => loop {
                if let Some(bytes) = events.ready.pop_front() {
                    break Some(bytes);
                }
                if events.ended {
                    break None;
                }
                let piece = ready!(events.pieces.poll_recv(cx));
                events.take(piece);
            },
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Events(events) => events.ended && events.ready.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

pub(super) fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    }
}

/// OpenAI's `CompletionUsage`.
pub(super) fn usage(end: End) -> Value {
    json!({
        "prompt_tokens": end.prompt,
        "completion_tokens": end.generated,
        "total_tokens": end.prompt + end.generated,
        "prompt_tokens_details": { "cached_tokens": end.cached, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

#[cfg(test)]
mod tests;
