//! Runs that are kept, so that a second question about an instant is answered at once.

use crate::view::View;
use gyul_model::Instant;
use gyul_timeline::State;
use std::sync::{Arc, Mutex, PoisonError};

/// Most instants that are kept.
const INSTANTS: usize = 4;
/// The latest one is kept whatever its size; the others only within this many bytes.
const BYTES: usize = 512 << 20;

/// The latest first.
#[derive(Default)]
pub(crate) struct Kept {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    runs: Vec<Arc<State>>,
    /// The instant that was last asked about without a run of everything.
    asked: Option<Instant>,
}

impl View {
    /// The run of everything at an instant.
    pub(crate) fn run(&self, at: Instant) -> Arc<State> {
        self.known(at).unwrap_or_else(|| {
            // Two that ask at once may both run it: they find the same.
            let state = Arc::new(self.timelines.run_keeping(self.plan(), at));
            let mut inner = self.kept.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.runs.retain(|s| s.answers.at != at);
            inner.runs.insert(0, state.clone());
            let mut bytes = 0;
            let fits = |s: &Arc<State>| {
                bytes += s.bytes();
                bytes <= BYTES
            };
            let within = inner.runs.iter().map(fits).take_while(|f| *f).count();
            inner.runs.truncate(within.clamp(1, INSTANTS));
            state
        })
    }

    /// The same where one definition is asked for: the first question is cheaper alone.
    pub(crate) fn run_if_asked_again(&self, at: Instant) -> Option<Arc<State>> {
        if let Some(state) = self.known(at) {
            return Some(state);
        }
        let again = {
            let mut inner = self.kept.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.asked.replace(at) == Some(at)
        };
        again.then(|| self.run(at))
    }

    fn known(&self, at: Instant) -> Option<Arc<State>> {
        let mut inner = self.kept.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let i = inner.runs.iter().position(|s| s.answers.at == at)?;
        let state = inner.runs.remove(i);
        inner.runs.insert(0, state.clone());
        Some(state)
    }
}
