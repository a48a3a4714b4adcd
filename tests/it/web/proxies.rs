//! The configurations of docs/web.md in the real proxies, in front of the page's Unix socket.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Answer, Page};
use crate::harness::{Capability, Setting, skip};

const PAPER: &str = include_str!("../../../docs/web.md");
const NAME: &str = "archive.example.org";

/// A fenced block of the documentation.
fn block(language: &str) -> String {
    let found = PAPER
        .split(&format!("```{language}\n"))
        .nth(1)
        .expect("a block");
    found.split("```").next().expect("an end").to_owned()
}

/// The configuration of the page as the documentation has it.
fn environment() -> [(&'static str, String); 2] {
    let block: toml::Table = block("toml").parse().expect("TOML");
    let hosts = block["web"]["hosts"].to_string();
    let header = block["web"]["user_header"]
        .as_str()
        .expect("a name")
        .to_owned();
    [
        ("ROOM_ARCHIVER__WEB__HOSTS", hosts),
        ("ROOM_ARCHIVER__WEB__USER_HEADER", header),
    ]
}

/// The page on a socket that is passed to it, as systemd passes it.
fn on_socket(setting: &Setting) -> (Page, std::path::PathBuf) {
    let path = setting.directory.path().join("web.sock");
    let socket = UnixListener::bind(&path).expect("a socket");
    let mut command = Command::new("sh");
    command
        .env_clear()
        .envs(environment())
        .arg("-c")
        .arg("exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"")
        .arg("sh")
        .arg(env!("CARGO_BIN_EXE_room-archiver"))
        .arg("--config")
        .arg(setting.config_file())
        .arg("web")
        .stdin(std::os::fd::OwnedFd::from(socket));
    (Page::start(command), path)
}

struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx ends its workers only when it is asked to.
        if let Some(pid) = rustix::process::Pid::from_raw(self.0.id().cast_signed()) {
            _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    port.expect("a port").port()
}

/// Whether a program is there; if not, the test is skipped.
fn there(capability: Capability, program: &str) -> bool {
    let version = Command::new(program)
        .arg(if program == "nginx" { "-v" } else { "version" })
        .output();
    if let Err(error) = &version {
        skip(capability, &format!("{program}: {error}"));
    }
    version.is_ok()
}

fn get(port: u16, path: &str, headers: &str) -> Answer {
    let mut bytes = Vec::new();
    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {NAME}:{port}\r\nConnection: close\r\n{headers}\r\n"
        );
        _ = std::io::Write::write_all(&mut stream, request.as_bytes());
        _ = stream.read_to_end(&mut bytes);
    }
    Answer::parse(&bytes)
}

/// alice, with the password "wonderland".
const ALICE: &str = "Authorization: Basic YWxpY2U6d29uZGVybGFuZA==\r\n";

fn check(setting: &Setting, port: u16, page: &mut Page) {
    let id = setting.sql("SELECT recording_id FROM archive");
    setting.wait(|_| get(port, "/", "").status != 0);
    assert_eq!(get(port, "/", "").status, 401);
    assert_eq!(
        get(port, &format!("/media/{id}"), "X-Remote-User: alice\r\n").status,
        401
    );
    let one = get(
        port,
        &format!("/recordings/{id}"),
        &format!("{ALICE}X-Remote-User: mallory\r\n"),
    );
    assert_eq!(one.status, 200, "{}", one.text());
    let range = get(
        port,
        &format!("/media/{id}"),
        &format!("{ALICE}Range: bytes=1-3\r\n"),
    );
    assert_eq!((range.status, range.body.len()), (206, 3));
    let line = page.child.line("showed a recording");
    assert!(
        line.contains("user=alice") || line.contains("user=\"alice\""),
        "{line}"
    );
    assert!(
        line.contains("peer=socket") || line.contains("peer=\"socket\""),
        "{line}"
    );
}

#[test]
fn nginx_with_the_documented_configuration_lets_users_in_and_names_them() {
    if !there(Capability::Nginx, "nginx") {
        return;
    }
    let setting = Setting::archived();
    let (mut page, socket) = on_socket(&setting);
    let (port, directory) = (free_port(), setting.directory.path());
    let users = directory.join("users");
    std::fs::write(&users, "alice:{PLAIN}wonderland\n").expect("a file");
    let server = block("nginx")
        .replace("listen 443 ssl;", &format!("listen 127.0.0.1:{port};"))
        .replace("/run/room-archiver-web.sock", &socket.display().to_string())
        .replace(
            "/etc/nginx/room-archiver.htpasswd",
            &users.display().to_string(),
        );
    let plain = |line: &&str| !line.contains("ssl_");
    let server = server.lines().filter(plain).collect::<Vec<_>>().join("\n");
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", directory.display()))
        .concat();
    let config = format!(
        "daemon off; pid {0}/nginx.pid; error_log stderr; {user}\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{server}\n}}\n",
        directory.display(),
        user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        },
    );
    let file = write(directory, "nginx.conf", &config);
    let nginx = Command::new("nginx")
        .arg("-c")
        .arg(file)
        .stderr(Stdio::null())
        .spawn();
    let _nginx = Proxy(nginx.expect("nginx"));
    check(&setting, port, &mut page);
}

#[test]
fn caddy_with_the_documented_configuration_lets_users_in_and_names_them() {
    if !there(Capability::Caddy, "caddy") {
        return;
    }
    let setting = Setting::archived();
    let (mut page, socket) = on_socket(&setting);
    let (port, directory) = (free_port(), setting.directory.path());
    let hash = Command::new("caddy")
        .args(["hash-password", "--plaintext", "wonderland"])
        .env("HOME", directory)
        .output();
    let hash = crate::text(&hash.expect("caddy").stdout).trim().to_owned();
    let site = block("caddyfile")
        .replacen(NAME, &format!("http://{NAME}:{port}"), 1)
        .replace("/run/room-archiver-web.sock", &socket.display().to_string());
    let site: String = site
        .lines()
        .map(|line| {
            if line.trim().starts_with("alice ") {
                format!("alice {hash}\n")
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    let file = write(
        directory,
        "Caddyfile",
        &format!(
            "{{\nadmin off\nauto_https off\nstorage file_system {}/caddy\n}}\n{site}",
            directory.display()
        ),
    );
    let caddy = Command::new("caddy")
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(file)
        .env("HOME", directory)
        .stderr(Stdio::null())
        .spawn();
    let _caddy = Proxy(caddy.expect("caddy"));
    check(&setting, port, &mut page);
}

fn write(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}
