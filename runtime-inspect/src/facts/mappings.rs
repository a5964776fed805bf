//! The files that a process has mapped: its program, its libraries, its archives. Format: `proc_pid_maps(5)`.

/// No more than this much of a list of mappings is read, in bytes: a Java process may have tens of thousands.
pub const MAX_MAPPINGS: usize = 16 << 20;
/// No more than this many different files are kept.
const MAX_FILES: usize = 16 * 1024;

/// A file that is mapped at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedFile {
    /// The path as the process's own mount namespace has it, without the mark of a deleted file.
    pub path: String,
    /// Inode number.
    pub inode: u64,
    /// Whether some mapping of it is executable.
    pub executable: bool,
    /// Whether the file has been deleted or replaced since.
    pub deleted: bool,
}

impl MappedFile {
    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The different files of `/proc/PID/maps`, in order of their first address.
pub fn parse(text: &[u8]) -> Vec<MappedFile> {
    let mut files: Vec<MappedFile> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for line in text.split(|&byte| byte == b'\n') {
        let Some(file) = parse_line(&String::from_utf8_lossy(line)) else {
            continue;
        };
        match index.get(&file.path) {
            Some(&known) => {
                let known: &mut MappedFile = &mut files[known];
                known.executable |= file.executable;
            }
            None if files.len() < MAX_FILES => {
                index.insert(file.path.clone(), files.len());
                files.push(file);
            }
            None => break,
        }
    }
    files
}

/// `ADDRESS PERMISSIONS OFFSET DEVICE INODE   PATH`; `None` for memory without a file.
fn parse_line(line: &str) -> Option<MappedFile> {
    let mut rest = line;
    let mut columns = [""; 5];
    for column in &mut columns {
        rest = rest.trim_start_matches(' ');
        let end = rest.find(' ')?;
        (*column, rest) = rest.split_at(end);
    }
    let path = rest.trim_start_matches(' ');
    if !path.starts_with('/') {
        return None;
    }
    let live = path.strip_suffix(" (deleted)");
    Some(MappedFile {
        // The kernel writes a newline in a path as an octal escape; no library has one, so it is left as it is.
        path: live.unwrap_or(path).to_owned(),
        inode: columns[4].parse().ok()?,
        executable: columns[1].as_bytes().get(2) == Some(&b'x'),
        deleted: live.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_listed_once_with_its_permissions_joined() {
        let text = b"55d0-55d1 r--p 00000000 fe:00 42     /usr/bin/a b\n55d1-55d2 r-xp 00001000 fe:00 42     /usr/bin/a b\n\
            7f00-7f01 rw-p 00000000 00:00 0 \n7f01-7f02 r--s 00000000 00:01 7   /memfd:x (deleted)\n7ffe-7fff r-xp 0 00:00 0  [vdso]\njunk\n";
        let files = parse(text);
        assert_eq!(files.len(), 2);
        assert_eq!(files[0].path, "/usr/bin/a b");
        assert_eq!(files[0].name(), "a b");
        assert!(files[0].executable && !files[0].deleted && files[0].inode == 42);
        assert!(files[1].deleted && files[1].path == "/memfd:x" && !files[1].executable);
    }
}
