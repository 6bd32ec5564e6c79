//! The workspace's settings, and numbers about the machine.

use super::{Live, conflict, invalid, lock, storage};
use gyul_engine::live::Action;
use gyul_engine::retention;
use gyul_model::{Lang, Zone};
use gyul_store::{Manifest, StoreErrorKind};
use gyul_web::data::*;
use gyul_web::{Refusal, Reply};
use std::sync::atomic::{AtomicU64, Ordering};

/// The definition that says zone and currency to all others.
pub const WORKSPACE: &str = "workspace";

/// As a definition file.
pub fn workspace_file(zone: &str, currency: &str) -> String {
    format!("version: 1\nzone: {zone}\ncurrency: {currency}\n")
}

/// What the log keeps of the settings in one record; what is left out has records of its own.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    zone: String,
    currency: String,
}

impl Live {
    pub(super) fn workspace(&self) -> Settings {
        let world = self.hub.world();
        let kept = world.settings.as_deref().and_then(|kept| serde_json::from_slice(kept).ok());
        let library = world.live.library();
        let Kept { zone, currency } =
            kept.unwrap_or_else(|| Kept { zone: library.zone.name().to_string(), currency: library.currency.clone() });
        Settings { zone, currency, retention: world.kept.as_ref().map(|p| p.said.clone()) }
    }

    pub(super) fn backed_up(&self) -> Reply<Backup> {
        let Some(folder) = self.backups.get() else {
            return Err(conflict(
                "no_backup_folder",
                "백업할 폴더가 정해지지 않았습니다. gyul serve --backups 폴더 로 서버를 다시 시작하세요.",
                "no folder for backups is named. Start the server with gyul serve --backups DIR.",
            ));
        };
        let at = self.hub.now().to_string();
        let name: String = at.chars().filter(char::is_ascii_alphanumeric).collect();
        let to = folder.join(name);
        std::fs::create_dir_all(folder).map_err(|e| storage(gyul_store::StoreError::io(folder)(e)))?;
        let next = self.hub.backup(&to).map_err(storage)?;
        Ok(Backup { folder: to.display().to_string(), next })
    }

