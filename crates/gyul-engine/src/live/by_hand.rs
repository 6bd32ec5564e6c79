//! A hub without threads: whoever simulates it says what happens next. Whoever waits for something turns the wheels.

use super::applying::Applying;
use super::hub::{Clock, Command, Decided, Hub, Options, Refused, Shared, Step, lock};
use super::record::Action;
use super::writing::Writing;
use gyul_store::StoreError;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Called where a thread would sleep: time passes, and perhaps the disk comes back.
pub type Sleep = Box<dyn Fn(Duration) + Send + Sync>;
type Job = Box<dyn FnOnce() + Send>;

pub(super) struct Hand {
    wheels: Mutex<Option<Wheels>>,
    /// What threads of their own would do.
    jobs: Mutex<VecDeque<Job>>,
    sleep: Sleep,
}

struct Wheels {
    inbox: Receiver<Command>,
    writing: Writing,
    applied: Receiver<Vec<Step>>,
    applying: Applying,
}

impl Hand {
    pub fn new(sleep: Sleep, inbox: Receiver<Command>, writing: Writing, applied: Receiver<Vec<Step>>) -> Hand {
        let wheels = Wheels { inbox, writing, applied, applying: Applying::default() };
        Hand { wheels: Mutex::new(Some(wheels)), jobs: Mutex::default(), sleep }
    }

    fn write(&self, shared: &Shared) -> bool {
        let mut wheels = lock(&self.wheels);
        let Some(w) = &mut *wheels else { return false };
        let group: Vec<Command> = w.inbox.try_iter().collect();
        let some = !group.is_empty();
        if some {
            w.writing.group(shared, group);
        }
        some
    }

    fn apply(&self, shared: &Arc<Shared>) -> bool {
        let mut wheels = lock(&self.wheels);
        let Some(w) = &mut *wheels else { return false };
        let group: Vec<Step> = w.applied.try_iter().flatten().collect();
        let some = !group.is_empty();
        w.applying.by_hand(shared, group);
        some
    }

    fn job(&self) -> bool {
        let job = lock(&self.jobs).pop_front();
        let some = job.is_some();
        job.into_iter().for_each(|job| job());
        some
    }

    pub fn later(&self, job: Job) {
        lock(&self.jobs).push_back(job);
    }

    pub fn pause(&self, time: Duration) {
        if !self.job() {
            (self.sleep)(time);
        }
    }

    /// `None`: nobody will ever tell.
    pub fn wait<T>(&self, shared: &Arc<Shared>, told: &Receiver<T>) -> Option<T> {
        loop {
            match told.try_recv() {
                Ok(t) => return Some(t),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            let written = self.write(shared);
            if !self.apply(shared) && !written {
                return None;
            }
        }
    }

    /// As when the process is killed: whatever waits is lost.
    pub fn let_go(&self) {
        lock(&self.jobs).clear();
        *lock(&self.wheels) = None;
    }
}

impl Hub {
    /// Opens a data directory without threads.
    pub fn by_hand(dir: &Path, options: Options, clock: Clock, sleep: Sleep) -> Result<Hub, StoreError> {
        Hub::start(dir, options, clock, Some(sleep))
    }

    /// Writes all that came in as one group, as the log's thread does. Whether there was something. By hand only.
    pub fn write_by_hand(&self) -> bool {
        self.shared.hand.as_ref().is_some_and(|h| h.write(&self.shared))
    }

    /// Applies what is on disk, and what the clock did, as the applying thread does. By hand only.
    pub fn apply_by_hand(&self) -> bool {
        self.shared.hand.as_ref().is_some_and(|h| h.apply(&self.shared))
    }

    /// Does what waits for a thread of its own: a checkpoint, a definition. By hand only.
    pub fn job_by_hand(&self) -> bool {
        self.shared.hand.as_ref().is_some_and(Hand::job)
    }

    /// Decides something without waiting for it.
    pub fn act_then(&self, action: Action, by: &str, decided: Decided) -> Result<(), Refused> {
        self.shared.put(Command::Act(action, by.to_string(), decided))
    }
}
