//! A request in no provider's words: what is read from one dialect and written in another.

use super::Dialect;
use super::json::Members;
use crate::error::Error;

/// What is said, what may be called, and how the answer should be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// In order.
    pub messages: Vec<Message>,
    /// Functions that the model may call. Their results are the caller's business.
    pub tools: Vec<Tool>,
    /// `None` where the caller said nothing.
    pub choice: Option<Choice>,
    /// How the answer should be.
    pub settings: Settings,
    /// Members of the caller's request that change the answer and have no place here, by their names in the caller's
    /// dialect (`logprobs`, `safetySettings`). Only a target of that dialect can be told of them.
    pub foreign: Vec<String>,
}

/// One turn of one speaker.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// In order; not empty.
    pub parts: Vec<Part>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions; `developer` of OpenAI too. Those in the middle of a conversation hold from there on, and keep their
    /// place ([`reminder`]).
    System,
    /// The person, and what tools gave.
    User,
    /// The model.
    Assistant,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Plain text.
    Text(String),
    /// Of a user, or inside a tool's result.
    Image(Image),
    /// Of an assistant: what it thought before what follows.
    Thinking(Thinking),
    /// Of an assistant.
    Call(Call),
    /// Of a user.
    Result(ToolResult),
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Where it is.
    pub source: Source,
    /// OpenAI's `low`, `high`, `auto`, where it was said. Other dialects have no such wish, and it may be left out.
    pub detail: Option<String>,
}

/// Where a picture is.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// An address that the provider fetches; never a `data:` URL.
    Url(String),
    /// The picture itself.
    Data {
        /// For example `image/png`.
        media: String,
        /// In base64, as it was sent.
        base64: String,
    },
}

/// Visible reasoning of an earlier answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thinking {
    /// Empty where only the seal came.
    pub text: String,
    /// What lets the provider that thought it trust it.
    pub seal: Option<Seal>,
}

/// A provider's signature or ciphertext: only a target of the same dialect can read it; for others it is left out, with
/// the thinking that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Whose.
    pub dialect: Dialect,
    /// As it came.
    pub value: String,
    /// Whether it stands for thinking that is not shown (Anthropic's `redacted_thinking`, OpenAI's
    /// `encrypted_content`), not for a signature of the text beside it.
    pub hidden: bool,
    /// The provider's id of the item that it belongs to (OpenAI's `rs_…`), where there is one.
    pub item: Option<String>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// Unique in the conversation; made up where the dialect has none.
    pub id: String,
    /// The tool's.
    pub name: String,
    /// A JSON object's text; `{}` where there are none.
    pub arguments: String,
    /// Whether the tool is a custom one, whose input stands in the arguments as [`super::custom`] says.
    pub custom: bool,
    /// Gemini's `thoughtSignature`.
    pub seal: Option<Seal>,
}

/// What a tool gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// `Call::id`.
    pub id: String,
    /// `Call::name`, where the dialect or the conversation tells it.
    pub name: Option<String>,
    /// Text and images.
    pub parts: Vec<Part>,
    /// Whether the tool says that it failed.
    pub failed: bool,
}

/// A function that the model may call, or a custom tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// JSON Schema of its arguments, in the caller's order, which models follow; `None` where it takes none.
    pub schema: Option<Members>,
    /// Whether arguments must follow the schema.
    pub strict: Option<bool>,
    /// For OpenAI's custom tools: what their input is. They have neither a schema nor `strict`.
    pub custom: Option<Input>,
}

/// The input of a custom tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Any text.
    Text,
    /// A text of a grammar.
    Grammar {
        /// `lark` or `regex`.
        syntax: String,
        /// The grammar itself.
        definition: String,
    },
}

/// Whether and what to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// As the model likes.
    Auto,
    /// Nothing.
    Never,
    /// Something.
    Any,
    /// This tool.
    Named(String),
}

/// How the answer should be. `None`: as the provider likes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The most output tokens, reasoning included.
    pub max_output: Option<u64>,
    /// 0 to 2; Anthropic's ends at 1.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// How many tokens are considered.
    pub top_k: Option<u64>,
    /// -2 to 2.
    pub presence_penalty: Option<f64>,
    /// -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// For repeatable sampling.
    pub seed: Option<i64>,
    /// Texts at which the answer ends.
    pub stop: Vec<String>,
    /// Whether several tools may be called at once.
    pub parallel_tools: Option<bool>,
    /// What the text of the answer is.
    pub format: Format,
    /// How much to think.
    pub reasoning: Option<Reasoning>,
    /// Whom the caller serves, for the provider's abuse checks. May be left out where the dialect has no place for it.
    pub user: Option<String>,
}

/// What the text of an answer is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Format {
    /// Anything.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// JSON of a schema.
    Schema {
        /// The caller's name for it; made up where the dialect has none.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// JSON Schema, in the caller's order, which models follow.
        schema: Members,
        /// Whether the answer must follow it.
        strict: Option<bool>,
    },
}

/// How much to think before answering.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reasoning {
    /// `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`, as OpenAI and Anthropic name them.
    pub effort: Option<String>,
    /// In tokens; 0 is off.
    pub budget: Option<u64>,
    /// Whether the caller wants to see it, where it said so.
    pub visible: Option<bool>,
}

