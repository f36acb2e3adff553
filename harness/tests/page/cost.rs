//! What remembering costs a request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::gateway::embedded::Embedded;

use crate::scene::{CONFIG, Scene};

/// Gateways with and without a page take turns under the same requests; of each pair of turns the ratio counts, and of
/// ratios the median. The bound is one that a busy machine keeps; docs/page.md has what was measured.
#[test]
fn remembering_costs_nothing_noticeable() {
    let (with, without) = (Scene::new(), Scene::of(Embedded::default(), CONFIG));
    let (mut one, mut other) = (Client::of(&with), Client::of(&without));
    let mut ratios: Vec<f64> = Vec::new();
    for round in 0..ROUNDS {
        // Who comes second finds the machine as the first has left it.
        let (one, other) = if round % 2 == 0 {
            let one = one.turn();
            (one, other.turn())
        } else {
            let other = other.turn();
            (one.turn(), other)
        };
        ratios.push(one.as_secs_f64() / other.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    println!("a refused request with a page takes {median:.3} times as long as without");
    assert!(median < 1.2, "{ratios:?}");
}

/// Asks without a key on one connection: the gateway's own work, and no upstream's.
struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Client {
    fn of(scene: &Scene) -> Self {
        let stream = TcpStream::connect(scene.stack.gateway().proxy()).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self { stream, answer: vec![0; 4096] };
        client.turn();
        client
    }

    fn turn(&mut self) -> Duration {
        let began = Instant::now();
        for _ in 0..REQUESTS {
            self.stream.write_all(b"GET /dogs/1 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            let mut filled = 0;
            // The body ends so, and comes once.
            while !self.answer[..filled].ends_with(b"}\n") {
                let more = self.stream.read(&mut self.answer[filled..]).unwrap();
                assert!(more > 0, "{}", String::from_utf8_lossy(&self.answer[..filled]));
                filled += more;
            }
            assert!(self.answer.starts_with(b"HTTP/1.1 401"));
        }
        began.elapsed()
    }
}

const ROUNDS: usize = 41;
const REQUESTS: usize = 100;
