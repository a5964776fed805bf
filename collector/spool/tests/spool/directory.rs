use collector_spool::{Directory, Disk, DiskFile, OpenError, Options, Spool};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn open(path: &Path) -> Directory {
    Directory::open(path).expect("a directory")
}

fn queue(path: &Path) -> Spool<Directory> {
    Spool::open(open(path), Options::default()).expect("a queue").0
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_queue_on_the_real_disk_goes_on_where_it_was() {
    let temporary = tempfile::tempdir().expect("a directory");
    let path = temporary.path().join("a/b/queue");
    let mut spool = queue(&path);
    for number in 0..3 {
        spool.append(&[&[number; 100], b"x"], 1, number).expect("there is room");
    }
    let first = spool.next().expect("it can be read").expect("a record");
    spool.acknowledge(first.id).expect("it is in flight");
    drop(spool);
    let mut spool = queue(&path);
    let record = spool.next().expect("it can be read").expect("a record");
    assert_eq!((record.meta, record.body.len()), (1, 101));
    assert_eq!(spool.held().records, 2);
}

#[test]
fn only_the_owner_can_read_what_users_sent() {
    let temporary = tempfile::tempdir().expect("a directory");
    let path = temporary.path().join("queue");
    queue(&path).append(&[b"secret"], 1, 0).expect("there is room");
    assert_eq!(mode(&path), 0o700);
    for file in fs::read_dir(&path).expect("the directory") {
        let file = file.expect("a file").path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_second_queue_in_the_same_directory_is_refused_and_names_the_first() {
    let temporary = tempfile::tempdir().expect("a directory");
    let first = open(temporary.path());
    let error = Directory::open(temporary.path()).expect_err("it is in use");
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    let holder = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&holder), "{error}");
    drop(first);
    open(temporary.path());
}

#[test]
fn symbolic_links_and_pipes_are_not_followed() {
    let temporary = tempfile::tempdir().expect("a directory");
    let outside = temporary.path().join("outside");
    fs::write(&outside, b"not ours").expect("a file");
    let path = temporary.path().join("queue");
    let directory = open(&path);
    symlink(&outside, path.join("0000000000000001.segment")).expect("a link");
    assert!(directory.open("0000000000000001.segment").is_err());
    drop(directory);
    fs::remove_file(path.join("lock")).expect("the lock's file");
    symlink(&outside, path.join("lock")).expect("a link");
    let error = Directory::open(&path).expect_err("its lock is a link");
    assert!(error.to_string().contains("lock"), "{error}");
    assert_eq!(fs::read(&outside).expect("the file"), b"not ours");
    assert!(directory_in_place_of_a_segment(temporary.path()).is_err());
}

fn directory_in_place_of_a_segment(path: &Path) -> std::io::Result<rustix::fd::OwnedFd> {
    fs::create_dir(path.join("0000000000000002.segment")).expect("a directory");
    open(path).open("0000000000000002.segment")
}

#[test]
fn the_real_disk_keeps_the_rules_of_the_trait() {
    let temporary = tempfile::tempdir().expect("a directory");
    let disk = open(temporary.path());
    let file = disk.create("one").expect("a file");
    assert!(disk.create("one").is_err(), "its name is taken");
    // More pieces than one call to the kernel takes.
    let pieces = vec![&b"ab"[..]; 3000];
    file.write_at(&pieces, 10).expect("it is written");
    assert_eq!(file.length().expect("its length"), 6010);
    let mut bytes = [1; 8000];
    assert_eq!(file.read_at(&mut bytes, 8).expect("it is read"), 6002);
    assert_eq!(&bytes[..6], b"\0\0abab");
    file.truncate(12).expect("it is cut");
    file.sync().expect("it is synced");
    disk.create("two").expect("a file");
    assert!(disk.rename("one", "two").is_err(), "nothing is overwritten");
    disk.rename("one", "three").expect("it is renamed");
    disk.remove("two").expect("it is removed");
    disk.sync_directory().expect("it is synced");
    let mut names = disk.list().expect("the names");
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    assert_eq!(names, ["lock", "three"]);
    assert_ne!(disk.random(), disk.random());
}
