//! Sending a response piece by piece, as its [`Delivery`] says.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use super::response::{Break, Delivery, Framing, Response};

/// The longest piece written at once.
const PIECE_MAX: usize = 512 << 10;

/// Sends a response; `sent` is called with the length of each piece of the body. Returns whether the
/// connection can be used again.
pub(crate) async fn deliver(
    stream: &mut TcpStream,
    response: Response,
    with_body: bool,
    mut sent: impl FnMut(u64),
) -> io::Result<bool> {
    send_head(stream, &response.head(), response.delivery.trickle_head).await?;
    let Response { body, delivery, .. } = response;
    if !with_body {
        return Ok(delivery.framing != Framing::Close);
    }
    let started = Instant::now();
    let mut total = 0;
    let mut breaks = delivery.breaks.clone();
    let mut pieces = body.pieces;
    let mut rest = Bytes::new();
    loop {
        if let Some((_, event)) = breaks.take_if(|(after, _)| *after <= total) {
            match event {
                Break::Close => return Ok(false),
                Break::Reset => {
                    reset(stream).await?;
                    return Ok(false);
                }
                Break::Hold(gate) => gate.pass().await,
            }
        }
        while rest.is_empty() {
            match pieces.next() {
                Some(next) => rest = next,
                None => return finish(stream, delivery.framing, body.len, total).await,
            }
        }
        let until_break = breaks.as_ref().map_or(u64::MAX, |(after, _)| after - total);
        let until_break = usize::try_from(until_break).unwrap_or(usize::MAX);
        let most = piece_size(&delivery).min(until_break);
        let piece = rest.split_to(rest.len().min(most));
        send_piece(stream, delivery.framing, &piece).await?;
        total += piece.len() as u64;
        sent(piece.len() as u64);
        if let Some((_, pause)) = delivery.trickle {
            sleep(pause).await;
        }
        if let Some(rate) = delivery.bytes_per_second {
            let due = Duration::from_millis(total.saturating_mul(1000) / rate.max(1));
            sleep_until(started + due).await;
        }
    }
}

async fn send_head(
    stream: &mut TcpStream,
    head: &[u8],
    trickle: Option<(usize, Duration)>,
) -> io::Result<()> {
    let Some((size, pause)) = trickle else {
        return stream.write_all(head).await;
    };
    for piece in head.chunks(size.max(1)) {
        stream.write_all(piece).await?;
        sleep(pause).await;
    }
    Ok(())
}

async fn send_piece(stream: &mut TcpStream, framing: Framing, piece: &[u8]) -> io::Result<()> {
    if framing != Framing::Chunked {
        return stream.write_all(piece).await;
    }
    let size = format!("{:x}\r\n", piece.len());
    stream.write_all(size.as_bytes()).await?;
    stream.write_all(piece).await?;
    stream.write_all(b"\r\n").await
}

fn piece_size(delivery: &Delivery) -> usize {
    if let Some((size, _)) = delivery.trickle {
        return size.max(1);
    }
    // Fifty pieces a second: no visible bursts at any bandwidth.
    let paced = delivery.bytes_per_second.map_or(u64::MAX, |rate| rate / 50);
    usize::try_from(paced)
        .unwrap_or(PIECE_MAX)
        .clamp(1, PIECE_MAX)
}

/// The end of the body; returns whether the connection can be used again.
async fn finish(
    stream: &mut TcpStream,
    framing: Framing,
    len: Option<u64>,
    total: u64,
) -> io::Result<bool> {
    match framing {
        Framing::Length => Ok(len == Some(total)),
        Framing::Declared(declared) => Ok(declared == total),
        Framing::Chunked => stream.write_all(b"0\r\n\r\n").await.map(|()| true),
        Framing::Close => Ok(false),
    }
}

/// Ends the connection with a RST.
pub(crate) async fn reset(stream: &mut TcpStream) -> io::Result<()> {
    // A RST discards what the kernel has not sent yet; this pause lets it send the bytes so far.
    sleep(Duration::from_millis(5)).await;
    stream.set_zero_linger()
}
