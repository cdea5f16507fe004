//! Chat templates: how a conversation is written down for a model.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error as Failure, ErrorKind, Value, context};

use super::Tokenizer;
use crate::error::Error;
use crate::gguf::Metadata;

/// Steps of one rendering: far beyond any template in use with a conversation that fits a context.
const FUEL: u64 = 2_000_000;

/// For a file without a template. Such a model was not trained to chat; it continues a transcript.
const TRANSCRIPT: &str = "{{ bos_token }}{% for message in messages %}\
     {{ {'system': '', 'user': 'Question: ', 'assistant': 'Answer: '}[message.role] }}{{ message.content | trim }}\n\n\
     {% endfor %}Answer:";
/// What such a model writes when it goes on to ask itself.
const TRANSCRIPT_STOP: &str = "\n\nQuestion:";

/// One turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// `system`, `user` or `assistant`
    pub(crate) role: &'static str,
    pub(crate) content: String,
}

/// A file's template, or its family's.
pub(crate) struct Template {
    environment: Environment<'static>,
    begin: String,
    end: String,
    stop: Option<&'static str>,
}

impl Template {
    pub(crate) fn read(metadata: &Metadata, tokenizer: &Tokenizer) -> Result<Self, Error> {
        let own = metadata.text("tokenizer.chat_template");
        let stop = own.is_none().then_some(TRANSCRIPT_STOP);
        let mut environment = Environment::new();
        // As the templates' authors have it: Jinja's settings in Hugging Face's transformers.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| Error::model(error.to_string()))?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |why: String| -> Result<String, Failure> {
            Err(Failure::new(ErrorKind::InvalidOperation, why))
        });
        environment
            .add_template_owned(NAME, own.unwrap_or(TRANSCRIPT).to_owned())
            .map_err(|error| Error::model(format!("the chat template cannot be read: {error}")))?;
        let named = |key| tokenizer.named(metadata, key);
        Ok(Self { environment, begin: named("bos"), end: named("eos"), stop })
    }

    /// A stop sequence that the template itself needs.
    pub(crate) fn stop(&self) -> Option<&'static str> {
        self.stop
    }

    /// The prompt, up to where the assistant's next words go. Fails with what the template objects to.
    pub(crate) fn render(&self, messages: &[Message]) -> Result<String, String> {
        let turn = |message: &Message| context! { role => message.role, content => &message.content };
        let messages: Vec<Value> = messages.iter().map(turn).collect();
        let rendered = self.environment.get_template(NAME).and_then(|template| {
            template.render(context! {
                messages => messages,
                add_generation_prompt => true,
                bos_token => &self.begin,
                eos_token => &self.end,
            })
        });
        rendered.map_err(|error| error.detail().unwrap_or("the chat template failed").to_owned())
    }
}

const NAME: &str = "chat";
