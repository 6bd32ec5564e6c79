//! What stands behind the server: [`gyul_web::Backend`] over the engine's hub.
//!
//! Questions that must be quick read the world between two of its steps; the others work on a frozen copy, so that
//! nothing waits for them.

mod builder;
mod conditions;
mod customers;
mod definitions;
mod drafts;
mod events;
mod explore;
mod identity;
mod imports;
mod looked;
mod machine;
mod movement;
mod names;
mod overview;
#[cfg(feature = "object-store")]
pub mod remote;
mod span;

use crate::failure::{Failure, IO};
use gyul_engine::View;
use gyul_engine::live::{Hub, Options, Outcome, Refused, World};
use gyul_ingest::plan::Plan;
use gyul_model::{Identifier, Instant, Message};
use gyul_profile::BlockList;
use gyul_web::data::*;
use gyul_web::{Backend, Incoming, Later, Refusal, Reply};
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use tokio::sync::watch;

pub struct Live {
    hub: Arc<Hub>,
    end: watch::Receiver<u64>,
    /// One decision about definitions at a time: checked, kept, applied.
    deciding: Mutex<()>,
    /// The last frozen copy, and where it stands.
    frozen: Mutex<Option<(Place, Arc<View>)>>,
    /// The copy that drafts are counted in.
    drafts: Mutex<Option<builder::Drafts>>,
    grown: Arc<Mutex<overview::Grown>>,
    /// The tracking plan as it is enforced.
    plan: RwLock<Option<Arc<Plan>>>,
    /// Values that name nobody.
    blocked: RwLock<BlockList>,
    names: names::Names,
    moved: Mutex<Moved>,
    schema: Mutex<Option<(std::time::Instant, Vec<EventSchema>)>>,
    looked: Mutex<Option<Arc<looked::Looked>>>,
    uploads: Mutex<drafts::Uploads>,
    imports: Arc<Mutex<Vec<Import>>>,
    /// Answers to slow questions, for a moment.
    slow: movement::Slow,
    asked: explore::Asked,
    /// One import at a time.
    turn: Arc<Mutex<()>>,
    /// Where backups go that are made while it serves.
    backups: OnceLock<PathBuf>,
    /// What went to an object store, where one is named.
    #[cfg(feature = "object-store")]
    shipped: OnceLock<Arc<remote::Shipped>>,
}

/// Behind which record, and over which base.
type Place = (u64, u64);

/// When each segment and class last changed, as far as the stream of changes was read.
#[derive(Default)]
struct Moved {
    next: u64,
    last: HashMap<Arc<str>, Instant>,
}

impl Live {
    pub fn new(hub: Hub) -> Live {
        let (tell, end) = watch::channel(hub.changes_end());
        hub.on_change(move |end| {
            tell.send_replace(end);
        });
        // A plan that cannot be read was never accepted; it is from a later version, and enforced by that alone.
        let plan = hub.world().plan.as_deref().and_then(|p| Plan::from_yaml(p).ok()).map(Arc::new);
        let names = names::Names::of(&hub.world());
        Live {
            end,
            names,
            deciding: Mutex::default(),
            frozen: Mutex::default(),
            drafts: Mutex::default(),
            grown: Arc::default(),
            plan: RwLock::new(plan),
            blocked: RwLock::new(BlockList::of(&hub.rules())),
            moved: Mutex::default(),
            schema: Mutex::default(),
            looked: Mutex::default(),
            uploads: Mutex::default(),
            imports: Arc::new(Mutex::new(imports::known(hub.dir()))),
            slow: movement::Slow::default(),
            asked: explore::Asked::default(),
            turn: Arc::default(),
            backups: OnceLock::new(),
            #[cfg(feature = "object-store")]
            shipped: OnceLock::new(),
            hub: Arc::new(hub),
        }
    }

    /// What could not be read when it was opened.
    pub fn harms(&self) -> Vec<gyul_engine::live::Harm> {
        self.hub.harms()
    }

    /// Calls `f` with whatever comes to be unreadable from here on.
    pub fn on_harm(&self, f: impl Fn(&gyul_engine::live::Harm) + Send + 'static) {
        self.hub.on_harm(f);
    }

