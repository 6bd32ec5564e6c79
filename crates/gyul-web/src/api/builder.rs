//! What the visual builder asks while somebody edits: the text as cards and back, and what each condition does.
//!
//! Whoever may count any condition could find out about single people, so these are for the roles that see people.

use crate::app::App;
use crate::args;
use crate::data::*;
use crate::guard::Caller;
use crate::problem::ApiResult;
use crate::table::{Endpoint, PEOPLE, Table};
use crate::veil;
use axum::Extension;
use axum::extract::State;
use bytes::Bytes;
use std::sync::Arc;

type Shared = State<Arc<App>>;

/// Most members that are named with an answer.
const SAMPLE_MAX: u32 = 50;

pub fn add(table: &mut Table) {
    let tag = "definitions";
    table.at(
        Endpoint::post("/api/v1/segments/form", "segmentForm", tag, PEOPLE)
            .says(
                "세그먼트의 식을 카드로, 카드를 식으로 바꿉니다",
                "A segment's text as cards, or cards as text, with the problems at their places; nothing is kept",
            )
            .takes::<FormAsk>()
            .gives::<FormShown>()
            .audited(false),
        form,
    );
    table.at(
        Endpoint::post("/api/v1/segments/effects", "segmentEffects", tag, PEOPLE)
            .says(
                "조건마다 무엇을 바꾸는지 셉니다",
                "Counts a draft, each of its conditions alone, and the whole without each of them; nothing is kept",
            )
            .takes::<EffectsAsk>()
            .gives::<EffectsShown>()
            .audited(false),
        effects,
    );
    table.at(
        Endpoint::get("/api/v1/vocabulary", "getVocabulary", tag, PEOPLE)
            .says("정의에 쓸 수 있는 이름들", "Events, properties, traits and definitions that conditions can speak of")
            .gives::<Vocabulary>(),
        |State(app): Shared| async move {
            let mut words = app.ask(|b| b.vocabulary()).await?;
            veil::vocabulary(&mut words);
            args::json(&words)
        },
    );
}

async fn form(State(app): Shared, body: Bytes) -> ApiResult {
    let ask: FormAsk = args::body(&body)?;
    args::json(&app.ask(move |b| b.form(&ask)).await?)
}

async fn effects(State(app): Shared, Extension(caller): Extension<Caller>, body: Bytes) -> ApiResult {
    let mut ask: EffectsAsk = args::body(&body)?;
    ask.sample = ask.sample.min(SAMPLE_MAX);
    let mut shown = app.ask(move |b| b.effects(&ask)).await?;
    if veil::veils(caller.role) {
        shown.sample.iter_mut().for_each(veil::head);
    }
    args::json(&shown)
}
