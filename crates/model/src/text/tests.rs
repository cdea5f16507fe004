use super::*;
use vocabulary::unmapped;

#[test]
fn gpt2_spelling_has_the_space_and_the_newline() {
    assert_eq!(unmapped("\u{120}a\u{10a}"), b" a\n");
}
