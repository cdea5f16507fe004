//! Scripts: complete answers in every legal oddity, and every way of failing.

use bytes::Bytes;

use super::{Answer, Counts, Dialect, Head, Said, Say, Script, Step};
use crate::ports::generate::Random;

/// What scripts are made to fit: the deadlines that they keep or miss, in milliseconds, and bounds on what they report.
#[derive(Clone, Debug)]
pub struct Pace {
    /// See `Deadlines`.
    pub connect: u64,
    /// See `Deadlines`.
    pub first: u64,
    /// See `Deadlines`.
    pub idle: u64,
    /// The most output tokens that are reported, which is what callers allow: a provider that makes and charges more
    /// overspends a budget whatever is held.
    pub most_output: u64,
    /// How many scripts in a hundred are complete answers.
    pub good: u64,
}

const REFUSALS: [u16; 11] = [400, 401, 403, 404, 408, 409, 422, 429, 500, 503, 529];

/// The script of one attempt. `tag` is in each of its tokens.
pub fn script(dialect: &Dialect, streamed: bool, tag: &str, pace: &Pace, random: &mut Random) -> Script {
    let answer = Answer { id: format!("answer-{tag}"), model: "m".to_owned(), ..Answer::default() };
    let mut play = Play { dialect, answer, tag, pace, random, input: None };
    if play.random.below(100) < pace.good {
        return if streamed { play.complete() } else { play.whole(true) };
    }
    match play.random.below(10) {
        0 => play.no_head("the connection is refused", Head::Broken),
        1 => play.no_head("never answers", Head::Silence),
        2 | 3 => play.refuses(),
        4 => play.odd_body(),
        _ if !streamed => play.whole(false),
        _ => play.broken(),
    }
}

struct Play<'a> {
    dialect: &'a Dialect,
    answer: Answer,
    tag: &'a str,
    pace: &'a Pace,
    random: &'a mut Random,
    /// What it reports of the input, where all its reports agree: those of before and after the answer.
    input: Option<(u64, u64)>,
}

