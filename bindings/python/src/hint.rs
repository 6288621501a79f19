//! Hints for failures of the library in Python's terms: arguments and methods. The command, which the package also
//! installs, is named where Python has no equivalent.

use modeldepot::advice::{Advice, NearestVersion, Traced};
use modeldepot::visible;

/// Returns advice in words.
pub(crate) fn said(advice: &Advice) -> String {
    match advice {
        Advice::Note(note) => note.to_string(),

        Advice::DidYouMean(name) => format!("did you mean `{name}`?"),
        Advice::ListModels => "`storage.models()` lists the models of this bucket".to_owned(),
        Advice::ListVersions { model, nearest } => {
            let call = format!("`storage.list_model_versions(\"{model}\")`");
            match nearest {
                Some(NearestVersion::Similar(version)) => {
                    format!("did you mean `{model}@{version}`? {call} lists all")
                }
                Some(NearestVersion::Latest(version)) => format!("there is `{model}@{version}`; {call} lists all"),
                None => format!("{call} lists the versions"),
            }
        }
        Advice::CreateBucket { bucket, .. } => format!("correct the name, or create the bucket with `S3Client().create_bucket(\"{bucket}\")`"),
        Advice::RenameBucket { bucket, setting: Some(setting) } => format!(
            "all accounts of a service share its bucket names: choose one of your own, as in {setting}=my-team-{bucket}"
        ),
        Advice::RenameBucket { setting: None, .. } => {
            "all accounts of a service share its bucket names: choose another one".to_owned()
        }
        Advice::ListObjects { bucket } => format!("`S3Client().list_objects(\"{bucket}\")` lists its objects"),
        Advice::ShowObject { bucket, key } => {
            format!("`S3Client().get_object_metadata(\"{bucket}\", \"{}\")` shows it", visible(key))
        }

        Advice::VersionIsPublished => {
            "a published version never changes: choose another `version`, or leave it out".to_owned()
        }
        Advice::LeaveVersionOut => "leave `version` out to name it after the current time".to_owned(),
        Advice::VersionIsRetired => "choose another `version`, or leave it out".to_owned(),
        Advice::WaitForPush => {
            "wait until it is published, or choose another `version`; the lease of a push that died expires after 10 \
             minutes"
                .to_owned()
        }
        Advice::WaitForGc => "try again in a minute, or choose another `version`".to_owned(),
        Advice::FinishPush => "upload the same files again to finish it, or choose another `version`".to_owned(),
        Advice::RestoreVersion => {
            "choose another `version`; uploading the files that it was published with restores it".to_owned()
        }
        Advice::RestoreManifest { model, version } => {
            format!("upload the same files as `{model}@{version}` again; the files that are already stored are kept")
        }
        Advice::AvoidDamaged { model: Some(model) } => format!(
            "use another version (`storage.list_model_versions(\"{model}\")` lists them); its publisher can publish it again under a new one"
        ),
        Advice::AvoidDamaged { model: None } => {
            "do not use this version; publish the model again under a new one".to_owned()
        }
        Advice::VersionIsDamaged => "the published version is damaged: choose another `version`".to_owned(),
        Advice::YieldToPush => {
            "choose another `version`, or leave it out; or upload again when they are done".to_owned()
        }
        Advice::MoveObject => "move that object away, or choose another `version`".to_owned(),
        Advice::DeleteObjects { model, version } => format!(
            "nothing was deleted; `S3Client().delete_object` deletes objects under `{model}/v{version}/` one by one"
        ),
        Advice::DeleteVersion { model, version, prefix } => {
            let storage = match prefix {
                Some(prefix) => format!("ModelStorage(prefix=\"{}\")", visible(prefix.as_str())),
                None => "storage".to_owned(),
            };
            format!("`{storage}.delete_model_version(\"{model}\", \"{version}\")` deletes the whole version")
        }
        Advice::LeaveRecord => "leave it where it is; `modeldepot gc` removes records that are no longer needed".to_owned(),

        Advice::PushFolder => "to upload a whole folder, pass it as `model_path`".to_owned(),
        Advice::CheckExcluded => "every file is excluded: check `exclude`, or pass `include_hidden=True`".to_owned(),
        Advice::RenameFile => "rename the file, or leave it out with `exclude`".to_owned(),
        Advice::RenameOneFile => "rename one of them, or leave it out".to_owned(),
        Advice::FollowLinks => {
            "pass `follow_links=True` to publish its target, or exclude the link with `exclude`".to_owned()
        }
        Advice::NameModelFile => "`main` takes a path inside the folder, such as `weights/model.bin`".to_owned(),
        Advice::ChooseModelFile => "choose the model file with `main`, or add one".to_owned(),
        Advice::PushAsFile => "`additional_files` takes any file; `history` only a training history".to_owned(),
        Advice::OfferFiles => "name at least one file".to_owned(),
        Advice::SendPart => "send the part, then complete the upload again".to_owned(),
        Advice::SendAnnounced => {
            "nothing was published: send the right file, under another `version` until `modeldepot gc` has removed this \
             one"
            .to_owned()
        }

        Advice::ChangeFolder { overwrite: true } => {
            "choose another `local_dir`, or pass `force=True` to overwrite these files".to_owned()
        }
        Advice::ChangeFolder { overwrite: false } => {
            "choose another `local_dir`, or move these files away".to_owned()
        }
        Advice::ChangeLifetime => "`expiration` takes 1 to 604800 seconds".to_owned(),
        Advice::NameUpload => "name the version and the file".to_owned(),
        Advice::AvoidUploadUrls => {
            "update the server, or upload with `storage.upload_model` or `storage.client.upload_file` instead; or pass \
             `force=True` to sign this URL anyway"
                .to_owned()
        }

        Advice::CheckAccessKey(origin) => format!("the server does not know the access key: {origin}"),
        Advice::LogIn => {
            "set S3_ACCESS_KEY and S3_SECRET_KEY, or log in as for any AWS tool (AWS_PROFILE, `aws sso login`)"
                .to_owned()
        }
        Advice::SetOther { missing } => format!("also set `{missing}`, or unset both"),
        Advice::CheckKmsKey => {
            "check S3_KMS_KEY: the key must exist in the bucket's region, be enabled, and be usable by this login"
                .to_owned()
        }

        Advice::SetEndpoint(endpoint) => format!("set S3_ENDPOINT={endpoint}, or pass `endpoint`"),
        Advice::CorrectEndpoint(mistake) => mistake.to_string(),
        Advice::CheckHost => {
            "is the name in S3_ENDPOINT or `endpoint` spelled right, and known on this network (VPN, /etc/hosts)?"
                .to_owned()
        }
        Advice::CheckEndpoint => "is S3_ENDPOINT or `endpoint` right, with its scheme and port?".to_owned(),
        Advice::CheckPort => {
            "is this the port of an S3 server, and is there a proxy in between? `modeldepot doctor` checks; S3_TIMEOUT \
             sets how long to wait"
                .to_owned()
        }
        Advice::NameBucket { endpoint: Some(endpoint), bucket } => {
            format!("set S3_ENDPOINT={endpoint} and S3_BUCKET_MODELS={bucket}")
        }
        Advice::NameBucket { endpoint: None, bucket } => {
            format!("set S3_ENDPOINT to the address of the server, and S3_BUCKET_MODELS={bucket}")
        }
        Advice::StartServer { port } => {
            format!("nothing is listening on port {port}: check the port, or start a server with `modeldepot up`")
        }
        Advice::UseServerOfService => {
            "set S3_ENDPOINT to the S3 server that it uses; that of `modeldepot up` is on port 9000".to_owned()
        }
        Advice::UsePathStyle => {
            "DNS does not know the host name with the bucket in it: pass `addressing=\"path\"`, or set \
             S3_ADDRESSING=path"
                .to_owned()
        }
        Advice::SetRegion { expected: Some(region) } => {
            format!("pass `region=\"{region}\"`, or set S3_REGION={region}")
        }
        Advice::SetRegion { expected: None } => {
            "pass the server's own region with `region`, or set S3_REGION".to_owned()
        }
        Advice::CheckRegion => "check S3_REGION or `region`".to_owned(),
        Advice::DropEncryption => "leave out S3_SSE and S3_KMS_KEY, or set up the server's key service".to_owned(),
        Advice::CheckStorageClass => "check S3_STORAGE_CLASS".to_owned(),
        Advice::TrustAuthority => {
            "save the certificate of its authority, or the server's own if it is self-signed, as a PEM file and name \
             that with `ca_bundle` or AWS_CA_BUNDLE"
                .to_owned()
        }
        Advice::TrustCertificate => {
            "name that certificate with `ca_bundle` or AWS_CA_BUNDLE to trust it as it is, or make one for the server \
             with `basicConstraints=CA:FALSE`"
                .to_owned()
        }
        Advice::ReplaceAuthority => {
            "an authority of the same name with another key is trusted here, or something in between swaps \
             certificates: name the right one with `ca_bundle` or AWS_CA_BUNDLE"
                .to_owned()
        }

        Advice::FreeSpace => {
            "free space on the server, or have its storage enlarged; `modeldepot gc` lists orphaned objects".to_owned()
        }
        Advice::FreeQuota => {
            "delete versions that are no longer needed (`storage.delete_model_version`, `modeldepot gc`), or ask for a \
             higher quota"
                .to_owned()
        }
        Advice::CheckProxy => "does a proxy in between change requests? `modeldepot doctor` checks".to_owned(),
        Advice::Diagnose => {
            "often caused by a wrong region or an expired session; `modeldepot doctor` checks".to_owned()
        }
        Advice::Trace(Traced::Response) => "`modeldepot doctor` checks the server".to_owned(),
        Advice::Trace(Traced::Parts) => "this server has its own rules for parts".to_owned(),
        Advice::Trace(Traced::Unsupported) => "the server's message says what it does not support".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flags, verbs of the command that are methods here, and routes of the service.
    const FOREIGN: [&str; 13] = [
        " --",
        "`--",
        "(--",
        " -v",
        "`-v",
        "`modeldepot models",
        "`modeldepot versions",
        "`modeldepot push",
        "`modeldepot rm",
        "`modeldepot s3",
        "`modeldepot url",
        "`GET ",
        "/api/",
    ];

    #[test]
    fn no_hint_has_terms_of_another_front_end() {
        for advice in modeldepot::advice::samples() {
            let text = format!(" {}", said(&advice));
            assert!(FOREIGN.iter().all(|term| !text.contains(term)), "{advice:?}: {text}");
        }
    }
}
