//! Listings of many versions and of many models.

use std::fs;
use std::path::Path;

use crate::contest::Competitor;
use crate::peer::Peer;
use crate::site::Site;

const VERSIONS: usize = 10_000;
const MODELS: usize = 1_000;
const VERSIONS_EACH: usize = 3;

pub(crate) const BUCKETS: [&str; 2] = ["bench-versions", "bench-models"];

/// Creates the objects of both buckets and uploads them with s5cmd. A listing reads only keys, so the manifests are not
/// real.
pub(crate) fn competitors(site: &Site) -> Result<Vec<Competitor>, String> {
    let lay = |bucket: &str, model: &str, count: usize| -> std::io::Result<()> {
        for version in 1..=count {
            let folder = site.kit.work.join("catalog").join(bucket).join(model).join(format!("v1.{version}.0"));
            fs::create_dir_all(&folder)?;
            for name in ["model.bin", "manifest.json"] {
                fs::write(folder.join(name), "{}\n")?;
            }
        }
        Ok(())
    };
    let laid = lay(BUCKETS[0], "resnet", VERSIONS)
        .and_then(|()| (0..MODELS).try_for_each(|model| lay(BUCKETS[1], &format!("resnet-{model}"), VERSIONS_EACH)));
    laid.map_err(|error| format!("cannot write the catalog: {error}"))?;
    for bucket in BUCKETS {
        site.make_bucket(bucket)?;
        upload(site, bucket, &site.kit.work.join("catalog").join(bucket))?;
    }
    Ok(vec![
        lister(site, BUCKETS[0], &["versions", "resnet"], "a model of 10,000 versions"),
        lister(site, BUCKETS[1], &["models"], "1,000 models of 3 versions each"),
    ])
}

fn upload(site: &Site, bucket: &str, folder: &Path) -> Result<(), String> {
    let mut from = folder.as_os_str().to_owned();
    from.push("/");
    // Its default of 256 workers overloads a small machine.
    let mut copy = site.command(Peer::S5cmd, bucket)?;
    site.run(copy.args(["--numworkers", "32", "cp"]).arg(from).arg(format!("s3://{bucket}/"))).map(drop)
}

fn lister(site: &Site, bucket: &'static str, verb: &'static [&'static str], what: &str) -> Competitor {
    let here = site.clone();
    Competitor {
        name: format!("`modeldepot {}`", verb[0]),
        does: what.to_owned(),
        prepare: Box::new(move |_| {
            let mut command = here.command(Peer::Modeldepot, bucket)?;
            command.args(verb);
            Ok(command)
        }),
        finish: Box::new(|_| Ok(())),
        counted: true,
    }
}
