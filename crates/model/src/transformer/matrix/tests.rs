use super::*;

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| random.f32() * 2.0 - 1.0).collect()
}

fn plain(weights: &[f32], x: &[f32], cols: usize) -> Vec<f32> {
    weights.chunks_exact(cols).map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
}

#[test]
fn products_are_close_to_those_of_the_original() {
    let (rows, cols) = (203, 64);
    let weights = numbers(rows * cols, 1);
    let matrix = Matrix::of(rows, cols, &weights);
    let x = numbers(cols, 2);
    let mut out = vec![0.0; rows];
    matrix.by_vector(&x, &mut out);
    for (out, plain) in out.iter().zip(plain(&weights, &x, cols)) {
        assert!((out - plain).abs() < 0.05, "{out} instead of {plain}");
    }
}

#[test]
fn many_vectors_give_what_each_gives_alone() {
    let (rows, cols) = (101, 96);
    let matrix = Matrix::of(rows, cols, &numbers(rows * cols, 3));
    for count in [1, 2, 15, 16, 17, 40] {
        let x = numbers(count * cols, 4);
        let mut together = vec![0.0; count * rows];
        matrix.by_vectors(&x, &mut together);
        for (x, together) in x.chunks_exact(cols).zip(together.chunks_exact(rows)) {
            let (mut alone, mut one) = (vec![0.0; rows], vec![0.0; rows]);
            matrix.by_vectors(x, &mut alone);
            assert_eq!(alone, together, "the same numbers, whatever else is computed");
            matrix.by_vector(x, &mut one);
            assert!(one.iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-3));
        }
    }
}

#[test]
fn a_row_comes_back_within_half_a_step() {
    let weights = numbers(128, 5);
    let matrix = Matrix::of(2, 64, &weights);
    let mut row = vec![0.0; 64];
    matrix.row(1, &mut row);
    assert!(row.iter().zip(&weights[64..]).all(|(row, weight)| (row - weight).abs() <= 0.5 / 127.0 + 1e-6));
}
