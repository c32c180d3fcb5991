// SPDX-License-Identifier: Apache-2.0
use super::*;
use agorai_primitives::CHUNK_BYTES;

const MIB: usize = CHUNK_BYTES as usize;

fn store(folder: &Path) -> Store {
    Store::open(folder, StoreLimits::default()).unwrap()
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 13 % 249) as u8).collect()
}

/// The ids of all blobs in a store, sorted.
fn ids(store: &Store) -> Vec<BlobId> {
    let mut ids = Vec::new();
    for outer in durable::list_dir(&store.root.join("blobs")).unwrap() {
        for inner in durable::list_dir(&outer).unwrap() {
            for file in durable::list_dir(&inner).unwrap() {
                ids.extend(file.file_name().unwrap().to_str().unwrap().parse::<BlobId>().ok());
            }
        }
    }
    ids.sort();
    ids
}

fn files(folder: &Path) -> usize {
    durable::list_dir(folder).unwrap().len()
}

#[test]
fn blobs_survive_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let large = bytes(2 * MIB + 3);
    let ids = {
        let store = store(folder.path());
        assert_eq!(store.get(&BlobId::of(b"nothing")).unwrap(), None);
        [store.put(b"").unwrap(), store.put(&large).unwrap()]
    };
    let store = store(folder.path());
    assert_eq!(ids[1], BlobId::of(&large));
    assert_eq!(store.get(&ids[0]).unwrap(), Some(vec![]));
    assert_eq!(store.get(&ids[1]).unwrap(), Some(large));
    let mut expected = ids.to_vec();
    expected.sort();
    assert_eq!(self::ids(&store), expected);
    assert!(store.delete(&ids[0]).unwrap());
    assert!(!store.delete(&ids[0]).unwrap());
    assert!(!store.has(&ids[0]));
}

#[test]
fn damaged_blob_is_quarantined_and_missing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let content = bytes(3 * MIB);
    let id = store.put(&content).unwrap();
    let mut damaged = content.clone();
    damaged[MIB + 7] ^= 1;
    fs::write(store.path(&id), &damaged).unwrap();

    assert_eq!(store.slice(&id, Some(1)).unwrap(), None);
    assert_eq!(files(&folder.path().join("quarantine")), 1);
    assert!(!store.has(&id));

    store.put(&content).unwrap();
    fs::write(store.path(&id), &damaged[..MIB]).unwrap();
    assert_eq!(store.get(&id).unwrap(), None);
    assert_eq!(files(&folder.path().join("quarantine")), 2);
    assert_eq!(store.get(&id).unwrap(), None);
}

#[test]
fn put_repairs_a_damaged_copy() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let id = store.put(b"agora").unwrap();
    fs::write(store.path(&id), b"agoro").unwrap();
    store.put(b"agora").unwrap();
    assert_eq!(store.get(&id).unwrap(), Some(b"agora".to_vec()));
}

#[test]
fn damaged_outboard_is_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let content = bytes(3 * MIB);
    let id = store.put(&content).unwrap();
    for damaged in [&[][..], &[0; 128][..], &[7; 5][..]] {
        fs::write(store.outboard_path(&id), damaged).unwrap();
        let slice = store.slice(&id, None).unwrap().unwrap();
        assert_eq!((slice.size, slice.index), (content.len() as u64, 2));
        let chunk = chunk::verify(&id, slice.size, 2, &slice.bytes).unwrap();
        assert_eq!(chunk, content[2 * MIB..]);
    }
    assert_eq!(store.slice(&id, Some(3)).unwrap(), None);
}

