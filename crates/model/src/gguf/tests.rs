use std::io::Write;

use tempfile::NamedTempFile;

use super::*;

/// Builds a file: pairs and tensors are handed over in their stored form.
fn file(pairs: &[Vec<u8>], tensors: &[(&str, u32, &[u64], &[u8])]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((pairs.len() as u64).to_le_bytes());
    bytes.extend(pairs.concat());
    let mut data = Vec::new();
    for (name, kind, dimensions, values) in tensors {
        bytes.extend(text(name));
        bytes.extend((dimensions.len() as u32).to_le_bytes());
        dimensions.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend((data.len() as u64).to_le_bytes());
        data.extend_from_slice(values);
        data.resize(data.len().next_multiple_of(32), 0);
    }
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    [bytes, data].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn pair(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [text(key), kind.to_le_bytes().to_vec(), value.to_vec()].concat()
}

fn open(bytes: &[u8]) -> Result<Gguf, Error> {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    Gguf::open(file.path())
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn sample() -> Vec<u8> {
    let list = [&8_u32.to_le_bytes()[..], &2_u64.to_le_bytes(), &text("a"), &text("b")].concat();
    let pairs = [
        pair("general.architecture", 8, &text("x")),
        pair("n", 4, &7_u32.to_le_bytes()),
        pair("list", 9, &list),
    ];
    file(&pairs, &[("v", 0, &[4], &floats(&[1.0, 2.0, 3.0, 4.0])), ("m", 0, &[2, 3], &floats(&[0.5; 6]))])
}

#[test]
fn metadata_and_tensors_are_read() {
    let mut gguf = open(&sample()).expect("a file");
    assert_eq!(gguf.metadata.text("general.architecture"), Some("x"));
    assert_eq!(gguf.metadata.uint("n"), Some(7));
    assert_eq!(gguf.metadata.take_texts("list"), Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(gguf.vector("v", 4).expect("readable"), Some(vec![1.0, 2.0, 3.0, 4.0]));
    assert_eq!(gguf.vector("none", 4).expect("readable"), None);
    assert_eq!(gguf.shape("m"), Some((3, 2)));
    assert!(gguf.vector("v", 5).is_err(), "another length than asked for");
}

#[test]
fn whatever_is_cut_off_is_an_error() {
    let whole = sample();
    for end in 0..whole.len() - 31 {
        assert!(open(&whole[..end]).is_err(), "{end} of {} bytes", whole.len());
    }
}

#[test]
fn lengths_are_not_believed() {
    let mut huge = b"GGUF\x03\0\0\0".to_vec();
    huge.extend(1_u64.to_le_bytes());
    huge.extend(1_u64.to_le_bytes());
    huge.extend(u64::MAX.to_le_bytes());
    assert!(open(&huge).is_err(), "a key of 2^64 bytes");
    let list = [&0_u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
    assert!(open(&file(&[pair("list", 9, &list)], &[])).is_err(), "a list of 2^64 values");
    assert!(open(&file(&[], &[("m", 0, &[1 << 40, 1 << 40], &[])])).is_err(), "a tensor of 2^80 values");
    assert!(open(&file(&[], &[("m", 99, &[1], &[0; 4])])).is_err(), "an unknown type");
    assert!(open(&file(&[], &[("m", 8, &[33], &[0; 64])])).is_err(), "a row that fills no block");
}

#[test]
fn simple_blocks_at_known_points() {
    let one = f16_one();
    let block = |kind: Kind, rest: &[u8], values: usize| {
        let mut out = vec![0.0; values];
        kind.dequantise(&[&one[..], rest].concat(), &mut out);
        out
    };
    let out = block(Kind::Q8_0, &[0xff; 32], 32);
    assert!(out.iter().all(|value| *value == -1.0));
    let out = block(Kind::Q4_0, &[0x90; 16], 32);
    assert!(out[..16].iter().all(|value| *value == -8.0) && out[16..].iter().all(|value| *value == 1.0));
    let out = block(Kind::Q4_1, &[&one[..], &[0x90; 16]].concat(), 32);
    assert!(out[..16].iter().all(|value| *value == 1.0) && out[16..].iter().all(|value| *value == 10.0));
    let out = block(Kind::Q5_0, &[&[0xff, 0xff, 0, 0][..], &[0x90; 16]].concat(), 32);
    assert!(out[..16].iter().all(|value| *value == 0.0) && out[16..].iter().all(|value| *value == -7.0));
}

fn f16_one() -> [u8; 2] {
    half::f16::ONE.to_le_bytes()
}
