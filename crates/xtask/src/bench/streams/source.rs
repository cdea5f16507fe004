//! An upstream of any number of paced streams, on one thread. The path says how many tokens come and how far apart:
//! `/{tokens}x{microseconds}/…`; the first comes with the head.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::dialect::{Dialect, Stream};
use super::poll::{Poll, nonblocking};
use crate::failure::{Doing, Result, failed};

/// The listener's number; connections count on from it.
const LISTENER: usize = 0;
/// When a stream's end that the socket did not take is sent again.
const AGAIN: Duration = Duration::from_millis(10);
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// How many tokens a stream has, and how far apart they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// At least one.
    pub tokens: usize,
    /// From one to the next.
    pub gap: Duration,
}

impl Pace {
    /// As the first part of a path.
    pub fn path(self) -> String {
        format!("{}x{}", self.tokens, self.gap.as_micros())
    }

    fn of(path: &str) -> Option<Self> {
        let (tokens, gap) = path.split('/').nth(1)?.split_once('x')?;
        Some(Self { tokens: tokens.parse().ok()?, gap: Duration::from_micros(gap.parse().ok()?) })
    }
}

/// Starts it and returns its address. It ends with the process.
pub fn start() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").doing("listen on loopback")?;
    let address = listener.local_addr().doing("listen on loopback")?.to_string();
    listener.set_nonblocking(true).doing("listen on loopback")?;
    let poll = Poll::new()?;
    poll.add(&listener, LISTENER)?;
    let streams = Dialect::ALL.into_iter().map(Dialect::stream).collect::<Result<_>>()?;
    let source = Source {
        listener,
        poll,
        streams,
        connections: BTreeMap::new(),
        due: BinaryHeap::new(),
        next: LISTENER,
    };
    // Without it every stream breaks, and that is reported.
    thread::spawn(move || source.run().ok());
    Ok(address)
}

struct Source {
    listener: TcpListener,
    poll: Poll,
    /// In the order of [`Dialect::ALL`].
    streams: Vec<Stream>,
    connections: BTreeMap<usize, Connection>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    next: usize,
}

struct Connection {
    socket: TcpStream,
    read: Vec<u8>,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
    playing: Option<Playing>,
}

struct Playing {
    dialect: Dialect,
    pace: Pace,
    sent: usize,
}

impl Source {
    fn run(mut self) -> Result<()> {
        loop {
            let until = self.due.peek().map(|Reverse((at, _))| *at);
            for number in self.poll.wait(until)? {
                match number {
                    LISTENER => self.accept()?,
                    _ => self.heard(number),
                }
            }
            let now = Instant::now();
            while let Some(Reverse((at, number))) =
                self.due.peek().copied().filter(|Reverse((at, _))| *at <= now)
            {
                self.due.pop();
                self.play(number, at);
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        while let Ok((socket, _)) = self.listener.accept() {
            nonblocking(&socket)?;
            self.next += 1;
            self.poll.add(&socket, self.next)?;
            let connection = Connection { socket, read: Vec::new(), unsent: Vec::new(), playing: None };
            self.connections.insert(self.next, connection);
        }
        Ok(())
    }

    /// A connection that ends or asks for what there is not is dropped.
    fn heard(&mut self, number: usize) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        match connection.asked() {
            Ok(false) => {}
            Ok(true) => self.play(number, Instant::now()),
            Err(_) => drop(self.connections.remove(&number)),
        }
    }

    /// The next token, and the end with the last one.
    fn play(&mut self, number: usize, at: Instant) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let Some(playing) = &mut connection.playing else { return self.send(number, "", at) };
        let stream = &self.streams[playing.dialect as usize];
        let mut out = String::new();
        if playing.sent == 0 {
            out.push_str(HEAD);
        }
        let opening = if playing.sent == 0 { stream.opening.as_str() } else { "" };
        let frames = format!("{opening}{}", stream.token(playing.sent));
        out.push_str(&format!("{:x}\r\n{frames}\r\n", frames.len()));
        playing.sent += 1;
        if playing.sent < playing.pace.tokens {
            self.due.push(Reverse((at + playing.pace.gap, number)));
        } else {
            out.push_str(&format!("{:x}\r\n{}\r\n0\r\n\r\n", stream.end.len(), stream.end));
            connection.playing = None;
        }
        self.send(number, &out, at);
    }

    fn send(&mut self, number: usize, out: &str, at: Instant) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if connection.send(out.as_bytes()).is_err() {
            self.connections.remove(&number);
        } else if connection.playing.is_none() && !connection.unsent.is_empty() {
            self.due.push(Reverse((at + AGAIN, number)));
        }
    }
}

impl Connection {
    /// Reads on; whether a question is whole now, which is then being answered.
    fn asked(&mut self) -> Result<bool> {
        let mut bytes = [0; 8_192];
        loop {
            match self.socket.read(&mut bytes) {
                Ok(0) => return failed("the connection was closed"),
                Ok(count) => self.read.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).doing("read a question"),
            }
        }
        let text = String::from_utf8_lossy(&self.read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(false) };
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if body.len() < length.unwrap_or(0) {
            return Ok(false);
        }
        self.read.clear();
        let path = head.split(' ').nth(1).unwrap_or_default();
        match (Dialect::of(path), Pace::of(path)) {
            (Some(dialect), Some(pace)) => self.playing = Some(Playing { dialect, pace, sent: 0 }),
            _ => return failed(format!("there is no stream at {path}")),
        }
        Ok(true)
    }

    /// What the socket does not take goes out with what comes next.
    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.unsent.extend_from_slice(bytes);
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_the_pace() {
        let pace = Pace { tokens: 1_200, gap: Duration::from_millis(50) };
        assert_eq!(pace.path(), "1200x50000");
        assert_eq!(Pace::of("/1200x50000/v1/messages"), Some(pace));
        assert_eq!(Pace::of("/v1/messages"), None);
    }
}
