//! Pagination of long lists.

use maud::{Markup, html};

use super::asked::Asked;

/// The part of a list that is shown.
pub(super) struct Pages {
    all: usize,
    rows: usize,
    page: usize,
}

impl Pages {
    /// Selects a page. Beyond the end, it is the last one.
    pub(super) fn new(all: usize, rows: usize, page: usize) -> Pages {
        Pages { all, rows, page: page.min(all.div_ceil(rows)).max(1) }
    }

    pub(super) fn slice<'a, T>(&self, list: &'a [T]) -> &'a [T] {
        let start = (self.page - 1) * self.rows;
        &list[start.min(list.len())..(start + self.rows).min(list.len())]
    }

    /// Returns the position and links to other pages; empty if there is only one.
    pub(super) fn links(&self, asked: &Asked, what: &str) -> Markup {
        let pages = self.all.div_ceil(self.rows);
        if pages < 2 {
            return html! {};
        }
        let first = (self.page - 1) * self.rows;
        let to = |page: usize| asked.with(&[("page", Some(&page.to_string()))]);
        html! {
            nav.pager aria-label="Pages" {
                span { (first + 1) "–" ((first + self.rows).min(self.all)) " of " (self.all) " " (what) }
                span.links {
                    @if self.page > 1 {
                        a.button href=(to(1)) { "First" }
                        a.button href=(to(self.page - 1)) rel="prev" { "Previous" }
                    }
                    @if self.page < pages {
                        a.button href=(to(self.page + 1)) rel="next" { "Next" }
                        a.button href=(to(pages)) { "Last" }
                    }
                }
            }
        }
    }
}
