//! The examples at the end of each verb's `--help`. Tests parse every line, and run those that need no second terminal.

/// Returns the examples of a verb, by its path below `modeldepot`.
pub(super) fn examples(path: &str) -> &'static [&'static str] {
    EXAMPLES.iter().find(|(verb, _)| *verb == path).map_or(&[], |(_, lines)| lines)
}

#[cfg(test)]
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    EXAMPLES.iter().map(|(verb, _)| *verb)
}

const EXAMPLES: &[(&str, &[&str])] = &[
    ("up", &["modeldepot up", "modeldepot up --data /srv/models --keys ./keys --tokens ./tokens"]),
    (
        "serve",
        &[
            "modeldepot serve",
            "modeldepot serve --endpoint https://s3.example.org --tokens ./tokens",
            "modeldepot serve --listen 0.0.0.0:9001 --tokens ./tokens --public-url https://models.example.org",
        ],
    ),
    (
        "token",
        &[
            "modeldepot token add ci --scope 'publish:plant-*' --expires 90d --tokens ./tokens",
            "modeldepot token list --tokens ./tokens",
            "modeldepot serve --tokens ./tokens",
        ],
    ),
    (
        "token add",
        &[
            "modeldepot token add ana --scope read --tokens ./tokens",
            "modeldepot token add ci --scope 'read,publish:plant-*' --expires 90d --tokens ./tokens",
        ],
    ),
    ("token list", &["modeldepot token list --tokens ./tokens", "modeldepot token list --tokens ./tokens --json"]),
    (
        "token rotate",
        &[
            "modeldepot token rotate ci --tokens ./tokens",
            "modeldepot token rotate ci --grace 1h --expires 90d --tokens ./tokens",
        ],
    ),
    ("token rm", &["modeldepot token rm ci --tokens ./tokens", "modeldepot token rm ana --tokens ./tokens --json"]),
    (
        "key",
        &[
            "modeldepot key add ci --grant models=write --grant data=read --keys ./keys",
            "modeldepot key list --keys ./keys",
            "modeldepot up --keys ./keys",
        ],
    ),
    (
        "key add",
        &[
            "modeldepot key add ci --grant models=write --grant data=read --keys ./keys",
            "modeldepot key add root --grant '*=admin' --keys ./keys",
        ],
    ),
    ("key list", &["modeldepot key list --keys ./keys", "modeldepot key list --keys ./keys --json"]),
    ("key rm", &["modeldepot key rm ci --keys ./keys", "modeldepot key rm root --keys ./keys --json"]),
    ("init", &["modeldepot init", "modeldepot init --endpoint http://localhost:9000 --bucket models"]),
    ("config", &["modeldepot config", "modeldepot config --profile research --json"]),
    (
        "push",
        &[
            "modeldepot push plant_classifier best_model.pth --history training_history.json",
            "modeldepot push plant_classifier best_model.pth --version 1.0.0 --meta architecture=resnet18",
            "modeldepot push plant_classifier ./run --exclude '*.log' --dry-run",
        ],
    ),
    (
        "pull",
        &[
            "modeldepot pull plant_classifier",
            "modeldepot pull plant_classifier@1.0.0 ./serving --require-digests",
            "modeldepot pull plant_classifier ./serving --json",
        ],
    ),
    ("models", &["modeldepot models", "modeldepot models --json"]),
    ("versions", &["modeldepot versions plant_classifier", "modeldepot versions plant_classifier --json"]),
    ("show", &["modeldepot show plant_classifier", "modeldepot show plant_classifier@1.0.0 --json"]),
    (
        "compare",
        &[
            "modeldepot compare plant_classifier@1.0.0 1.1.0",
            "modeldepot compare plant_classifier@1.0.0",
            "modeldepot compare plant_classifier@1.0.0 leaf_classifier@2.0.0 --json",
        ],
    ),
    ("verify", &["modeldepot verify plant_classifier", "modeldepot verify plant_classifier@1.0.0 --json"]),
    ("rm", &["modeldepot rm plant_classifier@1.0.0", "modeldepot rm plant_classifier@1.0.0 --yes"]),
    (
        "url",
        &[
            "modeldepot url plant_classifier",
            "modeldepot url plant_classifier@1.0.0 --file best_model.pth --expires 15m",
        ],
    ),
    ("check", &["modeldepot check", "modeldepot check plant_classifier"]),
    ("doctor", &["modeldepot doctor", "modeldepot doctor --pull-folder /srv/serving --json"]),
    ("fsck", &["modeldepot fsck", "modeldepot fsck plant_classifier --deep"]),
    ("gc", &["modeldepot gc", "modeldepot gc plant_classifier --grace 7d", "modeldepot gc --delete"]),
    (
        "s3",
        &[
            "modeldepot s3 ls s3://data",
            "modeldepot s3 cp leaf.jpg s3://plants-images/train/",
            "modeldepot s3 exists s3://plants-images/train/leaf.jpg",
        ],
    ),
    ("s3 mb", &["modeldepot s3 mb s3://scratch", "modeldepot s3 mb s3://scratch --json"]),
    ("s3 ls", &["modeldepot s3 ls", "modeldepot s3 ls s3://plants-images/train/"]),
    (
        "s3 cp",
        &[
            "modeldepot s3 cp leaf.jpg s3://plants-images/train/ --meta label=healthy",
            "modeldepot s3 cp s3://plants-images/train/leaf.jpg ./copy.jpg",
            "modeldepot s3 cp s3://plants-images/train/leaf.jpg - | sha256sum",
        ],
    ),
    (
        "s3 stat",
        &["modeldepot s3 stat s3://plants-images", "modeldepot s3 stat s3://plants-images/train/leaf.jpg --json"],
    ),
    (
        "s3 rm",
        &[
            "modeldepot s3 rm s3://plants-images/train/leaf.jpg",
            "modeldepot s3 rm s3://plants-images/train/leaf.jpg --json",
        ],
    ),
    (
        "s3 url",
        &[
            "modeldepot s3 url s3://plants-images/train/leaf.jpg --expires 15m",
            "modeldepot s3 url s3://data/upload.csv --put",
        ],
    ),
    (
        "s3 exists",
        &["modeldepot s3 exists s3://plants-images", "modeldepot s3 exists s3://plants-images/train/leaf.jpg"],
    ),
    ("demo", &["modeldepot demo", "modeldepot demo best_model.pth"]),
    (
        "completions",
        &[
            "modeldepot completions bash > ~/.local/share/bash-completion/completions/modeldepot",
            "modeldepot completions zsh > ~/.zfunc/_modeldepot  # a folder in fpath",
            "modeldepot completions fish > ~/.config/fish/completions/modeldepot.fish",
        ],
    ),
    ("man", &["modeldepot man | man -l -", "modeldepot man > modeldepot.1"]),
];
