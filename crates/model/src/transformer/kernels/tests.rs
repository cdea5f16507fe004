use super::*;

/// Numbers without a pattern that a mistake in order could hide behind.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| random.f32() * 2.0 - 1.0).collect()
}

fn close(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-4 * (1.0 + b.abs())
}

#[test]
fn rows_by_vector_is_the_plain_sum() {
    let (rows, cols) = (5, 96);
    let mut random = fastrand::Rng::with_seed(1);
    let quants: Vec<i8> = (0..rows * cols).map(|_| random.i8(..)).collect();
    let scales = numbers(rows * cols / BLOCK, 2);
    let x = numbers(cols, 3);
    let mut out = vec![0.0; rows];
    rows_by_vector(&quants, &scales, &x, &mut out);
    for (r, out) in out.iter().enumerate() {
        let plain: f32 =
            (0..cols).map(|c| f32::from(quants[r * cols + c]) * scales[(r * cols + c) / BLOCK] * x[c]).sum();
        assert!(close(*out, plain), "row {r}: {out} instead of {plain}");
    }
}

#[test]
fn tile_is_the_plain_product() {
    let cols = 7;
    let weights = numbers(TILE_ROWS * cols, 4);
    let tokens: Vec<[f32; TILE_TOKENS]> = numbers(cols * TILE_TOKENS, 5).as_chunks().0.to_vec();
    let out = tile(&weights, &tokens);
    for (r, row) in out.iter().enumerate() {
        for (t, out) in row.iter().enumerate() {
            let plain: f32 = (0..cols).map(|c| weights[r * cols + c] * tokens[c][t]).sum();
            assert!(close(*out, plain), "row {r}, token {t}: {out} instead of {plain}");
        }
    }
}

#[test]
fn attention_kernels_are_the_plain_sums() {
    let (x, key) = (numbers(64, 6), numbers(64, 7));
    let stored: Vec<u16> = key.iter().map(|key| narrow(*key)).collect();
    let wide: Vec<f32> = stored.iter().map(|bits| wide(*bits)).collect();
    assert!(wide.iter().zip(&key).all(|(wide, key)| (wide - key).abs() <= key.abs() / 256.0));
    let plain: f32 = x.iter().zip(&wide).map(|(x, key)| x * key).sum();
    assert!(close(dot(&x, &stored), plain));
    let mut sum = x.clone();
    add_scaled(&mut sum, 0.5, &stored);
    assert!(sum.iter().zip(x.iter().zip(&wide)).all(|(sum, (x, wide))| close(*sum, x + 0.5 * wide)));
}

#[test]
fn widen_is_quant_times_scale() {
    let mut out = vec![0.0; 64];
    widen(&[3; 64], &[0.5, -2.0], &mut out);
    assert!(out[..32].iter().all(|value| *value == 1.5) && out[32..].iter().all(|value| *value == -6.0));
}
