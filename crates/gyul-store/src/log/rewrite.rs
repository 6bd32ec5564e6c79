use super::frame::{self, BEGIN, Frame, NONE};
use super::open::keep;
use super::scan::{Scan, Step};
use super::{BLANK, Doubt, Log, PAYLOAD_MAX, Record};
use crate::{StoreError, StoreErrorKind};
use std::io;

/// What becomes of a record.
pub enum Rewrite {
    Keep,
    /// Other bytes in its place; number, kind and instant stay.
    Replace(Vec<u8>),
    /// No bytes, kind `BLANK`; number and instant stay.
    Blank,
}

impl Log {
    /// Asks for each committed record what becomes of it, and returns how many changed. Goes segment by segment: after an
    /// error or a crash each segment is wholly old or wholly new, and it may be run again. Copies of damaged bytes stay:
    /// see `forget_damaged`.
    pub fn rewrite(&mut self, ask: &mut dyn FnMut(&Record) -> Rewrite) -> Result<u64, StoreError> {
        self.trusted()?;
        let mut changed = 0;
        for i in 0..=self.sealed.len() {
            changed += self.rewrite_segment(i, ask)?;
        }
        // What an earlier call left without the folder's sync lasts now too.
        self.disk.sync_folder().map_err(|e| self.error("", StoreErrorKind::Io(e)))?;
        Ok(changed)
    }

    fn rewrite_segment(&mut self, i: usize, ask: &mut dyn FnMut(&Record) -> Rewrite) -> Result<u64, StoreError> {
        let first = self.sealed.get(i).map_or(self.active.first, |s| s.0);
        let limit = match i.checked_sub(self.sealed.len()) {
            Some(_) => self.next,
            None => self.sealed.get(i + 1).map_or(self.active.first, |s| s.0),
        };
        let name = frame::name(first);
        let io = |e| StoreError::new(&self.disk.path(&name), StoreErrorKind::Io(e));
        let file = self.disk.open(&name).map_err(io)?;
        let mut changes: Vec<(u64, Rewrite)> = vec![];
        let mut scan = Scan::new(file.clone(), self.salt, first, limit).map_err(io)?;
        while let Some(frame) = next_frame(&mut scan, limit, |_, _| Ok(())).map_err(io)? {
            if frame.kind == BLANK {
                continue;
            }
            let Frame { seq, span, kind, at, .. } = frame;
            match ask(&Record { seq, span, kind, at, payload: scan.payload() }) {
                Rewrite::Keep => {}
                Rewrite::Replace(bytes) if bytes.len() > PAYLOAD_MAX => {
                    return Err(StoreError::new(&self.disk.path(&name), StoreErrorKind::RecordRefused));
                }
                change => changes.push((seq, change)),
            }
        }
        if changes.is_empty() {
            return Ok(0);
        }
        let mut data = vec![];
        let mut scan = Scan::new(file.clone(), self.salt, first, limit).map_err(io)?;
        let mut kept = |at, bytes| keep(&*self.disk, &*file, first, at, bytes).map(|_| ());
        let mut todo = changes.iter().peekable();
        while let Some(mut frame) = next_frame(&mut scan, limit, &mut kept).map_err(io)? {
            let mut payload = scan.payload();
            if let Some((_, change)) = todo.next_if(|c| c.0 == frame.seq) {
                match change {
                    Rewrite::Keep => {}
                    Rewrite::Replace(bytes) => payload = bytes,
                    Rewrite::Blank => (frame.kind, payload) = (BLANK, &[]),
                }
            }
            frame::encode(&mut data, &frame, payload, self.salt);
        }
        self.put_rewritten(i, &data)?;
        Ok(changes.len() as u64)
    }

    fn put_rewritten(&mut self, i: usize, data: &[u8]) -> Result<(), StoreError> {
        let size = BEGIN + data.len() as u64;
        if let Some(&(first, _)) = self.sealed.get(i) {
            let before = i.checked_sub(1).map_or(NONE, |b| self.sealed[b].0);
            let put = self.replace(first, before, size, data);
            put.map_err(|(e, _)| self.error(&frame::name(first), StoreErrorKind::Io(e)))?;
            self.sealed[i].1 = size;
            return Ok(());
        }
        match self.replace(self.active.first, self.active.before, self.active.capacity, data) {
            Ok(file) => {
                self.active.file = file;
                self.active.end = size;
                self.active.capacity = self.active.capacity.max(size);
                Ok(())
            }
            Err((e, named)) => {
                // The new file may have the name already, and the old one is lost at the next start.
                if named {
                    self.doubt = Some(Doubt::File);
                }
                Err(self.io(e))
            }
        }
    }

    /// Removes the copies of damaged bytes: nobody can tell whose data is in them.
    pub fn forget_damaged(&mut self) -> Result<(), StoreError> {
        let folder = |e| self.error("damaged", StoreErrorKind::Io(e));
        for name in self.disk.list("damaged").map_err(folder)? {
            self.disk.remove(&format!("damaged/{name}")).map_err(folder)?;
        }
        self.disk.sync_folder().map_err(folder)
    }
}

/// The next good frame before `limit`; tells of bad places on the way.
fn next_frame(
    scan: &mut Scan,
    limit: u64,
    mut bad: impl FnMut(u64, u64) -> io::Result<()>,
) -> io::Result<Option<Frame>> {
    while scan.expected < limit {
        match scan.step()? {
            Step::Frame { frame, .. } => return Ok(Some(frame)),
            Step::Bad { offset, bytes, .. } => bad(offset, bytes)?,
            Step::End { offset, dirty } => {
                bad(offset, dirty - offset)?;
                return Ok(None);
            }
        }
    }
    Ok(None)
}
