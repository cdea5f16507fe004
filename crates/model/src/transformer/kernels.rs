//! The inner loops, compiled once per kind of CPU; which one runs is decided when the program runs.
//!
//! They are plain loops over arrays of a fixed length, which the compiler turns into vector instructions. A binary
//! built for any x86-64 thus uses AVX2 or AVX-512 where they are.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

/// Weights that share one scale.
pub(crate) const BLOCK: usize = 32;
/// Rows of weights that [`tile`] works on at once, and tokens. Their product is what fits into AVX2's registers.
pub(crate) const TILE_ROWS: usize = 6;
/// See [`TILE_ROWS`].
pub(crate) const TILE_TOKENS: usize = 16;

/// Sums are kept in this many lanes: one AVX-512 register, two of AVX2.
const LANES: usize = 16;

/// `out[r] = Σ_c quants[r][c] · scales[r][c / 32] · x[c]`, rows of `x.len()` columns, a multiple of 32.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma",
    "x86_64+avx2+fma",
    "x86_64+avx",
    "aarch64+neon"
))]
pub(crate) fn rows_by_vector(quants: &[i8], scales: &[f32], x: &[f32], out: &mut [f32]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
    let blocks = x.as_chunks::<BLOCK>().0;
    let rows = quants.chunks_exact(x.len()).zip(scales.chunks_exact(blocks.len()));
    for (out, (quants, scales)) in out.iter_mut().zip(rows) {
        let mut sums = [0.0_f32; LANES];
        for ((q, scale), x) in quants.as_chunks::<BLOCK>().0.iter().zip(scales).zip(blocks) {
            let mut block = [0.0_f32; LANES];
            for i in 0..LANES {
                block[i] = f32::from(q[i]) * x[i];
            }
            for i in 0..LANES {
                block[i] = add_product::<FUSED>(block[i], f32::from(q[LANES + i]), x[LANES + i]);
            }
            for i in 0..LANES {
                sums[i] = add_product::<FUSED>(sums[i], block[i], *scale);
            }
        }
        *out = sums.iter().sum();
    }
}

/// `out[r][t] = Σ_c weights[r][c] · tokens[c][t]`: one tile of a matrix product. The rows of `weights` lie one after
/// the other.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma",
    "x86_64+avx2+fma",
    "x86_64+avx",
    "aarch64+neon"
))]
pub(crate) fn tile(weights: &[f32], tokens: &[[f32; TILE_TOKENS]]) -> [[f32; TILE_TOKENS]; TILE_ROWS] {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
    let cols = tokens.len();
    let mut sums = [[0.0_f32; TILE_TOKENS]; TILE_ROWS];
    let mut rows = weights.chunks_exact(cols);
    let mut row = || rows.next().unwrap_or_default();
    let [a, b, c, d, e, f] = [row(), row(), row(), row(), row(), row()];
    let weights = a.iter().zip(b).zip(c).zip(d).zip(e).zip(f);
    for (tokens, (((((a, b), c), d), e), f)) in tokens.iter().zip(weights) {
        for (sums, weight) in sums.iter_mut().zip([a, b, c, d, e, f]) {
            for t in 0..TILE_TOKENS {
                sums[t] = add_product::<FUSED>(sums[t], *weight, tokens[t]);
            }
        }
    }
    sums
}

/// `out[c] = quants[c] · scales[c / 32]`
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma",
    "x86_64+avx2+fma",
    "x86_64+avx",
    "aarch64+neon"
))]
pub(crate) fn widen(quants: &[i8], scales: &[f32], out: &mut [f32]) {
    let blocks = quants.as_chunks::<BLOCK>().0.iter().zip(scales);
    for (out, (quants, scale)) in out.as_chunks_mut::<BLOCK>().0.iter_mut().zip(blocks) {
        for i in 0..BLOCK {
            out[i] = f32::from(quants[i]) * scale;
        }
    }
}

/// `Σ_i x[i] · key[i]`, the key in bfloat16; a multiple of 16 numbers.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma",
    "x86_64+avx2+fma",
    "x86_64+avx",
    "aarch64+neon"
))]
pub(crate) fn dot(x: &[f32], key: &[u16]) -> f32 {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
    let mut sums = [0.0_f32; LANES];
    for (x, key) in x.as_chunks::<LANES>().0.iter().zip(key.as_chunks::<LANES>().0) {
        for i in 0..LANES {
            sums[i] = add_product::<FUSED>(sums[i], x[i], wide(key[i]));
        }
    }
    sums.iter().sum()
}

/// `out[i] += weight · value[i]`, the value in bfloat16; a multiple of 16 numbers.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma",
    "x86_64+avx2+fma",
    "x86_64+avx",
    "aarch64+neon"
))]
pub(crate) fn add_scaled(out: &mut [f32], weight: f32, value: &[u16]) {
    const FUSED: bool = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
    for (out, value) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(value.as_chunks::<LANES>().0) {
        for i in 0..LANES {
            out[i] = add_product::<FUSED>(out[i], weight, wide(value[i]));
        }
    }
}

/// `sum + a · b`, rounded once where the CPU has an instruction for that: elsewhere that would be a function call.
#[inline(always)]
fn add_product<const FUSED: bool>(sum: f32, a: f32, b: f32) -> f32 {
    if FUSED { a.mul_add(b, sum) } else { sum + a * b }
}

/// A bfloat16 is the upper half of a float.
#[inline(always)]
fn wide(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The nearest bfloat16, ties to even.
#[inline]
pub(crate) fn narrow(value: f32) -> u16 {
    half::bf16::from_f32(value).to_bits()
}

#[cfg(test)]
mod tests;
