//! A program of a few bytes that does nothing but exit with a number that nobody else does: to be executed from where
//! nothing may be.

/// What it exits with.
pub(super) const EXIT: i32 = 42;

const HEADER_BYTES: u64 = 64 + 56;
const LOADED_AT: u64 = 0x40_0000;

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
/// `mov edi, 42; mov eax, 60 (exit); syscall`
#[cfg(target_arch = "x86_64")]
const CODE: &[u8] = &[0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
/// `mov eax, 42; ret`
#[cfg(target_arch = "x86_64")]
pub(super) const FUNCTION: &[u8] = &[0xb8, 42, 0, 0, 0, 0xc3];

#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;
/// `mov x0, 42; mov x8, 93 (exit); svc 0`
#[cfg(target_arch = "aarch64")]
const CODE: &[u8] = &[0x40, 0x05, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4];
/// `mov w0, 42; ret`
#[cfg(target_arch = "aarch64")]
pub(super) const FUNCTION: &[u8] = &[0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];

/// The file: an ELF header, one segment to load (elf(5)), the code.
pub(super) fn bytes() -> Vec<u8> {
    let length = HEADER_BYTES + CODE.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    let half = |file: &mut Vec<u8>, number: u16| file.extend(number.to_le_bytes());
    let word = |file: &mut Vec<u8>, number: u32| file.extend(number.to_le_bytes());
    let long = |file: &mut Vec<u8>, number: u64| file.extend(number.to_le_bytes());
    half(&mut file, 2); // e_type: ET_EXEC
    half(&mut file, MACHINE);
    word(&mut file, 1);
    long(&mut file, LOADED_AT + HEADER_BYTES); // e_entry
    long(&mut file, 64); // e_phoff
    long(&mut file, 0);
    word(&mut file, 0);
    for number in [64, 56, 1, 0, 0, 0] {
        half(&mut file, number);
    }
    word(&mut file, 1); // p_type: PT_LOAD
    word(&mut file, 5); // p_flags: read, execute
    for number in [0, LOADED_AT, LOADED_AT, length, length, 0x1_0000] {
        long(&mut file, number);
    }
    file.extend(CODE);
    file
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt;

    #[test]
    fn it_runs_and_exits_with_its_number() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("tiny");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o755).open(&path).expect("create");
        std::io::Write::write_all(&mut file, &super::bytes()).expect("write");
        drop(file);
        // Another test may have forked meanwhile and hold the file open for writing (ETXTBSY) until it executes.
        let run = || std::process::Command::new(&path).status();
        let status = (0..100)
            .map(|_| run())
            .find(|run| !matches!(run, Err(error) if error.raw_os_error() == Some(libc::ETXTBSY)));
        assert_eq!(status.expect("not busy for ever").expect("starts").code(), Some(super::EXIT));
    }
}
