//! Flags for what an account or a bucket asks of requests.

use clap::Args as ClapArgs;

/// What goes with requests because an account or a bucket asks for it.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct WritingArgs {
    /// Pay for requests to a bucket whose owner does not [S3_REQUEST_PAYER=requester]
    #[arg(long, global = true, help_heading = "Bucket policies")]
    request_payer: bool,
    /// Refuse buckets that another account owns [S3_EXPECTED_BUCKET_OWNER]
    #[arg(long, global = true, value_name = "ACCOUNT", help_heading = "Bucket policies")]
    expected_bucket_owner: Option<String>,
    /// Have everything encrypted by the server: AES256, aws:kms, aws:kms:dsse [S3_SSE]
    #[arg(long, global = true, value_name = "MODE", help_heading = "Bucket policies")]
    sse: Option<String>,
    /// Encrypt with this key of the server's key service [S3_KMS_KEY]
    #[arg(long, global = true, value_name = "ID", help_heading = "Bucket policies")]
    kms_key: Option<String>,
    /// Store the files of models in this storage class, such as STANDARD_IA [S3_STORAGE_CLASS]
    #[arg(long, global = true, value_name = "CLASS", help_heading = "Bucket policies")]
    storage_class: Option<String>,
}

impl WritingArgs {
    /// Returns what is given: the variable, the flag, and the value.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, &'static str, String)> {
        let payer = self.request_payer.then(|| "requester".to_owned());
        [
            ("S3_REQUEST_PAYER", "--request-payer", payer),
            ("S3_EXPECTED_BUCKET_OWNER", "--expected-bucket-owner", self.expected_bucket_owner.clone()),
            ("S3_SSE", "--sse", self.sse.clone()),
            ("S3_KMS_KEY", "--kms-key", self.kms_key.clone()),
            ("S3_STORAGE_CLASS", "--storage-class", self.storage_class.clone()),
        ]
        .into_iter()
        .filter_map(|(variable, flag, value)| Some((variable, flag, value?)))
    }
}
