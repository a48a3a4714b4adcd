//! A bucket in hands that mean harm.

use super::{Copying, KIB};
use crate::harness::MIB;
use crate::harness::bucket::Fault;

#[test]
fn answers_that_are_nonsense_endless_or_lead_elsewhere_do_no_harm() {
    let elsewhere = crate::harness::bucket::Bucket::start();
    let redirect = format!(
        "HTTP/1.1 307 X\r\nlocation: http://{}/bucket/x\r\ncontent-length: 0\r\n\r\n",
        elsewhere.address()
    );
    let endless = "HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\n\r\n";
    let steps = ["head", "begin", "part", "complete", "uploads"];
    for (fault, steps) in [
        (Fault::Raw(redirect), &steps[..]),
        // Not for HEAD: there it is what a bucket says of another object.
        (
            Fault::Raw("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>".to_owned()),
            &steps[1..],
        ),
        (Fault::Raw("SSH-2.0-OpenSSH_9.2\r\n".to_owned()), &steps),
        (Fault::Endless(endless), &steps),
    ] {
        let copying = Copying::new();
        for &step in steps {
            copying.bucket.inject(step, 1, fault.clone());
        }
        let id = copying.add(super::THREE_PARTS);
        let mut daemon = copying.daemon();
        copying.wait_until_copied(id);
        assert!(
            daemon.peak_memory() < 200 * MIB,
            "{} MiB",
            daemon.peak_memory() / MIB
        );
        daemon.stop();
        copying.is_sound(id);
    }
    assert!(
        elsewhere.journal().is_empty(),
        "the access key went elsewhere"
    );
}

#[test]
fn neither_the_access_key_nor_what_echoes_it_is_logged_or_stored() {
    use crate::harness::bucket::{KEY, SECRET};
    let copying = Copying::with("[log]\nlevel = \"trace\"\n");
    let echo = format!(
        "<Error><Code>AccessDenied</Code><Message>{KEY} {SECRET} Signature=5ecret?X-Amz-Signature=5ecret</Message></Error>"
    );
    let answer = format!(
        "HTTP/1.1 403 X\r\ncontent-length: {}\r\n\r\n{echo}",
        echo.len()
    );
    copying.bucket.inject("put", 2, Fault::Raw(answer));
    let id = copying.add(5 * KIB);
    let mut daemon = copying.daemon();
    copying.wait_until_copied(id);
    daemon.stop();
    let mut all = daemon.told.concat();
    for file in ["archive.db", "archive.db-wal"] {
        let bytes = std::fs::read(copying.setting.directory.path().join(file)).unwrap_or_default();
        all += &String::from_utf8_lossy(&bytes);
    }
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["config", "show"],
        &["show", &id.to_string()],
    ] {
        let mut command = copying.setting.command();
        let output = command
            .envs(crate::harness::bucket::Bucket::keys())
            .args(args)
            .output();
        let output = output.expect("the program");
        all += &String::from_utf8_lossy(&output.stdout);
        all += &String::from_utf8_lossy(&output.stderr);
    }
    for secret in [KEY, SECRET, "5ecret", "AWS4-HMAC"] {
        assert!(!all.contains(secret), "{secret} is shown somewhere");
    }
}