    /// Backups that are asked for go there.
    pub fn keep_backups_in(&self, folder: PathBuf) {
        let _ = self.backups.set(folder);
    }

    /// A frozen copy with the definitions in force, as of the last step.
    fn view(&self) -> Arc<View> {
        let mut frozen = lock(&self.frozen);
        let world = self.hub.world();
        if let Some((at, view)) = &*frozen
            && *at == (world.next, world.bases)
        {
            return view.clone();
        }
        // The old copy goes first: two of them are never needed.
        *frozen = None;
        // Nobody waits for the lock: who holds it is about to ask for this copy.
        if let Ok(mut drafts) = self.drafts.try_lock()
            && drafts.as_ref().is_some_and(builder::Drafts::is_old)
        {
            *drafts = None;
        }
        let at = (world.next, world.bases);
        let (timelines, library) = (world.live.freeze(), world.live.library().clone());
        let left_out = world.left_out(&timelines);
        drop(world);
        let view = Arc::new(View::of(timelines, (*library).clone()).without(left_out));
        *frozen = Some((at, view.clone()));
        view
    }

    /// Leaves out other events from here on; who enters and leaves by that is told.
    fn keep(&self, policy: Option<gyul_store::Policy>) -> Result<(), gyul_store::StoreError> {
        let kept = self.hub.keep(policy, BY);
        self.forget_answers();
        kept
    }

    /// Copies and answers that were made before something went, or came back.
    fn forget_answers(&self) {
        *lock(&self.frozen) = None;
        *lock(&self.drafts) = None;
        *lock(&self.schema) = None;
        *lock(&self.looked) = None;
        self.forget_asked();
    }

    /// Decides; what came of it.
    fn act(&self, action: gyul_engine::live::Action) -> Reply<(Outcome, u64)> {
        self.hub.act(action, BY).map_err(refused)
    }
}

/// Who acts, where the server does not say more: the audit log does.
const BY: &str = "api";

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(r: Refused) -> Refusal {
    match r {
        Refused::Busy => Refusal::Busy(1),
        Refused::Storage => Refusal::Storage(5),
        Refused::Stopping => Refusal::Stopping,
    }
}

/// What the disk said; details are for the log, and hold paths alone.
fn storage(e: gyul_store::StoreError) -> Refusal {
    match e.kind {
        gyul_store::StoreErrorKind::Io(_) => Refusal::Storage(10),
        _ => Refusal::Internal(e.message(gyul_model::Lang::En)),
    }
}

/// A customer: the number of its timeline, and its head.
fn find(world: &World, who: &Identifier) -> Reply<(u32, u32)> {
    world.find(who).ok_or(Refusal::NotFound)
}

fn problem(code: &str, ko: impl Into<String>, en: impl Into<String>) -> Problem {
    Problem { code: code.into(), ko: ko.into(), en: en.into(), ..Problem::default() }
}

fn conflict(code: &str, ko: impl Into<String>, en: impl Into<String>) -> Refusal {
    Refusal::Conflict(Box::new(problem(code, ko, en)))
}

fn invalid(code: &str, ko: impl Into<String>, en: impl Into<String>) -> Refusal {
    Refusal::Invalid(vec![problem(code, ko, en)])
}

impl Backend for Live {
    fn ingest(&self, batch: Incoming) -> Later<Ack> {
        self.take(batch)
    }

    fn events(&self) -> Reply<Vec<EventSchema>> {
        Ok(self.event_schema())
    }

    fn plan(&self) -> Reply<Option<String>> {
        Ok(self.hub.world().plan.clone())
    }

    fn put_plan(&self, yaml: &str) -> Reply<()> {
        self.declare(yaml)
    }

    fn quarantine(&self, before: Option<u64>, limit: usize) -> Reply<Vec<Quarantined>> {
        Ok(self.quarantined(before, limit))
    }

    fn mend(&self, number: u64, content: &str) -> Reply<()> {
        self.mended(number, content)
    }

    fn dismiss(&self, number: u64) -> Reply<()> {
        self.dismissed(number)
    }

    fn replay(&self, numbers: Option<&[u64]>) -> Reply<Replayed> {
        self.replayed(numbers)
    }

