//! The scenarios that come with Evenly: the files in `scenarios/`, built in.

use super::{Scenario, read};

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

/// The one of this name.
pub fn shipped(name: &str) -> Option<Scenario> {
    let (name, text) = SHIPPED.into_iter().find(|(known, _)| *known == name)?;
    Some(read::read(text, name, name).expect("each scenario is sound: a test reads them all"))
}
