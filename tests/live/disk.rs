//! The disk under the store of a running gateway becomes read-only, as ext4 makes it when it finds
//! itself damaged. Only who may mount can play this; anybody else is told that it was not played.

use crate::town::{Town, until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small ext4 in a file, mounted over a folder.
struct Disk {
    place: PathBuf,
    device: String,
}

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let command = Command::new(program).args(arguments).stderr(Stdio::null()).output();
    let output = command.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

impl Disk {
    /// `None` where it may not be mounted.
    fn mount(image: &Path, place: &Path) -> Option<Disk> {
        fs::File::create(image).unwrap().set_len(64 << 20).unwrap();
        let file = image.to_str().unwrap();
        run("mkfs.ext4", &["-q", "-F", file])?;
        let device = run("losetup", &["--find", "--show", file])?;
        let disk = Disk { place: place.to_path_buf(), device };
        disk.attach().then_some(disk)
    }

    fn attach(&self) -> bool {
        let place = self.place.to_str().unwrap();
        run("mount", &["-o", "errors=remount-ro", &self.device, place]).is_some()
    }

    /// The file system finds an error in itself: from now on it takes no writes.
    fn fail(&self) {
        let name = self.device.rsplit('/').next().unwrap();
        fs::write(format!("/sys/fs/ext4/{name}/trigger_fs_error"), "played by a test").unwrap();
    }

    /// Mended and mounted again. Nobody may have a file open.
    fn mend(&self) {
        run("umount", &[self.place.to_str().unwrap()]).unwrap();
        // 1: errors were corrected.
        let checked = Command::new("e2fsck").args(["-f", "-y", &self.device]).output().unwrap();
        assert!(checked.status.code().is_some_and(|code| code <= 1), "{checked:?}");
        assert!(self.attach());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _gone = run("umount", &["-l", self.place.to_str().unwrap()]);
        let _gone = run("losetup", &["--detach", &self.device]);
    }
}

#[tokio::test]
async fn a_disk_that_becomes_read_only_stops_all_traffic_and_nothing_confirmed_is_lost() {
    let town = Town::new().await;
    let Some(disk) = Disk::mount(&town.path("disk"), &town.path("store")) else {
        eprintln!("not played: no disk of its own could be mounted");
        return;
    };
    let gateway = town.start().await;
    let health = town.health();
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    let mut confirmed = Vec::new();
    let refused = loop {
        let id = format!("r{}", confirmed.len());
        let mut notice = notice.clone();
        notice["noticeId"] = id.as_str().into();
        let answer = health.post("notice.requested", &id, &notice).await;
        if answer.status != 202 {
            break answer;
        }
        confirmed.push(id);
        if confirmed.len() == 10 {
            disk.fail();
        }
        assert!(confirmed.len() < 20, "a disk that takes no writes keeps nothing");
    };
    assert_eq!((refused.status, refused.code.as_str()), (503, "T202"), "{}", refused.text);
    let ready = until("not ready", || async {
        let ready = gateway.ready_if_any().await?;
        (ready["ready"] == false).then_some(ready)
    })
    .await;
    assert_eq!(ready["causes"][0]["detail"], "failed; restart after mending the disk", "{ready}");
    let _failed = gateway.stop().await;

    disk.mend();
    let gateway = town.start().await;
    for id in &confirmed {
        town.until_state(id, "delivered").await;
    }
    assert_eq!(health.post("notice.requested", "later", &notice).await.status, 202);
    town.until_state("later", "delivered").await;
    assert_eq!(town.exchanges().await.len(), confirmed.len() + 1, "none more, none less");
    assert_eq!(gateway.stop().await, Some(0));
    assert_eq!(town.run(&["log", "verify"]).await.code, 0);
}
