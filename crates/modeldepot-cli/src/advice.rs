//! What to do next about a failure of the library, in terms of the command: its flags and verbs.

use modeldepot::advice::{Advice, NearestVersion, Traced};
use modeldepot::visible;

/// Returns the text of the `hint:` line.
pub(crate) fn said(advice: &Advice) -> String {
    match advice {
        Advice::Note(note) => note.to_string(),

        Advice::DidYouMean(name) => format!("did you mean `{name}`?"),
        Advice::ListModels => "`modeldepot models` lists the models of this bucket".to_owned(),
        Advice::ListVersions { model, nearest: Some(NearestVersion::Similar(version)) } => {
            format!("did you mean `{model}@{version}`? `modeldepot versions {model}` lists all")
        }
        Advice::ListVersions { model, nearest: Some(NearestVersion::Latest(version)) } => {
            format!("there is `{model}@{version}`; `modeldepot versions {model}` lists all")
        }
        Advice::ListVersions { model, nearest: None } => format!("`modeldepot versions {model}` lists the versions"),
        Advice::CreateBucket { configured: true, .. } => "correct the name, or create the bucket with `modeldepot init`".to_owned(),
        Advice::CreateBucket { bucket, configured: false } => {
            format!("correct the name, or create the bucket with `modeldepot s3 mb s3://{bucket}`")
        }
        Advice::RenameBucket { bucket, setting: Some(setting) } => format!(
            "all accounts of a service share its bucket names: choose one of your own, as in {setting}=my-team-{bucket}"
        ),
        Advice::RenameBucket { setting: None, .. } => {
            "all accounts of a service share its bucket names: choose another one".to_owned()
        }
        Advice::ListObjects { bucket } => format!("`modeldepot s3 ls s3://{bucket}` lists its objects"),
        Advice::ShowObject { bucket, key } => format!("`modeldepot s3 stat s3://{bucket}/{key}` shows it"),

        Advice::VersionIsPublished => {
            "a published version never changes: choose another --version, or leave it out".to_owned()
        }
        Advice::LeaveVersionOut => "leave --version out to name it after the current time".to_owned(),
        Advice::VersionIsRetired => "choose another --version, or leave it out".to_owned(),
        Advice::WaitForPush => {
            "wait until it is published, or choose another --version; the lease of a push that died expires after 10 \
             minutes"
                .to_owned()
        }
        Advice::WaitForGc => "try again in a minute, or choose another --version".to_owned(),
        Advice::FinishPush => "push the same files again to finish it, or choose another --version".to_owned(),
        Advice::RestoreVersion => {
            "choose another --version; pushing the files that it was published with restores it".to_owned()
        }
        Advice::RestoreManifest { model, version } => {
            format!("push the same files as `{model}@{version}` again; the files that are already stored are kept")
        }
        Advice::AvoidDamaged { model: Some(model) } => format!(
            "use another version (`modeldepot versions {model}` lists them); its publisher can publish it again under a new one"
        ),
        Advice::AvoidDamaged { model: None } => {
            "do not use this version; publish the model again under a new one".to_owned()
        }
        Advice::VersionIsDamaged => "the published version is damaged: choose another --version".to_owned(),
        Advice::YieldToPush => {
            "choose another --version, or leave it out; or push again when they are done".to_owned()
        }
        Advice::MoveObject => "move that object away, or choose another --version".to_owned(),
        Advice::DeleteObjects { model, version } => {
            format!("nothing was deleted; `modeldepot s3 rm` deletes objects under `{model}/v{version}/` one by one")
        }
        Advice::DeleteVersion { model, version, prefix: None } => {
            format!("`modeldepot rm {model}@{version}` deletes the whole version")
        }
        Advice::DeleteVersion { model, version, prefix: Some(prefix) } => {
            let prefix = if prefix.is_empty() { "/" } else { prefix.as_str() };
            format!("`modeldepot rm {model}@{version} --prefix {}` deletes the whole version", visible(prefix))
        }
        Advice::LeaveRecord => "leave it where it is; `modeldepot gc` removes records that are no longer needed".to_owned(),

        Advice::PushFolder => {
            "to push a whole folder, name it after the model: `modeldepot push MODEL FOLDER`".to_owned()
        }
        Advice::CheckExcluded => {
            "--dry-run lists the excluded files; check --exclude, or pass --include-hidden".to_owned()
        }
        Advice::RenameFile => "rename the file; in a folder, --exclude leaves it out".to_owned(),
        Advice::RenameOneFile => "rename one of them, or leave it out".to_owned(),
        Advice::FollowLinks => {
            "pass --follow-links to publish its target, or exclude the link with --exclude".to_owned()
        }
        Advice::NameModelFile => "--main takes a path inside the folder, such as `weights/model.bin`".to_owned(),
        Advice::ChooseModelFile => "choose the model file with --main, or add one".to_owned(),
        Advice::PushAsFile => "--with takes any file; --history only a training history".to_owned(),
        Advice::OfferFiles => "name at least one file".to_owned(),
        Advice::SendPart => "send the part, then complete the upload again".to_owned(),
        Advice::SendAnnounced => {
            "nothing was published: send the right file, under another version until `modeldepot gc` has deleted this one"
                .to_owned()
        }

        Advice::ChangeFolder { overwrite: true } => {
            "pull into another folder, or pass --force to overwrite these files".to_owned()
        }
        Advice::ChangeFolder { overwrite: false } => {
            "pull into another folder, or move these files away".to_owned()
        }
        Advice::ChangeLifetime => "--expires takes 1s to 7d".to_owned(),
        Advice::NameUpload => "write it as `modeldepot url MODEL@VERSION --file PATH --put`".to_owned(),
        Advice::AvoidUploadUrls => {
            "update the server, or send the files with `modeldepot push` or through the service instead".to_owned()
        }

        Advice::CheckAccessKey(origin) => format!("the server does not know the access key: {origin}"),
        Advice::LogIn => {
            "set S3_ACCESS_KEY and S3_SECRET_KEY, or log in as for any AWS tool (AWS_PROFILE, `aws sso login`)"
                .to_owned()
        }
        Advice::SetOther { missing } => format!("also set `{missing}`, or unset both"),
        Advice::CheckKmsKey => {
            "check S3_KMS_KEY or --kms-key: the key must exist in the bucket's region, be enabled, and be usable by \
             this login"
                .to_owned()
        }

        Advice::SetEndpoint(endpoint) => format!("set S3_ENDPOINT={endpoint}"),
        Advice::CorrectEndpoint(mistake) => mistake.to_string(),
        Advice::CheckHost => {
            "is the name in S3_ENDPOINT or --endpoint spelled right, and known on this network (VPN, /etc/hosts)?"
                .to_owned()
        }
        Advice::CheckEndpoint => "is S3_ENDPOINT or --endpoint right, with its scheme and port?".to_owned(),
        Advice::CheckPort => {
            "is this the port of an S3 server, and is there a proxy in between? `modeldepot doctor` checks; --timeout or \
             S3_TIMEOUT sets how long to wait"
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
            "DNS does not know the host name with the bucket in it: pass --addressing path, or set \
             S3_ADDRESSING=path"
                .to_owned()
        }
        Advice::SetRegion { expected: Some(region) } => format!("pass --region {region}, or set S3_REGION={region}"),
        Advice::SetRegion { expected: None } => {
            "pass the server's own region with --region, or set S3_REGION".to_owned()
        }
        Advice::CheckRegion => "check S3_REGION or --region".to_owned(),
        Advice::DropEncryption => {
            "leave out --sse and --kms-key (S3_SSE, S3_KMS_KEY), or set up the server's key service".to_owned()
        }
        Advice::CheckStorageClass => "check S3_STORAGE_CLASS or --storage-class".to_owned(),
        Advice::TrustAuthority => {
            "save the certificate of its authority, or the server's own if it is self-signed, as a PEM file and name \
             that with --ca-bundle or AWS_CA_BUNDLE"
                .to_owned()
        }
        Advice::TrustCertificate => {
            "name that certificate with --ca-bundle or AWS_CA_BUNDLE to trust it as it is, or make one for the server \
             with `basicConstraints=CA:FALSE`"
                .to_owned()
        }
        Advice::ReplaceAuthority => {
            "an authority of the same name with another key is trusted here, or something in between swaps \
             certificates: name the right one with --ca-bundle or AWS_CA_BUNDLE"
                .to_owned()
        }

        Advice::FreeSpace => {
            "free space on the server, or have its storage enlarged; `modeldepot gc` lists orphaned objects".to_owned()
        }
        Advice::FreeQuota => {
            "delete versions that are no longer needed (`modeldepot rm`, `modeldepot gc`), or ask for a higher quota".to_owned()
        }
        Advice::CheckProxy => "does a proxy in between change requests? `modeldepot doctor` checks".to_owned(),
        Advice::Diagnose => {
            "often caused by a wrong region or an expired session; `modeldepot doctor` checks".to_owned()
        }
        Advice::Trace(Traced::Response) => "-vv shows the requests and the server's responses".to_owned(),
        Advice::Trace(Traced::Parts) => {
            "this server has its own rules for parts; -vv shows the requests".to_owned()
        }
        Advice::Trace(Traced::Unsupported) => {
            "-vv shows the server's response, which says what it does not support".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Terms of the service and of Python, which do not apply at a terminal.
    const FOREIGN: [&str; 6] = ["`GET ", "`POST ", "`DELETE ", "/api/", "ModelStorage", "S3Client"];

    #[test]
    fn no_hint_has_terms_of_another_front_end() {
        for advice in modeldepot::advice::samples() {
            let text = said(&advice);
            assert!(!text.is_empty() && FOREIGN.iter().all(|term| !text.contains(term)), "{advice:?}: {text}");
        }
    }

    /// Hints must not name flags or verbs that do not exist.
    #[test]
    fn flags_and_verbs_in_hints_exist() {
        let reference = include_str!("../../../docs/cli.md");
        for advice in modeldepot::advice::samples() {
            let text = said(&advice);
            for flag in text.split([' ', '`', '(', ')', ',', ';', ':', '?']).filter(|word| word.starts_with("--")) {
                assert!(reference.contains(&format!(" {flag}")), "{flag} in {text}");
            }
            for command in text.split("`modeldepot ").skip(1) {
                let verb = command.split([' ', '`']).next().unwrap_or_default();
                assert!(reference.contains(&format!("## modeldepot {verb}\n")), "{verb} in {text}");
            }
        }
    }
}
