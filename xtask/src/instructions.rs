//! `cargo xtask instructions`: counts the instructions of the hot loops.
//!
//! Unlike times, counts do not depend on the load of the machine. They are for the processor that valgrind emulates,
//! which has AVX2 but not AVX-512.

use std::path::Path;
use std::process::Command;

use crate::output::say;
use crate::report::{Outcome, Report};
use crate::{cargo, quietly, root, run as run_command};

/// A loop, and the most instructions it may take per unit.
struct Loop {
    name: &'static str,
    units: u64,
    unit: &'static str,
    at_most: f64,
}

/// Limits ten percent above the counts at the last change.
const LOOPS: [Loop; 4] = [
    Loop { name: "part", units: 1 << 20, unit: "byte", at_most: 3.15 },
    Loop { name: "md5", units: 1 << 20, unit: "byte", at_most: 10.5 },
    Loop { name: "manifest", units: 100, unit: "file", at_most: 57_000.0 },
    Loop { name: "listing", units: 3000, unit: "object", at_most: 8_850.0 },
];

pub(crate) fn run(report: &mut Report) {
    if quietly(Command::new("valgrind").arg("--version")).is_err() {
        report.step("instructions", || Outcome::Skipped("needs valgrind (on Debian: apt-get install valgrind)".into()));
        return;
    }
    let has_avx2 = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|cpu| cpu.contains(" avx2 "));
    if !has_avx2 {
        report.step("instructions", || Outcome::OutOfReach("the limits are of a processor with AVX2".into()));
        return;
    }
    let build = ["build", "--release", "--locked", "-p", "benchsuite", "--bin", "hot", "--features", "hot"];
    report.step("the hot loops, built", || run_command(&mut cargo(build)));
    let program = root().join("target/release/hot");
    for hot in LOOPS {
        report.step(&format!("instructions of `{}`", hot.name), || hot.check(&program));
    }
}

impl Loop {
    fn check(&self, program: &Path) -> Result<(), String> {
        // The difference excludes what comes before and after the loop.
        let (one, three) = (self.count(program, 1)?, self.count(program, 3)?);
        let found = three.saturating_sub(one) as f64 / 2.0 / self.units as f64;
        say(format_args!("  {}: {found:.2} instructions a {}, {:.2} allowed", self.name, self.unit, self.at_most));
        if found <= self.at_most {
            return Ok(());
        }
        Err(format!("{found:.2} instructions a {}, where {:.2} are allowed", self.unit, self.at_most))
    }

    fn count(&self, program: &Path, times: u32) -> Result<u64, String> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
        let output = command.arg(self.name).arg(times.to_string()).output();
        let output = output.map_err(|error| format!("cannot start valgrind: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let count = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
        count.filter(|_| output.status.success()).ok_or_else(|| format!("valgrind counted nothing: {}", said.trim()))
    }
}
