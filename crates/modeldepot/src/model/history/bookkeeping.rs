//! Values that describe the run rather than the model.

/// Returns whether the value describes the run rather than the model.
pub(super) fn is_bookkeeping(name: &str) -> bool {
    const NAMES: [&str; 24] = [
        "step",
        "global_step",
        "iteration",
        "iter",
        "round",
        "learning_rate",
        "grad_norm",
        "samples",
        "num_tokens",
        "num_input_tokens_seen",
        "n_parameters",
        "num_parameters",
        "params",
        "memory",
        "timestamp",
        "wall_time",
        "runtime",
        "passed",
        "remaining",
        "eta",
        "total_flos",
        "flops",
        "gpu_mem",
        "max_mem",
    ];
    const ENDS: [&str; 6] = ["time", "seconds", "duration", "per_second", "per_sec", "runtime"];
    let metric = ["train_", "val_", "test_"].iter().find_map(|split| name.strip_prefix(split)).unwrap_or(name);
    NAMES.contains(&metric) || metric.starts_with("lr_") || ENDS.iter().any(|end| metric.ends_with(end))
}
