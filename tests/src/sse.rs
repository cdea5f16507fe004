//! Server-sent events as a client reads them, and what a chat stream adds up to.

use serde_json::Value;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event:` line; `message` without one.
    pub name: String,
    /// The `data:` lines.
    pub data: String,
    /// The `id:` line.
    pub id: Option<String>,
}

impl Event {
    /// Its data as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or(Value::Null)
    }
}

/// Cuts the first frame, with its blank line, off a buffer.
pub fn cut(buffer: &mut String) -> Option<String> {
    let end = ["\n\n", "\r\n\r\n"]
        .iter()
        .filter_map(|blank| buffer.find(blank).map(|at| at + blank.len()))
        .min()?;
    Some(buffer.drain(..end).collect())
}

/// Reads a frame; `None` when it holds no data, such as a comment.
pub fn parse(frame: &str) -> Option<Event> {
    let mut event = Event { name: "message".to_owned(), ..Event::default() };
    let mut data = Vec::new();
    for line in frame.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "data" => data.push(value),
            "id" => event.id = Some(value.to_owned()),
            _ => {}
        }
    }
    event.data = data.join("\n");
    (!data.is_empty()).then_some(event)
}

/// What a stream of `chat.completion.chunk` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chat {
    /// The content, put together.
    pub text: String,
    /// The last finish reason.
    pub finish: Option<String>,
    /// Whether `[DONE]` came.
    pub done: bool,
    /// The error event's `error` member.
    pub error: Option<Value>,
    /// The usage frame's `usage` member.
    pub usage: Option<Value>,
    /// How many events came after the error or after `[DONE]`: always 0 in a truthful stream.
    pub after_end: usize,
}

impl Chat {
    /// Adds up the events of a stream.
    pub fn read(events: &[Event]) -> Self {
        let mut chat = Self::default();
        for event in events {
            chat.add(event);
        }
        chat
    }

    /// Whether it ended as a complete answer does.
    pub fn complete(&self) -> bool {
        self.done && self.finish.is_some() && self.error.is_none() && self.after_end == 0
    }

    /// Whether it ended as a broken answer must: an error event, then nothing, and no finish of any kind.
    pub fn broken(&self) -> bool {
        !self.done && self.finish.is_none() && self.error.is_some() && self.after_end == 0
    }

    fn add(&mut self, event: &Event) {
        if self.done || self.error.is_some() {
            self.after_end += 1;
        }
        if event.data == "[DONE]" {
            self.done = true;
            return;
        }
        let json = event.json();
        let choice = &json["choices"][0];
        self.text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish = Some(reason.to_owned());
        }
        if json["usage"].is_object() {
            self.usage = Some(json["usage"].clone());
        }
        if !json["error"].is_null() {
            self.error = Some(json["error"].clone());
        }
    }
}
