use crate::Date;
use std::collections::BTreeMap;

/// A day in the year that people shop for, with the local dates on which it falls.
#[derive(Clone, Debug, PartialEq)]
pub struct Occasion {
    pub id: String,
    pub ko: String,
    pub en: String,
    /// Ascending.
    pub dates: Vec<Date>,
}

/// The occasions a workspace knows: the built-in Korean and world ones, and the shop's own, which win.
#[derive(Clone, Debug, PartialEq)]
pub struct Occasions(BTreeMap<String, Occasion>);

impl Occasions {
    pub fn none() -> Occasions {
        Occasions(BTreeMap::new())
    }

    /// The built-in calendar, 2020 to 2030. Lunar and solar-term dates are a table, computed once with
    /// korean_lunar_calendar 0.4.0 and ephem (see docs/reference/occasions.md): never a Chinese calendar.
    pub fn builtin() -> Occasions {
        let mut all = Occasions::none();
        for (id, ko, en, rule) in BUILTIN {
            let dates = (2020..=2030).filter_map(|year| rule.date(year)).collect();
            all.insert(Occasion { id: (*id).into(), ko: (*ko).into(), en: (*en).into(), dates });
        }
        all
    }

    /// Adds an occasion or replaces the one of the same id.
    pub fn insert(&mut self, mut occasion: Occasion) {
        occasion.dates.sort_unstable();
        occasion.dates.dedup();
        self.0.insert(occasion.id.clone(), occasion);
    }

