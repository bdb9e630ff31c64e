//! Promises of the disk, the same for both twins.

use super::*;
use crate::clock::Clock;

/// Both twins, each with a folder to work in. The guard removes the real one.
fn twins() -> (tempfile::TempDir, [(Disk, PathBuf); 2]) {
    let folder = tempfile::tempdir().unwrap();
    let real = (Disk::real(), folder.path().join("bodies"));
    let (simulated, _) = Disk::simulated(Clock::simulated().0);
    (folder, [real, (simulated, PathBuf::from("/data/bodies"))])
}

async fn write(disk: &Disk, path: &Path, parts: &[&'static str]) -> io::Result<()> {
    let mut file = disk.create(path).await?;
    for part in parts {
        file.append(Bytes::from_static(part.as_bytes())).await?;
    }
    file.commit().await
}

async fn names(disk: &Disk, folder: &Path) -> Vec<String> {
    let entries = disk.list(folder).await.unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

#[tokio::test]
async fn what_was_written_can_be_read_from_any_offset() {
    let (_guard, twins) = twins();
    for (disk, folder) in twins {
        disk.create_folder(&folder).await.unwrap();
        disk.create_folder(&folder).await.unwrap();
        let path = folder.join("one");
        write(&disk, &path, &["hello ", "large ", "body"])
            .await
            .unwrap();
        let file = disk.open(&path).await.unwrap();
        assert_eq!(file.size(), 16);
        for (offset, length, expected) in [
            (0, 5, "hello"),
            (6, 100, "large body"),
            (15, 1, "y"),
            (16, 1, ""),
            (u64::MAX, 1, ""),
            (0, usize::MAX, "hello large body"),
        ] {
            let read = file.read_at(offset, length).await.unwrap();
            assert_eq!(read, expected, "{offset} {length}");
        }
    }
}

#[tokio::test]
async fn a_file_has_its_name_only_once_it_is_whole() {
    let (_guard, twins) = twins();
    for (disk, folder) in twins {
        disk.create_folder(&folder).await.unwrap();
        let path = folder.join("one");
        let mut file = disk.create(&path).await.unwrap();
        file.append(Bytes::from_static(b"half")).await.unwrap();
        assert_eq!(file.size(), 4);
        assert_eq!(names(&disk, &folder).await, ["one.part"]);
        let absent = disk.open(&path).await.unwrap_err();
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
        drop(file);
        assert!(names(&disk, &folder).await.is_empty());

        write(&disk, &path, &["whole"]).await.unwrap();
        let entries = disk.list(&folder).await.unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].name.as_str(), entries[0].size), ("one", 5));
    }
}

#[tokio::test]
async fn files_can_be_renamed_and_removed() {
    let (_guard, twins) = twins();
    for (disk, folder) in twins {
        let other = folder.join("other");
        disk.create_folder(&other).await.unwrap();
        write(&disk, &folder.join("b"), &["b"]).await.unwrap();
        write(&disk, &folder.join("a"), &["a"]).await.unwrap();
        assert_eq!(names(&disk, &folder).await, ["a", "b"]);
        disk.rename(&folder.join("a"), &other.join("c"))
            .await
            .unwrap();
        disk.rename(&other.join("c"), &folder.join("b"))
            .await
            .unwrap();
        assert_eq!(names(&disk, &folder).await, ["b"]);
        let file = disk.open(&folder.join("b")).await.unwrap();
        disk.remove(&folder.join("b")).await.unwrap();
        assert_eq!(file.read_at(0, 9).await.unwrap(), "a");
        for gone in [
            disk.remove(&folder.join("b")).await,
            disk.rename(&folder.join("a"), &folder.join("d")).await,
            disk.list(&folder.join("absent")).await.map(|_| ()),
            disk.create(&folder.join("absent/x")).await.map(|_| ()),
        ] {
            assert_eq!(gone.unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }
}

#[tokio::test]
async fn two_writers_cannot_share_a_name() {
    let (_guard, twins) = twins();
    for (disk, folder) in twins {
        disk.create_folder(&folder).await.unwrap();
        let first = disk.create(&folder.join("one")).await.unwrap();
        let second = disk.create(&folder.join("one")).await.unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AlreadyExists);
        first.commit().await.unwrap();
    }
}

#[tokio::test]
async fn the_real_disk_knows_its_room() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Disk::real().free(folder.path()).await.unwrap() > 0);
    let absent = Disk::real().free(&folder.path().join("absent")).await;
    assert_eq!(absent.unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_full_simulated_disk_refuses_and_recovers() {
    let (disk, simulated) = Disk::simulated(Clock::simulated().0);
    let path = Path::new("/one");
    simulated.set_free(6);
    let full = write(&disk, path, &["four", "more"]).await.unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.free(Path::new("/")).await.unwrap(), 6);
    simulated.set_free(8);
    write(&disk, path, &["four", "more"]).await.unwrap();
    assert_eq!(disk.free(Path::new("/")).await.unwrap(), 0);
    write(&disk, Path::new("/empty"), &[]).await.unwrap();
    disk.remove(path).await.unwrap();
    assert_eq!(disk.free(Path::new("/")).await.unwrap(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_failing_simulated_disk_does_not_say_that_a_file_is_absent() {
    let (disk, simulated) = Disk::simulated(Clock::simulated().0);
    write(&disk, Path::new("/one"), &["x"]).await.unwrap();
    simulated.set_failing(Some(io::ErrorKind::Other));
    let error = disk.open(Path::new("/one")).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other);
    simulated.set_failing(None);
    disk.open(Path::new("/one")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_power_cut_takes_what_was_not_flushed() {
    let (disk, simulated) = Disk::simulated(Clock::simulated().0);
    write(&disk, Path::new("/whole"), &["whole"]).await.unwrap();
    let mut unfinished = disk.create(Path::new("/half")).await.unwrap();
    unfinished
        .append(Bytes::from_static(b"half"))
        .await
        .unwrap();
    simulated.crash();
    let entries = disk.list(Path::new("/")).await.unwrap();
    let sizes: Vec<_> = entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.size))
        .collect();
    assert_eq!(sizes, [("half.part", 0), ("whole", 5)]);
}
