//! As much of a browser as the measurement needs: pages over HTTP/1.1, a connection for each, and one page that goes on.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// The longest wait for a page.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the pages are, and who asks.
pub(super) struct Door {
    pub(super) address: SocketAddr,
    pub(super) token: String,
}

/// A page, and how long it took from connecting to its last octet.
pub(super) struct Page {
    pub(super) text: String,
    took: Duration,
}

/// How long a page took each time, in milliseconds.
pub(super) struct Times {
    path: String,
    octets: usize,
    sorted: Vec<f64>,
}

impl Door {
    fn open(&self, method: &str, path: &str, body: &str) -> anyhow::Result<BufReader<TcpStream>> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = BufReader::new(stream);
        let mut status = String::new();
        answer.read_line(&mut status)?;
        ensure!(status.contains(" 200 "), "{path}: {status}");
        loop {
            let mut field = String::new();
            answer.read_line(&mut field)?;
            if field.trim().is_empty() {
                return Ok(answer);
            }
        }
    }

    pub(super) fn get(&self, path: &str) -> anyhow::Result<Page> {
        self.ask("GET", path, "")
    }

    pub(super) fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Page> {
        let begun = Instant::now();
        let mut text = String::new();
        self.open(method, path, body)?.read_to_string(&mut text)?;
        let took = begun.elapsed();
        Ok(Page { text, took })
    }

    pub(super) fn times(&self, path: &str, times: usize) -> anyhow::Result<Times> {
        let mut sorted = Vec::new();
        let mut octets = 0;
        for _ in 0..times {
            let page = self.get(path)?;
            octets = page.text.len();
            sorted.push(page.took.as_secs_f64() * 1e3);
        }
        sorted.sort_by(f64::total_cmp);
        Ok(Times {
            path: path.to_owned(),
            octets,
            sorted,
        })
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |part: usize| {
            let place = (self.sorted.len() * part / 100).min(self.sorted.len().saturating_sub(1));
            self.sorted.get(place).copied().unwrap_or_default()
        };
        write!(
            f,
            "{:<48} p50 {:6.1} ms  p90 {:6.1} ms  max {:6.1} ms  {:7} octets",
            self.path,
            at(50),
            at(90),
            at(100),
            self.octets
        )
    }
}

/// A page that goes on, as server-sent events.
pub(super) struct Live(BufReader<TcpStream>);

impl Live {
    pub(super) fn open(door: &Door, path: &str) -> anyhow::Result<Self> {
        door.open("GET", path, "").map(Self)
    }

    /// When the next event had come whole.
    pub(super) fn next(&mut self) -> anyhow::Result<Instant> {
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).context("the live page")?;
            ensure!(read > 0, "the live page ended");
            // An event begins with its name; its page is the lines up to an empty one.
            if line.trim_end() == "event: page" {
                while !line.trim().is_empty() {
                    line.clear();
                    self.0.read_line(&mut line)?;
                }
                return Ok(Instant::now());
            }
        }
    }
}
