//! Listing a bucket, page by page.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
use aws_sdk_s3::types::{EncodingType, Object};

use super::client::{ListedObject, S3Client};
use super::error::About;
use super::key_encoding::Spelling;
use super::sdk_values::{bare, moment};
use crate::error::Result;
use crate::model::name::BucketName;

/// One page of the entries at a prefix, one level deep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The prefixes that end at the next `/`.
    pub folders: Vec<String>,
    /// The objects beside them.
    pub objects: Vec<ListedObject>,
    /// The token for the next page, if there is one.
    pub next: Option<String>,
}

/// What is wrong with a listing that never ends.
pub(super) const ENDLESS: &str = "its listing does not go on from page to page";

/// The maximum number of pages of one listing: ten million objects.
const MOST_PAGES: usize = 10_000;

impl S3Client {
    /// Returns one page of the entries at `prefix`, one level deep: at most `most` folders and objects together,
    /// starting at `next` of the page before.
    pub async fn list_level(&self, bucket: &BucketName, prefix: &str, next: Option<&str>, most: u16) -> Result<Listed> {
        let list = || self.sdk.small.list_objects_v2().bucket(bucket.as_str()).prefix(prefix).delimiter("/");
        let list = || list().max_keys(most.into());
        let page = self
            .asked(|| from(list(), next).send())
            .await
            .map_err(|error| self.failed(About::bucket("list", bucket), error))?;
        let spelling = spelling(&page);
        let folders = page.common_prefixes().iter().filter_map(|found| found.prefix());
        let folders = folders.filter_map(|folder| self.within(spelling.read(folder)));
        let folders = folders.filter(|folder| folder.starts_with(prefix));
        Ok(Listed {
            folders: folders.collect(),
            objects: page.contents().iter().filter_map(|object| self.listed(object, prefix, spelling)).collect(),
            next: next_of(&page, spelling),
        })
    }

    /// Returns every object whose key starts with `prefix`, in server order, from all pages.
    pub async fn list_objects(&self, bucket: &BucketName, prefix: &str) -> Result<Vec<ListedObject>> {
        let mut objects = Vec::new();
        let (mut next, mut before, mut pages) = (None, None, 0);
        loop {
            let list = || self.sdk.small.list_objects_v2().bucket(bucket.as_str()).prefix(prefix);
            let page = self.asked(|| from(list(), next.as_deref()).send()).await;
            let page = page.map_err(|error| self.failed(About::bucket("list", bucket), error))?;
            // Key order is not checked: SeaweedFS lists folder by folder.
            let first = page.contents().first().and_then(|object| object.key()).map(str::to_owned);
            pages += 1;
            let spelling = spelling(&page);
            objects.extend(page.contents().iter().filter_map(|object| self.listed(object, prefix, spelling)));
            match next_of(&page, spelling) {
                Some(token) => {
                    // A server that starts over with each page would be asked forever.
                    let repeats = next.as_ref() == Some(&token) || first.is_some() && first == before;
                    if repeats || pages >= MOST_PAGES {
                        return Err(self.not_understood(About::bucket("list", bucket), ENDLESS));
                    }
                    (next, before) = (Some(token), first);
                }
                None => return Ok(objects),
            }
        }
    }

    /// Returns true when any key begins with `prefix`.
    pub(crate) async fn any_object(&self, bucket: &BucketName, prefix: &str) -> Result<bool> {
        let list = || self.sdk.small.list_objects_v2().bucket(bucket.as_str()).prefix(prefix).max_keys(1);
        let page = self.asked(|| from(list(), None).send()).await;
        let page = page.map_err(|error| self.failed(About::bucket("list", bucket), error))?;
        Ok(!page.contents().is_empty())
    }

    /// Returns the folders one level below `prefix`. `None` when that takes more than `pages` pages.
    pub(crate) async fn list_folders(
        &self,
        bucket: &BucketName,
        prefix: &str,
        pages: usize,
    ) -> Result<Option<Vec<String>>> {
        /// The maximum of one answer.
        const MOST: u16 = 1000;
        let (mut folders, mut next) = (Vec::new(), None);
        for _ in 0..pages {
            let page = self.list_level(bucket, prefix, next.as_deref(), MOST).await?;
            folders.extend(page.folders);
            next = page.next;
            if next.is_none() {
                return Ok(Some(folders));
            }
        }
        Ok(None)
    }
}

/// Prefix of a `next` that is a key to start after, not a token of the server. The character stands for what XML cannot
/// represent, so no usable token starts with it.
const AFTER: char = char::REPLACEMENT_CHARACTER;

/// Requests the page that `next` names, with URL-encoded keys.
fn from(list: ListObjectsV2FluentBuilder, next: Option<&str>) -> ListObjectsV2FluentBuilder {
    let list = list.encoding_type(EncodingType::Url);
    match next.map(|next| next.strip_prefix(AFTER).ok_or(next)) {
        None => list,
        Some(Ok(key)) => list.start_after(key),
        Some(Err(token)) => list.continuation_token(token),
    }
}

/// Returns the token for the page after this one.
///
/// SeaweedFS returns the last key, in which XML has replaced unrepresentable characters: with it, the listing would
/// start over forever.
fn next_of(page: &ListObjectsV2Output, spelling: Spelling) -> Option<String> {
    let token = page.next_continuation_token().filter(|_| page.is_truncated() == Some(true))?;
    if !token.contains(char::REPLACEMENT_CHARACTER) {
        return Some(token.to_owned());
    }
    let last = page.contents().iter().filter_map(|object| object.key()).map(|key| spelling.read(key));
    let folders = page.common_prefixes().iter().filter_map(|found| found.prefix());
    // Sorts after everything in the folder.
    let folders = folders.map(|folder| spelling.read(folder) + "\u{10ffff}");
    Some(format!("{AFTER}{}", last.chain(folders).max()?))
}

/// Returns the encoding of a page's keys.
fn spelling(page: &ListObjectsV2Output) -> Spelling {
    let keys = page.contents().iter().filter_map(|object| object.key());
    let folders = page.common_prefixes().iter().filter_map(|found| found.prefix());
    Spelling::of(page.encoding_type(), keys.chain(folders))
}

impl S3Client {
    /// Returns an object as listed. One outside the prefix is dropped: callers cut off the prefix, and the server may
    /// be hostile.
    fn listed(&self, object: &Object, prefix: &str, spelling: Spelling) -> Option<ListedObject> {
        let key = object.key().and_then(|key| self.within(spelling.read(key)));
        Some(ListedObject {
            key: key.filter(|key| key.starts_with(prefix))?,
            size: object.size().unwrap_or_default().try_into().unwrap_or_default(),
            etag: bare(object.e_tag()),
            modified: object.last_modified().and_then(moment),
        })
    }

    /// Returns the key relative to this client's prefix.
    pub(super) fn within(&self, key: String) -> Option<String> {
        if self.prefix.is_empty() { Some(key) } else { self.prefix.within(&key).map(str::to_owned) }
    }
}
