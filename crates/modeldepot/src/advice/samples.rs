//! One of each piece of advice, for the tests of the front ends.

use super::{Advice, EndpointMistake, KeyOrigin, NearestVersion, Traced, note};
use crate::model::name::{BucketName, ModelName, Version};
use crate::model::prefix::KeyPrefix;

/// Returns at least one of each piece of advice, with each of the values that front ends may tell apart.
///
/// For tests: a front end renders them all.
#[doc(hidden)]
pub fn samples() -> Vec<Advice> {
    let (Ok(model), Ok(version), Ok(bucket), Ok(prefix)) = (
        "plant_classifier".parse::<ModelName>(),
        "1.0.0".parse::<Version>(),
        "models".parse::<BucketName>(),
        "team/ml/".parse::<KeyPrefix>(),
    ) else {
        return Vec::new();
    };
    let versions = |nearest| Advice::ListVersions { model: model.clone(), nearest };
    let delete = |prefix| Advice::DeleteVersion { model: model.clone(), version: version.clone(), prefix };
    let in_host = |instead| Advice::CorrectEndpoint(EndpointMistake::BucketInHost { bucket: bucket.clone(), instead });
    vec![
        note!("try again").into(),
        Advice::DidYouMean("plant_classifier".to_owned()),
        Advice::ListModels,
        versions(None),
        versions(Some(NearestVersion::Similar(version.clone()))),
        versions(Some(NearestVersion::Latest(version.clone()))),
        Advice::CreateBucket { bucket: bucket.clone(), configured: true },
        Advice::CreateBucket { bucket: bucket.clone(), configured: false },
        Advice::RenameBucket { bucket: bucket.clone(), setting: None },
        Advice::RenameBucket { bucket: bucket.clone(), setting: Some("S3_BUCKET_MODELS") },
        Advice::ListObjects { bucket: bucket.clone() },
        Advice::ShowObject { bucket: bucket.clone(), key: "a/b".to_owned() },
        Advice::VersionIsPublished,
        Advice::LeaveVersionOut,
        Advice::VersionIsRetired,
        Advice::WaitForPush,
        Advice::WaitForGc,
        Advice::FinishPush,
        Advice::RestoreVersion,
        Advice::RestoreManifest { model: model.clone(), version: version.clone() },
        Advice::AvoidDamaged { model: None },
        Advice::AvoidDamaged { model: Some(model.clone()) },
        Advice::VersionIsDamaged,
        Advice::YieldToPush,
        Advice::MoveObject,
        Advice::DeleteObjects { model: model.clone(), version: version.clone() },
        delete(None),
        delete(Some(prefix)),
        delete(Some(KeyPrefix::default())),
        Advice::LeaveRecord,
        Advice::PushFolder,
        Advice::CheckExcluded,
        Advice::RenameFile,
        Advice::RenameOneFile,
        Advice::FollowLinks,
        Advice::NameModelFile,
        Advice::ChooseModelFile,
        Advice::PushAsFile,
        Advice::OfferFiles,
        Advice::SendPart,
        Advice::SendAnnounced,
        Advice::ChangeFolder { overwrite: true },
        Advice::ChangeFolder { overwrite: false },
        Advice::ChangeLifetime,
        Advice::NameUpload,
        Advice::AvoidUploadUrls,
        Advice::CheckAccessKey(KeyOrigin::Profile("work".to_owned())),
        Advice::CheckAccessKey(KeyOrigin::Login),
        Advice::CheckAccessKey(KeyOrigin::Default),
        Advice::CheckAccessKey(KeyOrigin::Variable),
        Advice::LogIn,
        Advice::SetOther { missing: "S3_SECRET_KEY" },
        Advice::CheckKmsKey,
        Advice::SetEndpoint("http://localhost:9000".to_owned()),
        Advice::NameBucket { endpoint: None, bucket: "models".to_owned() },
        Advice::NameBucket { endpoint: Some("http://localhost:9000".to_owned()), bucket: "models".to_owned() },
        Advice::CorrectEndpoint(EndpointMistake::Website),
        in_host(None),
        in_host(Some("https://s3.example.com".to_owned())),
        Advice::CorrectEndpoint(EndpointMistake::BucketInPath { bucket: bucket.clone() }),
        Advice::CheckHost,
        Advice::CheckEndpoint,
        Advice::CheckPort,
        Advice::StartServer { port: 9000 },
        Advice::UseServerOfService,
        Advice::UsePathStyle,
        Advice::SetRegion { expected: None },
        Advice::SetRegion { expected: Some("eu-west-1".to_owned()) },
        Advice::CheckRegion,
        Advice::DropEncryption,
        Advice::CheckStorageClass,
        Advice::TrustAuthority,
        Advice::TrustCertificate,
        Advice::ReplaceAuthority,
        Advice::FreeSpace,
        Advice::FreeQuota,
        Advice::CheckProxy,
        Advice::Diagnose,
        Advice::Trace(Traced::Response),
        Advice::Trace(Traced::Parts),
        Advice::Trace(Traced::Unsupported),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::mem::discriminant;

    use super::*;

    /// Returns the names of the variants of the enum in its source.
    fn variants() -> Vec<&'static str> {
        let source = include_str!("mod.rs").split("pub enum Advice {").nth(1).unwrap();
        let body = source.split("\n}\n").next().unwrap();
        let begins = |line: &&str| line.starts_with("    ") && line[4..].starts_with(|c: char| c.is_ascii_uppercase());
        body.lines().filter(begins).collect()
    }

    #[test]
    fn every_variant_has_a_sample() {
        let found: HashSet<_> = samples().iter().map(discriminant).collect();
        assert_eq!(found.len(), variants().len(), "{:?}", variants());
    }
}