    fn customer(&self, who: &Identifier) -> Reply<Customer> {
        self.about(who)
    }

    fn search(&self, text: &str, after: Option<FoundAt>, limit: usize) -> Reply<FoundCustomers> {
        Ok(self.searched(text, after, limit))
    }

    fn heads(&self, ids: &[String]) -> Reply<Vec<CustomerHead>> {
        let (world, now) = (self.hub.world(), self.hub.now());
        let found = ids.iter().filter_map(|id| world.find(&Identifier::of_handle(id)));
        Ok(found.map(|(number, _)| customers::head_of(&world, number, now)).collect())
    }

    fn recent(&self, limit: usize) -> Reply<Vec<CustomerHead>> {
        Ok(self.recently(limit))
    }

    fn timeline(&self, who: &Identifier, before: Option<(Instant, u64)>, limit: usize) -> Reply<Vec<TimelineEvent>> {
        self.events_of(who, before, limit)
    }

    fn decision(&self, who: &Identifier) -> Reply<Decision> {
        self.decided(who)
    }

    fn why(&self, who: &Identifier, kind: DefKind, id: &str) -> Reply<Why> {
        self.explained(who, kind, id)
    }

    fn merge(&self, into: &Identifier, from: &Identifier) -> Reply<Merged> {
        self.merged(into, from)
    }

    fn unmerge(&self, decision: u64) -> Reply<()> {
        self.unmerged(decision)
    }

    fn backup(&self) -> Reply<Backup> {
        self.backed_up()
    }

    fn erase(&self, who: &Identifier) -> Reply<ErasureReport> {
        let erased = self.hub.erase(who, BY);
        // The copies know the person still.
        self.forget_answers();
        let erased = erased.map_err(storage)?.ok_or(Refusal::NotFound)?;
        let removed = erased.removed.into_iter().map(|(place, n)| (place.to_string(), n)).collect();
        let said = |places: Vec<gyul_engine::live::Place>| {
            places.into_iter().map(|p| Searched { ko: p.ko, en: p.en }).collect()
        };
        Ok(ErasureReport { removed, verified: said(erased.verified), pending: said(erased.pending) })
    }

    fn object(&self, who: &Identifier, objects: bool) -> Reply<()> {
        self.objected(who, objects)
    }

    fn export(&self, who: &Identifier) -> Reply<String> {
        self.exported(who)
    }

    fn definitions(&self, kind: DefKind) -> Reply<Vec<DefState>> {
        Ok(self.states(kind))
    }

    fn definition(&self, kind: DefKind, id: &str) -> Reply<Definition> {
        self.one_definition(kind, id)
    }

    fn put_definition(&self, kind: DefKind, id: &str, yaml: &str, if_version: Option<u32>) -> Reply<DefState> {
        self.defined(kind, id, yaml, if_version)
    }

    fn delete_definition(&self, kind: DefKind, id: &str) -> Reply<()> {
        self.undefined(kind, id)
    }

    fn preview(&self, kind: DefKind, yaml: &str) -> Reply<Preview> {
        self.previewed(kind, yaml)
    }

    fn members(&self, id: &MembersOf, after: Option<&str>, limit: usize) -> Reply<Vec<Member>> {
        self.members_of(id, after, limit)
    }

    fn history(&self, id: &MembersOf, range: HistoryRange) -> Reply<Vec<SizeAt>> {
        self.sizes(id, range)
    }

    fn versions(&self, kind: DefKind, id: &str) -> Reply<Vec<Version>> {
        self.all_versions(kind, id)
    }

    fn form(&self, ask: &FormAsk) -> Reply<FormShown> {
        self.formed(ask)
    }

    fn effects(&self, ask: &EffectsAsk) -> Reply<EffectsShown> {
        self.effected(ask)
    }

    fn vocabulary(&self) -> Reply<Vocabulary> {
        Ok(self.words())
    }

    fn growth(&self) -> Reply<Growth> {
        self.grown()
    }

    fn partition_draft(&self, ask: &PartitionAsk) -> Reply<PartitionShown> {
        self.partition_drafted(ask)
    }

    fn overlap(&self, segments: &[String]) -> Reply<Vec<Overlap>> {
        self.overlaps(segments)
    }

