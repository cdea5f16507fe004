//! The numbers that tell one network from another.

use crate::error::Error;
use crate::gguf::{Gguf, Metadata};

/// Bounds against a file that would exhaust the memory by its numbers alone.
const MAX_LAYERS: usize = 512;
const MAX_WIDTH: usize = 1 << 16;
const MAX_VOCABULARY: usize = 1 << 21;

/// The families by `general.architecture`. What differs within one is read from the file.
const FAMILIES: [Family; 2] = [
    // RoFormer pairs as converters of Llama store them; `SwiGLU`.
    Family {
        name: "llama",
        activation: Activation::Silu,
        pairs: Pairs::Neighbours,
        scaled_embedding: false,
        local: None,
    },
    // Gemma 3 report (arXiv 2503.19786) 2: five local layers to one global, base 10,000 for the local ones.
    Family {
        name: "gemma3",
        activation: Activation::Gelu,
        pairs: Pairs::Halves,
        scaled_embedding: true,
        local: Some(Local { every: 6, base: 10_000.0 }),
    },
];

struct Family {
    name: &'static str,
    activation: Activation,
    pairs: Pairs,
    scaled_embedding: bool,
    local: Option<Local>,
}

/// Layers that see a window only: all but each `every`th.
struct Local {
    every: usize,
    base: f32,
}

/// What the gate of the feed-forward goes through.
#[derive(Clone, Copy)]
pub(crate) enum Activation {
    /// `x · sigmoid(x)`
    Silu,
    /// The Gaussian error linear unit, in its tanh form.
    Gelu,
}

/// Which numbers of a head are rotated together.
#[derive(Clone, Copy)]
pub(crate) enum Pairs {
    /// `2i` and `2i + 1`
    Neighbours,
    /// `i` and `i + half`
    Halves,
}

/// The numbers of one network.
pub(crate) struct Hyper {
    pub(crate) layers: usize,
    /// Numbers of a token between layers.
    pub(crate) width: usize,
    /// Numbers of a token within the feed-forward.
    pub(crate) feed: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    /// Numbers of one head.
    pub(crate) head: usize,
    pub(crate) vocabulary: usize,
    pub(crate) context: usize,
    pub(crate) epsilon: f32,
    pub(crate) activation: Activation,
    pub(crate) pairs: Pairs,
    pub(crate) embedding_scale: f32,
    pub(crate) rope_base: f32,
    pub(crate) rope_base_local: f32,
    /// Positions are divided by this before they are rotated, on global layers.
    pub(crate) rope_stretch: f32,
    /// How far local layers see, in tokens.
    pub(crate) window: usize,
    local_every: Option<usize>,
}

impl Hyper {
    pub(crate) fn read(gguf: &Gguf) -> Result<Self, Error> {
        let metadata = &gguf.metadata;
        let name = metadata.text("general.architecture").unwrap_or("no architecture");
        let family = FAMILIES.iter().find(|family| family.name == name).ok_or_else(|| {
            let known: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
            Error::model(format!("{name} is not supported (supported: {})", known.join(", ")))
        })?;
        let keys = Keys { metadata, family: family.name };
        if keys.optional("expert_count").is_some_and(|experts| experts > 0) {
            return Err(Error::model("mixtures of experts are not supported"));
        }

        let width = keys.bounded("embedding_length", MAX_WIDTH)?;
        let heads = keys.bounded("attention.head_count", MAX_WIDTH)?;
        let kv_heads = keys.optional("attention.head_count_kv").unwrap_or(heads);
        let head = keys.optional("attention.key_length").unwrap_or(width / heads);
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(Error::model(format!("{heads} heads cannot share {kv_heads} keys and values")));
        }
        if head == 0 || !head.is_multiple_of(32) || head > MAX_WIDTH {
            return Err(Error::model(format!("heads of {head} are not supported (multiples of 32 are)")));
        }
        let rotated = keys.optional("rope.dimension_count").unwrap_or(head);
        let values = keys.optional("attention.value_length").unwrap_or(head);
        if rotated != head || values != head {
            return Err(Error::model(
                "heads that are rotated in part, or with values of another length, are not supported",
            ));
        }
        let (vocabulary, _) = gguf
            .shape("token_embd.weight")
            .filter(|(rows, _)| *rows <= MAX_VOCABULARY)
            .ok_or_else(|| Error::model("the file has no token_embd.weight of a usable size"))?;
        let window = keys.optional("attention.sliding_window");
        let local = family.local.as_ref().filter(|_| window.is_some_and(|window| window > 0));
        let rope_base = keys.float("rope.freq_base").unwrap_or(10_000.0);

        Ok(Self {
            layers: keys.bounded("block_count", MAX_LAYERS)?,
            width,
            feed: keys.bounded("feed_forward_length", MAX_WIDTH * 8)?,
            heads,
            kv_heads,
            head,
            vocabulary,
            context: keys.bounded("context_length", usize::MAX)?,
            epsilon: keys.float("attention.layer_norm_rms_epsilon").unwrap_or(1e-6),
            activation: family.activation,
            pairs: family.pairs,
            embedding_scale: if family.scaled_embedding { (width as f32).sqrt() } else { 1.0 },
            rope_base,
            rope_base_local: local
                .map_or(rope_base, |local| keys.float("rope.freq_base_swa").unwrap_or(local.base)),
            rope_stretch: keys.stretch()?,
            window: window.unwrap_or(usize::MAX),
            local_every: local.map(|local| local.every),
        })
    }

    /// Whether layer `i` sees [`Self::window`] tokens only.
    pub(crate) fn is_local(&self, i: usize) -> bool {
        self.local_every.is_some_and(|every| !(i + 1).is_multiple_of(every))
    }
}

/// The metadata of one family: its keys begin with its name.
struct Keys<'a> {
    metadata: &'a Metadata,
    family: &'a str,
}

impl Keys<'_> {
    fn optional(&self, key: &str) -> Option<usize> {
        self.metadata.uint(&format!("{}.{key}", self.family))
    }

    fn bounded(&self, key: &str, most: usize) -> Result<usize, Error> {
        let value = self.optional(key).filter(|value| (1..=most).contains(value));
        value.ok_or_else(|| Error::model(format!("{}.{key} is missing or not usable", self.family)))
    }

    fn float(&self, key: &str) -> Option<f32> {
        self.metadata.float(&format!("{}.{key}", self.family)).map(|value| value as f32)
    }

    fn stretch(&self) -> Result<f32, Error> {
        match self.metadata.text(&format!("{}.rope.scaling.type", self.family)) {
            None | Some("none") => Ok(1.0),
            Some("linear") => {
                Ok(self.float("rope.scaling.factor").filter(|factor| *factor > 0.0).unwrap_or(1.0))
            }
            Some(other) => {
                Err(Error::model(format!("position scaling {other} is not supported (linear is)")))
            }
        }
    }
}
