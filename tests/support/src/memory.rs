//! Looks for a secret in the memory of a program that runs.

use std::fs::{File, read_to_string};
use std::os::unix::fs::FileExt as _;

use rustix::process::{Pid, Signal, kill_process};

/// A page of memory; most are empty.
const PAGE: [u8; 4096] = [0; 4096];

/// Where `secret` stands in the memory of `pid`, which is stopped meanwhile: the mapping and the
/// address of each place, stack and heap alike.
#[track_caller]
pub fn places(pid: Pid, secret: &str) -> Vec<String> {
    kill_process(pid, Signal::STOP).unwrap();
    let maps = read_to_string(format!("/proc/{}/maps", pid.as_raw_nonzero())).unwrap();
    let memory = File::open(format!("/proc/{}/mem", pid.as_raw_nonzero())).unwrap();
    let mut found = Vec::new();
    let mut searched = 0;
    for line in maps.lines() {
        let (range, facts) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let bound = |text| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = (bound(start), bound(end));
        // Nothing that the program read is where it cannot write.
        if !facts.starts_with("rw") {
            continue;
        }
        let name = facts.split_whitespace().nth(4).unwrap_or("anonymous");
        let mut block = vec![0; usize::try_from(end - start).unwrap()];
        memory
            .read_exact_at(&mut block, start)
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        searched += block.len();
        for offset in places_in(&block, secret.as_bytes()) {
            found.push(format!("{name} {:#x}", start + offset as u64));
        }
    }
    kill_process(pid, Signal::CONT).unwrap();
    assert!(searched > 100_000, "that is no program's memory:\n{maps}");
    found
}

fn places_in(block: &[u8], secret: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    for start in (0..block.len()).step_by(PAGE.len()) {
        // A place may go on in the next page.
        let end = (start + PAGE.len()).min(block.len());
        if block[start..end] == PAGE[..end - start] {
            continue;
        }
        let end = (end + secret.len() - 1).min(block.len());
        let windows = block[start..end].windows(secret.len()).enumerate();
        found.extend(windows.filter_map(|(at, bytes)| (bytes == secret).then_some(start + at)));
    }
    found
}
