//! Headers that accounts or buckets require. Nothing is sent unless it is set.

use super::SettingsError;
use crate::setters::setters;

/// Headers that accounts or buckets require.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Writing {
    /// Whether the caller pays for requests to buckets whose owner does not.
    pub request_payer: bool,
    /// The account that must own the buckets: the server refuses requests to those of another.
    pub expected_owner: Option<String>,
    /// How the server should encrypt stored objects; `None` leaves it to the bucket.
    pub encryption: Option<Encryption>,
    /// The storage class of model files; not of records and manifests, which are small and read often.
    pub storage_class: Option<String>,
}

setters!(Writing {
    value request_payer: bool,
    some_into expected_owner: String,
    some encryption: Encryption,
    some_into storage_class: String,
});

/// How a server encrypts what it stores.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encryption {
    /// Who holds the key.
    pub mode: EncryptionMode,
    /// The key of the server's key service; `None` means its default.
    pub key: Option<String>,
}

impl Encryption {
    /// Encryption with the default key.
    pub fn new(mode: EncryptionMode) -> Encryption {
        Encryption { mode, key: None }
    }
}

setters!(Encryption { some_into key: String });

/// Who holds the key of an encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncryptionMode {
    /// The server itself: `AES256`.
    Server,
    /// The server's key service: `aws:kms`.
    Kms,
    /// The key service with two layers: `aws:kms:dsse`.
    KmsTwice,
}

impl EncryptionMode {
    /// Returns the mode as spelled in S3.
    pub fn as_str(self) -> &'static str {
        match self {
            EncryptionMode::Server => "AES256",
            EncryptionMode::Kms => "aws:kms",
            EncryptionMode::KmsTwice => "aws:kms:dsse",
        }
    }
}

impl Writing {
    /// Returns the settings by their variables' names, for another process. Mode and key go together, so that a key
    /// from that process's environment is never combined with a mode from here.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let encryption = self.encryption.as_ref();
        let found = [
            ("S3_REQUEST_PAYER", self.request_payer.then(|| "requester".to_owned())),
            ("S3_EXPECTED_BUCKET_OWNER", self.expected_owner.clone()),
            ("S3_SSE", encryption.map(|encryption| encryption.mode.as_str().to_owned())),
            ("S3_KMS_KEY", encryption.map(|encryption| encryption.key.clone().unwrap_or_default())),
            ("S3_STORAGE_CLASS", self.storage_class.clone()),
        ];
        found.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Resolves them from named variables.
    ///
    /// # Errors
    /// [`SettingsError::Writing`], with the setting's name.
    pub(super) fn from_variables(filled: impl Fn(&str) -> Option<String>) -> Result<Writing, SettingsError> {
        let refused = |setting, text: &str, rule| SettingsError::Writing { setting, text: text.to_owned(), rule };
        // The text becomes a header.
        let text = |setting: &'static str| match filled(setting) {
            Some(text) if text.len() > 2048 || !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(refused(setting, &text, "it is letters, digits and punctuation, without spaces"))
            }
            found => Ok(found),
        };
        let request_payer = match filled("S3_REQUEST_PAYER").as_deref() {
            None => false,
            Some("requester") => true,
            Some(other) => return Err(refused("S3_REQUEST_PAYER", other, "write `requester`, or leave it out")),
        };
        let key = text("S3_KMS_KEY")?;
        let mode = match filled("S3_SSE").as_deref() {
            None => key.is_some().then_some(EncryptionMode::Kms),
            Some("AES256") => Some(EncryptionMode::Server),
            Some("aws:kms") => Some(EncryptionMode::Kms),
            Some("aws:kms:dsse") => Some(EncryptionMode::KmsTwice),
            Some(other) => return Err(refused("S3_SSE", other, "write `AES256`, `aws:kms` or `aws:kms:dsse`")),
        };
        if let (Some(EncryptionMode::Server), Some(key)) = (mode, &key) {
            return Err(refused("S3_KMS_KEY", key, "`AES256` has no key of its own; write S3_SSE=aws:kms"));
        }
        Ok(Writing {
            request_payer,
            expected_owner: text("S3_EXPECTED_BUCKET_OWNER")?,
            encryption: mode.map(|mode| Encryption { mode, key }),
            storage_class: text("S3_STORAGE_CLASS")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(pairs: &[(&str, &str)]) -> Result<Writing, SettingsError> {
        Writing::from_variables(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn nothing_is_asked_for_unless_it_is_set() {
        assert_eq!(resolve(&[]).unwrap(), Writing::default());
        let kms = Some(Encryption { mode: EncryptionMode::Kms, key: Some("arn:aws:kms:x:1:key/k".to_owned()) });
        assert_eq!(resolve(&[("S3_KMS_KEY", "arn:aws:kms:x:1:key/k")]).unwrap().encryption, kms);
        for mode in ["AES256", "aws:kms", "aws:kms:dsse"] {
            assert_eq!(resolve(&[("S3_SSE", mode)]).unwrap().encryption.unwrap().mode.as_str(), mode);
        }
    }

    #[test]
    fn another_process_is_told_all() {
        let here = resolve(&[
            ("S3_REQUEST_PAYER", "requester"),
            ("S3_EXPECTED_BUCKET_OWNER", "111122223333"),
            ("S3_SSE", "aws:kms:dsse"),
            ("S3_KMS_KEY", "k"),
            ("S3_STORAGE_CLASS", "STANDARD_IA"),
        ]);
        let here = here.unwrap();
        let told = here.variables();
        let told: Vec<(&str, &str)> = told.iter().map(|(name, value)| (*name, &**value)).collect();
        assert_eq!(resolve(&told).unwrap(), here);
        let server = resolve(&[("S3_SSE", "AES256")]).unwrap();
        assert!(server.variables().contains(&("S3_KMS_KEY", String::new())), "a key set there does not count");
        assert_eq!(Writing::default().variables(), []);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let errors: Vec<String> = [
            resolve(&[("S3_REQUEST_PAYER", "me")]),
            resolve(&[("S3_SSE", "aes256")]),
            resolve(&[("S3_SSE", "AES256"), ("S3_KMS_KEY", "k")]),
            resolve(&[("S3_EXPECTED_BUCKET_OWNER", "1\r\nx-evil: 1")]),
            resolve(&[("S3_STORAGE_CLASS", "STANDARD IA")]),
        ]
        .into_iter()
        .map(|resolved| resolved.unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(errors.join("\n"), @r"
        `me` cannot be `S3_REQUEST_PAYER`: write `requester`, or leave it out
        `aes256` cannot be `S3_SSE`: write `AES256`, `aws:kms` or `aws:kms:dsse`
        `k` cannot be `S3_KMS_KEY`: `AES256` has no key of its own; write S3_SSE=aws:kms
        `1\r\nx-evil: 1` cannot be `S3_EXPECTED_BUCKET_OWNER`: it is letters, digits and punctuation, without spaces
        `STANDARD IA` cannot be `S3_STORAGE_CLASS`: it is letters, digits and punctuation, without spaces
        ");
    }
}