/// What a dialect cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cannot {
    /// `Settings::top_k`.
    TopK,
    /// `Settings::seed`.
    Seed,
    /// `Settings::presence_penalty`.
    PresencePenalty,
    /// `Settings::frequency_penalty`.
    FrequencyPenalty,
    /// More stop sequences than the dialect takes, or a kind it does not.
    Stop,
    /// `Settings::temperature` in this range.
    Temperature,
    /// `Settings::top_p`, beside what else is asked for.
    TopP,
    /// `Settings::parallel_tools`.
    ParallelTools,
    /// `Format::Json`.
    Json,
    /// `Format::Schema`.
    Schema,
    /// `Settings::reasoning`.
    Reasoning,
    /// A picture by its address, or of this kind.
    Image,
    /// `Tool` or `Choice`.
    Tools,
    /// Messages of which nothing is left: the dialect takes no empty text.
    Silence,
    /// A member of the caller's own dialect.
    Foreign(String),
}

impl Cannot {
    /// The member of the caller's request that asks for it.
    pub fn field(&self, caller: Dialect) -> &str {
        let names: [&str; 4] = match self {
            Self::TopK => ["top_k", "top_k", "top_k", "generationConfig.topK"],
            Self::Seed => ["seed", "seed", "seed", "generationConfig.seed"],
            Self::PresencePenalty => [
                "presence_penalty",
                "presence_penalty",
                "presence_penalty",
                "generationConfig.presencePenalty",
            ],
            Self::FrequencyPenalty => [
                "frequency_penalty",
                "frequency_penalty",
                "frequency_penalty",
                "generationConfig.frequencyPenalty",
            ],
            Self::Stop => ["stop", "stop", "stop_sequences", "generationConfig.stopSequences"],
            Self::Temperature => {
                ["temperature", "temperature", "temperature", "generationConfig.temperature"]
            }
            Self::TopP => ["top_p", "top_p", "top_p", "generationConfig.topP"],
            Self::ParallelTools => [
                "parallel_tool_calls",
                "parallel_tool_calls",
                "tool_choice.disable_parallel_tool_use",
                "toolConfig",
            ],
            Self::Json | Self::Schema => {
                ["response_format", "text.format", "output_config.format", "generationConfig.responseSchema"]
            }
            Self::Reasoning => {
                ["reasoning_effort", "reasoning", "thinking", "generationConfig.thinkingConfig"]
            }
            Self::Image | Self::Silence => ["messages", "input", "messages", "contents"],
            Self::Tools => ["tools", "tools", "tools", "tools"],
            Self::Foreign(name) => return name,
        };
        let [openai, responses, anthropic, gemini] = names;
        match caller {
            Dialect::OpenAi => openai,
            Dialect::Responses => responses,
            Dialect::Anthropic => anthropic,
            Dialect::Gemini => gemini,
        }
    }

    /// What the caller is told of a target whose model, as the catalogue says, cannot do it: 400, naming the field.
    pub fn unable(&self, caller: Dialect, target: &str) -> Error {
        let field = self.field(caller);
        let what = match self {
            Self::Image => "a picture",
            Self::Tools => "tools",
            _ => "a schema for its answer",
        };
        let detail = format!(
            "`{field}` has {what}, which the model of {target} does not take: leave it out or name another target"
        );
        Error::invalid(detail).at(field)
    }

    /// What the caller is told when no target can be asked: 400, naming the field.
    pub fn error(&self, caller: Dialect, target: &str) -> Error {
        let field = self.field(caller);
        let detail = match self {
            Self::Silence => format!("`{field}` holds nothing but empty text, which {target} does not take"),
            Self::TopP => format!(
                "`{field}` cannot be passed on to {target}, whose model does not take it with a temperature, with thinking, or at all: leave it out or name another target"
            ),
            _ => format!(
                "`{field}` cannot be passed on to {target}, whose interface has no such thing: leave it out or name another target"
            ),
        };
        Error::invalid(detail).at(field)
    }
}

impl Conversation {
    /// The calls of custom tools, by their ids.
    pub fn custom_calls(&self) -> std::collections::HashSet<&str> {
        let parts = self.messages.iter().flat_map(|message| &message.parts);
        let calls = parts.filter_map(|part| match part {
            Part::Call(call) if call.custom => Some(call.id.as_str()),
            _ => None,
        });
        calls.collect()
    }

    /// Whether there is a picture in it, in messages or in tools' results.
    pub fn has_images(&self) -> bool {
        let is_image = |part: &Part| match part {
            Part::Image(_) => true,
            Part::Result(result) => result.parts.iter().any(|part| matches!(part, Part::Image(_))),
            _ => false,
        };
        self.messages.iter().flat_map(|message| &message.parts).any(is_image)
    }

    /// Refuses custom tools, by the place of the first: for dialects that have none.
    pub fn without_custom_tools(&self) -> Result<(), Cannot> {
        match self.tools.iter().position(|tool| tool.custom.is_some()) {
            Some(index) => Err(Cannot::Foreign(format!("tools[{index}].type"))),
            None => Ok(()),
        }
    }
}

/// Instructions that came in the middle of a conversation, as text of the user's turn: for models that take
/// instructions only before it. The mark is the one that Anthropic's own agents use; it has less weight than a place of
/// its own, and the user could write it too.
pub fn reminder(text: &str) -> String {
    format!("<system-reminder>\n{text}\n</system-reminder>")
}

impl Seal {
    /// A signature of the text beside it.
    pub fn signature(dialect: Dialect, value: impl Into<String>) -> Self {
        Self { dialect, value: value.into(), hidden: false, item: None }
    }
}