    fn movement(&self, from: Instant, to: Instant) -> Reply<Arc<Movement>> {
        Ok(self.moved_between(from, to))
    }

    fn revenue(&self) -> Reply<Arc<Revenue>> {
        Ok(self.revenues())
    }

    fn changes(&self, from: u64, limit: usize) -> Reply<Vec<Change>> {
        self.changed(from, limit)
    }

    fn changes_end(&self) -> watch::Receiver<u64> {
        self.end.clone()
    }

    fn import(&self, file: PathBuf, name: &str) -> Reply<Import> {
        self.started(file, name)
    }

    fn imports(&self) -> Reply<Vec<Import>> {
        Ok(lock(&self.imports).iter().rev().cloned().collect())
    }

    fn draft(&self, file: PathBuf, name: &str) -> Reply<Draft> {
        self.drafted(file, name)
    }

    fn try_draft(&self, id: u64, meaning: &Meaning) -> Reply<Draft> {
        self.tried(id, meaning)
    }

    fn import_draft(&self, id: u64, mapping: &str) -> Reply<Import> {
        self.draft_imported(id, mapping)
    }

    fn drop_draft(&self, id: u64) -> Reply<()> {
        self.dropped(id)
    }

    fn import_rejects(&self) -> Reply<Vec<ImportRejects>> {
        self.rejects()
    }

    fn rejected_file(&self, import: u64) -> Reply<String> {
        self.rejects_as_file(import)
    }

    fn settle_rejects(&self, import: u64) -> Reply<()> {
        self.rejects_settled(import)
    }

    fn enough(&self) -> Reply<Enough> {
        Ok(self.looked().enough.clone())
    }

    fn daily(&self, days: u32) -> Reply<Vec<DayVolume>> {
        Ok(self.by_day(days))
    }

    fn settings(&self) -> Reply<Settings> {
        Ok(self.workspace())
    }

    fn put_settings(&self, settings: &Settings) -> Reply<()> {
        self.settle_workspace(settings)
    }

    fn identity_rules(&self) -> Reply<IdentityRules> {
        Ok(self.rules_shown())
    }

    fn put_identity_rules(&self, rules: &IdentityRules) -> Reply<()> {
        self.rules_decided(rules)
    }

    fn keep_access(&self, record: Vec<u8>) -> Reply<()> {
        self.act(gyul_engine::live::Action::Access(record)).map(|_| ())
    }

    fn access(&self) -> Reply<Vec<Vec<u8>>> {
        Ok(self.hub.world().access.clone())
    }

    fn keep_audit(&self, entry: Vec<u8>) -> Reply<()> {
        self.act(gyul_engine::live::Action::Audit(entry)).map(|_| ())
    }

    fn audit(&self, before: Option<u64>, limit: usize) -> Reply<Vec<(u64, Vec<u8>)>> {
        let world = self.hub.world();
        let older = world.audit.partition_point(|(n, _)| before.is_none_or(|b| *n < b));
        Ok(world.audit[..older].iter().rev().take(limit).cloned().collect())
    }

    fn health(&self) -> Health {
        let damaged = self.hub.harms().iter().map(|h| h.records).sum();
        let failing = self.hub.failing().into_iter().map(gyul_engine::live::Behind::name).collect();
        Health { ready: true, writable: self.hub.is_healthy(), damaged, failing }
    }

    fn metrics(&self) -> Vec<Metric> {
        self.gauged()
    }

    fn stop(&self) {
        self.hub.stop();
    }
}

/// Messages in the form of our own events, for whoever has to look at them or send them again.
fn names_of(m: &Message) -> serde_json::Map<String, serde_json::Value> {
    m.who.iter().map(|i| (i.kind.name().to_string(), i.value.clone().into())).collect()
}

fn as_own_event(m: &Message) -> Vec<serde_json::Value> {
    let who = names_of(m);
    let mut out = vec![];
    for (i, (name, props)) in m.events.iter().enumerate() {
        let props: serde_json::Map<String, serde_json::Value> =
            props.iter().map(|(n, v)| (n.clone(), crate::output::json_value(v))).collect();
        let id = if i == 0 { m.id.clone() } else { format!("{}#{i}", m.id) };
        out.push(serde_json::json!({ "who": who, "name": name, "ts": m.ts.to_string(), "id": id, "props": props }));
    }
    out
}

