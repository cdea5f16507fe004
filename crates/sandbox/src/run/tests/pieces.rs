//! Parts of the engine that can be looked at alone.

use crate::run::output::Output;
use crate::run::spawn::{Message, Stage};
use crate::run::{harness, wipe};

#[test]
fn a_letter_is_never_cut() {
    for cut in 0..="a🦀é".len() {
        let bytes = "a🦀é".as_bytes();
        let (mut output, mut pieces) = (Output::new(100), Vec::new());
        for part in [&bytes[..cut], &bytes[cut..]] {
            output.push(part, &mut |text| pieces.push(text.to_owned()));
        }
        output.finish(&mut |text| pieces.push(text.to_owned()));
        assert_eq!((pieces.concat().as_str(), output.replaced), ("a🦀é", false), "{cut}");
    }
}

#[test]
fn the_limit_of_an_output_counts_what_is_kept() {
    for (limit, kept) in [(0, ""), (1, "a"), (4, "a"), (5, "a🦀"), (8, "a🦀\u{fffd}")] {
        let mut output = Output::new(limit);
        output.push("a🦀".as_bytes(), &mut |_| {});
        output.push(b"\xff", &mut |_| {});
        assert_eq!((output.text.as_str(), output.truncated), (kept, limit < 8), "{limit}");
        assert_eq!(output.total, 6);
    }
}

#[test]
fn messages_are_read_as_they_were_written() {
    for message in [Message::Ended(9), Message::Failed(Stage::Exec, 13), Message::Probed(3)] {
        assert_eq!(Message::decode(message.encode()), Some(message));
    }
    assert_eq!(Message::decode([77; 8]), None);
}

#[test]
fn a_feed_keeps_its_fields_apart() {
    let env = std::collections::BTreeMap::from([("A".to_owned(), "1\n".to_owned())]);
    assert_eq!(harness::feed("code", &["x y".to_owned()], &env), b"code\x001\0x y\0A\x001\n");
}

#[test]
fn what_resists_is_wiped() {
    use std::os::unix::fs::PermissionsExt;
    let base = super::folder();
    let top = base.path().join("top");
    std::fs::create_dir(&top).unwrap();
    let mut at = rustix::fs::open(&top, rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..3000 {
        rustix::fs::mkdirat(&at, "d", rustix::fs::Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "d", rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty()).unwrap();
    }
    for name in ["a\nb", &"x".repeat(255), "lifted-1"] {
        std::fs::create_dir(top.join(name)).unwrap();
        std::fs::write(top.join(name).join("file"), "x").unwrap();
        std::fs::create_dir(top.join(name).join("inner")).unwrap();
        std::fs::write(top.join(name).join("inner/file"), "x").unwrap();
        for shut in [top.join(name).join("inner"), top.join(name)] {
            std::fs::set_permissions(shut, std::fs::Permissions::from_mode(0o0)).unwrap();
        }
    }
    let kept = base.path().join("kept");
    std::fs::write(&kept, "x").unwrap();
    std::os::unix::fs::symlink(&kept, top.join("link")).unwrap();
    std::os::unix::fs::symlink(base.path(), top.join("up")).unwrap();
    wipe::remove(&top).unwrap();
    assert!(!top.exists() && kept.exists());
}

#[test]
fn what_is_to_be_kept_is_kept() {
    let base = super::folder();
    for name in ["a", "b", "keep"] {
        std::fs::create_dir(base.path().join(name)).unwrap();
        std::fs::write(base.path().join(name).join("file"), "x").unwrap();
    }
    wipe::empty_but(base.path(), &base.path().join("keep/below")).unwrap();
    assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 1);
    assert!(base.path().join("keep/file").exists());
}
