use super::*;

#[test]
fn activations_at_known_points() {
    assert!((silu(1.0) - 0.731_058_6).abs() < 1e-6);
    assert!((gelu(1.0) - 0.841_192).abs() < 1e-5);
    assert!((gelu(-1.0) + 0.158_808).abs() < 1e-5);
}

#[test]
fn a_normalised_row_has_the_norms_length() {
    let mut row = [3.0, 4.0];
    normalise(&mut row, &[1.0, 2.0], 0.0);
    let length = 12.5_f32.sqrt();
    assert!((row[0] - 3.0 / length).abs() < 1e-6 && (row[1] - 8.0 / length).abs() < 1e-6);
}
