//! Many streamed answers at once, read on one thread.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::dialect::Dialect;
use super::poll::{Poll, nonblocking};
use super::watch::Watch;
use crate::bench::contestant::Ask;
use crate::failure::{Doing, Result};

/// A stream that is asked for.
#[derive(Clone)]
pub struct Wanted {
    /// The question.
    pub ask: Ask,
    /// What the answer is written in.
    pub caller: Dialect,
    /// How many tokens it has.
    pub tokens: usize,
}

/// What came of all streams.
#[derive(Default)]
pub struct Outcome {
    /// Tokens that were seen.
    pub tokens: usize,
    /// Streams that had all their tokens and their terminator.
    pub complete: usize,
    /// What was wrong with the others, and with how many.
    pub lost: BTreeMap<String, usize>,
    /// The most that ran at the same time.
    pub at_once: usize,
}

struct Open {
    socket: TcpStream,
    watch: Watch,
}

/// Asks for all streams, their beginnings spread over a time, and reads them to their ends. What has not ended by
/// then counts as lost.
pub fn run(wanted: &[Wanted], spread: Duration, patience: Duration) -> Result<Outcome> {
    let began = Instant::now();
    let poll = Poll::new()?;
    let mut open: Vec<Option<Open>> = Vec::new();
    let mut outcome = Outcome::default();
    let mut running = 0;
    while open.len() < wanted.len() || running > 0 {
        let next = wanted.get(open.len());
        let due = began + spread * u32::try_from(open.len()).unwrap_or(0) / wanted.len().max(1) as u32;
        if let Some(next) = next.filter(|_| due <= Instant::now()) {
            open.push(Some(Open::ask(next, &poll, open.len())?));
            running += 1;
            outcome.at_once = outcome.at_once.max(running);
            continue;
        }
        if began.elapsed() > patience {
            break;
        }
        for number in poll.wait(next.map(|_| due))? {
            let Some(slot) = open.get_mut(number) else { continue };
            let Some(verdict) = slot.as_mut().and_then(Open::read) else { continue };
            running -= 1;
            outcome.note(slot.take(), verdict);
        }
    }
    for late in open.into_iter().filter(Option::is_some) {
        outcome.note(late, Err("it did not end in time".to_owned()));
    }
    Ok(outcome)
}

impl Outcome {
    fn note(&mut self, open: Option<Open>, verdict: std::result::Result<(), String>) {
        self.tokens += open.map_or(0, |open| open.watch.seen());
        match verdict {
            Ok(()) => self.complete += 1,
            Err(why) => *self.lost.entry(why).or_default() += 1,
        }
    }
}

impl Open {
    fn ask(wanted: &Wanted, poll: &Poll, number: usize) -> Result<Self> {
        let mut socket = TcpStream::connect(&wanted.ask.address).doing("connect for a stream")?;
        socket.write_all(wanted.ask.request().as_bytes()).doing("ask for a stream")?;
        nonblocking(&socket)?;
        poll.add(&socket, number)?;
        Ok(Self { socket, watch: Watch::new(wanted.caller, wanted.tokens) })
    }

    /// Reads what is there; the verdict once it has ended.
    fn read(&mut self) -> Option<std::result::Result<(), String>> {
        let mut bytes = [0; 16_384];
        match self.socket.read(&mut bytes) {
            Ok(0) => Some(Err(self.watch.missing())),
            Ok(count) => match self.watch.take(&bytes[..count]) {
                Ok(true) => Some(Ok(())),
                Ok(false) => None,
                Err(why) => Some(Err(why)),
            },
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => Some(Err(format!("its connection broke: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::streams::source::{self, Pace};

    #[test]
    fn streams_of_every_dialect_come_whole_and_a_longer_one_is_missed() {
        let pace = Pace { tokens: 5, gap: Duration::from_millis(1) };
        let address = source::start().unwrap();
        let mut wanted: Vec<Wanted> = Dialect::ALL.map(|caller| wanted(&address, caller, pace)).into();
        let whole = run(&wanted, Duration::ZERO, Duration::from_secs(20)).unwrap();
        assert_eq!((whole.complete, whole.tokens, whole.lost), (4, 20, BTreeMap::new()));

        wanted[1].tokens = 6;
        let short = run(&wanted, Duration::ZERO, Duration::from_secs(20)).unwrap();
        assert_eq!(short.complete, 3);
        assert_eq!(short.lost, [("it ended after 5 of 6 tokens".to_owned(), 1)].into());
    }

    fn wanted(address: &str, caller: Dialect, pace: Pace) -> Wanted {
        let path = format!("/{}/{}/{}", pace.path(), caller.version(), caller.path("m"));
        let headers = Vec::new();
        let ask = Ask { address: address.to_owned(), path, headers, body: caller.body("m") };
        Wanted { ask, caller, tokens: pace.tokens }
    }
}