impl Play<'_> {
    fn complete(&mut self) -> Script {
        let mut says = self.beginning();
        let tokens = self.random.below(30);
        let repeats = self.repeats();
        says.extend(self.tokens(tokens, repeats));
        let counts = self.counts();
        let mut name = format!("says {tokens} tokens");
        let late = self.dialect.counts.late;
        match self.random.below(6) {
            1 if late => says.extend([Say::Finish(None), Say::NoUsage]),
            2 => says.push(Say::Finish(None)),
            3.. if late => says.extend([Say::Finish(None), Say::Usage(counts)]),
            _ => says.push(Say::Finish(Some(counts))),
        }
        if self.random.below(4) == 0 {
            // Where nothing follows the reason for the end, it comes before it.
            let last = says.len() - usize::from(!late);
            let place = 1 + self.below(last);
            says.insert(place.min(last), Say::Malformed);
            name.push_str(", one frame malformed");
        }
        let done = self.random.below(4) > 0;
        if done {
            says.push(Say::End);
        } else {
            name.push_str(", no terminator");
        }
        let ending = match self.random.below(6) {
            0 => None,
            1 => Some(Step::Cut),
            _ => Some(Step::Eof),
        };
        let torn = matches!(ending, Some(Step::Eof)) && self.random.below(6) == 0;
        let (head_after, gap) = (self.within(self.pace.connect), self.gap());
        let slow = (self.random.below(8) == 0).then_some(self.pace.first * 3 / 2);
        if slow.is_some() {
            name.push_str(", late");
        }
        self.stream(name, head_after, &says, ending, torn, gap, slow)
    }

    /// A stream that does not end as it should.
    fn broken(&mut self) -> Script {
        let mut says = self.beginning();
        let early = self.random.below(3) == 0;
        let tokens = if early { 0 } else { 1 + self.random.below(20) };
        let repeats = self.repeats();
        says.extend(self.tokens(tokens, repeats));
        let (mut gap, mut ending) = (self.gap(), Some(Step::Eof));
        let what = match self.random.below(9) {
            0 | 1 => {
                ending = Some(Step::Cut);
                "is cut"
            }
            2 => "ends without a finish reason",
            3 => {
                says.push(Say::End);
                "says its terminator without a finish reason"
            }
            4 => {
                ending = None;
                "stalls"
            }
            5 | 6 => {
                let error = if self.random.below(3) == 0 { Say::ErrorAsFinish } else { Say::Error };
                // Whatever comes after an error is none of the answer.
                says.extend([error, Say::End]);
                "reports an error"
            }
            7 => {
                says.extend((0..200).map(|_| Say::Comment));
                (gap, ending) = (self.pace.idle / 2, None);
                "only pings"
            }
            _ => {
                let drip = self.tokens(60, false);
                says.extend(drip);
                (gap, ending) = (self.pace.idle * 3 / 4, None);
                "drips beyond every deadline"
            }
        };
        let head_after = self.within(self.pace.connect);
        self.stream(format!("{what} after {tokens} tokens"), head_after, &says, ending, false, gap, None)
    }

    /// An answer that is not streamed, good or not.
    fn whole(&mut self, good: bool) -> Script {
        let tokens = self.random.below(30);
        let text: String = (0..tokens).map(|number| self.token(number)).collect();
        let counts = (self.random.below(4) > 0).then(|| self.counts());
        let mut body = (self.dialect.whole)(&text, counts, true, &self.answer);
        let mut ending = Some(Step::Eof);
        let mut finished = true;
        let what = match (good, self.random.below(6)) {
            (true, _) => "answers",
            (_, 0) => {
                ending = Some(Step::Cut);
                "is cut"
            }
            (_, 1) => {
                ending = None;
                "stalls"
            }
            (_, 2) => {
                body.truncate(body.floor_char_boundary(body.len() / 2));
                finished = false;
                "ends in the middle"
            }
            (_, 3) => {
                body = (self.dialect.whole)(&text, counts, false, &self.answer);
                finished = false;
                "has no finish reason"
            }
            (_, 4) => {
                body = (self.dialect.refusal)(500);
                finished = false;
                "is an error with status 200"
            }
            _ => {
                body = "<html>busy</html>".to_owned();
                finished = false;
                "is a web page"
            }
        };
        // Counts of an answer that says no finish reason are reported all the same.
        let counts = counts.filter(|_| finished || what == "has no finish reason");
        let bytes = Bytes::from(body);
        let say = Say::Whole { text, counts, finished };
        let said = vec![Said { say, end: bytes.len(), bytes: bytes.clone() }];
        let steps = self.steps(&bytes, &[bytes.len()], ending, 20, None);
        let head_after = self.within(self.pace.first.min(self.pace.connect));
        let head = Head::Status(200, None);
        Script { name: format!("whole: {what}"), head_after, head, steps, said, bytes: bytes.len() }
    }

    fn no_head(&mut self, name: &str, head: Head) -> Script {
        let head_after = self.within(self.pace.connect);
        Script { name: name.to_owned(), head_after, head, steps: Vec::new(), said: Vec::new(), bytes: 0 }
    }

    fn refuses(&mut self) -> Script {
        let status = REFUSALS[self.below(REFUSALS.len())];
        let may_wait = matches!(status, 429 | 503 | 529);
        let retry_after = (may_wait && self.random.below(2) == 0).then(|| self.random.below(6));
        let body = Bytes::from((self.dialect.refusal)(status));
        let ending = match self.random.below(8) {
            0 => None,
            1 => Some(Step::Cut),
            _ => Some(Step::Eof),
        };
        let steps = self.steps(&body, &[body.len()], ending, 5, None);
        let (head, head_after) = (Head::Status(status, retry_after), self.within(self.pace.connect));
        let name = format!("refuses with status {status}");
        Script { name, head_after, head, steps, said: Vec::new(), bytes: body.len() }
    }

    /// Status 200 and a late head, or a body that is none.
    fn odd_body(&mut self) -> Script {
        let (name, head_after, body) = match self.random.below(3) {
            0 => ("its head is late", self.pace.connect.max(self.pace.first) * 2, String::new()),
            1 => ("its body is empty", self.within(self.pace.connect), String::new()),
            _ => ("its body is no answer", self.within(self.pace.connect), "<html>busy</html>".to_owned()),
        };
        let body = Bytes::from(body);
        let steps = self.steps(&body, &[body.len()], Some(Step::Eof), 5, None);
        let head = Head::Status(200, None);
        Script { name: name.to_owned(), head_after, head, steps, said: Vec::new(), bytes: body.len() }
    }

    fn beginning(&mut self) -> Vec<Say> {
        let mut says: Vec<Say> = (0..self.random.below(4)).map(|_| Say::Comment).collect();
        let early = self.dialect.counts.early.then(|| Counts { output: 1, reasoning: 0, ..self.counts() });
        says.push(Say::Start(early));
        says.extend((0..self.random.below(3)).map(|_| Say::Comment));
        says
    }

    /// Whether the counts come with the text, too.
    fn repeats(&mut self) -> bool {
        self.random.below(4) == 0 && self.dialect.counts.running
    }

    fn tokens(&mut self, count: u64, repeats: bool) -> Vec<Say> {
        let mut counts = self.counts();
        let mut says = Vec::new();
        for number in 0..count {
            counts.output = (number + 1).min(self.pace.most_output);
            counts.reasoning = 0;
            says.push(Say::Text(self.token(number), repeats.then_some(counts)));
            if self.random.below(12) == 0 {
                says.push(Say::Comment);
            }
        }
        says
    }

    fn token(&mut self, number: u64) -> String {
        let odd = ["", " ", "é", "\n", "\"", "[DONE]", "漢"];
        let odd = odd[self.below(odd.len())];
        format!("{}.{number}{odd} ", self.tag)
    }

    fn counts(&mut self) -> Counts {
        let (input, output) = (1 + self.random.below(12), 1 + self.random.below(self.pace.most_output));
        let (cached, reasoning) = (self.random.below(input + 1), self.random.below(output + 1));
        let (input, cached) = match self.dialect.counts.early {
            true => *self.input.get_or_insert((input, cached)),
            false => (input, cached),
        };
        let reasoning = if self.dialect.counts.reasoning { reasoning } else { 0 };
        Counts { input, output, cached, reasoning }
    }

    #[allow(clippy::too_many_arguments)] // Each decides something about the stream.
    fn stream(
        &mut self,
        name: String,
        head_after: u64,
        says: &[Say],
        ending: Option<Step>,
        torn: bool,
        gap: u64,
        slow: Option<u64>,
    ) -> Script {
        let line = if self.random.below(4) == 0 { "\r\n" } else { "\n" };
        let (mut body, mut said) = (Vec::new(), Vec::new());
        for say in says {
            let frames = (self.dialect.frames)(say, &mut self.answer);
            let last = frames.len().saturating_sub(1);
            for (place, frame) in frames.into_iter().enumerate() {
                let frame = frame.replace('\n', line);
                body.extend_from_slice(frame.as_bytes());
                let say = if place == last { say.clone() } else { Say::Comment };
                said.push(Said { say, bytes: Bytes::from(frame), end: body.len() });
            }
        }
        if torn && let Some(last) = said.last_mut() {
            let bare = last.bytes.trim_ascii_end().len();
            body.truncate(body.len() - (last.bytes.len() - bare));
            // The line breaks that are put back are ours.
            last.bytes = Bytes::from([&last.bytes[..bare], b"\n\n"].concat());
            last.end = body.len();
        }
        let ends: Vec<usize> = said.iter().map(|said| said.end).collect();
        let bytes = Bytes::from(body);
        let steps = self.steps(&bytes, &ends, ending, gap, slow);
        Script { name, head_after, head: Head::Status(200, None), steps, said, bytes: bytes.len() }
    }

    /// Cuts a body into chunks: at its frames, at any bytes, or not at all.
    fn steps(
        &mut self,
        body: &Bytes,
        ends: &[usize],
        ending: Option<Step>,
        gap: u64,
        slow: Option<u64>,
    ) -> Vec<(u64, Step)> {
        let mut cuts: Vec<usize> = match self.random.below(4) {
            0 => vec![body.len()],
            1 | 2 => ends.to_vec(),
            _ => (0..ends.len() + 3).map(|_| self.below(body.len() + 1)).chain([body.len()]).collect(),
        };
        cuts.sort_unstable();
        cuts.dedup();
        let mut steps = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().filter(|cut| *cut > 0) {
            let late = if from == 0 { slow.unwrap_or(0) } else { 0 };
            steps.push((self.within(gap) + late, Step::Chunk(body.slice(from..cut))));
            from = cut;
        }
        steps.extend(ending.map(|ending| (self.within(gap), ending)));
        steps
    }

    /// Milliseconds between chunks; rarely more than a stall.
    fn gap(&mut self) -> u64 {
        let idle = self.pace.idle;
        [1, 10, 50, 50, 200, idle / 2][self.below(6)]
    }

    /// Somewhere inside a bound; mostly far inside.
    fn within(&mut self, bound: u64) -> u64 {
        let part = [10, 10, 4, 1][self.below(4)];
        self.random.below((bound / part).max(1))
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound.max(1) as u64)).unwrap_or(0)
    }
}
