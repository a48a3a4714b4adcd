//! What goes over the wire between a browser and the page: a relay that notes the head of each request.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A relay to a page.
pub struct Wire {
    pub address: String,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    /// Relays to this address until the process ends.
    pub fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let wire = Self {
            address: listener.local_addr().expect("an address").to_string(),
            seen: Arc::default(),
        };
        let (address, seen) = (address.to_owned(), wire.seen.clone());
        std::thread::spawn(move || {
            for viewer in listener.incoming().map_while(Result::ok) {
                let Ok(page) = TcpStream::connect(&address) else {
                    return;
                };
                let (Ok(from), Ok(to)) = (page.try_clone(), viewer.try_clone()) else {
                    return;
                };
                let seen = seen.clone();
                std::thread::spawn(move || {
                    relay(viewer, page, |bytes| {
                        seen.lock().expect("no panic").extend_from_slice(bytes);
                    });
                });
                std::thread::spawn(move || {
                    relay(from, to, |_| {});
                });
            }
        });
        wire
    }

    /// The values of a header in all requests for a path.
    pub fn header(&self, path: &str, name: &str) -> Vec<String> {
        let seen = String::from_utf8_lossy(&self.seen.lock().expect("no panic")).into_owned();
        let heads = seen
            .split("\r\n\r\n")
            .filter(|head| head.starts_with(&format!("GET {path} ")));
        heads
            .filter_map(|head| {
                head.lines().find_map(|line| {
                    let (found, value) = line.split_once(": ")?;
                    found.eq_ignore_ascii_case(name).then(|| value.to_owned())
                })
            })
            .collect()
    }
}

fn relay(mut from: impl Read, mut to: TcpStream, mut note: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(length @ 1..) if to.write_all(&buffer[..length]).is_ok() => note(&buffer[..length]),
            _ => break,
        }
    }
    _ = to.shutdown(std::net::Shutdown::Both);
}
