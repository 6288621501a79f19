//! Names that belong in a version, and names that do not.

use super::*;

#[test]
fn a_link_is_judged_by_every_name_on_its_way() {
    for (way, reason) in [
        (".aws/credentials", Some(Reason::Secret)),
        ("deep/.ssh/config", Some(Reason::Secret)),
        (".git", Some(Reason::Repository)),
        (".git/config", Some(Reason::Repository)),
        (".git/annex/objects", Some(Reason::Repository)),
        (".git/annex/objects/aa/bb/KEY/KEY", None),
        (".git/annex/objects/.env", Some(Reason::Secret)),
        (".git/annex/other/aa/KEY", Some(Reason::Repository)),
        (".git/lfs/objects/aa/KEY", Some(Reason::Repository)),
        (".hg/annex/objects/aa/KEY", Some(Reason::Repository)),
        ("deep/.git/annex/objects/aa/KEY", None),
        (".modeldepot-staging/x", Some(Reason::Own)),
        ("modeldepot-data/index.redb", Some(Reason::Own)),
        ("modeldepot-data", Some(Reason::Own)),
        (".cache/weights.bin", None),
        ("weights.bin", None),
        ("", None),
    ] {
        assert_eq!(by_place(Path::new(way)), reason, "{way}");
    }
}

#[test]
fn a_reason_has_one_spelling() {
    let words = Reason::ALL.map(Reason::word);
    assert_eq!(words, ["excluded", "hidden", "secret", "repository", "temporary", "modeldepot"]);
    assert_eq!(Reason::ALL.map(|reason| serde_json::to_value(reason).unwrap()), words.map(serde_json::Value::from));
}

#[test]
fn a_folder_may_be_named_like_a_file_of_secrets() {
    for name in ["token", "secrets", "credentials", "prod.env"] {
        assert_eq!(by_name(name, true, false), None, "{name}");
        assert_eq!(by_place(&Path::new(name).join("weights.bin")), None, "{name}");
        assert_eq!(by_place(&Path::new("a").join(name)), Some(Reason::Secret), "{name}");
    }
    assert_eq!(by_name(".aws", true, false), Some(Reason::Secret));
}

#[test]
fn what_belongs_and_what_does_not() {
    for (names, reason) in [
        (
            &[
                "model.safetensors",
                "config.json",
                ".gitattributes",
                "id_map.json",
                "id_rsax.bin",
                "keys.json",
                "env",
                "environment.yml",
                "monkey",
                "tokenizer.model",
                "vocab.key.json",
                "Dockerfile",
                "manifest.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
                "added_tokens.json",
                "tokens.txt",
                "tokens.json",
                "token_embedding.npy",
                "token_list.txt",
                "env.yaml",
                "my.env.json",
                "credentials_classifier.onnx",
                "secretary.bin",
                "secrets_model.safetensors",
                "api_keypoints.json",
                "service.json",
                "kaggle.ipynb",
            ][..],
            None,
        ),
        (&[".gitignore", ".cache", ".hidden", ".python-version"], Some(Reason::Hidden)),
        (
            &[
                ".env",
                ".env.local",
                ".ENV",
                ".netrc",
                ".ssh",
                "server.pem",
                "tls.key",
                "id_rsa",
                "id_rsa.pub",
                "id_ed25519",
                "id_ed25519_sk",
                "ID_RSA.old",
                "id_ecdsa-backup",
                "store.p12",
                ".envrc",
                ".env-prod",
                ".ENV_local",
                ".env~",
            ],
            Some(Reason::Secret),
        ),
        (
            &[
                "prod.env",
                "secrets.env",
                "credentials",
                "credentials.json",
                "Credentials.CSV",
                "aws_credentials",
                "application_default_credentials.json",
                "gcp-credentials.json",
                "secrets.json",
                "secrets.toml",
                "service-account.json",
                "service_account_prod.json",
                "client_secret_123.apps.googleusercontent.com.json",
                "kaggle.json",
                "token",
                "token.txt",
                "hf.token",
                "hf_token.txt",
                "openai_api_key.txt",
                "rclone.conf",
                "ana_accessKeys.csv",
            ],
            Some(Reason::Secret),
        ),
        (&[".git", ".hg", ".svn"], Some(Reason::Repository)),
        (
            &[
                "notes.txt~",
                ".main.py.swp",
                ".DS_Store",
                "._model.bin",
                "Thumbs.db",
                "__pycache__",
                "x.pyc",
                ".ipynb_checkpoints",
                "desktop.ini",
            ],
            Some(Reason::Temporary),
        ),
    ] {
        for name in names {
            assert_eq!(by_name(name, false, false), reason, "{name}");
            let shown = reason.filter(|reason| *reason != Reason::Hidden);
            assert_eq!(by_name(name, false, true), shown, "{name}, with hidden files");
        }
    }
}
