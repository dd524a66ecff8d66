//! A connection on which the answer may come first.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Keeps an answer that comes early until its request is on its way.
///
/// A peer that is overloaded says so before it has read anything, and hangs up. hyper takes bytes on a connection that
/// has sent nothing for an error, and what cannot be written ends it before it looks at what has come. This connection
/// was opened for one request: whatever arrives is the answer to it. So nothing is read before something was written,
/// and a peer that takes no more is still listened to.
pub(super) struct Early<S> {
    connection: S,
    /// Whether anything was given to the connection to write.
    begun: bool,
    /// Who reads before that.
    reader: Option<Waker>,
    /// Why nothing more can be written.
    deaf: Option<ErrorKind>,
    /// How many bytes are still read. hyper throws interim answers and trailers away, and has no end for them.
    left: usize,
}

impl<S> Early<S> {
    /// `most` is how many bytes of an answer are read, its head and all that frames its body included.
    pub(super) fn new(connection: S, most: usize) -> Self {
        Self { connection, begun: false, reader: None, deaf: None, left: most }
    }

    fn begin(&mut self) {
        self.begun = true;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// What became of writing `all` bytes: a peer that hung up takes none of them, and may have answered.
    fn written(&mut self, outcome: io::Result<usize>, all: usize) -> io::Result<usize> {
        match outcome {
            Err(error) if is_hang_up(error.kind()) => {
                self.deaf = Some(error.kind());
                Ok(all)
            }
            outcome => outcome,
        }
    }
}

fn is_hang_up(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}

impl<S: AsyncRead + Unpin> AsyncRead for Early<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.begun {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let held = buf.filled().len();
        ready!(Pin::new(&mut self.connection).poll_read(cx, buf))?;
        let come = buf.filled().len() - held;
        let Some(left) = self.left.checked_sub(come) else {
            return Poll::Ready(Err(io::Error::other("the answer has no end")));
        };
        self.left = left;
        match self.deaf {
            // The end, and the request never got there.
            Some(why) if come == 0 => Poll::Ready(Err(why.into())),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Early<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.begin();
        if self.deaf.is_some() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let outcome = ready!(Pin::new(&mut self.connection).poll_write(cx, bytes));
        Poll::Ready(self.written(outcome, bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.begin();
        let all = pieces.iter().map(|piece| piece.len()).sum();
        if self.deaf.is_some() {
            return Poll::Ready(Ok(all));
        }
        let outcome = ready!(Pin::new(&mut self.connection).poll_write_vectored(cx, pieces));
        Poll::Ready(self.written(outcome, all))
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf.is_some() {
            return Poll::Ready(Ok(()));
        }
        let outcome = ready!(Pin::new(&mut self.connection).poll_flush(cx));
        Poll::Ready(self.written(outcome.map(|()| 0), 0).map(drop))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::Full;
    use perennial_core::{Response, TransportError, TransportErrorKind};
    use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};

    use super::super::exchange;
    use super::Early;

    const BUSY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 4\r\n\r\nbusy";

    /// One request over a connection on which this was said before anything was read. The other end is in hand.
    fn heard<S>(early: &[u8], over: impl FnOnce(DuplexStream, DuplexStream) -> (S, Option<DuplexStream>)) -> Heard
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = duplex(64 * 1024);
            theirs.write_all(early).await.unwrap();
            let (connection, _theirs) = over(ours, theirs);
            let request = http::Request::post("/token").header("host", "a.example");
            exchange(connection, request.body(Full::new(Bytes::from_static(b"password=1"))).unwrap(), 1024).await
        })
    }

    type Heard = Result<Response, TransportError>;

    const MOST: usize = 1024;

    #[test]
    fn interim_answers_without_end_are_not_read_for_ever() {
        let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(MOST / 20);
        let all = [&interim[..], BUSY].concat();
        let error = heard(&all, |ours, theirs| (Early::new(ours, MOST), Some(theirs))).unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::MaybeSent);
        let answer = heard(&all, |ours, theirs| (Early::new(ours, 2 * MOST), Some(theirs))).unwrap();
        assert_eq!(answer.status().as_u16(), 429);
    }

    #[test]
    fn an_answer_that_came_before_the_request_is_heard() {
        let answer = heard(BUSY, |ours, theirs| (Early::new(ours, MOST), Some(theirs))).unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (429, &b"busy"[..]));
        assert_eq!(answer.headers()["retry-after"], "30");
    }

    #[test]
    fn an_answer_is_heard_though_the_peer_hung_up_before_it_read() {
        let answer = heard(BUSY, |ours, _| (Early::new(ours, MOST), None)).unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (429, &b"busy"[..]));
    }

    #[test]
    fn a_peer_that_hung_up_without_an_answer_is_told_by_what_went_wrong() {
        for early in [&b""[..], b"HTTP/1.1 429 Too", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"] {
            let error = heard(early, |ours, _| (Early::new(ours, MOST), None)).unwrap_err();
            assert_eq!(error.kind(), TransportErrorKind::MaybeSent);
        }
    }

    #[test]
    fn what_hyper_never_took_was_not_sent() {
        let error = heard(BUSY, |ours, theirs| (ours, Some(theirs))).unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::NotSent);
    }
}
