//! Paths of files: those that are read, and that what is written to has a path of its own. Asked by
//! `valid`, and by whoever reads what alerts name; opens nothing.

use std::fs;
use std::path::{Path, PathBuf, absolute};

#[cfg(feature = "admin")]
use super::AdminSocket;
use super::message::quote;
use super::report::Report;
use super::{AccessLog, Config, LogTarget, Tls};
#[cfg(feature = "alerts")]
use super::{Alert, AlertKind, Hook, Mail};
use crate::pool::Trust;

/// A key, and the path of a file that it names.
type Named<'c> = (&'static str, &'c str);

/// Refuses the log, and the socket for operators, at the path of anything else: lines would go into
/// what is there, or the one would keep the other from being there.
pub(super) fn each_has_one_use(config: &Config, report: &mut Report<'_>) {
    let log = match &config.log.to {
        LogTarget::File(path) if config.log.access != AccessLog::Off => Some(path),
        _ => None,
    };
    let mut known = vec![(landing(report.name().as_ref()), "the configuration")];
    known.extend(config.files().map(|(key, path)| (landing(path.as_ref()), key)));
    for (key, path) in [("admin.socket", socket(config)), ("log.to", log)] {
        let Some(path) = path else { continue };
        let own = landing(path);
        if let Some((_, other)) = known.iter().find(|(there, _)| *there == own) {
            let said = quote(&path.display().to_string());
            report.add(report.place(key), key, format!("{said} is {other} too; choose another"));
        }
        known.push((own, key));
    }
}

#[cfg(feature = "admin")]
fn socket(config: &Config) -> Option<&PathBuf> {
    match &config.admin.socket {
        AdminSocket::At(path) => Some(path),
        _ => None,
    }
}

#[cfg(not(feature = "admin"))]
fn socket(_: &Config) -> Option<&PathBuf> {
    None
}

/// Where a path leads through links; what is not there yet, where it would be made.
fn landing(path: &Path) -> PathBuf {
    let whole = absolute(path).unwrap_or_else(|_| path.to_owned());
    let made = || Some(fs::canonicalize(whole.parent()?).ok()?.join(whole.file_name()?));
    fs::canonicalize(&whole).ok().or_else(made).unwrap_or(whole)
}

impl Config {
    /// All files that are read, or run.
    fn files(&self) -> impl Iterator<Item = Named<'_>> {
        let Tls { certificates, keys, .. } = &self.tls;
        let lists = [("tls.certificates", certificates), ("tls.keys", keys)];
        let ours = lists.into_iter().flat_map(|(key, all)| all.iter().map(move |it| (key, it)));
        // Many applications have those of the one before.
        let mut last = None;
        let trusts = self.applications.iter().filter_map(|spec| spec.tls.as_ref());
        let trusts = trusts.filter(move |trust| last.replace(*trust) != Some(*trust));
        let theirs = trusts.flat_map(|Trust { ca, certificate, key, .. }| {
            let all = [
                ("applications.tls_ca", ca),
                ("applications.tls_certificate", certificate),
                ("applications.tls_key", key),
            ];
            all.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?)))
        });
        let all = ours.chain(theirs).map(|(key, path)| (key, path.as_str()));
        all.chain(self.files_of_alerts())
    }

    /// Whom alerts and the heartbeat believe, as far as a file says it.
    #[cfg(feature = "tls")]
    pub(crate) fn authorities_of_alerts(&self) -> impl Iterator<Item = Named<'_>> {
        self.files_of_alerts().filter(|(key, _)| key.ends_with(".ca"))
    }

    #[cfg(feature = "alerts")]
    fn files_of_alerts(&self) -> impl Iterator<Item = Named<'_>> {
        let beat = self.heartbeat.ca.iter().map(|ca| ("heartbeat.ca", ca.as_str()));
        self.alerts.iter().filter_map(file_of).chain(beat)
    }

    #[cfg(not(feature = "alerts"))]
    fn files_of_alerts(&self) -> impl Iterator<Item = Named<'_>> {
        std::iter::empty()
    }
}

#[cfg(feature = "alerts")]
fn file_of(alert: &Alert) -> Option<Named<'_>> {
    match &alert.kind {
        AlertKind::Email(Mail { ca, .. }) | AlertKind::Webhook(Hook { ca, .. }) => {
            ca.as_ref().map(|ca| ("alerts.ca", ca.as_str()))
        }
        AlertKind::Command(argv) => {
            argv.first().map(|program| ("alerts.command", program.as_str()))
        }
    }
}
