//! The one thread that computes, and the queue before it.

use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::mpsc;

use super::sample::Sampler;
use super::stop::Stops;
use super::utf8::Utf8;
use super::{Ask, End, Finish, Piece};
use crate::error::Error;
use crate::gguf::Gguf;
use crate::text::{Template, Tokenizer};
use crate::transformer::{Cache, TOGETHER, Transformer};

/// Pieces that wait for a slow reader; then the computation waits.
const PIECES: usize = 32;

/// Takes questions to the thread that computes. Dropping the last one ends the thread.
#[derive(Clone)]
pub(crate) struct Engine {
    jobs: mpsc::Sender<Job>,
    /// Tokens of prompt and answer together.
    context: usize,
}

/// Why a prompt is not computed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is too long.
    TooLong {
        /// Its tokens.
        prompt: usize,
        /// What there is room for, one generated token included.
        context: usize,
    },
    /// The chat template objects to the messages.
    Template(String),
}

struct Job {
    ask: Ask,
    pieces: mpsc::Sender<Piece>,
}

struct Worker {
    transformer: Transformer,
    tokenizer: Tokenizer,
    template: Template,
    context: usize,
    cache: Cache,
    /// The prompt whose keys and values are in `cache`, as far as they were computed as a prompt.
    remembered: Vec<u32>,
}

impl Engine {
    /// Loads a model and starts its thread. `waiting`: how many questions may wait for the one being computed.
    pub(crate) fn start(
        mut gguf: Gguf,
        threads: usize,
        context: usize,
        waiting: usize,
    ) -> Result<Self, Error> {
        let named = |i| format!("model-{i}");
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(named).build();
        let pool = pool.map_err(|error| Error::Threads(error.to_string()))?;
        let mut worker = pool.install(|| Worker::load(&mut gguf, context))?;
        let context = worker.context;
        let (jobs, mut queue) = mpsc::channel::<Job>(waiting.max(1));
        let mut run = move |pool: ThreadPool| {
            while let Some(job) = queue.blocking_recv() {
                pool.install(|| worker.answer(job));
            }
        };
        let spawned = thread::Builder::new().name("model".to_owned()).spawn(move || run(pool));
        spawned.map_err(|error| Error::Threads(error.to_string()))?;
        Ok(Self { jobs, context })
    }

    /// Tokens of prompt and answer together.
    pub(crate) fn context(&self) -> usize {
        self.context
    }

    /// Queues a question; `None` if the queue is full. Dropping the receiver ends the computation at the next token.
    pub(crate) fn ask(&self, ask: Ask) -> Option<mpsc::Receiver<Piece>> {
        let (pieces, receiver) = mpsc::channel(PIECES);
        self.jobs.try_send(Job { ask, pieces }).ok()?;
        Some(receiver)
    }
}

impl Worker {
    fn load(gguf: &mut Gguf, context: usize) -> Result<Self, Error> {
        let transformer = Transformer::read(gguf)?;
        let tokenizer = Tokenizer::read(&mut gguf.metadata)?;
        if tokenizer.len() > transformer.vocabulary() {
            return Err(Error::model("the vocabulary has more tokens than the model"));
        }
        let template = Template::read(&gguf.metadata, &tokenizer)?;
        Ok(Self {
            context: context.clamp(1, transformer.context()),
            cache: transformer.cache(),
            transformer,
            tokenizer,
            template,
            remembered: Vec::new(),
        })
    }

    /// Computes one answer. A caller that has left ends it, wherever it is.
    fn answer(&mut self, Job { ask, pieces }: Job) {
        if pieces.is_closed() {
            return;
        }
        let prompt = match self.prompt(&ask) {
            Ok(prompt) => prompt,
            Err(refused) => {
                let _ = pieces.blocking_send(Piece::Refused(refused));
                return;
            }
        };
        if pieces.blocking_send(Piece::Begun).is_err() {
            return;
        }
        let mut state = Vec::new();
        let Some(cached) = self.take_in(&prompt, &pieces, &mut state) else { return };
        if let Some(end) = self.generate(&prompt, cached, ask, &pieces, state) {
            let _ = pieces.blocking_send(Piece::End(end));
        }
    }

    fn prompt(&self, ask: &Ask) -> Result<Vec<u32>, Refused> {
        let mut messages = ask.messages.clone();
        for message in &mut messages {
            message.content = self.tokenizer.guard(&message.content);
        }
        let prompt = self.template.render(&messages).map_err(Refused::Template)?;
        let prompt = self.tokenizer.encode(&prompt);
        if prompt.is_empty() {
            return Err(Refused::Template("the prompt is empty".to_owned()));
        }
        if prompt.len() >= self.context {
            return Err(Refused::TooLong { prompt: prompt.len(), context: self.context });
        }
        Ok(prompt)
    }

    /// Computes a prompt, but for the beginning that is in memory; gives how long that is. `None`: the caller left.
    fn take_in(
        &mut self,
        prompt: &[u32],
        pieces: &mpsc::Sender<Piece>,
        state: &mut Vec<f32>,
    ) -> Option<usize> {
        let common = prompt.iter().zip(&self.remembered).take_while(|(a, b)| a == b).count();
        // The last token is computed in any case: the answer begins with its state.
        let cached = common.min(prompt.len() - 1);
        self.cache.truncate(cached);
        self.remembered.truncate(cached);
        for tokens in prompt[cached..].chunks(TOGETHER) {
            if pieces.is_closed() {
                return None;
            }
            self.transformer.take_in(tokens, &mut self.cache, state);
            self.remembered.extend_from_slice(tokens);
        }
        Some(cached)
    }

    fn generate(
        &mut self,
        prompt: &[u32],
        cached: usize,
        ask: Ask,
        pieces: &mpsc::Sender<Piece>,
        mut state: Vec<f32>,
    ) -> Option<End> {
        let room = self.context - prompt.len();
        let most = ask.most.map_or(room, |most| most.min(room));
        let mut sampler = Sampler::new(ask.sampling);
        let own = self.template.stop().map(str::to_owned);
        let mut stops = Stops::new(ask.stop.into_iter().chain(own).collect());
        let mut characters = Utf8::default();
        let mut logits = Vec::new();
        let mut end = End { finish: Finish::Length, prompt: prompt.len(), cached, generated: 0 };
        while end.generated < most {
            self.transformer.logits(&state, &mut logits);
            let token = sampler.choose(&mut logits);
            end.generated += 1;
            if self.tokenizer.ends(token) {
                end.finish = Finish::Stop;
                break;
            }
            let (text, stopped) = stops.push(&characters.push(self.tokenizer.bytes(token)));
            send(text, pieces)?;
            if stopped {
                end.finish = Finish::Stop;
                return Some(end);
            }
            if end.generated < most {
                self.transformer.step(token, &mut self.cache, &mut state);
            }
        }
        let (text, stopped) = stops.push(&characters.rest());
        send(text, pieces)?;
        if !stopped {
            send(stops.rest(), pieces)?;
        }
        Some(end)
    }
}

/// `None`: the caller left.
fn send(text: String, pieces: &mpsc::Sender<Piece>) -> Option<()> {
    if text.is_empty() {
        return (!pieces.is_closed()).then_some(());
    }
    pieces.blocking_send(Piece::Text(text)).ok()
}
