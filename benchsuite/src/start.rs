//! The cost of a command that does nothing.

use crate::contest::Competitor;
use crate::peer::Peer;
use crate::single::present;
use crate::site::Site;

pub(crate) fn competitors(site: &Site) -> (Vec<Competitor>, Vec<String>) {
    let (peers, absent) = present(site, &Peer::ALL);
    (peers.into_iter().map(|peer| starter(site, peer)).collect(), absent)
}

fn starter(site: &Site, peer: Peer) -> Competitor {
    let does = match peer {
        Peer::Boto3 => "imports boto3 and creates a client, then prints the pipeline's help",
        Peer::Obstore => "imports obstore and creates a store",
        Peer::S5cmd => "`version`",
        _ => "`--version`",
    };
    let here = site.clone();
    let prepare = move |_| {
        let mut command = here.command(peer, "none")?;
        match peer {
            Peer::Boto3 => command.arg("--help"),
            Peer::S5cmd => command.arg("version"),
            _ => command.arg("--version"),
        };
        Ok(command)
    };
    Competitor {
        name: peer.name().to_owned(),
        does: does.to_owned(),
        prepare: Box::new(prepare),
        finish: Box::new(|_| Ok(())),
        counted: false,
    }
}
