//! A real browser: Debian's Chromium, told what to do through chromedriver (W3C `WebDriver`).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Capability, skip};

/// A browser with a profile of its own, ended when dropped.
pub struct Browser {
    driver: Child,
    address: String,
    session: String,
    profile: tempfile::TempDir,
}

impl Browser {
    /// Starts it; `None`, and the test skipped, where there is none.
    pub fn start() -> Option<Self> {
        // Chromium waits for nothing that a test could have in its home, and must not find the user's.
        let profile = tempfile::tempdir().expect("a directory");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("HOME", profile.path());
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = match spawned {
            Ok(driver) => driver,
            Err(error) => {
                let why = format!("chromedriver (Debian: chromium-driver): {error}");
                skip(Capability::Browser, &why);
                return None;
            }
        };
        let stdout = BufReader::new(driver.stdout.take().expect("a pipe"));
        let port = stdout.lines().map_while(Result::ok).find_map(|line| {
            let port = line.split("successfully on port ").nth(1)?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let mut browser = Self {
            driver,
            address: format!("127.0.0.1:{}", port.expect("chromedriver says its port")),
            session: String::new(),
            profile,
        };
        match browser.open() {
            Ok(session) => browser.session = session,
            Err(why) => {
                skip(
                    Capability::Browser,
                    &format!("Chromium does not start: {why}"),
                );
                return None;
            }
        }
        Some(browser)
    }

    fn open(&self) -> Result<String, String> {
        let profile = self.profile.path().join("profile");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--mute-audio",
            "--autoplay-policy=no-user-gesture-required",
            "--window-size=1000,800",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let made = self.try_call("POST", "/session", &wanted)?;
        Ok(made["sessionId"].as_str().unwrap_or_default().to_owned())
    }

    fn try_call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(&self.address).map_err(|error| error.to_string())?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream
            .write_all(request.as_bytes())
            .map_err(|error| error.to_string())?;
        // It keeps the connection open, whatever it is asked for.
        let mut stream = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            match stream.read_line(&mut line) {
                Ok(1..) => {}
                _ => return Err("chromedriver ended".to_owned()),
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or_default();
            }
        }
        let mut body = vec![0; length];
        stream
            .read_exact(&mut body)
            .map_err(|error| error.to_string())?;
        let mut value: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let value = value["value"].take();
        match value.get("error") {
            Some(error) => Err(format!("{error}: {}", value["message"])),
            None => Ok(value),
        }
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session/{}{path}", self.session);
        self.try_call(method, &path, body)
            .unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    #[track_caller]
    pub fn goto(&self, address: &str) {
        self.call("POST", "/url", &json!({"url": address}));
    }

    /// What an expression of the page is.
    #[track_caller]
    pub fn eval(&self, expression: &str) -> Value {
        let script = format!("return {expression}");
        self.call(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        )
    }

    /// The same of one that promises a value.
    #[track_caller]
    pub fn promised(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1]; ({expression}).then(done, error => done(String(error)))"
        );
        self.call(
            "POST",
            "/execute/async",
            &json!({"script": script, "args": []}),
        )
    }

    /// Runs a script in the page, which its policy would not allow it.
    #[track_caller]
    pub fn run(&self, script: &str) {
        self.call(
            "POST",
            "/execute/sync",
            &json!({"script": script, "args": []}),
        );
    }

    /// The text that a person sees.
    #[track_caller]
    pub fn text(&self) -> String {
        self.eval("document.body.innerText")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Clicks on what a selector finds first.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.call("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Clicks on what leads to another page, and waits for that page: a form is sent some time after its click.
    #[track_caller]
    pub fn follow(&self, selector: &str) {
        self.run("window.left = true");
        self.click(selector);
        for _ in 0..3000 {
            if self.eval("!window.left && document.readyState === 'complete'") == json!(true) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{selector} led nowhere");
    }

    /// Types into a field.
    #[track_caller]
    pub fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.call(
            "POST",
            &format!("/element/{element}/value"),
            &json!({"text": text}),
        );
    }

    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let found = self.call(
            "POST",
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        let id = found
            .as_object()
            .and_then(|found| found.values().next()?.as_str());
        id.expect("an element").to_owned()
    }

    /// Presses a key, by its `WebDriver` code.
    #[track_caller]
    pub fn press(&self, key: char) {
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": key.to_string()}, {"type": "keyUp", "value": key.to_string()},
        ]}]});
        self.call("POST", "/actions", &actions);
    }

    #[track_caller]
    fn devtools(&self, command: &str, parameters: &Value) {
        self.call(
            "POST",
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        );
    }

    pub fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// A screen of so many pixels.
    pub fn screen(&self, width: u32, height: u32) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", &screen);
    }

    /// What the browser complains of since the last call: what the policy forbids, what was not found.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().into_iter().flatten();
        entries
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Saves what the screen shows.
    pub fn picture(&self, path: &Path) {
        let picture = self.call("GET", "/screenshot", &json!({}));
        let mut decode = Command::new("base64")
            .arg("-d")
            .stdin(Stdio::piped())
            .stdout(std::fs::File::create(path).expect("a file"))
            .spawn()
            .expect("base64 is part of coreutils");
        let mut stdin = decode.stdin.take().expect("a pipe");
        stdin
            .write_all(picture.as_str().unwrap_or_default().as_bytes())
            .expect("a pipe");
        drop(stdin);
        assert!(decode.wait().expect("base64").success());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            _ = self.try_call("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        _ = self.driver.kill();
        _ = self.driver.wait();
    }
}

/// axe-core's script, which finds what keeps people with disabilities out; `None`, and the test skipped, without it.
pub fn axe() -> Option<String> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/axe/node_modules/axe-core/axe.min.js");
    let read = std::fs::read_to_string(&path);
    if read.is_err() {
        skip(
            Capability::Axe,
            "npm install --prefix target/axe axe-core@4.14.1",
        );
    }
    read.ok()
}

/// Where pictures for the documentation go, if they are wanted.
pub fn pictures() -> Option<PathBuf> {
    std::env::var_os("ROOM_ARCHIVER_PICTURES")?;
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    std::fs::create_dir_all(&directory).expect("a directory");
    Some(directory)
}
