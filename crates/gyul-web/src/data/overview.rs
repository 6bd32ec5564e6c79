//! How everything grew, and partitions as they are edited.

use super::{ClassSize, Problem, SizeAt, time};
use gyul_model::Instant;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Sizes of all segments and classes over the last 90 days, and what their members bought.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Growth {
    /// When it was computed; it is computed anew each hour, and when a definition changes.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    pub population: Vec<SizeAt>,
    /// Of the last twelve months, refunds taken off; absent where nothing was sold.
    pub revenue: Option<f64>,
    pub of: Vec<GrowthOf>,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct GrowthOf {
    /// A segment's id, or `partition/class`.
    pub id: String,
    /// At the instants of `population`.
    pub sizes: Vec<u64>,
    pub revenue: Option<f64>,
}

/// A draft of a partition: the file that is edited, with the fields in their places.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PartitionAsk {
    /// The definition file that is edited; empty for a new one. What the fields do not say stays as it is written there.
    pub yaml: String,
    pub form: Option<PartitionForm>,
    /// The id of the definition that is edited; absent for a new one.
    pub of: Option<String>,
    /// Whether to count the classes, and who would move.
    pub count: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PartitionForm {
    pub id: String,
    pub name_ko: String,
    pub name_en: String,
    pub goal_ko: String,
    pub goal_en: String,
    pub classes: Vec<ClassForm>,
    /// Has no condition.
    pub otherwise: ClassForm,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassForm {
    pub id: String,
    pub name_ko: String,
    pub name_en: String,
    pub goal_ko: String,
    pub goal_en: String,
    pub when: String,
    /// The id that the class has in the file that is edited; empty for a new one.
    pub was: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct PartitionShown {
    /// The file with the changes in it.
    pub yaml: String,
    /// Absent where the file has a shape that fields cannot show.
    pub form: Option<PartitionForm>,
    pub problems: Vec<ClassProblem>,
    /// The conditions of `form.classes` in words.
    pub conditions: Vec<ConditionShown>,
    /// Absent while something is wrong with it, or if it was not asked for.
    pub moves: Option<Moves>,
}

/// A condition in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ConditionShown {
    pub when: String,
    /// Absent where it cannot be read.
    pub says_ko: Option<String>,
    pub says_en: Option<String>,
    /// Its numbers, as far as words name them.
    pub blanks: Vec<Blank>,
}

/// A number of a condition: what the words say before it and after it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Blank {
    /// Where it stands in `when`, in units of UTF-16.
    pub at: u32,
    pub before_ko: String,
    pub after_ko: String,
    pub before_en: String,
    pub after_en: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ClassProblem {
    #[serde(flatten)]
    pub problem: Problem,
    /// The number of the class, from 0; absent where something else is meant.
    pub class: Option<u32>,
}

/// How many customers would go from which class to which.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Moves {
    pub population: u64,
    /// As saved; empty for a new partition.
    pub before: Vec<ClassSize>,
    pub after: Vec<ClassSize>,
    /// `counts[i][j]` are in `before[i]` and would be in `after[j]`.
    pub counts: Vec<Vec<u64>>,
    /// How many would be in a class of another id.
    pub moved: u64,
}
