//! Files in the folder that are not deliveries.

use landing::FileInfo;

/// How many of them a remark names.
const NAMED_FILES: usize = 3;

/// Files to skip.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    hidden: Vec<String>,
    empty: Vec<String>,
}

impl Strangers {
    /// Separates deliveries from hidden files, and from empty files, which their writer
    /// has yet to fill.
    pub(crate) fn separate(files: Vec<FileInfo>, may_be_empty: bool) -> (Vec<FileInfo>, Self) {
        let mut strangers = Self::default();
        let mut deliveries = Vec::with_capacity(files.len());
        for file in files {
            if is_hidden(&file.path) {
                strangers.hidden.push(file.path);
            } else if file.size == 0 && !may_be_empty {
                strangers.empty.push(file.path);
            } else {
                deliveries.push(file);
            }
        }
        (deliveries, strangers)
    }

    /// The remarks about them, once per run.
    pub(crate) fn remarks(&self) -> impl Iterator<Item = String> {
        [("hidden", &self.hidden), ("empty", &self.empty)].into_iter().filter_map(|(what, paths)| {
            let named = paths.iter().take(NAMED_FILES).cloned().collect::<Vec<_>>().join(", ");
            let more = match paths.len().saturating_sub(NAMED_FILES) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            match paths.len() {
                0 => None,
                1 => Some(format!("1 {what} file passed over: {named}")),
                count => Some(format!("{count} {what} files passed over: {named}{more}")),
            }
        })
    }
}

/// Whether other programs hide a file or keep it for themselves: its name, or a
/// folder's, begins with `.`, `_` or `~`.
#[must_use]
pub fn is_hidden(path: &str) -> bool {
    // Stores write a tilde as %7E.
    path.split('/').any(|segment| segment.starts_with(['.', '_', '~']) || segment.starts_with("%7E"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, size: u64) -> FileInfo {
        FileInfo { path: path.to_owned(), etag: "1".to_owned(), size, modified: chrono::DateTime::UNIX_EPOCH }
    }

    #[test]
    fn hidden_and_empty_files_are_distinguished_from_deliveries() {
        let files = [
            file("._crm_2026-02-01.csv", 9),
            file("2026/_temporary/0/part-0.csv", 9),
            file("__MACOSX/crm.csv", 9),
            file(".Trash/crm.csv", 9),
            file("%7E$crm.csv", 9),
            file("crm_2026-02-01.csv", 9),
            file("a.b/c_d/e~f.csv", 9),
            file("later.csv", 0),
        ];
        let (deliveries, strangers) = Strangers::separate(files.to_vec(), false);
        let paths: Vec<&str> = deliveries.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["crm_2026-02-01.csv", "a.b/c_d/e~f.csv"]);
        assert_eq!(
            strangers.remarks().collect::<Vec<_>>(),
            [
                "5 hidden files passed over: ._crm_2026-02-01.csv, 2026/_temporary/0/part-0.csv, \
                 __MACOSX/crm.csv and 2 more",
                "1 empty file passed over: later.csv",
            ]
        );
    }

    #[test]
    fn an_empty_file_may_say_something() {
        let (deliveries, strangers) = Strangers::separate(vec![file("a.ndjson", 0)], true);
        assert_eq!(deliveries, [file("a.ndjson", 0)]);
        assert_eq!(strangers.remarks().count(), 0);
    }
}
