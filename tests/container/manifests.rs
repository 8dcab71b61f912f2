//! The files of deploy/container: what they would have Evenly read, it can read, and what they say
//! of the container is what the image has.

use crate::harness::Scratch;
use crate::image::Image;
use evenly::config::Config;

const COMPOSE: &str = include_str!("../../deploy/container/compose.yaml");
const COMPOSED: &str = include_str!("../../deploy/container/evenly/applications.toml");
const KUBERNETES: &str = include_str!("../../deploy/container/kubernetes.yaml");
const PAGE: &str = include_str!("../../docs/container.md");

/// The file that the ConfigMap holds.
fn mapped() -> String {
    let (_, rest) = KUBERNETES.split_once("  applications.toml: |\n").unwrap();
    let (block, _) = rest.split_once("---\n").unwrap();
    block.lines().map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned() + "\n").collect()
}

/// The number behind `key: ` in a manifest, without its unit.
fn number(manifest: &str, key: &str) -> u64 {
    let (_, rest) = manifest.split_once(&format!(" {key}: ")).unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn their_configurations_are_fine_and_end_within_the_time_that_is_given() {
    for (text, grace_s) in [
        (COMPOSED.to_owned(), number(COMPOSE, "stop_grace_period")),
        (mapped(), number(KUBERNETES, "terminationGracePeriodSeconds")),
    ] {
        let config = Config::parse(&text, "applications.toml").unwrap();
        let takes = config.timeouts.lame_duck + config.timeouts.drain;
        assert!(takes.as_secs() < grace_s, "{takes:?} of {grace_s} s");
        assert_eq!(config.server.ready.as_deref(), Some("/ready"));
        assert_eq!(config.server.listen.port(), 8080);
    }
}

#[test]
fn they_mount_what_the_image_has() {
    let scratch = Scratch::new();
    let image = Image::below(scratch.path());
    let folder = image.says("WORKDIR");
    let (user, group) = image.says("USER").split_once(':').unwrap();
    assert!(COMPOSE.contains(&format!("./evenly:{folder}:ro")));
    assert!(KUBERNETES.contains(&format!("mountPath: {folder}, readOnly: true")));
    assert_eq!(number(KUBERNETES, "runAsUser").to_string(), user);
    assert_eq!(number(KUBERNETES, "runAsGroup").to_string(), group);
    assert!(PAGE.contains(&format!(":{folder}/applications.toml:ro")));
    for path in ["run/evenly", "etc/evenly", "evenly"] {
        assert!(image.rootfs.join(path).exists(), "{path}");
    }
    let port = image.says("EXPOSE");
    assert!(COMPOSE.contains(&format!("\"{port}:{port}\"")));
    assert!(KUBERNETES.contains(&format!("containerPort: {port}")));
}
