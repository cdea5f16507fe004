//! The network: embeddings, layers of attention and feed-forward, logits.

mod attention;
mod forward;
mod hyper;
mod kernels;
mod matrix;
mod rope;

use crate::error::Error;
use crate::gguf::Gguf;
pub(crate) use attention::{Cache, soften};
pub(crate) use forward::TOGETHER;
use hyper::Hyper;
use matrix::Matrix;
use rope::Rope;

/// A network that is ready to compute.
pub(crate) struct Transformer {
    hyper: Hyper,
    embedding: Matrix,
    /// Absent where the embedding is the output as well.
    output: Option<Matrix>,
    output_norm: Vec<f32>,
    layers: Vec<Layer>,
    rope: Rope,
}

/// One layer. The norms that are optional exist in some families only.
struct Layer {
    attention_norm: Vec<f32>,
    /// Queries, keys and values, stacked.
    qkv: Matrix,
    query_norm: Option<Vec<f32>>,
    key_norm: Option<Vec<f32>>,
    attention_output: Matrix,
    post_attention_norm: Option<Vec<f32>>,
    feed_norm: Vec<f32>,
    /// The gate and what it gates, stacked.
    gate_up: Matrix,
    down: Matrix,
    post_feed_norm: Option<Vec<f32>>,
    /// Whether attention reaches only [`Hyper::window`] tokens back.
    local: bool,
}

impl Transformer {
    /// Reads the weights, in 8 bits.
    pub(crate) fn read(gguf: &Gguf) -> Result<Self, Error> {
        let hyper = Hyper::read(gguf)?;
        let width = hyper.width;
        let vector = |name: &str, len| {
            gguf.vector(name, len)?.ok_or_else(|| Error::model(format!("the file has no tensor {name}")))
        };
        let embedding = Matrix::read(gguf, &[("token_embd.weight", hyper.vocabulary)], width)?;
        let output = match gguf.shape("output.weight") {
            Some(_) => Some(Matrix::read(gguf, &[("output.weight", hyper.vocabulary)], width)?),
            None => None,
        };
        Ok(Self {
            embedding,
            output,
            output_norm: vector("output_norm.weight", width)?,
            layers: (0..hyper.layers).map(|i| Layer::read(gguf, &hyper, i)).collect::<Result<_, _>>()?,
            rope: Rope::new(&hyper, gguf.vector("rope_freqs.weight", hyper.head / 2)?),
            hyper,
        })
    }

    /// How many tokens the model was trained to look back on.
    pub(crate) fn context(&self) -> usize {
        self.hyper.context
    }

    /// How many tokens it can tell apart.
    pub(crate) fn vocabulary(&self) -> usize {
        self.hyper.vocabulary
    }

    /// An empty memory of the conversation.
    pub(crate) fn cache(&self) -> Cache {
        Cache::new(self.hyper.layers, self.hyper.kv_heads * self.hyper.head)
    }
}

impl Layer {
    fn read(gguf: &Gguf, hyper: &Hyper, i: usize) -> Result<Self, Error> {
        let width = hyper.width;
        let name = |part: &str| format!("blk.{i}.{part}.weight");
        let optional = |part: &str, len| gguf.vector(&name(part), len);
        let vector = |part: &str, len| {
            optional(part, len)?.ok_or_else(|| Error::model(format!("the file has no tensor {}", name(part))))
        };
        if gguf.shape(&format!("blk.{i}.attn_q.bias")).is_some() {
            return Err(Error::model("attention with biases is not supported"));
        }
        let (queries, keys) = (hyper.heads * hyper.head, hyper.kv_heads * hyper.head);
        let qkv = [(name("attn_q"), queries), (name("attn_k"), keys), (name("attn_v"), keys)];
        let gate_up = [(name("ffn_gate"), hyper.feed), (name("ffn_up"), hyper.feed)];
        let stacked = |parts: &[(String, usize)]| {
            let parts: Vec<_> = parts.iter().map(|(name, rows)| (name.as_str(), *rows)).collect();
            Matrix::read(gguf, &parts, width)
        };
        Ok(Self {
            attention_norm: vector("attn_norm", width)?,
            qkv: stacked(&qkv)?,
            query_norm: optional("attn_q_norm", hyper.head)?,
            key_norm: optional("attn_k_norm", hyper.head)?,
            attention_output: Matrix::read(gguf, &[(&name("attn_output"), width)], queries)?,
            post_attention_norm: optional("post_attention_norm", width)?,
            feed_norm: vector("ffn_norm", width)?,
            gate_up: stacked(&gate_up)?,
            down: Matrix::read(gguf, &[(&name("ffn_down"), width)], hyper.feed)?,
            post_feed_norm: optional("post_ffw_norm", width)?,
            local: hyper.is_local(i),
        })
    }
}
