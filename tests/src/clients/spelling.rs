//! The same request in each SDK's parameters.

use serde_json::{Value, json};

use super::sdk::{self, Client};

/// How a group of clients takes its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Google's `contents` and `config`.
    Google,
    /// Vercel's, whatever the provider; tools as in chat completions.
    Vercel,
}

/// One pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

impl Spelling {
    /// Every one, with its clients.
    pub const ALL: [(Self, &'static [Client]); 6] = [
        (Self::Chat, sdk::OPENAI),
        (Self::Responses, sdk::RESPONSES),
        (Self::Messages, sdk::ANTHROPIC),
        (Self::Google, sdk::GOOGLE),
        (Self::Vercel, sdk::AI),
        (Self::Vercel, sdk::AI_OTHERS),
    ];

    /// The parameters of a request of one message.
    pub fn hello(self, model: &str) -> Value {
        self.saying(model, &json!("Say hello to Zoë 👋"))
    }

    fn saying(self, model: &str, content: &Value) -> Value {
        let messages = json!([{ "role": "user", "content": content }]);
        match self {
            Self::Chat | Self::Vercel => json!({ "model": model, "messages": messages }),
            Self::Messages => json!({ "model": model, "messages": messages, "max_tokens": 4000 }),
            Self::Responses if content.is_string() => json!({ "model": model, "input": content }),
            Self::Responses => json!({ "model": model, "input": messages }),
            Self::Google => json!({ "model": model, "contents": content }),
        }
    }

    /// A system prompt and three turns.
    pub fn turns(self, model: &str) -> Value {
        const SYSTEM: &str = "Be short.";
        const LAST: &str = "line\nbreak \"quotes\" \\ \u{1F44B} \u{2028}";
        let turns = |said: &str| {
            json!([{ "role": "user", "content": "Hello" }, { "role": said, "content": "Hi" },
                { "role": "user", "content": LAST }])
        };
        let mut params = self.hello(model);
        match self {
            Self::Chat => {
                params["messages"] = turns("assistant");
                let list = params["messages"].as_array_mut();
                list.into_iter()
                    .for_each(|list| list.insert(0, json!({ "role": "system", "content": SYSTEM })));
            }
            Self::Vercel => {
                (params["messages"], params["instructions"]) = (turns("assistant"), json!(SYSTEM))
            }
            Self::Responses => {
                (params["input"], params["instructions"]) = (turns("assistant"), json!(SYSTEM))
            }
            Self::Messages => (params["messages"], params["system"]) = (turns("assistant"), json!(SYSTEM)),
            Self::Google => {
                let said = |role: &str, text: &str| json!({ "role": role, "parts": [{ "text": text }] });
                params["contents"] = json!([said("user", "Hello"), said("model", "Hi"), said("user", LAST)]);
                params["config"] = json!({ "systemInstruction": SYSTEM });
            }
        }
        params
    }

    /// A picture, as base64.
    pub fn picture(self, model: &str) -> Value {
        let url = format!("data:image/png;base64,{PNG}");
        let (asked, what) = ("What is this?", json!({ "type": "text", "text": "What is this?" }));
        let content = match self {
            Self::Chat => json!([what, { "type": "image_url", "image_url": { "url": url } }]),
            Self::Vercel => json!([what, { "type": "file", "mediaType": "image/png", "data": PNG }]),
            Self::Responses => json!([{ "type": "input_text", "text": asked },
                { "type": "input_image", "image_url": url, "detail": "auto" }]),
            Self::Messages => json!([what,
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": PNG } }]),
            Self::Google => json!([{ "role": "user", "parts": [{ "text": asked },
                { "inlineData": { "mimeType": "image/png", "data": PNG } }] }]),
        };
        self.saying(model, &content)
    }

    /// With a tool that says the weather.
    pub fn tool(self, mut params: Value) -> Value {
        let (name, description) = ("weather", "Says the weather");
        let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } },
            "required": ["city"], "additionalProperties": false });
        match self {
            Self::Chat | Self::Vercel => {
                params["tools"] = json!([{ "type": "function",
                    "function": { "name": name, "description": description, "parameters": schema } }]);
            }
            Self::Responses => {
                params["tools"] = json!([{ "type": "function", "name": name, "description": description,
                    "parameters": schema, "strict": true }]);
            }
            Self::Messages => {
                params["tools"] =
                    json!([{ "name": name, "description": description, "input_schema": schema }]);
            }
            Self::Google => {
                let tool =
                    json!({ "name": name, "description": description, "parametersJsonSchema": schema });
                params["config"]["tools"] = json!([{ "functionDeclarations": [tool] }]);
            }
        }
        params
    }

    /// With thinking asked for, so that it can be sent back.
    pub fn thinking(self, mut params: Value) -> Value {
        let budget = json!({ "type": "enabled", "budget_tokens": 1024 });
        match self {
            Self::Chat => params["reasoning_effort"] = json!("low"),
            Self::Responses => {
                params["reasoning"] = json!({ "effort": "low", "summary": "auto" });
                params["include"] = json!(["reasoning.encrypted_content"]);
                params["store"] = json!(false);
            }
            Self::Messages => params["thinking"] = budget,
            Self::Google => params["config"]["thinkingConfig"] = json!({ "includeThoughts": true }),
            Self::Vercel => {
                params["providerOptions"] = json!({
                    "openai": { "reasoningEffort": "low", "reasoningSummary": "auto", "forceReasoning": true,
                        "store": false, "include": ["reasoning.encrypted_content"] },
                    "anthropic": { "thinking": { "type": "enabled", "budgetTokens": 1024 } },
                    "google": { "thinkingConfig": { "includeThoughts": true } },
                });
            }
        }
        params
    }

    /// With a schema that the answer must fit, which this client does not look at.
    pub fn schema(self, mut params: Value) -> Value {
        let schema = json!({ "type": "object", "additionalProperties": false, "required": ["city", "degrees"],
            "properties": { "city": { "type": "string" }, "degrees": { "type": "integer" } } });
        match self {
            Self::Chat => {
                params["response_format"] = json!({ "type": "json_schema",
                    "json_schema": { "name": "weather", "strict": true, "schema": schema } });
            }
            Self::Responses => {
                params["text"] = json!({ "format": { "type": "json_schema", "name": "weather",
                    "strict": true, "schema": schema } });
            }
            Self::Messages => {
                params["output_config"] = json!({ "format": { "type": "json_schema", "schema": schema } });
            }
            Self::Google => {
                params["config"] =
                    json!({ "responseMimeType": "application/json", "responseJsonSchema": schema });
            }
            Self::Vercel => params["schema"] = schema,
        }
        params
    }

    /// A message whose role nobody has.
    pub fn nobody(self, model: &str) -> Value {
        let mut params = self.hello(model);
        let message = json!([{ "role": "nobody", "content": "Hello" }]);
        match self {
            Self::Responses => params["input"] = message,
            Self::Google => {
                params["contents"] = json!([{ "role": "nobody", "parts": [{ "text": "Hello" }] }]);
            }
            Self::Chat | Self::Messages | Self::Vercel => params["messages"] = message,
        }
        params
    }
}
