use super::*;

const NOW: Time = Time(1_000);

fn frame(text: &str) -> Bytes {
    Bytes::from(format!("data: {text}\n\n"))
}

/// What a reader of these entries gets after what it has.
fn read_back(entries: &[(String, Bytes)], after: After) -> (String, Mark) {
    let mut replay = Replay::new(after);
    let mut text = String::new();
    for (id, value) in entries.iter().filter(|(id, _)| *id > after.entry()) {
        text.push_str(std::str::from_utf8(&replay.add(id, value).unwrap()).unwrap());
    }
    (text, replay.mark)
}

/// The entries of what has gathered, and of the end.
fn all(tape: &Tape) -> Vec<(String, Bytes)> {
    tape.segment().into_iter().chain(tape.end(NOW)).collect()
}

#[test]
fn what_was_said_is_read_back_from_any_event() {
    let mut tape = Tape::new(true);
    let mut entries = Vec::new();
    let mut live = Vec::new();
    for number in 0..7 {
        let said = tape.add(frame(&format!("{number}")), NOW);
        live.push(std::str::from_utf8(&said).unwrap().to_owned());
        if number % 3 == 2 {
            entries.extend(tape.segment());
            tape.kept();
        }
    }
    entries.extend(all(&tape));
    assert_eq!(read_back(&entries, After::Start).0, live.concat());
    for after in 0..7 {
        let (text, mark) = read_back(&entries, After::Event(after));
        assert_eq!(text, live[usize::try_from(after).unwrap() + 1..].concat(), "after {after}");
        assert_eq!(mark.ended, Some(NOW));
    }
}

#[test]
fn comments_pass_and_are_not_kept_and_every_line_end_is_kept_as_it_is() {
    let mut tape = Tape::new(false);
    let said = Bytes::from_static(b": ping\n\ndata: a\r\n\r\nevent: x\ndata: b\n\n");
    assert_eq!(tape.add(said.clone(), NOW), said);
    let kept = read_back(&all(&tape), After::Start).0;
    assert_eq!(kept, "id: 0\ndata: a\r\n\r\nid: 1\nevent: x\ndata: b\n\n");
}

#[test]
fn ids_of_the_provider_give_way_and_a_last_carriage_return_waits_for_nothing() {
    let mut tape = Tape::new(true);
    for said in ["\u{feff}id: 7\ndata: a\n\n", "data: b\r\r", "id\ndata: c\r\r"] {
        tape.add(Bytes::from(said), NOW);
    }
    let kept = read_back(&all(&tape), After::Start).0;
    assert_eq!(kept, "id: 0\ndata: a\n\nid: 1\ndata: b\r\r\nid: 2\ndata: c\r\r\n");
    assert_eq!(read_back(&all(&tape), After::Event(1)).0, "id: 2\ndata: c\r\r\n");
}

#[test]
fn a_segment_larger_than_an_entry_lies_in_several() {
    let mut tape = Tape::new(true);
    let said = tape.add(frame(&"x".repeat(700_000)), NOW);
    let entries = tape.segment();
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|(_, value)| value.len() <= crate::host::MAX_ENTRY));
    assert_eq!(read_back(&entries, After::Start).0.as_bytes(), &said[..]);
}

#[test]
fn a_segment_that_was_kept_in_part_comes_once() {
    let mut tape = Tape::new(true);
    let mut live = tape.add(frame(&"x".repeat(400_000)), NOW).to_vec();
    // Its second part was not kept; the next time there is more.
    let mut entries = vec![tape.segment()[0].clone()];
    tape.missed(NOW);
    assert_eq!(tape.due(), Some(NOW.plus(Duration::from_secs(1))), "not at once");
    live.extend_from_slice(&tape.add(frame("y"), NOW));
    entries.extend(all(&tape));
    assert_eq!(read_back(&entries, After::Start).0.as_bytes(), &live[..]);
    assert_eq!(read_back(&entries, After::Event(0)).0, "id: 1\ndata: y\n\n");
}

#[test]
fn what_cannot_be_kept_for_long_is_given_up_and_said_to_be() {
    let mut tape = Tape::new(true);
    let before = tape.add(frame("a"), NOW);
    let mut entries = tape.segment();
    tape.kept();
    for _ in 0..4 {
        tape.add(frame(&"x".repeat(900_000)), NOW);
        tape.missed(NOW);
    }
    assert_eq!(tape.due(), None);
    assert_eq!(tape.add(frame("b"), NOW), frame("b"));
    entries.extend(all(&tape));
    let (text, mark) = read_back(&entries, After::Start);
    assert_eq!((text.as_bytes(), mark), (&before[..], Mark { ended: Some(NOW), lost: true }));
}

#[test]
fn answers_of_responses_are_read_from_their_own_numbers() {
    let mut tape = Tape::new(true);
    for number in 3..6 {
        tape.add(frame(&format!(r#"{{"sequence_number":{number}}}"#)), NOW);
    }
    let (text, _) = read_back(&all(&tape), After::Sequence(4));
    assert_eq!(text, "id: 2\ndata: {\"sequence_number\":5}\n\n");
}

#[test]
fn when_it_ended_stands_beside_the_head() {
    let mut tape = Tape::new(true);
    tape.add(frame("a"), NOW);
    let mut entries = all(&tape);
    entries.push((HEAD.to_owned(), Bytes::new()));
    entries.sort();
    let ids: Vec<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, [HEAD, ENDED, "0000000000-00", "0000000001-00"]);
    assert_eq!(ended(&entries[1].1), Some(NOW));
    assert_eq!(ended(&entries[2].1), None);
}
