//! One client's socket on its worker: reads into the worker's buffer, keeps only
//! what is not yet a whole packet, and writes what the shard left to write.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use hookwire_broker::{ConnectionKey, Flow, Hooks, Now};
use hookwire_mqtt::{ProtocolVersion, decode};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use crate::worker::Worker;

/// A socket and what belongs to it alone.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) key: ConnectionKey,
    stream: TcpStream,
    version: ProtocolVersion,
    /// Bytes read and not yet taken: part of a packet, or whole ones of a client
    /// that is paused.
    pending: Vec<u8>,
    /// Whether the shard has asked not to hand over more for now.
    paused: bool,
    /// Whether the last write found the socket full.
    blocked: bool,
    /// Whether this side is done with it.
    finished: bool,
    /// Whether it is closing, and has a moment left for its last packet.
    has_deadline: bool,
    waker: Option<Waker>,
}

/// How a connection's service ended.
pub(crate) enum End {
    /// This side closed it; the last packet may still be under way.
    Closed(TcpStream),
    /// The other side is gone.
    Gone,
}

/// Reads of one turn, so that a fast sender leaves the others their turn.
const READS_PER_TURN: usize = 4;
const SLICES: usize = 64;
/// How long a closing connection may take to read its last packet.
const CLOSE_DEADLINE_MS: u64 = 1_000;

impl Socket {
    pub(crate) fn new(
        key: ConnectionKey,
        stream: TcpStream,
        version: ProtocolVersion,
        rest: Vec<u8>,
    ) -> Self {
        Self {
            key,
            stream,
            version,
            pending: rest,
            paused: false,
            blocked: false,
            finished: false,
            has_deadline: false,
            waker: None,
        }
    }

    pub(crate) fn resume(&mut self) {
        self.paused = false;
        self.wake();
    }