    pub fn get(&self, id: &str) -> Option<&Occasion> {
        self.0.get(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Occasion> {
        self.0.values()
    }
}

impl Occasion {
    /// Whether `date` is at most `days` days before or after an occurrence.
    pub fn near(&self, date: Date, days: i32) -> bool {
        let i = self.dates.partition_point(|d| d.0 < date.0.saturating_sub(days));
        self.dates.get(i).is_some_and(|d| d.0 <= date.0.saturating_add(days))
    }
}

enum Rule {
    /// The same day each year.
    Fixed(i8, i8),
    /// The n-th (1…) weekday (Monday 1) of a month, plus some days.
    Nth { month: i8, weekday: u8, n: i32, plus: i32 },
    /// `MMDD` for 2020, 2021, … 2030; 0 where it is not known yet.
    Table([u16; 11]),
}

impl Rule {
    fn date(&self, year: i16) -> Option<Date> {
        match *self {
            Rule::Fixed(month, day) => Date::new(year, month, day),
            Rule::Nth { month, weekday, n, plus } => {
                let first = Date::new(year, month, 1)?;
                let to_weekday = (i32::from(weekday) - i32::from(first.weekday())).rem_euclid(7);
                Some(Date(first.0 + to_weekday + 7 * (n - 1) + plus))
            }
            Rule::Table(days) => {
                let mmdd = days[(year - 2020) as usize];
                Date::new(year, (mmdd / 100) as i8, (mmdd % 100) as i8)
            }
        }
    }
}

const BUILTIN: &[(&str, &str, &str, Rule)] = &[
    ("new_year", "신정", "New Year's Day", Rule::Fixed(1, 1)),
    ("seollal", "설날", "Seollal", Rule::Table([125, 212, 201, 122, 210, 129, 217, 207, 127, 213, 203])),
    ("daeboreum", "정월대보름", "Daeboreum", Rule::Table([208, 226, 215, 205, 224, 212, 303, 221, 210, 227, 217])),
    ("valentines_day", "발렌타인데이", "Valentine's Day", Rule::Fixed(2, 14)),
    ("school_start", "신학기", "Start of the school year", Rule::Fixed(3, 2)),
    ("samgyeopsal_day", "삼겹살데이", "Samgyeopsal Day", Rule::Fixed(3, 3)),
    ("white_day", "화이트데이", "White Day", Rule::Fixed(3, 14)),
    ("arbor_day", "식목일", "Arbor Day", Rule::Fixed(4, 5)),
    ("black_day", "블랙데이", "Black Day", Rule::Fixed(4, 14)),
    ("childrens_day", "어린이날", "Children's Day", Rule::Fixed(5, 5)),
    ("parents_day", "어버이날", "Parents' Day", Rule::Fixed(5, 8)),
    ("rose_day", "로즈데이", "Rose Day", Rule::Fixed(5, 14)),
    ("teachers_day", "스승의날", "Teachers' Day", Rule::Fixed(5, 15)),
    ("coming_of_age_day", "성년의날", "Coming-of-Age Day", Rule::Nth { month: 5, weekday: 1, n: 3, plus: 0 }),
    ("couples_day", "부부의날", "Couples' Day", Rule::Fixed(5, 21)),
    (
        "buddhas_birthday",
        "부처님오신날",
        "Buddha's Birthday",
        Rule::Table([430, 519, 508, 527, 515, 505, 524, 513, 502, 520, 509]),
    ),
    ("mothers_day_us", "어머니의 날(미국)", "Mother's Day (US)", Rule::Nth { month: 5, weekday: 7, n: 2, plus: 0 }),
    ("chobok", "초복", "Chobok", Rule::Table([716, 711, 716, 711, 715, 720, 715, 720, 714, 719, 714])),
    ("jungbok", "중복", "Jungbok", Rule::Table([726, 721, 726, 721, 725, 730, 725, 730, 724, 729, 724])),
    ("malbok", "말복", "Malbok", Rule::Table([815, 810, 815, 810, 814, 809, 814, 809, 808, 813, 808])),
    ("chilseok", "칠석", "Chilseok", Rule::Table([825, 814, 804, 822, 810, 829, 819, 808, 826, 816, 805])),
    ("chuseok", "추석", "Chuseok", Rule::Table([1001, 921, 910, 929, 917, 1006, 925, 915, 1003, 922, 912])),
    ("halloween", "핼러윈", "Halloween", Rule::Fixed(10, 31)),
    ("pepero_day", "빼빼로데이", "Pepero Day", Rule::Fixed(11, 11)),
    ("singles_day", "광군제", "Singles' Day", Rule::Fixed(11, 11)),
    (
        "suneung",
        "수능",
        "College entrance exam",
        Rule::Table([1203, 1118, 1117, 1116, 1114, 1113, 1119, 1118, 0, 0, 0]),
    ),
    ("black_friday", "블랙프라이데이", "Black Friday", Rule::Nth { month: 11, weekday: 4, n: 4, plus: 1 }),
    ("cyber_monday", "사이버먼데이", "Cyber Monday", Rule::Nth { month: 11, weekday: 4, n: 4, plus: 4 }),
    ("dongji", "동지", "Winter solstice", Rule::Table([0, 0, 0, 0, 1221, 1221, 1222, 1222, 1221, 1221, 1222])),
    ("christmas", "크리스마스", "Christmas", Rule::Fixed(12, 25)),
    ("boxing_day", "박싱데이", "Boxing Day", Rule::Fixed(12, 26)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_give_the_published_dates() {
        let all = Occasions::builtin();
        let has = |id: &str, date: &str| {
            assert!(all.get(id).unwrap().dates.contains(&Date::parse(date).unwrap()), "{id} {date}");
        };
        has("black_friday", "2020-11-27");
        has("black_friday", "2026-11-27");
        has("cyber_monday", "2027-11-29");
        has("coming_of_age_day", "2026-05-18");
        has("seollal", "2027-02-07");
        has("chuseok", "2025-10-06");
        has("mothers_day_us", "2026-05-10");
        assert_eq!(all.get("suneung").unwrap().dates.len(), 8);
    }

    #[test]
    fn the_reference_lists_every_occasion() {
        let page = include_str!("../../../docs/reference/occasions.md");
        for o in Occasions::builtin().iter() {
            assert!(page.contains(&format!("| `{}` | {} | {} |", o.id, o.ko, o.en)), "{} is missing", o.id);
        }
    }

    #[test]
    fn near_counts_days_on_both_sides() {
        let all = Occasions::builtin();
        let near = |date, days| all.get("christmas").unwrap().near(Date::parse(date).unwrap(), days);
        assert!(near("2025-12-25", 0));
        assert!(near("2025-12-18", 7) && near("2026-01-01", 7));
        assert!(!near("2025-12-17", 7) && !near("2026-01-02", 7));
    }
}
