//! Progress bars of downloads, only on a terminal.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::download::Board;
use crate::escape;
use crate::model::RecordingId;

pub struct Bars {
    drawing: Option<(JoinHandle<()>, CancellationToken)>,
}

impl Bars {
    /// Draws the board's downloads on stderr, if that is a terminal.
    pub fn show(board: Board) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { drawing: None };
        }
        let end = CancellationToken::new();
        let ended = end.clone();
        let task = tokio::spawn(async move {
            let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let mut shown: HashMap<RecordingId, ProgressBar> = HashMap::new();
            loop {
                let active: HashMap<_, _> = board.active().into_iter().collect();
                shown.retain(|id, bar| {
                    let stays = active.contains_key(id);
                    if !stays {
                        bar.finish_and_clear();
                    }
                    stays
                });
                for (id, progress) in active {
                    let bar = shown.entry(id).or_insert_with(|| {
                        let bar = bars.add(ProgressBar::new(progress.total()));
                        bar.set_style(bytes_style());
                        bar.set_message(escape::line(&progress.room).into_owned());
                        bar
                    });
                    bar.set_length(progress.total());
                    bar.set_position(progress.done());
                }
                if ended.is_cancelled() {
                    break;
                }
                _ = tokio::time::timeout(Duration::from_millis(100), ended.cancelled()).await;
            }
            for bar in shown.values() {
                bar.finish_and_clear();
            }
        });
        Self {
            drawing: Some((task, end)),
        }
    }

    pub async fn finish(self) {
        if let Some((task, end)) = self.drawing {
            end.cancel();
            _ = task.await;
        }
    }
}

pub fn bytes_style() -> ProgressStyle {
    ProgressStyle::with_template(
        "{msg:24!} {wide_bar} {bytes:>11} of {total_bytes:>11} {binary_bytes_per_sec:>13}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
}
