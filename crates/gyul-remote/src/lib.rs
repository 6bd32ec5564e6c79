//! Where does a copy of everything live besides this disk? In an object store: S3 and whatever speaks like it.
//!
//! `objects/<sha256>` are files, whatever they are called; `copies/<number>.json` says which of them at which paths make a
//! copy. Files go first and the copy last, so that a cut upload leaves the copy before it as it was; what no copy needs any
//! more goes after that. What did not change since the last copy is not sent again.
//!
//! It must not know what the files mean. Blocks; one writer to a place.

mod error;
mod restore;
#[cfg(test)]
mod tests;

pub use error::Error;

use futures_util::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::runtime::Runtime;

/// Bytes that are read, hashed and sent at once; also a part of a multipart upload (S3 wants at least 5 MiB).
const CHUNK: usize = 8 << 20;

/// A place in an object store.
pub struct Remote {
    store: Arc<dyn ObjectStore>,
    prefix: Key,
    runtime: Runtime,
    /// Hashes of files that did not change since.
    hashes: Mutex<HashMap<PathBuf, (u64, SystemTime, String)>>,
}

/// What was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub files: u64,
    pub bytes: u64,
    /// Of those, what the place did not have yet.
    pub new_files: u64,
    pub new_bytes: u64,
}

/// Which files make a copy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Copy {
    /// Of this layout.
    version: u32,
    files: BTreeMap<String, File>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct File {
    sha256: String,
    bytes: u64,
}

impl Remote {
    /// `s3://bucket/prefix`, with AWS's usual variables (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, and
    /// `AWS_ENDPOINT` for others that speak S3), or `file:///folder`.
    pub fn open(address: &str) -> Result<Remote, Error> {
        let unknown = || Error::Address(address.to_string());
        if let Some(rest) = address.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(unknown());
            }
            let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build()?;
            return Remote::at(Arc::new(store), prefix);
        }
        let folder = address.strip_prefix("file://").filter(|f| f.starts_with('/')).ok_or_else(unknown)?;
        fs::create_dir_all(folder).map_err(|e| Error::Io(folder.into(), e))?;
        Remote::at(Arc::new(LocalFileSystem::new_with_prefix(folder)?), "")
    }

    pub fn at(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Remote, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Error::Io("tokio".into(), e))?;
        Ok(Remote { store, prefix: Key::from(prefix), runtime, hashes: Mutex::default() })
    }

    fn key(&self, folder: &str, name: &str) -> Key {
        self.prefix.clone().join(folder).join(name)
    }

    /// Sends the files of some folders, each but those left out of its top, as copy `number`, and removes what was there
    /// before. The files must stand still.
    pub fn put(&self, number: u64, folders: &[(&Path, &[&str])]) -> Result<Sent, Error> {
        let mut files = BTreeMap::new();
        for (folder, left_out) in folders {
            list(folder, "", left_out, &mut files)?;
        }
        self.runtime.block_on(self.send(number, files))
    }

    async fn send(&self, number: u64, paths: BTreeMap<String, PathBuf>) -> Result<Sent, Error> {
        let there: BTreeSet<String> = self.names("objects").await?;
        let mut copy = Copy { version: 1, files: BTreeMap::new() };
        let (mut sent, mut done) = (Sent::default(), BTreeSet::new());
        for (name, path) in &paths {
            let (sha256, bytes) = self.hash(path)?;
            sent.files += 1;
            sent.bytes += bytes;
            if !there.contains(&sha256) && done.insert(sha256.clone()) {
                self.upload(path, &sha256).await?;
                sent.new_files += 1;
                sent.new_bytes += bytes;
            }
            copy.files.insert(name.clone(), File { sha256, bytes });
        }
        let own = format!("{number:020}.json");
        let text = serde_json::to_vec(&copy).map_err(|e| Error::Damaged(e.to_string()))?;
        self.store.put(&self.key("copies", &own), text.into()).await?;
        // Only now: until here the copy before was the one.
        for older in self.names("copies").await?.into_iter().filter(|name| *name != own) {
            self.store.delete(&self.key("copies", &older)).await?;
        }
        let needed: BTreeSet<&String> = copy.files.values().map(|f| &f.sha256).collect();
        for object in there.iter().filter(|name| !needed.contains(name)) {
            self.store.delete(&self.key("objects", object)).await?;
        }
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        hashes.retain(|path, _| paths.values().any(|p| p == path));
        Ok(sent)
    }

    async fn names(&self, folder: &str) -> Result<BTreeSet<String>, Error> {
        let folder = self.prefix.clone().join(folder);
        let found = self
            .store
            .list(Some(&folder))
            .try_filter_map(|m| async move { Ok(m.location.filename().map(str::to_string)) });
        Ok(found.try_collect().await?)
    }

    async fn upload(&self, path: &Path, sha256: &str) -> Result<(), Error> {
        let io = |e| Error::Io(path.into(), e);
        let mut file = fs::File::open(path).map_err(io)?;
        let mut first = vec![];
        (&mut file).take(CHUNK as u64).read_to_end(&mut first).map_err(io)?;
        let key = self.key("objects", sha256);
        if first.len() < CHUNK {
            self.store.put(&key, first.into()).await?;
            return Ok(());
        }
        let mut parts = WriteMultipart::new_with_chunk_size(self.store.put_multipart(&key).await?, CHUNK);
        let mut chunk = first;
        while !chunk.is_empty() {
            // A few under way at a time: memory stays small however large the file.
            parts.wait_for_capacity(4).await?;
            parts.put(chunk.into());
            chunk = vec![];
            (&mut file).take(CHUNK as u64).read_to_end(&mut chunk).map_err(io)?;
        }
        parts.finish().await?;
        Ok(())
    }

    fn hash(&self, path: &Path) -> Result<(String, u64), Error> {
        let io = |e| Error::Io(path.into(), e);
        let about = fs::metadata(path).map_err(io)?;
        let (bytes, at) = (about.len(), about.modified().map_err(io)?);
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, hash)) = hashes.get(path).filter(|(b, a, _)| (*b, *a) == (bytes, at)) {
            return Ok((hash.clone(), bytes));
        }
        let mut file = fs::File::open(path).map_err(io)?;
        let (mut sha, mut chunk, mut read) = (Sha256::new(), vec![0; CHUNK], 0);
        loop {
            let n = file.read(&mut chunk).map_err(io)?;
            if n == 0 {
                break;
            }
            sha.update(&chunk[..n]);
            read += n as u64;
        }
        let hash = hex(&sha.finalize());
        hashes.insert(path.into(), (bytes, at, hash.clone()));
        Ok((hash, read))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Files by their path below the folder, with `/` between.
fn list(folder: &Path, below: &str, left_out: &[&str], out: &mut BTreeMap<String, PathBuf>) -> Result<(), Error> {
    let io = |e| Error::Io(folder.into(), e);
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if left_out.contains(&name.as_str()) {
            continue;
        }
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.path().is_dir() {
            list(&entry.path(), &name, &[], out)?;
        } else {
            out.insert(name, entry.path());
        }
    }
    Ok(())
}