    pub(super) fn settle_workspace(&self, settings: &Settings) -> Reply<()> {
        let (zone, currency) = (&settings.zone, &settings.currency);
        let Some(days_of) = Zone::new(zone) else {
            return Err(invalid(
                "bad_zone",
                format!("알 수 없는 시간대입니다: {zone}. Asia/Seoul처럼 적으세요."),
                format!("no such time zone: {zone}. Write it like Asia/Seoul."),
            ));
        };
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(invalid(
                "bad_currency",
                "통화는 KRW처럼 대문자 세 글자입니다.",
                "a currency has three capital letters, like KRW.",
            ));
        }
        let policy = match settings.retention.as_deref() {
            None => None,
            Some(words) => retention::policy(words, self.hub.now(), &days_of).map_err(|e| {
                let (ko, en) = (e.message(Lang::Ko), e.message(Lang::En));
                invalid("bad_retention", format!("retention: {ko}"), format!("retention: {en}"))
            })?,
        };
        let _one = lock(&self.deciding);
        let before = self.workspace();
        let kept = Kept { zone: zone.clone(), currency: currency.clone() };
        let bytes = serde_json::to_vec(&kept).map_err(|e| Refusal::Internal(e.to_string()))?;
        self.act(Action::Settings(bytes))?;
        if (&before.zone, &before.currency) != (zone, currency) {
            let text = Some(workspace_file(zone, currency));
            self.act(Action::Define { kind: "common".into(), id: WORKSPACE.into(), text })?;
            // The command line and imports go by the manifest.
            let dir = self.hub.dir();
            self.hub
                .alone(|| {
                    let mut manifest = match Manifest::read(dir) {
                        Ok(m) => m,
                        Err(e) if matches!(e.kind, StoreErrorKind::Missing) => Manifest::new(zone, currency),
                        Err(e) => return Err(e),
                    };
                    (manifest.zone, manifest.currency) = (zone.clone(), currency.clone());
                    manifest.write(dir)
                })
                .map_err(storage)?;
        }
        // Last: its days are those of the zone.
        self.keep(policy).map_err(storage)
    }

    pub(super) fn gauged(&self) -> Vec<Metric> {
        let g = self.hub.gauges();
        let mut out = vec![];
        let mut add = |name, help, kind, value: f64| out.push(Metric { name, help, kind, labels: vec![], value });
        let n = |a: &AtomicU64| a.load(Ordering::Relaxed) as f64;
        let counter = MetricKind::Counter;
        let gauge = MetricKind::Gauge;
        add("messages_accepted_total", "Messages taken since the start.", counter, n(&g.accepted));
        add("messages_duplicate_total", "Messages that were here before.", counter, n(&g.duplicates));
        add("messages_rejected_total", "Messages that went into the quarantine.", counter, n(&g.rejected));
        add("log_commits_total", "Times that the log was made durable.", counter, n(&g.commits));
        add("log_commit_seconds_total", "Time that took.", counter, n(&g.commit_micros) / 1e6);
        add("log_errors_total", "Times that the disk took nothing.", counter, n(&g.storage_errors));
        let damaged: u64 = self.hub.harms().iter().map(|h| h.records).sum();
        add("log_damaged_records", "Records of the log that could not be read.", gauge, damaged as f64);
        let failing = self.hub.failing().len() as f64;
        add("failing", "Checkpoints, imports and moves of the retention that do not work now.", gauge, failing);
        add("log_bytes", "Bytes of the log's files.", gauge, n(&g.log_bytes));
        add("steps_total", "Steps of the live evaluator.", counter, n(&g.ticks));
        add("step_seconds_total", "Time they took.", counter, n(&g.tick_micros) / 1e6);
        add("changes_total", "Entries and exits told.", counter, n(&g.changes));
        add("queue_messages", "Messages that wait for the log.", gauge, n(&g.waiting));
        add("checkpoints_total", "Times that the log was moved into the base.", counter, n(&g.checkpoints));
        let dropped = n(&self.names.dropped);
        add("properties_dropped_total", "Properties beyond the limit of an event name.", counter, dropped);
        let world = self.hub.world();
        add("customers_objecting", "Customers who object to being profiled.", gauge, world.objectors_count() as f64);
        add("events_in_memory", "Events that membership rests on.", gauge, world.live.events() as f64);
        add("events_fresh", "Those of them not yet packed.", gauge, world.live.fresh_events() as f64);
        add("customers", "Customers known.", gauge, world.live.population().count() as f64);
        add("quarantine_messages", "Messages in the quarantine.", gauge, world.quarantine.len() as f64);
        add("lag_seconds", "How far membership is behind.", gauge, self.lag(&world) as f64 / 1000.0);
        #[cfg(feature = "object-store")]
        if let Some(shipped) = self.shipped.get() {
            add("remote_copies_total", "Copies that went to the object store.", counter, n(&shipped.copies));
            add("remote_failures_total", "Copies that did not.", counter, n(&shipped.failures));
            add("remote_bytes_total", "Bytes sent there.", counter, n(&shipped.bytes));
            let at = shipped.at.load(Ordering::Relaxed) as f64;
            add("remote_copied_at_seconds", "When the last whole copy was there, since 1970.", gauge, at);
        }
        for (root, name) in world.live.names().iter().enumerate() {
            out.push(Metric {
                name: "members",
                help: "Members by segment or class.",
                kind: gauge,
                labels: vec![("of", name.to_string())],
                value: world.live.members(root).count() as f64,
            });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Before 0.1 there was a period of retention that nothing ever kept to.
    #[test]
    fn settings_that_were_kept_with_a_retention_are_read() {
        let kept = br#"{"zone":"Asia/Tokyo","currency":"JPY","retention_days":null}"#;
        assert_eq!(serde_json::from_slice::<Kept>(kept).unwrap().zone, "Asia/Tokyo");
    }
}
