//! Limits on a day's pages.

/// Limits on the pages of a day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PagingLimits {
    /// Records to request per page.
    pub(crate) page_size: usize,
    /// The most pages per day.
    pub(crate) max_pages: u32,
    /// The most pages to ask for at the same time.
    pub(crate) pages_ahead: usize,
    /// Whether the only page holds everything.
    pub(crate) is_unpaged: bool,
}
