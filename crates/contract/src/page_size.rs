//! How much of a list one response holds.

/// The size of a page: `default` unless a size is requested, at most `max`; `None` if
/// it is negative.
#[must_use]
pub fn page_size(asked: i32, default: u32, max: u32) -> Option<u32> {
    let asked = u32::try_from(asked).ok()?;
    Some(if asked == 0 { default } else { asked.min(max) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_size_that_is_asked_for_within_bounds() {
        for (asked, size) in [(0, Some(20)), (7, Some(7)), (i32::MAX, Some(200)), (-1, None)] {
            assert_eq!(page_size(asked, 20, 200), size, "{asked}");
        }
    }
}
