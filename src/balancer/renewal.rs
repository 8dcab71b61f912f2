//! Certificates that are renewed in place: their files are looked at now and then, by their bytes,
//! as mounted secrets change by a link, and tools that copy keep times and sizes.

use super::reload::brief;
use super::{Running, build};
use crate::event::Event;

impl Running {
    /// Tells of certificates that have come near their end since that was told last.
    pub(super) fn look_at_dates(&self) {
        let mut now = self.in_force();
        let due: Vec<String> = now.tls.warnings().collect();
        let told = std::mem::replace(&mut now.warned, due.clone());
        drop(now);
        for text in due.iter().filter(|text| !told.contains(text)) {
            self.teller.tell(Event::Certificate(text));
        }
    }

    /// Has new connections go by the files as they are now, if any has changed. What will not do is
    /// told, once for as long as that is so, and the one before goes on.
    pub(super) fn look_at_files(&self) {
        let Some(_turn) = self.turn.take() else { return };
        let (config, before) = {
            let now = self.in_force();
            (now.config.clone(), now.tls.clone())
        };
        let Some((tls, faults)) = before.renewed(&config) else { return };
        let heirs: Vec<_> = (0..config.applications.len()).map(Some).collect();
        let news = tls.news(&before, &heirs, &config);
        let mut now = self.in_force();
        now.tls = tls.clone();
        let told = std::mem::replace(&mut now.faults, faults.clone());
        drop(now);
        for fault in faults.iter().filter(|fault| !told.contains(fault)) {
            self.teller.tell(Event::NotRenewed(&brief(&fault.to_string())));
        }
        if news.is_empty() {
            return;
        }
        let mut fitting = config;
        // As many fit as did before, or as few.
        let _ = build::fit_descriptors(&mut fitting.server);
        let answers = self.watch.current().answers.clone();
        self.serve_by(fitting, &tls, &self.server.controls().pools(), answers);
        self.teller.tell(Event::Renewed(&brief(&news.join("\n"))));
        tls.warnings().for_each(|text| self.teller.tell(Event::Certificate(&text)));
    }
}
