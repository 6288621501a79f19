//! Hints at what to do next after a failure of the library, for callers of the REST API and visitors of the console: in
//! terms of routes and fields. Settings belong to the operator and are named by their variables.

use modeldepot::Error;
use modeldepot::advice::{Advice, NearestVersion, Traced};

/// Returns a hint, if there is one.
pub(crate) fn hint(error: &Error) -> Option<String> {
    said(&error.advice(None)?)
}

/// Returns what to do next on a page of the console, where that differs from the REST API.
pub(crate) fn page_hint(error: &Error) -> Option<String> {
    match error.advice(None)? {
        Advice::ListModels => Some("choose one from the list of models".to_owned()),
        Advice::ListVersions { model, nearest } => Some(match nearest {
            Some(NearestVersion::Similar(version)) => format!("did you mean `{model}@{version}`?"),
            Some(NearestVersion::Latest(version)) => format!("the latest version is `{model}@{version}`"),
            None => format!("choose one from the list of versions of `{model}`"),
        }),
        Advice::DeleteVersion { model, version, prefix: None } => {
            Some(format!("delete the whole version on the page of `{model}@{version}`"))
        }
        _ => None,
    }
}

/// Returns advice in words. Some advice is not for callers.
fn said(advice: &Advice) -> Option<String> {
    Some(match advice {
        Advice::Note(note) => note.to_string(),

        Advice::DidYouMean(name) => format!("did you mean `{name}`?"),
        Advice::ListModels => "`GET /api/v1/models` lists the models of this bucket".to_owned(),
        Advice::ListVersions { model, nearest } => {
            let route = format!("`GET /api/v1/models/{model}/versions`");
            match nearest {
                Some(NearestVersion::Similar(version)) => {
                    format!("did you mean `{model}@{version}`? {route} lists all")
                }
                Some(NearestVersion::Latest(version)) => format!("there is `{model}@{version}`; {route} lists all"),
                None => format!("{route} lists the versions"),
            }
        }
        Advice::CreateBucket { .. } => "the operator of this service must create the bucket".to_owned(),
        Advice::RenameBucket { .. } => {
            "all accounts of a service share its bucket names: choose another one".to_owned()
        }
        Advice::ListObjects { .. } => return None,
        Advice::ShowObject { .. } => "move that object away, or use another name".to_owned(),

        Advice::VersionIsPublished => {
            "a published version never changes: choose another version, or leave it out".to_owned()
        }
        Advice::LeaveVersionOut => "leave the version out to name it after the current time".to_owned(),
        Advice::VersionIsRetired => "choose another version, or leave it out".to_owned(),
        Advice::WaitForPush => {
            "wait until it is published, or choose another version; the lease of a push that died expires after 10 \
             minutes"
                .to_owned()
        }
        Advice::WaitForGc => "try again in a minute, or choose another version".to_owned(),
        Advice::FinishPush => "push the same files again to finish it, or choose another version".to_owned(),
        Advice::RestoreVersion => {
            "choose another version; pushing the files that it was published with restores it".to_owned()
        }
        Advice::RestoreManifest { model, version } => {
            format!("push the same files as `{model}@{version}` again; the files that are already stored are kept")
        }
        // The console shows it too.
        Advice::AvoidDamaged { model: Some(_) } => {
            "use another version; its publisher can publish it again under a new one".to_owned()
        }
        Advice::AvoidDamaged { model: None } => {
            "do not use this version; publish the model again under a new one".to_owned()
        }
        Advice::VersionIsDamaged => "the published version is damaged: choose another version".to_owned(),
        Advice::YieldToPush => "choose another version, or leave it out; or push again when they are done".to_owned(),
        Advice::MoveObject => "move that object away, or choose another version".to_owned(),
        Advice::DeleteObjects { model, version } => {
            format!("nothing was deleted; the objects under `{model}/v{version}/` belong to another tool")
        }
        Advice::DeleteVersion { model, version, prefix: None } => {
            format!("`DELETE /api/v1/models/{model}/versions/{version}` deletes the whole version")
        }
        Advice::DeleteVersion { prefix: Some(_), .. } => {
            "it belongs to a version of another depot in this bucket: delete the whole version there".to_owned()
        }
        Advice::LeaveRecord => "leave it where it is; gc removes records that are no longer needed".to_owned(),

        Advice::PushFolder => "send each file of the folder in its own field".to_owned(),
        Advice::CheckExcluded => "check what is excluded".to_owned(),
        Advice::RenameFile => "rename the file, or leave it out".to_owned(),
        Advice::RenameOneFile => "rename one of them, or leave it out".to_owned(),
        Advice::FollowLinks => "send the file that the link points to, or leave it out".to_owned(),
        Advice::NameModelFile => "`main` takes the path of one of the files, such as `weights/model.bin`".to_owned(),
        Advice::ChooseModelFile => "choose the model file with `main`, or add one".to_owned(),
        Advice::PushAsFile => "send it as a file without naming it as the training history".to_owned(),
        Advice::OfferFiles => "offer the files with their sizes".to_owned(),
        Advice::SendPart => "send the part, then complete the upload again".to_owned(),
        Advice::SendAnnounced => {
            "nothing was published: send the right file, under another version until gc has removed this one".to_owned()
        }

        Advice::ChangeFolder { .. } => "use another folder, or move these files away".to_owned(),
        Advice::ChangeLifetime => "`expires` takes 1 to 604800 seconds".to_owned(),
        Advice::NameUpload => "upload with `POST …/uploads`".to_owned(),
        Advice::AvoidUploadUrls => {
            "update the server, or send the files in a form with `POST …/versions` instead".to_owned()
        }

        Advice::CheckAccessKey(origin) => format!("the server does not know the access key: {origin}"),
        Advice::LogIn => "the operator of this service must set S3_ACCESS_KEY and S3_SECRET_KEY".to_owned(),
        Advice::SetOther { missing } => format!("the operator of this service must also set `{missing}`"),
        Advice::CheckKmsKey => {
            "check S3_KMS_KEY: the key must exist in the bucket's region, be enabled, and be usable by this login"
                .to_owned()
        }

        Advice::SetEndpoint(endpoint) => format!("the operator of this service must set S3_ENDPOINT={endpoint}"),
        Advice::CorrectEndpoint(mistake) => mistake.to_string(),
        Advice::CheckHost => {
            "is the name in S3_ENDPOINT spelled right, and known on the service's network (VPN, /etc/hosts)?".to_owned()
        }
        Advice::CheckEndpoint => "is S3_ENDPOINT right, with its scheme and port?".to_owned(),
        Advice::CheckPort => {
            "is this the port of an S3 server, and is there a proxy in between? S3_TIMEOUT sets how long to wait"
                .to_owned()
        }
        Advice::NameBucket { endpoint: Some(endpoint), bucket } => {
            format!("the operator of this service must set S3_ENDPOINT={endpoint} and S3_BUCKET_MODELS={bucket}")
        }
        Advice::NameBucket { endpoint: None, bucket } => format!(
            "the operator of this service must set S3_ENDPOINT to the address of the server, and S3_BUCKET_MODELS={bucket}"
        ),
        Advice::StartServer { port } => {
            format!(
                "nothing is listening on port {port}: is the S3 server running, and is the port in S3_ENDPOINT right?"
            )
        }
        Advice::UseServerOfService => "S3_ENDPOINT must be the S3 server, not this or another service".to_owned(),
        Advice::UsePathStyle => {
            "DNS does not know the host name with the bucket in it: set S3_ADDRESSING=path".to_owned()
        }
        Advice::SetRegion { expected: Some(region) } => {
            format!("the operator of this service must set S3_REGION={region}")
        }
        Advice::SetRegion { expected: None } => "set S3_REGION to the server's own region".to_owned(),
        Advice::CheckRegion => "check S3_REGION".to_owned(),
        Advice::DropEncryption => "leave out S3_SSE and S3_KMS_KEY, or set up the server's key service".to_owned(),
        Advice::CheckStorageClass => "check S3_STORAGE_CLASS".to_owned(),
        Advice::TrustAuthority => {
            "save the certificate of its authority, or the server's own if it is self-signed, as a PEM file and name \
             that with AWS_CA_BUNDLE"
                .to_owned()
        }
        Advice::TrustCertificate => {
            "name that certificate with AWS_CA_BUNDLE to trust it as it is, or make one for the server with \
             `basicConstraints=CA:FALSE`"
                .to_owned()
        }
        Advice::ReplaceAuthority => {
            "an authority of the same name with another key is trusted here, or something in between swaps \
             certificates: name the right one with AWS_CA_BUNDLE"
                .to_owned()
        }

        Advice::FreeSpace => "free space on the S3 server, or have its storage enlarged".to_owned(),
        Advice::FreeQuota => "delete versions that are no longer needed, or ask for a higher quota".to_owned(),
        Advice::CheckProxy => "does a proxy in between change requests?".to_owned(),
        Advice::Diagnose => "often caused by a wrong region or an expired session".to_owned(),
        Advice::Trace(Traced::Response) => "the log of the service has the server's response".to_owned(),
        Advice::Trace(Traced::Parts) => "this server has its own rules for parts".to_owned(),
        Advice::Trace(Traced::Unsupported) => "the server's message says what it does not support".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Terms of the command and of Python, which callers of the service do not have.
    const FOREIGN: [&str; 6] = [" --", "`--", "(--", " -v", "`modeldepot ", "storage."];

    #[test]
    fn no_hint_has_terms_of_another_front_end() {
        for advice in modeldepot::advice::samples() {
            let text = format!(" {}", said(&advice).unwrap_or_default());
            assert!(FOREIGN.iter().all(|term| !text.contains(term)), "{advice:?}: {text}");
        }
    }
}
