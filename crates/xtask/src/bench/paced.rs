//! An upstream whose stream comes bit by bit, for one asker at a time: the first token at once, then a pause before
//! each event. A pause makes gateways that wait for more before they hand on visible.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::http::Connection;
use super::question;
use crate::failure::{Doing, Result};

/// Before each event after the first token.
pub const PAUSE: Duration = Duration::from_millis(1);

/// Starts it and returns its address. It ends with the process.
pub fn start() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").doing("listen on loopback")?;
    let address = listener.local_addr().doing("listen on loopback")?.to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that leaves ends its connection and nothing else.
            thread::spawn(move || serve(stream).ok());
        }
    });
    Ok(address)
}

fn serve(stream: TcpStream) -> Result<()> {
    let mut connection = Connection::new(stream)?;
    let events = question::events();
    let (beginning, rest) = events.split_at(2);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    loop {
        connection.read(|_| ())?;
        connection.write(&format!("{head}{}", chunk(&beginning.concat())))?;
        for event in rest {
            thread::sleep(PAUSE);
            connection.write(&chunk(event))?;
        }
        connection.write("0\r\n\r\n")?;
    }
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::contestant::Ask;
    use crate::bench::question::{Kind, body, first_token, text, text_of};

    #[test]
    fn the_first_token_comes_before_the_rest_and_several_questions_go_over_one_connection() {
        let address = start().unwrap();
        let mut connection = Connection::to(&address).unwrap();
        let ask = Ask { address, path: "/".into(), headers: vec![], body: body("m", Kind::Paced) };
        for _ in 0..2 {
            let token = first_token().as_bytes();
            let answer =
                connection.ask(&ask, |body| body.windows(token.len()).any(|at| at == token)).unwrap();
            assert_eq!(text_of(&answer.body), Some(text()));
            assert!(answer.seen.is_some());
        }
    }
}
