//! What a stage has to say apart from failures.

/// The most remarks kept: they travel with every answer about the run.
pub const MAX_REMARKS: usize = 50;

/// A stage's remarks for people: the first [`MAX_REMARKS`], and the number of further
/// ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    kept: Vec<String>,
    dropped: usize,
}

impl Remarks {
    /// Adds a remark.
    pub fn push(&mut self, remark: String) {
        if self.kept.len() < MAX_REMARKS {
            self.kept.push(remark);
        } else {
            self.dropped += 1;
        }
    }

    /// The remarks as texts; the last one says how many were left out.
    #[must_use]
    pub fn into_texts(self) -> Vec<String> {
        let more = (self.dropped > 0).then(|| format!("and {} more remarks", self.dropped));
        self.kept.into_iter().chain(more).collect()
    }
}

impl Extend<String> for Remarks {
    fn extend<I: IntoIterator<Item = String>>(&mut self, remarks: I) {
        remarks.into_iter().for_each(|remark| self.push(remark));
    }
}

impl FromIterator<String> for Remarks {
    fn from_iter<I: IntoIterator<Item = String>>(remarks: I) -> Self {
        let mut collected = Self::default();
        collected.extend(remarks);
        collected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let remarks =
            |count: usize| (0..count).map(|number| number.to_string()).collect::<Remarks>().into_texts();
        assert_eq!(remarks(2), ["0", "1"]);
        assert_eq!(remarks(MAX_REMARKS).len(), MAX_REMARKS);
        let cut = remarks(MAX_REMARKS + 7);
        assert_eq!(cut.len(), MAX_REMARKS + 1);
        assert_eq!(cut.last().map(String::as_str), Some("and 7 more remarks"));
    }
}
