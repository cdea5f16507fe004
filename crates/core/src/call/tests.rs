//! The state machine as data: what happens, when, and what it then does.

use super::*;
use crate::host::NetError;

const CONTENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";
const ROLE: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const FINISH: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const ERROR: &str = "data: {\"error\":{\"message\":\"boom\"}}\n\n";

const FILTERED: &str = "data: {\"error\":{\"message\":\"no\",\"code\":\"content_filter\"}}\n\n";
const TOO_LONG: &str = "data: {\"error\":{\"message\":\"no\",\"code\":\"context_length_exceeded\"}}\n\n";

/// Connect 100, first content 300, idle 200, whole 1000 ms.
const BOUNDS: Deadlines =
    Deadlines { connect_ms: 100, first_content_ms: 300, idle_ms: 200, whole_ms: 1_000, grace_ms: 0 };

/// What happens to an attempt.
enum Now {
    Head(u16),
    /// A head with `Retry-After` in milliseconds.
    Later(u16, u64),
    Says(&'static str),
    Ends,
    Breaks,
    /// Time passes; the call is told when it wants to be.
    Nothing,
    Leaves,
}

/// Plays `(time, attempt, what)` and returns what the call did, a word a step.
fn play(targets: usize, hedge: Option<u64>, script: &[(u64, usize, Now)]) -> Vec<String> {
    let hedge = hedge.map(Duration::from_millis);
    let targets = vec![Planned::default(); targets];
    play_plan(Plan { targets, deadlines: BOUNDS, hedge, ..Plan::default() }, script)
}

fn play_plan(plan: Plan, script: &[(u64, usize, Now)]) -> Vec<String> {
    let mut call = Call::new(plan, Time(0));
    let mut did = Vec::new();
    let mut note = |call: &mut Call, at: u64| {
        while let Some(step) = call.next_step() {
            did.push(match step {
                Step::Send { attempt, target } => format!("{at} send {attempt} to {target}"),
                Step::Cancel(attempt) => format!("{at} cancel {attempt}"),
                Step::Emit { attempt, frames } => format!("{at} emit {} of {attempt}", frames.len()),
                Step::End(Ended::Failed(error)) => format!("{at} failed {}", error.status()),
                Step::End(Ended::Refused { status, .. }) => format!("{at} refused {status}"),
                Step::End(ended) => format!("{at} {ended:?}").to_lowercase(),
            });
        }
    };
    note(&mut call, 0);
    for (at, attempt, what) in script {
        while let Some(due) = call.timeout().filter(|due| due.0 <= *at) {
            call.handle(Input::Timeout, due);
            note(&mut call, due.0);
        }
        let attempt = *attempt;
        let input = match what {
            Head(status) => Input::Head { attempt, status: *status, retry_after: None },
            Later(status, millis) => {
                let retry_after = Some(Duration::from_millis(*millis));
                Input::Head { attempt, status: *status, retry_after }
            }
            Says(text) => Input::Chunk { attempt, bytes: Bytes::from_static(text.as_bytes()) },
            Ends => Input::End { attempt },
            Breaks => Input::Broken { attempt, error: NetError("cut".to_owned()) },
            Leaves => Input::Gone,
            Nothing => continue,
        };
        call.handle(input, Time(*at));
        note(&mut call, *at);
    }
    did
}

macro_rules! check {
    ($name:ident: $targets:expr, $hedge:expr, [$($script:expr),* $(,)?] => [$($did:expr),* $(,)?]) => {
        #[test]
        fn $name() {
            let expected: &[&str] = &[$($did),*];
            assert_eq!(play($targets, $hedge, &[$($script),*]), expected);
        }
    };
}

use Now::{Breaks, Ends, Head, Later, Leaves, Nothing, Says};

check!(answers: 1, None,
    [(10, 0, Head(200)), (20, 0, Says(ROLE)), (30, 0, Says(CONTENT)), (40, 0, Says(FINISH)), (50, 0, Ends)]
    => ["0 send 0 to 0", "30 emit 2 of 0", "40 emit 2 of 0", "50 complete"]);

check!(the_end_after_the_terminator_is_not_awaited_for_long: 1, None,
    [(10, 0, Head(200)), (30, 0, Says(CONTENT)), (40, 0, Says(FINISH)), (600, 0, Nothing)]
    => ["0 send 0 to 0", "30 emit 1 of 0", "40 emit 2 of 0", "540 complete"]);

check!(fails_over_on_status_break_and_first_error: 4, None,
    [(10, 0, Head(500)), (11, 0, Ends), (20, 1, Breaks), (30, 2, Head(200)), (31, 2, Says(ERROR)),
     (40, 3, Head(200)), (41, 3, Says(CONTENT)), (42, 3, Says(FINISH)), (43, 3, Ends)]
    => ["0 send 0 to 0", "11 cancel 0", "11 send 1 to 1", "20 cancel 1", "20 send 2 to 2", "31 cancel 2",
        "31 send 3 to 3", "41 emit 1 of 3", "42 emit 2 of 3", "43 complete"]);

check!(every_phase_has_its_bound: 3, None,
    [(110, 1, Head(200)), (150, 1, Says(ROLE)), (410, 2, Head(200)), (420, 2, Says(CONTENT)), (1000, 2, Nothing)]
    => ["0 send 0 to 0", "100 cancel 0", "100 send 1 to 1", "400 cancel 1", "400 send 2 to 2", "420 emit 1 of 2",
        "620 cancel 2", "620 failed 504"]);

check!(the_whole_is_bounded: 1, None,
    [(10, 0, Head(200)), (100, 0, Says(CONTENT)), (290, 0, Says(CONTENT)), (480, 0, Says(CONTENT)),
     (670, 0, Says(CONTENT)), (860, 0, Says(CONTENT)), (1000, 0, Nothing)]
    => ["0 send 0 to 0", "100 emit 1 of 0", "290 emit 1 of 0", "480 emit 1 of 0", "670 emit 1 of 0",
        "860 emit 1 of 0", "1000 cancel 0", "1000 failed 504"]);

check!(after_content_nothing_fails_over: 2, None,
    [(10, 0, Head(200)), (20, 0, Says(CONTENT)), (30, 0, Breaks), (40, 0, Nothing)]
    => ["0 send 0 to 0", "20 emit 1 of 0", "30 cancel 0", "30 failed 502"]);

check!(a_refusal_inside_a_stream_is_not_tried_elsewhere: 2, None,
    [(10, 0, Head(200)), (20, 0, Says(ROLE)), (30, 0, Says(FILTERED)), (40, 0, Nothing)]
    => ["0 send 0 to 0", "30 cancel 0", "30 failed 400"]);

check!(a_hedge_that_refuses_inside_its_stream_ends_nothing: 2, Some(50),
    [(10, 0, Head(200)), (60, 1, Head(200)), (70, 1, Says(FILTERED)), (80, 0, Says(CONTENT)), (90, 0, Says(FINISH)), (95, 0, Ends)]
    => ["0 send 0 to 0", "50 send 1 to 1", "70 cancel 1", "80 emit 1 of 0", "90 emit 2 of 0", "95 complete"]);

check!(the_callers_own_mistake_is_not_tried_elsewhere: 2, None,
    [(10, 0, Head(400)), (20, 0, Says("{}")), (30, 0, Ends)] => ["0 send 0 to 0", "30 refused 400"]);

check!(a_hedge_asks_the_next_and_the_loser_is_cancelled: 3, Some(50),
    [(10, 0, Head(200)), (70, 1, Head(200)), (80, 1, Says(CONTENT)), (90, 1, Says(FINISH)), (95, 1, Ends)]
    => ["0 send 0 to 0", "50 send 1 to 1", "80 cancel 0", "80 emit 1 of 1", "90 emit 2 of 1", "95 complete"]);

check!(a_hedge_that_fails_leaves_the_first_running: 2, Some(50),
    [(10, 0, Head(200)), (60, 1, Breaks), (80, 0, Says(CONTENT)), (90, 0, Says(FINISH)), (95, 0, Ends)]
    => ["0 send 0 to 0", "50 send 1 to 1", "60 cancel 1", "80 emit 1 of 0", "90 emit 2 of 0", "95 complete"]);

check!(a_hedge_that_refuses_leaves_the_first_running: 2, Some(50),
    [(10, 0, Head(200)), (60, 1, Head(400)), (61, 1, Ends), (80, 0, Says(CONTENT)), (90, 0, Says(FINISH)), (95, 0, Ends)]
    => ["0 send 0 to 0", "50 send 1 to 1", "61 cancel 1", "80 emit 1 of 0", "90 emit 2 of 0", "95 complete"]);

check!(what_finished_is_complete_even_when_the_connection_breaks: 1, None,
    [(10, 0, Head(200)), (30, 0, Says(CONTENT)), (40, 0, Says(STOP)), (50, 0, Breaks)]
    => ["0 send 0 to 0", "30 emit 1 of 0", "40 emit 1 of 0", "50 complete"]);

check!(what_finished_is_complete_even_when_the_body_never_ends: 1, None,
    [(10, 0, Head(200)), (30, 0, Says(CONTENT)), (40, 0, Says(STOP)), (300, 0, Nothing)]
    => ["0 send 0 to 0", "30 emit 1 of 0", "40 emit 1 of 0", "240 complete"]);

#[test]
fn a_provider_that_is_always_ready_cannot_outrun_the_deadline() {
    let plan = Plan { targets: vec![Planned::default()], deadlines: BOUNDS, ..Plan::default() };
    let mut call = Call::new(plan, Time(0));
    call.handle(Input::Head { attempt: 0, status: 200, retry_after: None }, Time(1));
    let chunk = || Input::Chunk { attempt: 0, bytes: Bytes::from_static(CONTENT.as_bytes()) };
    for at in [10, 500, 999, 1_001] {
        call.handle(chunk(), Time(at));
    }
    let steps: Vec<Step> = std::iter::from_fn(|| call.next_step()).collect();
    assert_eq!(steps.iter().filter(|step| matches!(step, Step::Emit { .. })).count(), 3);
    assert!(matches!(steps.last(), Some(Step::End(Ended::Failed(error))) if error.status() == 504));
}

check!(a_caller_who_leaves_cancels_everything: 2, Some(50),
    [(60, 0, Leaves), (70, 0, Says(CONTENT))]
    => ["0 send 0 to 0", "50 send 1 to 1", "60 cancel 0", "60 cancel 1", "60 left"]);

check!(without_targets_it_says_so: 0, None, [] => ["0 failed 503"]);

/// Retries of one and of several targets: `(targets, retries, script, what it did)`.
#[test]
fn what_may_pass_is_tried_again_when_every_target_has_failed() {
    let done = |at: u64, attempt: usize| {
        [
            (at, attempt, Head(200)),
            (at + 1, attempt, Says(CONTENT)),
            (at + 2, attempt, Says(FINISH)),
            (at + 3, attempt, Ends),
        ]
    };
    let named = |targets: usize, retries: u32, script: Vec<(u64, usize, Now)>| {
        let targets = vec![Planned::default(); targets];
        play_plan(Plan { targets, retries, deadlines: BOUNDS, ..Plan::default() }, &script)
    };
    let limited = || vec![(10, 0, Later(429, 500)), (11, 0, Ends)];
    let mut script = limited();
    script.extend(done(600, 1));
    let did = named(1, 2, script);
    assert_eq!(did[..3], ["0 send 0 to 0", "11 cancel 0", "511 send 1 to 0"], "not before it was told to");
    assert_eq!(did.last().map(String::as_str), Some("603 complete"));

    let did = named(1, 2, vec![(10, 0, Later(429, 5_000)), (11, 0, Ends)]);
    assert_eq!(did, ["0 send 0 to 0", "11 cancel 0", "11 failed 429"], "the deadline does not allow it");
    assert_eq!(named(1, 0, limited()), ["0 send 0 to 0", "11 cancel 0", "11 failed 429"]);

    let mut script = limited();
    script.extend([(20, 1, Head(401)), (21, 1, Ends), (700, 0, Nothing)]);
    let did = named(2, 1, script);
    assert_eq!(did[2..4], ["11 send 1 to 1", "21 cancel 1"], "another target first");
    assert_eq!(did[4], "511 send 2 to 0", "a bad key is not tried again");

    let mut script = vec![(10, 0, Breaks)];
    script.extend([(50, 1, Breaks), (990, 2, Nothing)]);
    let did = named(1, 2, script);
    assert_eq!(did.iter().filter(|did| did.contains("send")).count(), 3);
    assert!(did.last().is_some_and(|last| last.ends_with("failed 504")), "{did:?}");
}

#[test]
fn what_is_too_long_goes_to_a_larger_window_only() {
    const LONG: &str = "{\"error\":{\"message\":\"too long\",\"code\":\"context_length_exceeded\"}}";
    let played = |contexts: &[u64], script: [(u64, usize, Now); 3]| {
        let targets =
            contexts.iter().map(|context| Planned { context: *context, ..Planned::default() }).collect();
        play_plan(Plan { targets, deadlines: BOUNDS, ..Plan::default() }, &script)
    };
    let named = |contexts: &[u64]| played(contexts, [(10, 0, Head(400)), (11, 0, Says(LONG)), (12, 0, Ends)]);
    let said =
        |contexts: &[u64]| played(contexts, [(10, 0, Head(200)), (11, 0, Says(TOO_LONG)), (12, 0, Nothing)]);
    assert_eq!(said(&[8_000, 8_000, 128_000]), ["0 send 0 to 0", "11 cancel 0", "11 send 1 to 2"]);
    assert_eq!(said(&[8_000, 4_000]), ["0 send 0 to 0", "11 cancel 0", "11 failed 400"]);
    assert_eq!(named(&[8_000, 8_000, 128_000]), ["0 send 0 to 0", "12 send 1 to 2"]);
    assert_eq!(named(&[8_000, 4_000]), ["0 send 0 to 0", "12 refused 400"]);
    assert_eq!(named(&[0, 128_000]), ["0 send 0 to 0", "12 refused 400"], "where nothing is known");
}

#[test]
fn a_whole_answer_that_failed_says_why() {
    let targets = vec![Planned { dialect: Dialect::Responses, context: 0 }];
    let plan = Plan { targets, shape: Shape::Whole, deadlines: BOUNDS, ..Plan::default() };
    let mut call = Call::new(plan, Time(0));
    let body = br#"{"object":"response","id":"r","status":"in_progress","usage":{"input_tokens":3,"output_tokens":5}}"#;
    call.handle(Input::Head { attempt: 0, status: 200, retry_after: None }, Time(1));
    call.handle(Input::Chunk { attempt: 0, bytes: Bytes::from_static(body) }, Time(2));
    call.handle(Input::End { attempt: 0 }, Time(3));
    let steps: Vec<Step> = std::iter::from_fn(|| call.next_step()).collect();
    let why = steps.iter().find_map(|step| match step {
        Step::End(Ended::Failed(error)) => Some(error.detail.clone()),
        _ => None,
    });
    assert!(why.is_some_and(|why| why.contains("in_progress")), "{steps:?}");
    assert_eq!(call.reports()[0].usage.map(|usage| (usage.input, usage.output)), Some((3, 5)));
}
