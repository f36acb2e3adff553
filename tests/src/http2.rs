//! HTTP/2 without any manners: frames and header blocks as a test writes them (RFC 9113, RFC 7541).

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection without TLS, whose other side is told that HTTP/2 is spoken.
pub struct Connection(TcpStream);

/// How a stream has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Answered,
    /// The stream alone, or the whole connection.
    Refused,
}

impl Connection {
    pub fn open(to: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut connection = Self(stream);
        connection.frame(SETTINGS, 0, 0, b"");
        connection
    }

    /// The headers of a request, and whether they are all of it.
    pub fn headers(&mut self, stream: u32, fields: &[(&[u8], &[u8])], end: bool) {
        let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
        self.frame(HEADERS, END_HEADERS | u8::from(end), stream, &block);
    }

    /// The end of a request's body.
    pub fn data(&mut self, stream: u32, body: &[u8]) {
        self.frame(DATA, END_STREAM, stream, body);
    }

    /// Reads until a stream, or all of them, has ended.
    pub fn end(&mut self, stream: u32) -> End {
        self.response(stream).0
    }

    /// Likewise, and returns the status of the response; `None` if it has none, or not as nginx writes it.
    pub fn status(&mut self, stream: u32) -> Option<u16> {
        self.response(stream).1
    }

    fn response(&mut self, stream: u32) -> (End, Option<u16>) {
        let mut status = None;
        let end = loop {
            let mut head = [0; 9];
            match self.0.read_exact(&mut head) {
                Ok(()) => (),
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no end of stream {stream}"),
                Err(_) => break End::Refused,
            }
            let [a, b, c, kind, flags, rest @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            if self.0.read_exact(&mut payload).is_err() {
                break End::Refused;
            }
            let is_ours = u32::from_be_bytes(rest) == stream;
            if kind == HEADERS && is_ours {
                status = status.or_else(|| status_of(&payload));
            }
            match kind {
                SETTINGS if flags == 0 => self.frame(SETTINGS, ACK, 0, b""),
                HEADERS | DATA if is_ours && flags & END_STREAM != 0 => break End::Answered,
                RST_STREAM if is_ours => break End::Refused,
                GO_AWAY => break End::Refused,
                _ => (),
            }
        };
        (end, status)
    }

    /// What is not taken any more is told by [`end`](Self::end).
    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        let _ = self.0.write_all(&[&head, payload].concat());
    }
}

/// The status at the beginning of a header block, as nginx writes it: indexed, or a literal in plain digits (RFC 7541,
/// sections 6.1 and 6.2.1), maybe after an update of the dynamic table's size.
fn status_of(block: &[u8]) -> Option<u16> {
    let block = block.strip_prefix(&[0x20]).unwrap_or(block);
    match block {
        [index @ 0x88..=0x8e, ..] => Some([200, 204, 206, 304, 400, 404, 500][usize::from(index - 0x88)]),
        [0x48, 3, digits @ ..] => std::str::from_utf8(digits.get(..3)?).ok()?.parse().ok(),
        _ => None,
    }
}

/// RFC 7541, section 6.2.2: a literal header without indexing, with a new name, none of it coded.
fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let string = |text: &[u8]| [&length(text.len())[..], text].concat();
    [&[0][..], &string(name), &string(value)].concat()
}

/// RFC 7541, section 5.1, in the seven bits that are left beside the mark of Huffman's code.
fn length(length: usize) -> Vec<u8> {
    let mut rest = match length.checked_sub(127) {
        None => return vec![length as u8],
        Some(rest) => rest,
    };
    let mut coded = vec![127];
    while rest >= 128 {
        coded.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    coded.push(rest as u8);
    coded
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
