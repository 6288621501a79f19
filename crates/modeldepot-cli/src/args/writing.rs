//! Options that the policy of an account or a bucket may require.

use clap::Args as ClapArgs;

/// Options that the policy of an account or a bucket may require.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct WritingArgs {
    /// Pay for requests to a requester-pays bucket [S3_REQUEST_PAYER=requester]
    #[arg(long, global = true, hide_short_help = true, help_heading = "Bucket policies")]
    request_payer: bool,
    /// Fail unless this account owns the bucket [S3_EXPECTED_BUCKET_OWNER]
    #[arg(long, global = true, value_name = "ACCOUNT", hide_short_help = true, help_heading = "Bucket policies")]
    expected_bucket_owner: Option<String>,
    /// Encrypt on the server: AES256, aws:kms, aws:kms:dsse [S3_SSE]
    #[arg(long, global = true, value_name = "MODE", hide_short_help = true, help_heading = "Bucket policies")]
    sse: Option<String>,
    /// Encrypt with this KMS key [S3_KMS_KEY]
    #[arg(long, global = true, value_name = "ID", hide_short_help = true, help_heading = "Bucket policies")]
    kms_key: Option<String>,
    /// Store model files in this storage class, such as STANDARD_IA [S3_STORAGE_CLASS]
    #[arg(long, global = true, value_name = "CLASS", hide_short_help = true, help_heading = "Bucket policies")]
    storage_class: Option<String>,
}

impl WritingArgs {
    /// Returns the options that were given: variable, flag and value.
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
