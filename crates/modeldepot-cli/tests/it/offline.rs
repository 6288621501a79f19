//! Verbs that need neither settings nor a server: help, version, completions, manual, and closed pipes.

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

    Publish and fetch:
      push         Publish a model file or folder as a new version
      pull         Fetch a version and verify every file
      url          Print a presigned URL of a file
      s3           Work with plain buckets and objects

    Find and compare:
      models       List the models and their latest versions
      versions     List the versions of a model, latest last
      show         Show the files, digests and metadata of a version
      compare      Compare two versions: their metadata and files

    Maintain:
      verify       Verify a version in the bucket against its digests
      fsck         Check every version for damage
      gc           Find and delete orphaned objects
      rm           Delete a version
      check        Run an end-to-end check of the store in seven steps
      doctor       Diagnose connection and permission problems

    Serve:
      up           Start a local S3 server with the web console and REST API
      serve        Serve the web console and REST API for any S3 endpoint
      token        Create, list, rotate and revoke access tokens
      key          Create, list and revoke S3 key pairs for `modeldepot up`
      demo         Run a self-contained demo

    Configure:
      init         Create the project's buckets
      config       Show the settings in use and where each comes from
      completions  Print a completion script for a shell
      man          Print the manual pages in roff format

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Connection:
          --endpoint <URL>          Use the S3 service at this URL [S3_ENDPOINT]
          --region <NAME>           Sign requests for this region [S3_REGION]
          --profile <NAME>          Use this AWS profile and its credentials [AWS_PROFILE]
          --bucket <NAME>           Keep the models in this bucket [S3_BUCKET_MODELS]
          --prefix <FOLDER>         Keep the models in this folder of a shared bucket [S3_PREFIX]
          --addressing <STYLE>      Put the bucket into the path or the host name of requests
                                    [S3_ADDRESSING] [possible values: auto, path, virtual]
          --ca-bundle <FILE>        Also trust the certificate authorities in this PEM file
                                    [AWS_CA_BUNDLE]
          --limit-rate <RATE>       Limit transfers to this many bytes per second: 500k, 20M, 1G
          --timeout <TIME>          Retry a request when the server sends nothing for this long; give up
                                    after 2.5 times this [default: 20s] [S3_TIMEOUT]
          --connect-timeout <TIME>  Time out when connecting takes longer than this [default: 5s]
                                    [S3_CONNECT_TIMEOUT]

    Output:
          --json          Print results as JSON on stdout and errors as JSON on stderr
      -q, --quiet         Print only results and errors
      -v, --verbose...    Increase verbosity (-vv logs requests, -vvv SDK internals)
          --color <WHEN>  When to use colors [default: auto] [possible values: auto, always, never]

    Examples:
      modeldepot push plant_classifier best_model.pth
      modeldepot pull plant_classifier

    `modeldepot COMMAND --help` shows the options of a command with examples
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["pull", "-h"]), @r"
    ------- stdout -------
    Fetch a version and verify every file

    Usage: modeldepot pull [OPTIONS] <MODEL[@VERSION]> [DIR]

    Arguments:
      <MODEL[@VERSION]>  Model, or one of its versions
      [DIR]              Destination folder [default: ./MODEL]

    Options:
          --no-resume        Fetch all data, instead of resuming or reusing files in the folder
          --no-sync          Do not wait for the data to reach the disk
          --force            Overwrite files that were changed or are not from a pull, and allow names
                             such as `.env`
          --require-digests  Fail if a file has no published digest
      -h, --help             Print help (see more with '--help')

    Connection and output options: see `modeldepot --help`

    Example:
      modeldepot pull plant_classifier
    [exit status: 0]
    ");
    insta::assert_snapshot!(env.run(["pull", "--help"]), @r"
    ------- stdout -------
    Fetch a version and verify every file

    Prints the path of the model file. Without a version, fetches the latest. Files appear under their
    final names only after all digests match. Files of an earlier pull are replaced, or removed if this
    version does not have them. Files that were changed since and files that are not from a pull are
    left alone; if one of them would be overwritten, the pull stops. An interrupted pull resumes when it
    is repeated, and data that already exists in the folder is not transferred again.

    Versions published by the boto3 pipeline that this project replaces may have files without a
    published digest. They are fetched and reported as not verified.

    Usage: modeldepot pull [OPTIONS] <MODEL[@VERSION]> [DIR]

    Arguments:
      <MODEL[@VERSION]>
              Model, or one of its versions

      [DIR]
              Destination folder [default: ./MODEL]

    Options:
          --no-resume
              Fetch all data, instead of resuming or reusing files in the folder

          --no-sync
              Do not wait for the data to reach the disk
              
              Faster, but a power failure can leave damaged files. A later pull replaces them with
              --force.

          --force
              Overwrite files that were changed or are not from a pull, and allow names such as `.env`

          --require-digests
              Fail if a file has no published digest

      -h, --help
              Print help (see a summary with '-h')

    Connection and output options: see `modeldepot --help`

    Examples:
      modeldepot pull plant_classifier
      modeldepot pull plant_classifier@1.0.0 ./serving --require-digests
      modeldepot pull plant_classifier ./serving --json
    [exit status: 0]
    ");
    let help = env.run(["help", "pull"]).success();
    assert_eq!(help, env.run(["pull", "--help"]).success());
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
