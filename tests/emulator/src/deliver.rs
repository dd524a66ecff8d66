//! Puts an answer on the wire, or what is left of it.

use crate::faults::Fault;
use crate::message::Response;
use crate::server::{After, Stop};
use crate::wire::Wire;
use std::io;
use std::time::Duration;

const ENDLESS_HEAD_LIMIT: usize = 100_000_000;

/// How this answer is to be sent.
pub(crate) struct Delivery<'a> {
    pub(crate) wire: &'a mut Wire,
    pub(crate) stop: &'a Stop,
    /// The `Date` header by the server's clock.
    pub(crate) date: &'a str,
    pub(crate) keep_alive: bool,
}

impl Delivery<'_> {
    /// Sends a whole answer.
    pub(crate) fn whole(self, answer: &Response) -> io::Result<After> {
        let mut bytes = answer.head(self.date, Some(answer.body.len()), self.keep_alive);
        bytes.extend_from_slice(&answer.body);
        self.wire.send(&bytes)?;
        Ok(if self.keep_alive { After::Next } else { After::Finish })
    }

    /// Breaks the connection without any answer.
    pub(crate) fn nothing(self, fault: &Fault) -> io::Result<After> {
        Ok(match fault {
            Fault::Reset | Fault::ResetBeforeReading => After::Reset,
            Fault::Stall | Fault::StallAtOnce => {
                self.wire.stall();
                After::Drop
            }
            Fault::NotHttp => {
                self.wire.send(b"SSH-2.0-OpenSSH_9.2\r\n\x00\x01\x02\xfe\xff this is no HTTP\r\n\r\n")?;
                After::Finish
            }
            _ => After::Drop,
        })
    }

    /// Sends the answer as the fault wants it: late, slowly, in part.
    pub(crate) fn faulty(mut self, fault: &Fault, answer: &Response) -> io::Result<After> {
        let body = &answer.body;
        let half = body.len() / 2;
        match fault {
            Fault::LostAnswer => return Ok(After::Drop),
            Fault::Latency(time) => {
                if self.stop.wait(*time) {
                    return Ok(After::Drop);
                }
                return self.whole(answer);
            }
            Fault::Hold(gate) => {
                // Two things can end this, the gate and the emulator: a look every 2 ms sees both.
                while !gate.is_open() {
                    if self.stop.wait(Duration::from_millis(2)) {
                        return Ok(After::Drop);
                    }
                }
                return self.whole(answer);
            }
            Fault::StallInHead => {
                let head = self.head(answer, body.len());
                self.wire.send(&head[..head.len() / 2])?;
                self.wire.stall();
            }
            Fault::StallInBody => {
                self.head_and(answer, body.len(), &body[..half])?;
                self.wire.stall();
            }
            Fault::TornBody => self.head_and(answer, body.len(), &body[..half])?,
            Fault::TornChunk => {
                let mut bytes = answer.head(self.date, None, false);
                bytes.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
                bytes.extend_from_slice(&body[..half]);
                self.wire.send(&bytes)?;
            }
            Fault::OverlongBody => {
                let mut bytes = body.clone();
                bytes.extend_from_slice(b"{\"code\":200,\"msg\":\"more than was announced\"}");
                self.head_and(answer, body.len(), &bytes)?;
                return Ok(After::Finish);
            }
            Fault::DripHead(interval) => {
                let mut bytes = self.head(answer, body.len());
                bytes.extend_from_slice(body);
                return self.drip(&bytes, *interval);
            }
            Fault::DripBody(interval) => {
                self.head_and(answer, body.len(), &[])?;
                return self.drip(body, *interval);
            }
            Fault::EndlessHead => self.endless_head()?,
            Fault::Huge(size) => {
                self.huge(answer, *size)?;
                return Ok(After::Finish);
            }
            _ => return self.whole(answer),
        }
        Ok(After::Drop)
    }

    /// A head that ends the connection: after these faults it is of no more use.
    fn head(&self, answer: &Response, length: usize) -> Vec<u8> {
        answer.head(self.date, Some(length), false)
    }

    fn head_and(&mut self, answer: &Response, length: usize, body: &[u8]) -> io::Result<()> {
        let mut bytes = self.head(answer, length);
        bytes.extend_from_slice(body);
        self.wire.send(&bytes)
    }

    fn drip(self, bytes: &[u8], interval: Duration) -> io::Result<After> {
        for byte in bytes {
            self.wire.send(&[*byte])?;
            if self.stop.wait(interval) {
                return Ok(After::Drop);
            }
        }
        Ok(After::Finish)
    }

    fn endless_head(&mut self) -> io::Result<()> {
        self.wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")?;
        let line = format!("X-Filler: {}\r\n", "a".repeat(1000)).repeat(16);
        for _ in 0..ENDLESS_HEAD_LIMIT / line.len() {
            self.wire.send(line.as_bytes())?;
        }
        Ok(())
    }

    fn huge(&mut self, answer: &Response, size: usize) -> io::Result<()> {
        let (start, end) = (br#"{"code":200,"msg":""#, br#"","data":{}}"#);
        self.head_and(answer, size, &start[..start.len().min(size)])?;
        let mut left = size.saturating_sub(start.len() + end.len());
        let block = [b'a'; 64 * 1024];
        while left > 0 {
            let now = left.min(block.len());
            self.wire.send(&block[..now])?;
            left -= now;
        }
        let sent = start.len().min(size);
        self.wire.send(&end[..end.len().min(size - sent)])
    }
}
