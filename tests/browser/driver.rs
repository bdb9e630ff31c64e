//! A real browser: Debian's Chromium by its ChromeDriver, spoken to as WebDriver (W3C) says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// No page of a healthy server takes longer to show what it should.
const PATIENCE: Duration = Duration::from_secs(20);

/// The key under which WebDriver names an element (W3C WebDriver s12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a profile of its own. Dropped, it ends.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

/// How the pages are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Browser {
    pub fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed: ./test does it");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .find_map(|line| port_of(&line.unwrap()))
            .expect("ChromeDriver says its port");
        // Nobody reads on, and it must not wait for that.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let profile_argument = format!("--user-data-dir={}", profile.path().display());
        let options = json!({ "binary": "/usr/bin/chromium", "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            profile_argument,
        ] });
        let capabilities =
            json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let made = ask(port, "POST", "/session", &capabilities).unwrap();
        let session = made["sessionId"].as_str().unwrap().to_owned();
        Self {
            driver,
            port,
            session,
            _profile: profile,
        }
    }

    fn call(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        let path = format!("/session/{}{path}", self.session);
        ask(self.port, method, &path, &body)
    }

    fn must(&self, method: &str, path: &str, body: Value) -> Value {
        let called = self.call(method, path, body);
        called.unwrap_or_else(|error| panic!("{method} {path}: {error}; at {}", self.at()))
    }

    pub fn go(&self, url: &str) {
        self.must("POST", "/url", json!({ "url": url }));
    }

    pub fn at(&self) -> String {
        let at = self.call("GET", "/url", Value::Null);
        at.ok()
            .and_then(|at| at.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// What a script returns.
    pub fn run(&self, script: &str) -> Value {
        self.must(
            "POST",
            "/execute/sync",
            json!({ "script": script, "args": [] }),
        )
    }

    /// All that is written on the page.
    pub fn text(&self) -> String {
        let text = self.run("return document.body.innerText");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says it: pages load, and change, on their own time.
    pub fn until(&self, words: &str) -> String {
        self.wait(&format!("{words:?} on the page"), || {
            Some(self.text()).filter(|text| text.contains(words))
        })
    }

    /// Waits until the page says it no more.
    pub fn until_gone(&self, words: &str) {
        self.wait(&format!("page without {words:?}"), || {
            (!self.text().contains(words)).then_some(())
        });
    }

    fn wait<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "no {what} at {}:\n{}",
                self.at(),
                self.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn find(&self, how: &str, what: &str) -> String {
        let body = json!({ "using": how, "value": what });
        self.wait(what, || {
            let found = self.call("POST", "/element", body.clone()).ok()?;
            Some(found[ELEMENT].as_str()?.to_owned())
        })
    }

    /// Clicks a link or button by the words on it.
    pub fn click(&self, words: &str) {
        let path = format!(
            "//*[self::a or self::button or self::summary or self::label][contains(normalize-space(.), {words:?})]"
        );
        self.click_on("xpath", &path);
    }

    fn click_on(&self, how: &str, what: &str) {
        // A page that goes on may put another in its place between finding and clicking.
        self.wait(&format!("click on {what}"), || {
            let element = self.find(how, what);
            self.call("POST", &format!("/element/{element}/click"), json!({}))
                .ok()
        });
    }

    /// Fills a field.
    pub fn fill(&self, selector: &str, text: &str) {
        let element = self.find("css selector", selector);
        self.must("POST", &format!("/element/{element}/clear"), json!({}));
        let body = json!({ "text": text });
        self.must("POST", &format!("/element/{element}/value"), body);
    }

    /// Chooses of a list.
    pub fn choose(&self, selector: &str, option: &str) {
        let path = format!("{selector} option");
        let found = self.run(&format!(
            "const one = [...document.querySelectorAll({path:?})].find((one) => one.textContent === {option:?}); \
             if (one) {{ one.selected = true; }} return !!one;"
        ));
        assert_eq!(found, Value::Bool(true), "{option} of {selector}");
    }

    /// Lets nothing of the pages run.
    pub fn without_scripts(&self) {
        let body =
            json!({ "cmd": "Emulation.setScriptExecutionDisabled", "params": { "value": true } });
        self.must("POST", "/goog/cdp/execute", body);
    }

    /// Shows the pages at this width, in these colours.
    pub fn look(&self, width: u32, scheme: Scheme) {
        let scheme = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let metrics =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        for (command, params) in [
            ("Emulation.setDeviceMetricsOverride", metrics),
            ("Emulation.setEmulatedMedia", features),
        ] {
            let body = json!({ "cmd": command, "params": params });
            self.must("POST", "/goog/cdp/execute", body);
        }
    }

    /// A picture of the whole page.
    pub fn picture(&self, file: &Path) {
        let body =
            json!({ "cmd": "Page.captureScreenshot", "params": { "captureBeyondViewport": true } });
        let shot = self.must("POST", "/goog/cdp/execute", body);
        let octets = data_encoding::BASE64
            .decode(shot["data"].as_str().unwrap().as_bytes())
            .unwrap();
        std::fs::write(file, octets).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // ChromeDriver ends the browser with its session; what it could not is no matter of the test.
        self.call("DELETE", "", Value::Null).ok();
        self.driver.kill().ok();
        self.driver.wait().ok();
    }
}

fn port_of(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("started successfully on port ")?;
    port.trim_end_matches('.').parse().ok()
}

/// One request, one connection.
fn ask(port: u16, method: &str, path: &str, body: &Value) -> Result<Value, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    stream
        .set_read_timeout(Some(PATIENCE * 3))
        .map_err(|error| error.to_string())?;
    let body = match body.is_null() {
        true => String::new(),
        false => body.to_string(),
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream
        .write_all(request.as_bytes())
        .map_err(|error| error.to_string())?;
    let mut answer = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        answer
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(octets) = line.strip_prefix("content-length:") {
            length = octets.trim().parse().map_err(|_| line.clone())?;
        }
    }
    let mut text = vec![0; length];
    answer
        .read_exact(&mut text)
        .map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    match answer["value"]["error"].as_str() {
        Some(error) => Err(format!("{error}: {}", answer["value"]["message"])),
        None => Ok(answer["value"].clone()),
    }
}
