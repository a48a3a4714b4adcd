//! Rooms in use: sessions start, are recorded and end, and their recordings are completed, step by step.

use std::time::Duration;

use uuid::Uuid;

use crate::media::{Generated, Media};
use crate::model::{NewRecording, NewSession};
use crate::space::Space;

#[derive(Debug, Clone, Copy)]
enum Stage {
    Empty,
    Joined { session: Uuid },
    Recording { session: Uuid, recording: Uuid },
    Processing { recording: Uuid },
}

/// Rooms that go through these stages, one with each step, and then start again: empty, a session, a
/// recording, the session ended and the recording in processing, the recording completed.
#[derive(Debug)]
pub struct Lifecycle {
    space: Space,
    rooms: Vec<(String, Stage)>,
    media_size: u64,
    completed: Vec<Uuid>,
}

impl Lifecycle {
    /// So many empty rooms, `room-0`, `room-1`, …
    #[must_use]
    pub fn new(space: &Space, rooms: usize, media_size: u64) -> Self {
        let rooms = (0..rooms).map(|number| (format!("room-{number}"), Stage::Empty));
        Self {
            space: space.clone(),
            rooms: rooms.collect(),
            media_size,
            completed: Vec::new(),
        }
    }

    /// Moves every room to its next stage.
    pub fn step(&mut self) {
        for number in 0..self.rooms.len() {
            let (room, stage) = &self.rooms[number];
            self.rooms[number].1 = self.next(&room.clone(), *stage);
        }
    }

    fn next(&mut self, room: &str, stage: Stage) -> Stage {
        match stage {
            Stage::Empty => Stage::Joined {
                session: self.space.add_session(NewSession::running(room)),
            },
            Stage::Joined { session } => {
                let made = self.completed.len() as u64;
                let media = Media::generated(Generated {
                    seed: made,
                    ..Generated::of_size(self.media_size)
                });
                let new = NewRecording {
                    started_at: Some(self.space.now()),
                    ..NewRecording::completed(media).status("recording")
                };
                let recording = self.space.add_recording(session, new);
                Stage::Recording { session, recording }
            }
            Stage::Recording { session, recording } => {
                self.space.end_session(session);
                self.space.set_status(recording, "processing");
                Stage::Processing { recording }
            }
            Stage::Processing { recording } => {
                self.space.complete(recording);
                self.completed.push(recording);
                Stage::Empty
            }
        }
    }

    /// The recordings completed so far.
    #[must_use]
    pub fn completed(&self) -> &[Uuid] {
        &self.completed
    }

    /// Makes a step every `period`, until it is dropped.
    pub async fn run(mut self, period: Duration) {
        loop {
            self.step();
            tokio::time::sleep(period).await;
        }
    }
}
