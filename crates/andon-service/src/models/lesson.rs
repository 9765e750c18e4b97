//! Teaching from the line: pictures of a new part are collected while it runs, looked through, learned from beside the line, and tried on
//! parts that are known to be bad.

use std::sync::Arc;

use super::ModelError;

/// What pictures are collected for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LessonKind {
    /// Good parts, to learn from.
    Good,
    /// Parts known to be bad, to try the model on.
    Bad,
}

impl LessonKind {
    /// The word in addresses, and the name of the folder.
    pub fn word(self) -> &'static str {
        match self {
            LessonKind::Good => "good",
            LessonKind::Bad => "bad",
        }
    }

    /// The kind of a word; `None` for any other.
    pub fn of(word: &str) -> Option<LessonKind> {
        [LessonKind::Good, LessonKind::Bad].into_iter().find(|kind| kind.word() == word)
    }
}

/// A picture of a lesson with the score that it has by the learned model; of a good one, by a model that had not seen it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredPicture {
    /// Its file's name.
    pub name: String,
    /// Score, units of the threshold; `None` if it has none.
    pub score: Option<f32>,
}

/// What was learned.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedModel {
    /// Its hash, hexadecimal.
    pub blake3: String,
    /// Its threshold.
    pub threshold: f32,
    /// Pictures that it knows.
    pub pictures: usize,
    /// At most this share of good parts is rejected.
    pub false_reject: f64,
    /// As sure is that.
    pub confidence: f64,
    /// The oddest good pictures, oddest first.
    pub oddest: Vec<ScoredPicture>,
    /// The pictures of parts known to be bad, those that come closest to passing first. Empty until they are judged.
    pub known_bad: Vec<ScoredPicture>,
}

/// What is being done for a lesson.
#[derive(Clone, Debug, PartialEq)]
pub enum LessonState {
    /// Nothing.
    Waiting,
    /// Pictures come.
    Collecting {
        /// Of which parts.
        kind: LessonKind,
        /// So many came.
        have: usize,
        /// Of so many.
        want: usize,
    },
    /// A model is learned, or judges the bad parts: the last words of who does it.
    Working(String),
    /// It came to nothing.
    Failed(String),
}

/// The teaching of one camera for one new part.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// The part's name; that of the recipe.
    pub name: String,
    /// The camera.
    pub camera: String,
    /// Good pictures.
    pub good: usize,
    /// Pictures that were struck out.
    pub struck: usize,
    /// Pictures of parts known to be bad.
    pub bad: usize,
    /// What is being done.
    pub state: LessonState,
    /// What was learned last; not told while something is being done.
    pub learned: Option<LearnedModel>,
}

/// The lessons of a line. Called by threads of the page alone; each call may take as long as a disk does.
pub trait Lessons: Send + Sync {
    /// All of them, by name and camera, without what was learned.
    fn all(&self) -> Vec<Lesson>;

    /// One of them.
    fn one(&self, name: &str, camera: &str) -> Option<Lesson>;

    /// Begins to collect the pictures of a camera's next parts, of a lesson that is made if it is not there.
    ///
    /// # Errors
    /// [`ModelError`]: a name that cannot be one, a camera that is not there, a disk that is full.
    fn collect(&self, name: &str, camera: &str, kind: LessonKind, count: usize) -> Result<(), ModelError>;

    /// Ends that before so many came.
    ///
    /// # Errors
    /// [`ModelError::NoCamera`].
    fn stop(&self, camera: &str) -> Result<(), ModelError>;

    /// Leaves good pictures out; they stay in a folder of their own. Returns how many there were.
    ///
    /// # Errors
    /// [`ModelError`].
    fn strike(&self, name: &str, camera: &str, pictures: &[String]) -> Result<usize, ModelError>;

    /// Learns from the good pictures, in a process of the lowest priority, and judges the bad ones.
    ///
    /// # Errors
    /// [`ModelError`]: too few pictures, or another one is being learned.
    fn learn(self: Arc<Self>, name: &str, camera: &str) -> Result<(), ModelError>;

    /// A small picture as JPEG.
    fn thumbnail(&self, name: &str, camera: &str, kind: LessonKind, picture: &str) -> Option<Vec<u8>>;
}

/// Good pictures that a lesson takes: fewer promise too little, more cost time and say little more.
pub const COUNTS: std::ops::RangeInclusive<usize> = 20..=1000;
