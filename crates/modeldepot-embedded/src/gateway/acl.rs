//! Access control lists: there is one owner with all rights. Lists that say this are accepted, and any that would grant
//! access to others are refused, as on AWS for buckets without ACLs.

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{Gateway, owner};
use crate::index::stamp::Which;

/// Canned lists that grant nothing to anyone but the owner.
const PRIVATE: [&str; 3] = ["private", "bucket-owner-full-control", "bucket-owner-read"];

/// Refuses a canned list, or grants in headers, that would open an object to others.
pub(super) fn check(canned: Option<&str>, grants: bool) -> S3Result<()> {
    let named = canned.filter(|name| !name.is_empty() && !PRIVATE.contains(name));
    if named.is_none() && !grants {
        return Ok(());
    }
    Err(s3_error!(
        AccessControlListNotSupported,
        "The bucket does not allow ACLs: {} cannot be granted. Only the owner and the key pairs with rights reach objects; \
         share one by a presigned URL",
        named.unwrap_or("what the headers say")
    ))
}

/// Checks the access control list of a write.
macro_rules! check_acl {
    ($input:expr) => {
        $crate::gateway::acl::check(
            $input.acl.as_ref().map(|acl| acl.as_str()),
            $input.grant_full_control.is_some()
                || $input.grant_read.is_some()
                || $input.grant_read_acp.is_some()
                || $input.grant_write_acp.is_some(),
        )
    };
}
pub(super) use check_acl;

/// Refuses a document that grants anything to anyone but the owner.
fn check_document(document: Option<AccessControlPolicy>) -> S3Result<()> {
    let grants = document.and_then(|document| document.grants).unwrap_or_default();
    let own = |grant: &Grant| {
        grant.grantee.as_ref().is_some_and(|grantee| grantee.id == owner().id)
            && grant.permission.as_ref().is_some_and(|permission| permission.as_str() == Permission::FULL_CONTROL)
    };
    check(None, !grants.iter().all(own))
}

fn full_control() -> Grants {
    let owner = owner();
    let grantee = Grantee {
        display_name: owner.display_name,
        email_address: None,
        id: owner.id,
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    let permission = Some(Permission::from_static(Permission::FULL_CONTROL));
    vec![Grant { grantee: Some(grantee), permission }]
}

impl Gateway {
    pub(super) async fn get_bucket_acl(
        &self,
        req: S3Request<GetBucketAclInput>,
    ) -> S3Result<S3Response<GetBucketAclOutput>> {
        self.run(move |store| store.index.bucket(&req.input.bucket)).await?;
        Ok(S3Response::new(GetBucketAclOutput { grants: Some(full_control()), owner: Some(owner()) }))
    }

    pub(super) async fn put_bucket_acl(
        &self,
        req: S3Request<PutBucketAclInput>,
    ) -> S3Result<S3Response<PutBucketAclOutput>> {
        let input = req.input;
        check_acl!(input)?;
        check_document(input.access_control_policy)?;
        self.run(move |store| store.index.bucket(&input.bucket)).await?;
        Ok(S3Response::new(PutBucketAclOutput::default()))
    }

    pub(super) async fn get_object_acl(
        &self,
        req: S3Request<GetObjectAclInput>,
    ) -> S3Result<S3Response<GetObjectAclOutput>> {
        let input = req.input;
        let which = Which::parse(input.version_id.as_deref())?;
        self.run(move |store| store.index.version(&input.bucket, &input.key, which.as_ref(), false)).await?;
        let grants = Some(full_control());
        Ok(S3Response::new(GetObjectAclOutput { grants, owner: Some(owner()), request_charged: None }))
    }

    pub(super) async fn put_object_acl(
        &self,
        req: S3Request<PutObjectAclInput>,
    ) -> S3Result<S3Response<PutObjectAclOutput>> {
        let input = req.input;
        let which = Which::parse(input.version_id.as_deref())?;
        check_acl!(input)?;
        check_document(input.access_control_policy)?;
        self.run(move |store| store.index.version(&input.bucket, &input.key, which.as_ref(), false)).await?;
        Ok(S3Response::new(PutObjectAclOutput::default()))
    }
}
