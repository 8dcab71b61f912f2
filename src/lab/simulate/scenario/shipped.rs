//! The scenarios that come with Evenly: the files in `scenarios/`, built in.

macro_rules! files {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../../scenarios/", $name, ".toml"))),)*]
    };
}

/// Name and text of each.
pub const SHIPPED: [(&str, &str); 8] = files! {
    "homogeneous" "one-slow" "one-flaky" "mixed-hardware" "rolling-deploy" "brownout" "flapping"
    "thundering-recovery"
};
