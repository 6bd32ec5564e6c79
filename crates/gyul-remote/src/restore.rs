//! A copy comes back.

use crate::{Copy, Error, Remote, hex};
use futures_util::TryStreamExt;
use object_store::ObjectStoreExt;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::{Component, Path};

impl Remote {
    /// Brings the newest copy to a new folder, which is there whole or not at all. Gives the copy's number.
    pub fn get(&self, to: &Path) -> Result<u64, Error> {
        let mut name = to.file_name().unwrap_or_default().to_os_string();
        name.push(".part");
        let beside = to.with_file_name(name);
        let _ = fs::remove_dir_all(&beside);
        let number = self.runtime.block_on(self.fetch(&beside));
        let number = number.and_then(|n| fs::rename(&beside, to).map(|()| n).map_err(|e| Error::Io(to.into(), e)));
        if number.is_err() {
            let _ = fs::remove_dir_all(&beside);
        }
        number
    }

    async fn fetch(&self, to: &Path) -> Result<u64, Error> {
        let newest = self.names("copies").await?.pop_last().ok_or(Error::Nothing)?;
        let number = newest.strip_suffix(".json").and_then(|n| n.parse().ok());
        let number = number.ok_or_else(|| Error::Damaged(newest.clone()))?;
        let text = self.store.get(&self.key("copies", &newest)).await?.bytes().await?;
        let copy: Copy = serde_json::from_slice(&text).map_err(|_| Error::Damaged(newest.clone()))?;
        if copy.version != 1 {
            return Err(Error::Damaged(newest));
        }
        fs::create_dir_all(to).map_err(|e| Error::Io(to.into(), e))?;
        for (name, file) in &copy.files {
            // Whoever can write there must not write anywhere here.
            if Path::new(name).components().any(|c| !matches!(c, Component::Normal(_))) {
                return Err(Error::Damaged(name.clone()));
            }
            let path = to.join(name);
            let io = |e| Error::Io(path.clone(), e);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(io)?;
            }
            let mut out = fs::File::create(&path).map_err(io)?;
            let mut sha = Sha256::new();
            let mut bytes = self.store.get(&self.key("objects", &file.sha256)).await?.into_stream();
            while let Some(chunk) = bytes.try_next().await? {
                sha.update(&chunk);
                out.write_all(&chunk).map_err(io)?;
            }
            out.sync_all().map_err(io)?;
            if hex(&sha.finalize()) != file.sha256 {
                return Err(Error::Damaged(name.clone()));
            }
        }
        Ok(number)
    }
}
