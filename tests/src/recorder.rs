//! A plain HTTP server that records the requests it receives: for log plugins, function providers, and upstreams that
//! must receive nothing.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Serves one request for each connection. Dropping it ends it.
pub struct Recorder {
    address: SocketAddr,
    record: Arc<Record>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Record {
    connections: AtomicUsize,
    requests: Mutex<Vec<Received>>,
}

/// A request as it was received. Bytes that are not UTF-8 are replacement characters.
#[derive(Clone, Debug)]
pub struct Received {
    /// Request line and headers.
    pub head: String,
    pub body: String,
}

impl Recorder {
    /// Answers each request with status 200 and this JSON document.
    pub fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind(harness::stack::ANY_PORT).unwrap();
        let address = listener.local_addr().unwrap();
        let (record, stop) = (Arc::<Record>::default(), Arc::<AtomicBool>::default());
        let accepting = thread::spawn({
            let (record, stop) = (record.clone(), stop.clone());
            move || {
                for client in listener.incoming() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    record.connections.fetch_add(1, Ordering::Relaxed);
                    let record = record.clone();
                    // Errors are the client's: what was received completely is recorded.
                    thread::spawn(move || client.and_then(|client| serve(client, answer, &record)));
                }
            }
        });
        Self { address, record, stop, accepting: Some(accepting) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The number of accepted connections, with or without a request.
    pub fn connections(&self) -> usize {
        self.record.connections.load(Ordering::Relaxed)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Received> {
        self.record.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        self.accepting.take().map(JoinHandle::join);
    }
}

fn serve(client: TcpStream, answer: &str, record: &Record) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(client);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut head)? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let received = Received { head, body: String::from_utf8_lossy(&body).into_owned() };
    record.requests.lock().unwrap_or_else(PoisonError::into_inner).push(received);
    write!(
        reader.get_mut(),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    )
}

/// How long a client may take to send a request.
const PATIENCE: Duration = Duration::from_secs(20);
