//! What the visual builder asks and gets.

use super::{CustomerHead, Problem, time};
use gyul_model::Instant;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A draft as text, as a form, or as a whole file: `form` counts before `text`, `text` before the file's own condition.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FormAsk {
    /// The definition file that is edited; empty for a new one. What is not changed stays as it is written there.
    pub yaml: String,
    /// What the definition says about itself (`id`, `name_ko`, `goal_en`, `tags`, …).
    #[schema(value_type = Option<Object>)]
    pub about: Option<Value>,
    /// The condition as text.
    pub text: Option<String>,
    /// The condition as cards: see `docs/reference/builder.md`.
    #[schema(value_type = Option<Object>)]
    pub form: Option<Value>,
    /// The id of the definition that is edited; absent for a new one.
    pub of: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct FormShown {
    /// The definition file with the changes in it.
    pub yaml: String,
    #[schema(value_type = Object)]
    pub about: Value,
    pub text: String,
    /// `null` while the text cannot be read.
    #[schema(value_type = Option<Object>)]
    pub form: Option<Value>,
    /// Cards that are left out because they are not filled in.
    pub missing: Vec<CardMissing>,
    pub problems: Vec<TextProblem>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CardMissing {
    pub key: String,
    pub ko: String,
    pub en: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TextProblem {
    #[serde(flatten)]
    pub problem: Problem,
    /// The place in `text`, in characters; absent where something else is meant.
    pub start: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EffectsAsk {
    /// The definition file of the draft.
    pub yaml: String,
    /// Its condition as cards with keys, if they are not those of the text.
    #[schema(value_type = Option<Object>)]
    pub form: Option<Value>,
    /// The id of the definition that is edited; absent for a new one.
    pub of: Option<String>,
    /// An instant, or a date, which means the end of that day. Now if absent.
    pub at: Option<String>,
    /// A segment, or `partition/class`.
    pub compare: Option<String>,
    /// How many members to name, at most 50.
    pub sample: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EffectsShown {
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    pub population: u64,
    /// `null` while something is wrong with the draft.
    pub size: Option<u64>,
    /// The version that is saved, counted at the same instant.
    pub saved: Option<Beside>,
    pub compared: Option<Beside>,
    /// Groups and conditions from the top.
    pub parts: Vec<PartEffect>,
    pub missing: Vec<CardMissing>,
    /// Some members, spread over all of them.
    pub sample: Vec<CustomerHead>,
    /// Of the draft as a whole, warnings too.
    pub problems: Vec<Problem>,
}

/// Another set of customers beside the draft's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Beside {
    pub size: u64,
    pub both: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartEffect {
    /// Of the card; without keys its place from the top, as `0.2.1`.
    pub key: String,
    /// How many satisfy it by itself.
    pub alone: Option<u64>,
    /// How many members there would be without it.
    pub without: Option<u64>,
    pub problems: Vec<Problem>,
}

/// What definitions can speak of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Vocabulary {
    /// The most frequent first; those that have a short name go by it.
    pub events: Vec<WordEvent>,
    pub traits: Vec<WordProperty>,
    pub measures: Vec<WordNamed>,
    pub segments: Vec<WordNamed>,
    pub partitions: Vec<WordPartition>,
    pub occasions: Vec<WordNamed>,
    /// Segments of the starter library to begin with.
    pub starters: Vec<WordStarter>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct WordEvent {
    /// As it is written in a condition.
    pub name: String,
    /// Written in quotes: the event's own name.
    pub quoted: bool,
    /// The event's own name.
    pub event: String,
    pub count: u64,
    pub properties: Vec<WordProperty>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct WordProperty {
    pub name: String,
    /// `bool`, `number`, `text`, `instant`, `list`, or `duration`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Frequent values; none where they may name a person.
    pub values: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct WordNamed {
    pub id: String,
    pub name_ko: Option<String>,
    pub name_en: Option<String>,
    /// Of a measure: `number`, `duration`, `instant`, `text`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct WordPartition {
    #[serde(flatten)]
    pub named: WordNamed,
    pub classes: Vec<WordNamed>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct WordStarter {
    #[serde(flatten)]
    pub named: WordNamed,
    pub goal_ko: Option<String>,
    pub goal_en: Option<String>,
    pub yaml: String,
}
