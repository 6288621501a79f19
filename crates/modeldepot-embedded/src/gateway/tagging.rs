//! Tags of objects and buckets.

use std::collections::BTreeMap;

use hyper::StatusCode;
use s3s::dto::*;
use s3s::xml::{Deserialize as _, Deserializer};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::Gateway;
use crate::index::Index;
use crate::index::stamp::Which;
use crate::index::subresource::Kind;
use crate::index::tables::{place, require_bucket};
use crate::index::versions;
use crate::refusal::custom;

/// Names and values.
pub(crate) type Tags = BTreeMap<String, String>;

/// The most tags of an object.
const OF_OBJECT: usize = 10;

/// The most tags of a bucket.
const OF_BUCKET: usize = 50;

/// The longest name and the longest value, in characters.
const LONGEST: (usize, usize) = (128, 256);

fn invalid(message: &str) -> s3s::S3Error {
    custom("InvalidTag", StatusCode::BAD_REQUEST, message.to_owned())
}

/// Letters, numbers and spaces of any language, and the punctuation that AWS allows.
fn is_allowed(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c))
}

/// Checks tags as AWS does.
fn checked(given: impl Iterator<Item = (String, String)>, most: usize) -> S3Result<Tags> {
    let mut tags = Tags::new();
    for (name, value) in given {
        if name.is_empty() || name.chars().count() > LONGEST.0 || !is_allowed(&name) {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if name.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("System tags cannot be added/updated by requester"));
        }
        if value.chars().count() > LONGEST.1 || !is_allowed(&value) {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
        if tags.insert(name, value).is_some() {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
        if tags.len() > most {
            let kind = if most == OF_OBJECT { "Object" } else { "Bucket" };
            let message = format!("{kind} tags cannot be greater than {most}");
            return Err(custom("BadRequest", StatusCode::BAD_REQUEST, message));
        }
    }
    Ok(tags)
}

/// Parses the header of a write.
pub(crate) fn tags_of_header(header: Option<&str>) -> S3Result<Tags> {
    let header = header.unwrap_or_default();
    let pairs = url::form_urlencoded::parse(header.as_bytes()).map(|(name, value)| (name.into(), value.into()));
    checked(pairs, OF_OBJECT)
}

/// Parses the tagging document in a form field. Returns it in the form of the header.
pub(crate) fn tags_of_xml(text: &str) -> S3Result<String> {
    if crate::body::cdata::is_in(text.as_bytes()) {
        return Err(s3_error!(MalformedXML, "{}", crate::body::cdata::MESSAGE));
    }
    let mut parser = Deserializer::new(text.as_bytes());
    let tagging = Tagging::deserialize(&mut parser)
        .map_err(|_| s3_error!(MalformedXML, "The field tagging is not well-formed XML of tags"))?;
    let mut header = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs(tagging.tag_set) {
        header.append_pair(&name, &value);
    }
    Ok(header.finish())
}

fn pairs(tags: TagSet) -> impl Iterator<Item = (String, String)> {
    tags.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
}

fn tag_set(tags: Tags) -> TagSet {
    tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect()
}

impl Index {
    /// Replaces the tags of an object or a version of it. Nothing else changes, not even its time. Returns the version
    /// id, if the bucket has versions.
    fn tag(&self, bucket: &str, key: &str, which: Option<&Which>, tags: Tags) -> S3Result<Option<String>> {
        self.write(|tx| {
            require_bucket(tx, bucket)?;
            versions::change(tx, bucket, &place(bucket, key), which, |object| object.description.tags = tags)
        })
    }
}

impl Gateway {
    pub(super) async fn get_object_tagging(
        &self,
        req: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let input = req.input;
        let which = Which::parse(input.version_id.as_deref())?;
        let (object, _) =
            self.run(move |store| store.index.version(&input.bucket, &input.key, which.as_ref(), false)).await?;
        let tag_set = tag_set(object.description.tags);
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id: object.stamp.id }))
    }

    pub(super) async fn put_object_tagging(
        &self,
        req: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let input = req.input;
        let which = Which::parse(input.version_id.as_deref())?;
        let tags = checked(pairs(input.tagging.tag_set), OF_OBJECT)?;
        let version_id =
            self.run(move |store| store.index.tag(&input.bucket, &input.key, which.as_ref(), tags)).await?;
        Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
    }

    pub(super) async fn delete_object_tagging(
        &self,
        req: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let input = req.input;
        let which = Which::parse(input.version_id.as_deref())?;
        let version_id =
            self.run(move |store| store.index.tag(&input.bucket, &input.key, which.as_ref(), Tags::new())).await?;
        Ok(S3Response::new(DeleteObjectTaggingOutput { version_id }))
    }

    pub(super) async fn get_bucket_tagging(
        &self,
        req: S3Request<GetBucketTaggingInput>,
    ) -> S3Result<S3Response<GetBucketTaggingOutput>> {
        let tags: Option<Tags> =
            self.run(move |store| store.index.subresource(&req.input.bucket, Kind::Tagging)).await?;
        let missing = || custom("NoSuchTagSet", StatusCode::NOT_FOUND, "The TagSet does not exist".into());
        Ok(S3Response::new(GetBucketTaggingOutput { tag_set: tag_set(tags.ok_or_else(missing)?) }))
    }

    pub(super) async fn put_bucket_tagging(
        &self,
        req: S3Request<PutBucketTaggingInput>,
    ) -> S3Result<S3Response<PutBucketTaggingOutput>> {
        let input = req.input;
        let tags = checked(pairs(input.tagging.tag_set), OF_BUCKET)?;
        self.run(move |store| store.index.put_subresource(&input.bucket, Kind::Tagging, &tags)).await?;
        Ok(S3Response::new(PutBucketTaggingOutput::default()))
    }

    pub(super) async fn delete_bucket_tagging(
        &self,
        req: S3Request<DeleteBucketTaggingInput>,
    ) -> S3Result<S3Response<DeleteBucketTaggingOutput>> {
        self.run(move |store| store.index.delete_subresource(&req.input.bucket, Kind::Tagging)).await?;
        Ok(S3Response::new(DeleteBucketTaggingOutput::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(header: &str) -> Option<String> {
        tags_of_header(Some(header)).err().map(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn tags_have_the_limits_of_aws() {
        let tags = tags_of_header(Some("team=ml+ops&a%2Fb=%C3%BC&empty=&bare")).unwrap();
        let expected = [("a/b", "ü"), ("bare", ""), ("empty", ""), ("team", "ml ops")];
        assert_eq!(tags, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert!(tags_of_header(None).unwrap().is_empty() && tags_of_header(Some("")).unwrap().is_empty());
        let many = |n: usize| (0..n).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join("&");
        assert_eq!(code(&many(10)), None);
        assert_eq!(code(&many(11)).as_deref(), Some("BadRequest"));
        assert_eq!(code(&format!("{}={}", "k".repeat(128), "v".repeat(256))), None);
        let long = [format!("{}=v", "k".repeat(129)), format!("k={}", "v".repeat(257))];
        for bad in ["a=1&a=2", "=v", "aws:x=1", "AWS:x=1", "a%00=b", "a=%3Cb%3E", "a=b%0A"]
            .into_iter()
            .chain(long.iter().map(String::as_str))
        {
            assert_eq!(code(bad).as_deref(), Some("InvalidTag"), "{bad}");
        }
    }

    #[test]
    fn a_document_of_tags_is_a_header() {
        let xml = "<Tagging><TagSet><Tag><Key>a b</Key><Value>c&amp;d</Value></Tag></TagSet></Tagging>";
        assert_eq!(tags_of_xml(xml).unwrap(), "a+b=c%26d");
        for bad in ["", "<Tagging>", "<Other/>", "a=b", &xml.replace("b", "<![CDATA[b]]>")] {
            assert!(tags_of_xml(bad).is_err(), "{bad}");
        }
    }
}
