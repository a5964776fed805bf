//! Writes an initramfs: a cpio archive in the "newc" format of the kernel's `buffer-format.rst`.
//!
//! Only what an initramfs of one program needs: directories, files and character devices. Uncompressed, since the kernel
//! would spend more time on unpacking in an emulated machine than on reading.

/// An archive under construction.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    inodes: u32,
}

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const CHARACTER_DEVICE: u32 = 0o020_600;

impl Archive {
    /// Adds a directory; its parent must have been added before.
    pub fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY, (0, 0), &[]);
    }

    /// Adds an executable file.
    pub fn program(&mut self, path: &str, content: &[u8]) {
        self.entry(path, PROGRAM, (0, 0), content);
    }

    /// Adds a character device.
    pub fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path, CHARACTER_DEVICE, (major, minor), &[]);
    }

    /// Ends the archive and gives its bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.inodes += 1;
        let links = if mode == DIRECTORY { 2 } else { 1 };
        let header = [
            self.inodes,
            mode,
            0, // owner
            0, // group
            links,
            0, // modification time
            content.len() as u32,
            0, // major and minor of the device that the file is on
            0,
            device.0,
            device.1,
            path.len() as u32 + 1,
            0, // checksum, unused in this format
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in header {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    /// Names and contents begin at multiples of four bytes from the archive's beginning.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads back what the format's specification says, independently of how it was written.
    fn entries(mut archive: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let whole = archive.len();
        let mut out = Vec::new();
        while !archive.is_empty() {
            assert_eq!(&archive[..6], b"070701");
            let field = |index: usize| {
                let digits = std::str::from_utf8(&archive[6 + 8 * index..14 + 8 * index]).unwrap();
                u32::from_str_radix(digits, 16).unwrap() as usize
            };
            let (mode, size, name_size) = (field(1) as u32, field(6), field(11));
            let name = &archive[110..110 + name_size];
            assert_eq!(name.last(), Some(&0));
            let name = String::from_utf8(name[..name_size - 1].to_vec()).unwrap();
            let start = (110 + name_size).next_multiple_of(4);
            out.push((name, mode, archive[start..start + size].to_vec()));
            archive = &archive[(start + size).next_multiple_of(4)..];
            assert_eq!((whole - archive.len()) % 4, 0);
        }
        out
    }

    #[test]
    fn an_archive_reads_back_whatever_the_lengths_of_names_and_contents() {
        for length in 0..9 {
            let content = vec![b'x'; length];
            let path = "n".repeat(length + 1);
            let mut archive = Archive::default();
            archive.directory("dev");
            archive.device("dev/console", 5, 1);
            archive.program(&path, &content);
            assert_eq!(
                entries(&archive.finish()),
                [
                    ("dev".into(), 0o040_755, vec![]),
                    ("dev/console".into(), 0o020_600, vec![]),
                    (path, 0o100_755, content),
                    ("TRAILER!!!".into(), 0, vec![]),
                ]
            );
        }
    }
}
