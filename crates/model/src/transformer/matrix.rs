//! A matrix of weights in 8 bits, and its products.

use rayon::prelude::*;

use super::kernels::{BLOCK, TILE_ROWS, TILE_TOKENS, rows_by_vector, tile, widen};
use crate::error::Error;
use crate::gguf::Gguf;

/// Rows that one task of a product with one vector takes: enough to be worth a wake-up.
const ROWS_A_TASK: usize = 96;
/// Tiles of rows that one task of a product with many vectors takes.
const TILES_A_TASK: usize = 8;

/// `rows × cols` weights as signed bytes; each [`BLOCK`] of a row has its own scale.
///
/// Every stored format is brought to this one at load: one inner loop to be fast and right, and the loss against
/// formats of four to six bits is a fraction of theirs. 1.125 bytes a weight.
pub(crate) struct Matrix {
    rows: usize,
    cols: usize,
    quants: Vec<i8>,
    scales: Vec<f32>,
}

impl Matrix {
    /// Reads tensors of `cols` columns and stacks them: the products of one vector with each are one product then.
    pub(crate) fn read(gguf: &Gguf, parts: &[(&str, usize)], cols: usize) -> Result<Self, Error> {
        if cols == 0 || !cols.is_multiple_of(BLOCK) {
            return Err(Error::model(format!(
                "rows of {cols} weights are not supported (multiples of {BLOCK} are)"
            )));
        }
        let rows = parts.iter().map(|(_, rows)| rows).sum::<usize>();
        let mut quants = vec![0; rows * cols];
        let mut scales = vec![0.0; rows * cols / BLOCK];
        let (mut quants_left, mut scales_left) = (quants.as_mut_slice(), scales.as_mut_slice());
        for (name, rows) in parts {
            gguf.rows(name, (*rows, cols), |kind, bytes| {
                let row = kind.bytes(cols).unwrap_or(bytes.len()).max(1);
                let now = (bytes.len() / row * cols).min(quants_left.len());
                let (quants, left) = std::mem::take(&mut quants_left).split_at_mut(now);
                quants_left = left;
                let (scales, left) = std::mem::take(&mut scales_left).split_at_mut(now / BLOCK);
                scales_left = left;
                let rows = quants.par_chunks_mut(cols).zip(scales.par_chunks_mut(cols / BLOCK));
                rows.zip(bytes.par_chunks(row)).for_each_init(
                    || vec![0.0; cols],
                    |values, ((quants, scales), bytes)| {
                        kind.dequantise(bytes, values);
                        quantise(values, quants, scales);
                    },
                );
            })?;
        }
        Ok(Self { rows, cols, quants, scales })
    }

    #[cfg(test)]
    pub(crate) fn of(rows: usize, cols: usize, values: &[f32]) -> Self {
        let mut quants = vec![0; rows * cols];
        let mut scales = vec![0.0; rows * cols / BLOCK];
        quantise(values, &mut quants, &mut scales);
        Self { rows, cols, quants, scales }
    }

    /// One row as numbers: an embedding.
    pub(crate) fn row(&self, row: usize, out: &mut [f32]) {
        let quants = self.quants.chunks_exact(self.cols).nth(row).unwrap_or_default();
        let scales = self.scales.chunks_exact(self.cols / BLOCK).nth(row).unwrap_or_default();
        widen(quants, scales, out);
    }

    /// `out = self · x` for one vector.
    pub(crate) fn by_vector(&self, x: &[f32], out: &mut [f32]) {
        let quants = self.quants.par_chunks(ROWS_A_TASK * self.cols);
        let scales = self.scales.par_chunks(ROWS_A_TASK * self.cols / BLOCK);
        out.par_chunks_mut(ROWS_A_TASK)
            .zip(quants.zip(scales))
            .for_each(|(out, (quants, scales))| rows_by_vector(quants, scales, x, out));
    }

    /// `out[t] = self · x[t]` for many vectors, stored one after the other. What comes out for one vector does not
    /// depend on the others.
    pub(crate) fn by_vectors(&self, x: &[f32], out: &mut [f32]) {
        let tiles = columns_first(x, self.cols);
        let count = x.len() / self.cols;
        let at_once = TILES_A_TASK * TILE_ROWS;
        let mut products = vec![0.0; self.rows * count];
        let quants = self.quants.par_chunks(at_once * self.cols);
        let scales = self.scales.par_chunks(at_once * self.cols / BLOCK);
        products.par_chunks_mut(at_once * count).zip(quants.zip(scales)).for_each_init(
            || vec![0.0; TILE_ROWS * self.cols],
            |weights, (out, (quants, scales))| {
                let rows = quants.chunks(TILE_ROWS * self.cols);
                let rows = rows.zip(scales.chunks(TILE_ROWS * self.cols / BLOCK));
                for (out, (quants, scales)) in out.chunks_mut(TILE_ROWS * count).zip(rows) {
                    // The last tile may be short of rows: what is left over from others is not read.
                    widen(quants, scales, weights);
                    for (nth, tokens) in tiles.chunks_exact(self.cols).enumerate() {
                        let sums = tile(weights, tokens);
                        for (out, sums) in out.chunks_mut(count).zip(&sums) {
                            for (out, sum) in out.iter_mut().skip(nth * TILE_TOKENS).zip(sums) {
                                *out = *sum;
                            }
                        }
                    }
                }
            },
        );
        transpose(&products, count, out);
    }
}

/// Vectors of `cols` in groups of [`TILE_TOKENS`], each group one column after the other, filled up with zeros.
fn columns_first(x: &[f32], cols: usize) -> Vec<[f32; TILE_TOKENS]> {
    let group = TILE_TOKENS * cols;
    let mut tiles = vec![[0.0; TILE_TOKENS]; x.len().div_ceil(group) * cols];
    tiles.par_chunks_mut(cols).zip(x.par_chunks(group)).for_each(|(tile, x)| {
        for (t, x) in x.chunks_exact(cols).enumerate() {
            for (column, x) in tile.iter_mut().zip(x) {
                column[t] = *x;
            }
        }
    });
    tiles
}

/// `out[t][r] = products[r][t]`
fn transpose(products: &[f32], count: usize, out: &mut [f32]) {
    let rows = products.len() / count.max(1);
    out.par_chunks_mut(rows.max(1)).enumerate().for_each(|(t, out)| {
        for (out, products) in out.iter_mut().zip(products.chunks_exact(count)) {
            *out = products[t];
        }
    });
}

fn quantise(values: &[f32], quants: &mut [i8], scales: &mut [f32]) {
    let blocks = values.as_chunks::<BLOCK>().0.iter().zip(quants.as_chunks_mut::<BLOCK>().0);
    for ((values, quants), scale) in blocks.zip(scales) {
        let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        *scale = largest / 127.0;
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        for (quant, value) in quants.iter_mut().zip(values) {
            // Half away from zero: a cast truncates, and `round` is a function call on older CPUs.
            *quant = (value * inverse + 0.5_f32.copysign(*value)) as i8;
        }
    }
}

#[cfg(test)]
mod tests;
