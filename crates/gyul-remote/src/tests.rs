use super::*;
use object_store::memory::InMemory;

fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn read(dir: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    list(dir, "", &[], &mut files).unwrap();
    files.into_iter().map(|(name, path)| (name, fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn a_copy_comes_back_as_it_was_and_only_what_changed_is_sent() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(InMemory::new()));
    let remote = Remote::at(store.clone(), "shop/gyul").unwrap();
    let large = "귤".repeat(CHUNK);
    write(dir.path(), &[("gyul.json", "{}"), ("base/order/1.parquet", &large), ("lock", "mine"), ("log/a", "1")]);
    let sent = remote.put(7, &[(dir.path(), &["lock"])]).unwrap();
    assert_eq!((sent.files, sent.new_files), (3, 3));
    let back = tempfile::tempdir().unwrap();
    let to = back.path().join("data");
    assert_eq!(remote.get(&to).unwrap(), 7);
    let mut want = read(dir.path());
    want.remove("lock");
    assert!(read(&to) == want);
    // One file changes, one goes.
    write(dir.path(), &[("gyul.json", "{\"generation\":2}")]);
    fs::remove_file(dir.path().join("log/a")).unwrap();
    let sent = remote.put(12, &[(dir.path(), &["lock"])]).unwrap();
    assert_eq!((sent.files, sent.new_files, sent.new_bytes), (2, 1, 16));
    let again = Remote::at(store, "shop/gyul").unwrap();
    let to = back.path().join("second");
    assert_eq!(again.get(&to).unwrap(), 12);
    assert_eq!(read(&to).len(), 2);
    // Nothing is left of what no copy needs.
    let objects = again.runtime.block_on(again.names("objects")).unwrap();
    assert_eq!(objects.len(), 2);
}

#[test]
fn an_upload_that_is_cut_anywhere_leaves_the_copy_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let place = tempfile::tempdir().unwrap();
    let address = format!("file://{}", place.path().display());
    let remote = Remote::open(&address).unwrap();
    write(dir.path(), &[("a", "one"), ("b", "two")]);
    remote.put(1, &[(dir.path(), &[])]).unwrap();
    let before = read(dir.path());
    // Cut after the objects, before the copy was named.
    write(dir.path(), &[("a", "three"), ("c", "four")]);
    for name in ["a", "c"] {
        let path = dir.path().join(name);
        let (sha256, _) = remote.hash(&path).unwrap();
        remote.runtime.block_on(remote.upload(&path, &sha256)).unwrap();
        let to = place.path().with_extension(name);
        assert_eq!(remote.get(&to).unwrap(), 1);
        assert_eq!(read(&to), before);
        fs::remove_dir_all(to).unwrap();
    }
    // The next one takes what lies there already, and clears away what nobody needs.
    let sent = remote.put(2, &[(dir.path(), &[])]).unwrap();
    assert_eq!((sent.files, sent.new_files), (3, 0));
    assert_eq!(remote.runtime.block_on(remote.names("objects")).unwrap().len(), 3);
}

#[test]
fn what_was_changed_there_is_refused_and_nothing_is_written_outside() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(InMemory::new()));
    let remote = Remote::at(store, "").unwrap();
    let to = dir.path().join("data");
    assert!(matches!(remote.get(&to), Err(Error::Nothing)));
    write(&dir.path().join("from"), &[("a", "one")]);
    remote.put(1, &[(&dir.path().join("from"), &[])]).unwrap();
    let (hash, _) = remote.hash(&dir.path().join("from/a")).unwrap();
    let put = |key: Key, text: &str| {
        remote.runtime.block_on(remote.store.put(&key, text.to_string().into())).unwrap();
    };
    put(remote.key("objects", &hash), "two");
    assert!(matches!(remote.get(&to), Err(Error::Damaged(name)) if name == "a"));
    let outside = format!("{{\"version\":1,\"files\":{{\"../../x\":{{\"sha256\":\"{hash}\",\"bytes\":3}}}}}}");
    put(remote.key("copies", "00000000000000000002.json"), &outside);
    assert!(matches!(remote.get(&to), Err(Error::Damaged(_))));
    assert!(!to.exists() && !dir.path().join("data.part").exists());
}

#[test]
fn addresses_that_are_none_say_what_one_looks_like() {
    for address in ["", "s3://", "ftp://x", "file://relative", "folder"] {
        let Err(e) = Remote::open(address) else { panic!("{address}") };
        let (ko, en) = e.message();
        assert!(ko.contains("s3://") && en.contains("file:///folder"), "{en}");
    }
}