/// Opens a data directory for serving, as the only one. `zone` and currency of a directory that has none yet.
pub fn open(data: &Path, workspace: Option<(&str, &str)>) -> Result<Live, Failure> {
    let says = |e: gyul_store::StoreError| Failure::says(IO, |l| e.message(l));
    let manifest = match gyul_store::Manifest::read(data) {
        Ok(m) => Some(m),
        Err(e) if matches!(e.kind, gyul_store::StoreErrorKind::Missing) => None,
        Err(e) => return Err(says(e)),
    };
    let (zone, currency) = match (&manifest, workspace) {
        (Some(m), _) => (m.zone.clone(), m.currency.clone()),
        (None, Some((zone, currency))) => (zone.into(), currency.into()),
        (None, None) => ("Asia/Seoul".to_string(), "KRW".to_string()),
    };
    let mut starter = gyul_engine::starter_at(&zone, &currency);
    starter.push((machine::WORKSPACE.into(), machine::workspace_file(&zone, &currency)));
    let options = Options { zone, currency, starter, ..Options::default() };
    let hub = Hub::open(data, options, Arc::new(crate::now)).map_err(|e| match e.kind {
        gyul_store::StoreErrorKind::Locked => second(data),
        _ => says(e),
    })?;
    let live = Live::new(hub);
    live.hub.move_on().map_err(says)?;
    Ok(live)
}

/// Puts a staleness policy in force where no server runs.
pub fn keep(data: &Path, policy: Option<gyul_store::Policy>) -> Result<(), Failure> {
    let says = |e: gyul_store::StoreError| Failure::says(IO, |l| e.message(l));
    if !data.join("log").exists() {
        let _alone = lock_of(data)?;
        return crate::policy::put(data, policy).map_err(says);
    }
    let live = open(data, None)?;
    let kept = live.keep(policy);
    live.hub.stop();
    kept.map_err(says)
}

/// Takes a data directory for something that is done beside no server: what its log holds goes into the base first, so
/// that rows and records never get the same numbers. Lasts as long as the file is kept.
pub fn alone(data: &Path) -> Result<File, Failure> {
    let file = lock_of(data)?;
    if !data.join("log").exists() {
        return Ok(file);
    }
    drop(file);
    let live = open(data, None)?;
    let waits = live.hub.world().next > live.hub.settled();
    let settled = if waits { live.hub.checkpoint().map(|_| ()) } else { Ok(()) };
    live.hub.stop();
    drop(live);
    settled.map_err(|e| Failure::says(IO, |l| e.message(l)))?;
    lock_of(data)
}

/// The lock that a server holds while it runs on a directory.
pub fn lock_of(data: &Path) -> Result<File, Failure> {
    std::fs::create_dir_all(data).map_err(|e| Failure::write(data, &e))?;
    let path = data.join("serve.lock");
    let file = File::create(&path).map_err(|e| Failure::write(&path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(served(data)),
        Err(std::fs::TryLockError::Error(e)) => Err(Failure::write(&path, &e)),
    }
}

/// Another server, or a key for one that runs.
fn second(data: &Path) -> Failure {
    let d = data.display();
    Failure::io(
        format!(
            "{d}: 다른 gyul 서버가 이미 쓰고 있습니다. 그 서버를 쓰거나 멈추세요. \
             키는 실행 중인 서버의 설정 > 키에서, 또는 POST /api/v1/keys로 만듭니다."
        ),
        format!(
            "{d} is in use by a server that runs already. Use that one, or stop it. \
             Keys of a running server are made in its settings, or by POST /api/v1/keys."
        ),
    )
}

fn served(data: &Path) -> Failure {
    let d = data.display();
    Failure::io(
        format!(
            "{d}: 서버가 쓰고 있는 데이터입니다. 파일은 서버에 올려 가져오거나(POST /api/v1/imports?name=…) \
             서버를 멈춘 뒤 다시 실행하세요."
        ),
        format!(
            "{d} is in use by a server. Upload files to it (POST /api/v1/imports?name=…), or stop it and run this again."
        ),
    )
}
