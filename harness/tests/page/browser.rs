//! A browser without a window, by the Chrome DevTools Protocol over two pipes: no port, no driver beside it.

use std::cell::RefCell;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine;
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

pub struct Browser(RefCell<Inner>);

struct Inner {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    /// What the page's console says, and what its policy was violated by.
    complaints: Vec<String>,
    _profile: TempDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Browser {
    /// Where there is none the test says so and ends, or fails if `HARNESS_REQUIRE` wants it.
    pub fn find() -> Option<Self> {
        let Some(program) = program() else {
            let required = env::var("HARNESS_REQUIRE").unwrap_or_default();
            assert!(!required.split(',').any(|each| each == "browser"), "no browser: make browser");
            println!("skipped: no browser: make browser, or set BROWSER_BIN");
            return None;
        };
        let browser = Self::start(&program);
        let created = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = browser
            .call("Target.attachToTarget", json!({ "targetId": created["targetId"], "flatten": true }));
        browser.0.borrow_mut().session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        // Else there is no focus without a window.
        browser.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        browser.show(1240, Scheme::Light);
        Some(browser)
    }

    fn start(program: &PathBuf) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        // Its pipes are to be 3 and 4.
        command.args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >&2"#]).arg(program);
        command.args([
            "--headless",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--disable-gpu",
            "--disable-extensions",
            "--disable-background-networking",
            "--disable-component-update",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
            // Nowhere but to this machine.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        // It refuses to have one as root.
        if geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command.process_group(0);
        command.env("TZ", "UTC").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let (to, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let from = receiver(stdout);
        let inner =
            Inner { process, to, from, calls: 0, session: None, complaints: Vec::new(), _profile: profile };
        Self(RefCell::new(inner))
    }

    /// Has the browser do something, and waits until it has.
    pub fn call(&self, method: &str, parameters: Value) -> Value {
        self.0.borrow_mut().call(method, &parameters)
    }

    pub fn open(&self, url: &str) {
        let navigated = self.call("Page.navigate", json!({ "url": url }));
        assert!(navigated.get("errorText").is_none(), "{navigated}");
        self.until(
            "document.readyState === 'complete' && document.querySelector('#live')?.dataset.state === 'live'",
        );
    }

    /// The value of an expression, or of the promise that it is.
    pub fn value(&self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", parameters);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}\n{}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    pub fn text(&self, selector: &str) -> String {
        let value = self.value(&format!("document.querySelector({selector:?})?.textContent ?? null"));
        value.as_str().unwrap_or_else(|| panic!("nothing is {selector}")).to_owned()
    }

    /// Waits until a condition holds.
    pub fn until(&self, condition: &str) {
        let looked = self.value(&format!(
            "(async () => {{
               for (const end = Date.now() + {UNTIL}; Date.now() < end;) {{
                 if ({condition}) return true;
                 await new Promise((done) => setTimeout(done, 20));
               }}
               return false;
             }})()"
        ));
        assert!(looked == true, "never: {condition}\n{}", self.value("document.body.innerText"));
    }

    /// Waits until a selector's text has this in it.
    pub fn until_text(&self, selector: &str, text: &str) {
        self.until(&format!("document.querySelector({selector:?})?.textContent.includes({text:?})"));
    }

    pub fn show(&self, width: u32, scheme: Scheme) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
        self.media(scheme, false);
    }

    pub fn media(&self, scheme: Scheme, still: bool) {
        let scheme = if scheme == Scheme::Dark { "dark" } else { "light" };
        let motion = if still { "reduce" } else { "no-preference" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": motion },
        ]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Presses the key that leads on.
    pub fn tab(&self) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9 });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// The top of the page as PNG.
    pub fn picture(&self, width: u32, height: u32) -> Vec<u8> {
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let shot = self.call(
            "Page.captureScreenshot",
            json!({ "format": "png", "clip": clip, "captureBeyondViewport": true }),
        );
        base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    /// What the console has said until now, violations of the page's policy among it.
    pub fn complaints(&self) -> Vec<String> {
        // Whatever was said before this is answered has come by then.
        self.value("new Promise((done) => requestAnimationFrame(done))");
        std::mem::take(&mut self.0.borrow_mut().complaints)
    }
}

impl Inner {
    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            call["sessionId"] = session.as_str().into();
        }
        self.to.write_all(format!("{call}\0").as_bytes()).unwrap();
        loop {
            let message =
                self.from.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {method}"));
            if message["id"] == self.calls {
                assert!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.complaints.extend(complaint(&message));
        }
    }
}

impl Drop for Inner {
    /// All of its processes: one that is left would go on writing into a profile that is taken away.
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
    }
}

fn complaint(message: &Value) -> Option<String> {
    let told = &message["params"];
    match message["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(told["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" => Some(told["args"].to_string()),
        "Log.entryAdded" if told["entry"]["level"] != "verbose" => Some(told["entry"].to_string()),
        _ => None,
    }
}

fn receiver(stdout: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let messages = BufReader::new(stdout).split(0);
        for message in messages.map_while(Result::ok) {
            let Ok(message) = serde_json::from_slice(&message) else { continue };
            if sender.send(message).is_err() {
                break;
            }
        }
    });
    receiver
}

/// `BROWSER_BIN`, else one by its name on PATH.
fn program() -> Option<PathBuf> {
    if let Some(program) = env::var_os("BROWSER_BIN") {
        return Some(program.into());
    }
    let directories = env::var_os("PATH")?;
    NAMES.iter().find_map(|name| {
        env::split_paths(&directories).map(|directory| directory.join(name)).find(|path| path.is_file())
    })
}

/// What understands the protocol.
const NAMES: [&str; 5] =
    ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// For one answer; a page may be waited for as long as [`UNTIL`].
const PATIENCE: Duration = Duration::from_secs(60);
/// Milliseconds.
const UNTIL: u32 = 30_000;
