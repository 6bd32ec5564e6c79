//! What ends a verb early: an exit code, and words that name the place, the reason and the next step.

use gyul_model::Lang;

/// Exit codes. 0 is fine.
pub const FINDINGS: u8 = 1;
pub const USAGE: u8 = 2;
pub const IO: u8 = 3;
pub const OURS: u8 = 70;

#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    pub ko: String,
    pub en: String,
}

impl Failure {
    pub fn usage(ko: impl Into<String>, en: impl Into<String>) -> Failure {
        Failure { code: USAGE, ko: ko.into(), en: en.into() }
    }

    pub fn io(ko: impl Into<String>, en: impl Into<String>) -> Failure {
        Failure { code: IO, ko: ko.into(), en: en.into() }
    }

    pub fn findings(ko: impl Into<String>, en: impl Into<String>) -> Failure {
        Failure { code: FINDINGS, ko: ko.into(), en: en.into() }
    }

    /// Words in both languages from something that speaks them.
    pub fn says(code: u8, message: impl Fn(Lang) -> String) -> Failure {
        Failure { code, ko: message(Lang::Ko), en: message(Lang::En) }
    }

    /// A file that cannot be read.
    pub fn read(path: &std::path::Path, e: &std::io::Error) -> Failure {
        let p = path.display();
        Failure::io(
            format!("{p}: 읽을 수 없습니다({e}). 경로와 권한을 확인하세요."),
            format!("{p} cannot be read ({e}). Check the path and your rights."),
        )
    }

    /// A file that cannot be written.
    pub fn write(path: &std::path::Path, e: &std::io::Error) -> Failure {
        let p = path.display();
        Failure::io(
            format!("{p}: 쓸 수 없습니다({e}). 폴더, 권한, 남은 공간을 확인하세요."),
            format!("{p} cannot be written ({e}). Check the folder, your rights and free space."),
        )
    }

    pub fn message(&self, lang: Lang) -> &str {
        lang.pick(&self.ko, &self.en)
    }
}