    fn finish(&mut self) {
        self.finished = true;
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

impl<H: Hooks> Worker<H> {
    /// One turn of a connection's task: writes what was blocked, takes what was
    /// kept, reads and takes what there is.
    pub(crate) fn poll_connection(
        &mut self,
        key: ConnectionKey,
        cx: &mut Context<'_>,
    ) -> Poll<End> {
        let now = self.clock.now();
        let end = self.turn_of(now, key, cx);
        if end.is_ready() {
            self.shard.socket_closed(now, key);
        }
        self.schedule_flush();
        end
    }

    fn turn_of(&mut self, now: Now, key: ConnectionKey, cx: &mut Context<'_>) -> Poll<End> {
        let Some(socket) = self.sockets.get_mut(key) else {
            return Poll::Ready(End::Gone);
        };
        if socket
            .waker
            .as_ref()
            .is_none_or(|waker| !waker.will_wake(cx.waker()))
        {
            socket.waker = Some(cx.waker().clone());
        }
        if socket.finished {
            return Poll::Ready(self.take_closed(key));
        }
        if socket.blocked {
            match socket.stream.poll_write_ready(cx) {
                Poll::Ready(Ok(())) => {
                    socket.blocked = false;
                    self.write(now, key);
                    // Blocked again: come back when the socket says so.
                    if self
                        .sockets
                        .get_mut(key)
                        .is_some_and(|socket| socket.blocked)
                    {
                        cx.waker().wake_by_ref();
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(self.take_gone(key)),
                Poll::Pending => {}
            }
        }
        self.read(now, key, cx)
    }

    fn read(&mut self, now: Now, key: ConnectionKey, cx: &mut Context<'_>) -> Poll<End> {
        if !self.take_pending(now, key) {
            return Poll::Pending;
        }
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let end = self.read_into(now, key, cx, &mut buffer);
        self.read_buffer = buffer;
        end
    }

    fn read_into(
        &mut self,
        now: Now,
        key: ConnectionKey,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<End> {
        for _ in 0..READS_PER_TURN {
            let Some(socket) = self.sockets.get_mut(key) else {
                return Poll::Ready(End::Gone);
            };
            if socket.paused || socket.finished {
                return Poll::Pending;
            }
            let mut read = ReadBuf::new(buffer);
            match ready!(Pin::new(&mut socket.stream).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(self.take_gone(key)),
            }
            self.shard.count_read(read.filled().len());
            if !self.take_bytes(now, key, read.filled()) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Hands kept bytes to the shard; false if the connection is not to be read now.
    fn take_pending(&mut self, now: Now, key: ConnectionKey) -> bool {
        let Some(socket) = self.sockets.get_mut(key) else {
            return false;
        };
        if socket.paused || socket.finished {
            return false;
        }
        if socket.pending.is_empty() {
            return true;
        }
        let pending = std::mem::take(&mut socket.pending);
        self.take_from(now, key, pending)
    }

    fn take_bytes(&mut self, now: Now, key: ConnectionKey, bytes: &[u8]) -> bool {
        let Some(socket) = self.sockets.get_mut(key) else {
            return false;
        };
        if !socket.pending.is_empty() {
            let mut pending = std::mem::take(&mut socket.pending);
            pending.extend_from_slice(bytes);
            return self.take_from(now, key, pending);
        }
        let version = socket.version;
        let (used, flow) = self.take_packets(now, key, version, bytes);
        let Some(socket) = self.sockets.get_mut(key) else {
            return false;
        };
        socket.paused = flow == Flow::Later;
        if flow != Flow::Close
            && let Some(rest) = bytes.get(used..)
        {
            socket.pending.extend_from_slice(rest);
        }
        flow == Flow::Continue
    }

    fn take_from(&mut self, now: Now, key: ConnectionKey, mut pending: Vec<u8>) -> bool {
        let Some(version) = self.sockets.get_mut(key).map(|socket| socket.version) else {
            return false;
        };
        let (used, flow) = self.take_packets(now, key, version, &pending);
        if used == pending.len() || flow == Flow::Close {
            pending = Vec::new();
        } else {
            pending.drain(..used);
        }
        if let Some(socket) = self.sockets.get_mut(key) {
            socket.paused = flow == Flow::Later;
            socket.pending = pending;
        }
        flow == Flow::Continue
    }

    fn take_packets(
        &mut self,
        now: Now,
        key: ConnectionKey,
        version: ProtocolVersion,
        bytes: &[u8],
    ) -> (usize, Flow) {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            match decode(rest, version, self.max_packet_bytes) {
                Ok(Some((packet, length))) => match self.shard.packet(now, key, packet) {
                    Flow::Continue => used += length,
                    // A packet that is to come later stays in front.
                    flow => return (used, flow),
                },
                Ok(None) => return (used, Flow::Continue),
                Err(error) => {
                    self.shard.malformed(now, key, &error);
                    return (used, Flow::Close);
                }
            }
        }
    }

    /// Writes a connection's output as far as the socket takes it.
    pub(crate) fn write(&mut self, now: Now, key: ConnectionKey) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.finished {
            return;
        }
        if socket.blocked {
            if self.shard.is_closing(key) {
                self.close_in_time(key);
            }
            return;
        }
        let Some(output) = self.shard.output(key) else {
            return;
        };
        let mut failed = false;
        let before = output.len();
        while !output.is_empty() {
            let written = match output.only_piece() {
                Some(bytes) => socket.stream.try_write(bytes),
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let used = output.slices(&mut slices);
                    socket
                        .stream
                        .try_write_vectored(slices.get(..used).unwrap_or_default())
                }
            };
            match written {
                Ok(0) => {
                    failed = true;
                    break;
                }
                Ok(written) => output.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.blocked = true;
                    break;
                }
                Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
        let done = output.is_empty() || failed;
        let written = before - output.len();
        self.shard.count_written(written);
        self.shard.written(now, key);
        let closing = self.shard.is_closing(key);
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if failed || (closing && done) {
            socket.finish();
        } else if socket.blocked {
            socket.wake();
            if closing {
                self.close_in_time(key);
            }
        }
    }

    /// Gives a connection that is closing, and whose socket is full, a moment
    /// until its last packet is out.
    fn close_in_time(&mut self, key: ConnectionKey) {
        let now = self.clock.now();
        if let Some(socket) = self.sockets.get_mut(key)
            && !std::mem::replace(&mut socket.has_deadline, true)
        {
            self.closing.push((now.mono_ms + CLOSE_DEADLINE_MS, key));
        }
    }

    /// Ends the connections whose last packet did not get out in time.
    pub(crate) fn end_late_closings(&mut self, now: Now) {
        let sockets = &mut self.sockets;
        self.closing.retain(|(deadline_ms, key)| {
            let waits = now.mono_ms < *deadline_ms;
            if !waits && let Some(socket) = sockets.get_mut(*key) {
                socket.finish();
            }
            waits
        });
    }

    fn take_closed(&mut self, key: ConnectionKey) -> End {
        match self.sockets.remove(key) {
            Some(socket) => End::Closed(socket.stream),
            None => End::Gone,
        }
    }

    fn take_gone(&mut self, key: ConnectionKey) -> End {
        self.sockets.remove(key);
        End::Gone
    }
}