#[test]
fn blob_is_refused_when_it_is_too_large_or_the_store_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let limits = StoreLimits {
        blob_bytes: 1000,
        total_bytes: 1500,
    };
    let store = Store::open(folder.path(), limits).unwrap();
    let refused = store.put(&bytes(1001));
    assert!(matches!(
        refused,
        Err(StoreError::BlobTooLarge {
            bytes: 1001,
            limit: 1000
        })
    ));
    let id = store.put(&bytes(900)).unwrap();
    let refused = store.put(&bytes(800));
    assert!(matches!(
        refused,
        Err(StoreError::Full {
            needed: 800,
            used: 900,
            quota: 1500
        })
    ));
    assert!(store.create_partial(&BlobId::of(b"other"), 700).is_err());
    store.delete(&id).unwrap();
    store.put(&bytes(800)).unwrap();
    assert_eq!(store.usage.bytes(), 800);
}

#[test]
fn incomplete_files_are_ignored_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    // Leftovers of a killed process: a staging folder with an unlocked lock and an incomplete file.
    let stale = folder.path().join("tmp").join("1-dead");
    fs::create_dir_all(&stale).unwrap();
    fs::write(stale.join("lock"), b"").unwrap();
    fs::write(stale.join("0"), bytes(10)).unwrap();

    let first = store(folder.path());
    assert!(!stale.exists());
    assert_eq!(ids(&first), vec![]);

    // The staging folder of a running process is kept.
    let incomplete = first.staging.write_file(|file| file.write_all(b"half")).unwrap();
    let second = store(folder.path());
    assert!(incomplete.exists());
    let id = second.put(b"shared").unwrap();
    assert_eq!(first.get(&id).unwrap(), Some(b"shared".to_vec()));
    drop(first);
    assert!(!incomplete.exists());
}

#[test]
fn partial_blob_is_resumed_after_a_crash_and_completed() {
    let folder = tempfile::tempdir().unwrap();
    let content = bytes(3 * MIB + 1);
    let id = BlobId::of(&content);
    let chunk = |index: usize| &content[index * MIB..content.len().min((index + 1) * MIB)];
    let first = store(folder.path());
    assert!(first.resume_partial(&id).unwrap().is_none());
    let mut partial = first.create_partial(&id, content.len() as u64).unwrap();
    partial.write(3, chunk(3)).unwrap();
    partial.write(1, chunk(1)).unwrap();
    assert!(matches!(first.resume_partial(&id), Err(StoreError::InUse(_))));
    drop((partial, first));

    // An incomplete record, as a crash leaves it.
    let log = folder.path().join("partial").join(format!("{id}.have"));
    let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(&[2, 0]).unwrap();

    let second = store(folder.path());
    assert!(!second.has(&id));
    let mut partial = second.resume_partial(&id).unwrap().unwrap();
    assert_eq!(partial.missing(), vec![0, 2]);
    partial.write(0, chunk(0)).unwrap();
    drop(partial);
    let mut partial = second.resume_partial(&id).unwrap().unwrap();
    assert_eq!(partial.missing(), vec![2]);
    partial.write(2, chunk(2)).unwrap();
    second.complete(partial).unwrap();
    assert_eq!(second.get(&id).unwrap(), Some(content));
    assert_eq!(files(&folder.path().join("partial")), 0);
}

#[test]
fn partial_blob_is_dropped_when_the_disk_damaged_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let id = BlobId::of(b"right");
    let mut partial = store.create_partial(&id, 5).unwrap();
    partial.write(0, b"wrong").unwrap();
    assert!(matches!(store.complete(partial), Err(StoreError::Damaged(_))));
    assert!(!store.has(&id));
    assert!(store.resume_partial(&id).unwrap().is_none());
    assert_eq!(store.usage.bytes(), 0);
}

#[test]
fn quarantine_retains_the_newest_blobs() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    for n in 0..MAX_QUARANTINED as u8 + 3 {
        let id = store.put(&[n]).unwrap();
        fs::write(store.path(&id), b"?").unwrap();
        assert_eq!(store.get(&id).unwrap(), None);
    }
    assert_eq!(files(&folder.path().join("quarantine")), MAX_QUARANTINED);
}
