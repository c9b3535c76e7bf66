//! What bounds the pages of a day.

/// What bounds the pages of a day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PagingLimits {
    /// Records that are asked for per page.
    pub(crate) page_size: usize,
    /// The most pages of a day.
    pub(crate) max_pages: u32,
    /// Whether there is but one page, which holds everything.
    pub(crate) is_unpaged: bool,
}
