//! What needs neither settings nor a server: help, version, completions, manual, and pipes that close.

use std::process::Stdio;

use crate::environment::TestEnv;

#[test]
fn version_and_help() {
    let env = TestEnv::without_server("not even looked at");
    assert_eq!(env.run(["--version"]).success(), concat!("modeldepot ", env!("CARGO_PKG_VERSION"), "\n"));
    insta::assert_snapshot!(env.run(["-h"]), @r"
    ------- stdout -------
    Publish, verify and fetch trained models on any S3 bucket

    Usage: modeldepot [OPTIONS] <COMMAND>

    Commands:
      up           Start the embedded S3 server, with the console and the REST API beside it
      serve        Serve the console and the REST API for the models of the configured endpoint
      token        Make, list, rotate and revoke the tokens of the service
      key          Make, list and revoke key pairs for the S3 server of `modeldepot up`
      init         Make the project's buckets at the endpoint
      config       Show the settings in use, and where each comes from
      push         Publish a model file or folder as a new version
      pull         Fetch a version, and compare every file with its published digest
      models       List the models with their latest versions
      versions     List the versions of a model, the latest last
      show         Show a version: its files with their digests, and its metadata
      verify       Read a version's files in the bucket and compare them with their digests
      rm           Delete a version
      url          Print a presigned URL of a file
      check        Check the store from end to end, in seven steps
      doctor       Find out why it does not work
      fsck         Look for damage in every version
      gc           Find what nobody can reach, and remove it with --delete
      s3           Work on plain buckets and objects
      demo         See all of it work, in seconds, with nothing but this program
      completions  Print a completion script for a shell
      man          Print the manual page, in roff, of all verbs
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Connection:
          --endpoint <URL>          Use the S3 service at this address [S3_ENDPOINT]
          --region <NAME>           Sign requests for this region [S3_REGION]
          --profile <NAME>          Use this AWS profile, with its credentials, whatever else is set
                                    [AWS_PROFILE]
          --bucket <NAME>           Keep the models in this bucket [S3_BUCKET_MODELS]
          --prefix <FOLDER>         Keep them in this folder of the bucket, which others may use too
                                    [S3_PREFIX]
          --addressing <STYLE>      Name the bucket in the path or in the host of requests
                                    [S3_ADDRESSING] [possible values: auto, path, virtual]
          --ca-bundle <FILE>        Trust the certificate authorities in this PEM file too
                                    [AWS_CA_BUNDLE]
          --limit-rate <RATE>       Move at most so many bytes a second, both ways together: 500k, 20M,
                                    1G
          --timeout <TIME>          Wait so long for the server's answer: 20s, 500ms, 2m [S3_TIMEOUT,
                                    20s]
          --connect-timeout <TIME>  Wait so long for a connection to the server [S3_CONNECT_TIMEOUT, 5s]

    Bucket policies:
          --request-payer
              Pay for requests to a bucket whose owner does not [S3_REQUEST_PAYER=requester]
          --expected-bucket-owner <ACCOUNT>
              Refuse buckets that another account owns [S3_EXPECTED_BUCKET_OWNER]
          --sse <MODE>
              Have everything encrypted by the server: AES256, aws:kms, aws:kms:dsse [S3_SSE]
          --kms-key <ID>
              Encrypt with this key of the server's key service [S3_KMS_KEY]
          --storage-class <CLASS>
              Store the files of models in this storage class, such as STANDARD_IA [S3_STORAGE_CLASS]

    Output:
          --json          Answer in JSON on stdout, and print errors as JSON on stderr
      -q, --quiet         Print answers and errors only
      -v, --verbose...    Log to stderr what is done; twice for each request too, three times for what
                          the SDK makes of it
          --color <WHEN>  Use colours [default: auto] [possible values: auto, always, never]
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["psuh"]), @r"
    ------- stderr -------
    error: unrecognized subcommand 'psuh'

      tip: a similar subcommand exists: 'push'

    Usage: modeldepot [OPTIONS] <COMMAND>

    For more information, try '--help'.
    [exit status: 2]
    ");
    assert_eq!(env.run([""; 0]).code, Some(2));
}

#[test]
fn completions_and_manual() {
    let env = TestEnv::without_server("not even looked at");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(env.run(["completions", shell]).success().contains("modeldepot"), "{shell}");
    }
    let manual = env.run(["man"]).success();
    for verb in ["modeldepot-push", "modeldepot-s3-cp", "modeldepot-demo"] {
        let roff = verb.replace('-', "\\-");
        assert!(manual.contains(&roff), "{verb}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let env = TestEnv::without_server("");
    let mut child = env.command(["man"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = env.finish(child);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended}");
}

#[test]
fn colours_only_when_asked_for() {
    let env = TestEnv::without_server("http://127.0.0.1:9000");
    let coloured = env.run(["rm", "m", "--color", "always"]);
    assert_eq!(coloured.code, Some(2));
    let plain = env.run_with(["models", "--bucket", "X"], &[("NO_COLOR", "1")]);
    assert!(!plain.stderr.contains('\u{1b}'), "{plain}");
    let coloured = env.run(["models", "--bucket", "X", "--color", "always"]);
    assert!(coloured.stderr.contains("\u{1b}["), "{coloured}");
    let plain = env.run(["models", "--bucket", "X"]);
    assert!(!plain.stderr.contains('\u{1b}'), "{plain}");
}
