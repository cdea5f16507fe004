//! ggml's block formats, as numbers.
//!
//! Formulas and layouts: `ggml-quants.c` and `ggml-common.h` of ggml (the `dequantize_row_*` functions).

use half::{bf16, f16};

/// Values of one block of the K formats.
const SUPER: usize = 256;

/// How a tensor's numbers are stored. Q8_1 and the K formats below 4 bits are not supported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

impl Kind {
    /// What an error says is supported.
    pub(crate) const NAMES: &str = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K are";

    /// By ggml's id.
    pub(crate) fn of(id: u32) -> Option<Self> {
        Some(match id {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::Bf16,
            _ => return None,
        })
    }

    /// Values and bytes of one block.
    fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (SUPER, 144),
            Self::Q5K => (SUPER, 176),
            Self::Q6K => (SUPER, 210),
        }
    }

    /// Bytes of a row of `values`; `None` if they do not fill whole blocks.
    pub(crate) fn bytes(self, values: usize) -> Option<usize> {
        let (each, bytes) = self.block();
        values.is_multiple_of(each).then(|| (values / each).checked_mul(bytes))?
    }

    /// Writes the numbers of the blocks in `bytes` to `out`; what has no counterpart is left alone.
    pub(crate) fn dequantise(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F32 => each(bytes, out, |block, [out]| *out = f32::from_le_bytes(*block)),
            Self::F16 => each(bytes, out, |block, [out]| *out = f16::from_le_bytes(*block).to_f32()),
            Self::Bf16 => each(bytes, out, |block, [out]| *out = bf16::from_le_bytes(*block).to_f32()),
            Self::Q4_0 => each(bytes, out, q4_0),
            Self::Q4_1 => each(bytes, out, q4_1),
            Self::Q5_0 => each(bytes, out, q5_0),
            Self::Q5_1 => each(bytes, out, q5_1),
            Self::Q8_0 => each(bytes, out, q8_0),
            Self::Q4K => each(bytes, out, q4_k),
            Self::Q5K => each(bytes, out, q5_k),
            Self::Q6K => each(bytes, out, q6_k),
        }
    }
}

fn each<const BYTES: usize, const VALUES: usize>(
    bytes: &[u8],
    out: &mut [f32],
    block: impl Fn(&[u8; BYTES], &mut [f32; VALUES]),
) {
    for (bytes, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        block(bytes, out);
    }
}

fn half(low: u8, high: u8) -> f32 {
    f16::from_le_bytes([low, high]).to_f32()
}

fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let [d0, d1, quants @ ..] = block;
    let d = half(*d0, *d1);
    for (i, q) in quants.iter().enumerate() {
        out[i] = d * (f32::from(q & 15) - 8.0);
        out[i + 16] = d * (f32::from(q >> 4) - 8.0);
    }
}

fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let [d0, d1, m0, m1, quants @ ..] = block;
    let (d, m) = (half(*d0, *d1), half(*m0, *m1));
    for (i, q) in quants.iter().enumerate() {
        out[i] = d * f32::from(q & 15) + m;
        out[i + 16] = d * f32::from(q >> 4) + m;
    }
}

fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let [d0, d1, h0, h1, h2, h3, quants @ ..] = block;
    let (d, high) = (half(*d0, *d1), u32::from_le_bytes([*h0, *h1, *h2, *h3]));
    for (i, (low, up)) in fives(quants, high).enumerate() {
        out[i] = d * (low - 16.0);
        out[i + 16] = d * (up - 16.0);
    }
}

fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let [d0, d1, m0, m1, h0, h1, h2, h3, quants @ ..] = block;
    let (d, m) = (half(*d0, *d1), half(*m0, *m1));
    for (i, (low, up)) in fives(quants, u32::from_le_bytes([*h0, *h1, *h2, *h3])).enumerate() {
        out[i] = d * low + m;
        out[i + 16] = d * up + m;
    }
}

/// Pairs of five-bit values `i` and `i + 16`: four bits from `quants`, the fifth from bit `i` of `high`.
fn fives(quants: &[u8; 16], high: u32) -> impl Iterator<Item = (f32, f32)> {
    quants.iter().enumerate().map(move |(i, q)| {
        let fifth = |bit: usize| ((high >> bit & 1) << 4) as u8;
        (f32::from(q & 15 | fifth(i)), f32::from(q >> 4 | fifth(i + 16)))
    })
}

fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let [d0, d1, quants @ ..] = block;
    let d = half(*d0, *d1);
    for (out, q) in out.iter_mut().zip(quants) {
        *out = d * f32::from(q.cast_signed());
    }
}

/// The six-bit scale and minimum of sub-block `i`, packed into twelve bytes.
fn scale_min(packed: &[u8; 12], i: usize) -> (f32, f32) {
    let (scale, min) = if i < 4 {
        (packed[i] & 63, packed[i + 4] & 63)
    } else {
        (packed[i + 4] & 15 | (packed[i - 4] >> 6) << 4, packed[i + 4] >> 4 | (packed[i] >> 6) << 4)
    };
    (f32::from(scale), f32::from(min))
}

fn q4_k(block: &[u8; 144], out: &mut [f32; SUPER]) {
    let (head, quants) = block.split_at(16);
    k_bits(head, &[0; 32], quants, out);
}

fn q5_k(block: &[u8; 176], out: &mut [f32; SUPER]) {
    let (head, rest) = block.split_at(16);
    let (high, quants) = rest.split_at(32);
    k_bits(head, high, quants, out);
}

/// Q4_K and Q5_K: eight sub-blocks of 32; bit `i` of `high[l]` is the fifth bit of value `l` of sub-block `i`.
fn k_bits(head: &[u8], high: &[u8], quants: &[u8], out: &mut [f32; SUPER]) {
    let Some((&[d0, d1, m0, m1], packed)) = head.split_first_chunk() else { return };
    let Some(packed) = packed.first_chunk() else { return };
    let (d, dmin) = (half(d0, d1), half(m0, m1));
    let pairs = quants.as_chunks::<32>().0.iter();
    for (pair, (quants, out)) in pairs.zip(out.as_chunks_mut::<64>().0).enumerate() {
        let (low, up) = out.split_at_mut(32);
        for (half, out) in [(0, low), (1, up)] {
            let sub = 2 * pair + half;
            let (scale, min) = scale_min(packed, sub);
            for ((out, q), high) in out.iter_mut().zip(quants).zip(high) {
                let value = q >> (4 * half) & 15 | (high >> sub & 1) << 4;
                *out = d * scale * f32::from(value) - dmin * min;
            }
        }
    }
}

fn q6_k(block: &[u8; 210], out: &mut [f32; SUPER]) {
    let (low, rest) = block.split_at(128);
    let (high, rest) = rest.split_at(64);
    let (scales, d) = rest.split_at(16);
    let d = half(d[0], d[1]);
    let halves = low.as_chunks::<64>().0.iter().zip(high.as_chunks::<32>().0).zip(scales.as_chunks::<8>().0);
    for (((low, high), scales), out) in halves.zip(out.as_chunks_mut::<128>().0) {
        for (l, high) in high.iter().enumerate() {
            for quarter in 0..4 {
                let four = low[l + 32 * (quarter & 1)] >> (4 * (quarter >> 1)) & 15;
                let two = high >> (2 * quarter) & 3;
                let value = f32::from(four | two << 4) - 32.0;
                let scale = f32::from(scales[l / 16 + 2 * quarter].cast_signed());
                out[l + 32 * quarter] = d * scale * value;
            }
        }
    }
}
