//! The pictures of a list of the history as a ZIP file: made while it is sent, so that it needs no room.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::export::{COLUMNS, csv_row, slice};
use super::list::ListFilter;
use crate::accounts::csv_line;
use crate::page::numbers::of_file;
use crate::page::pictures::PictureSource;
use crate::page::routes::say;
use crate::page::server::Connection;
use crate::page::site::Site;
use crate::page::view::Place;
use crate::page::visitor::Visitor;
use andon_io::history::{MAX_LIMIT, PartRow};

/// Bytes that are sent at once.
const PIECE: usize = 256 * 1024;
/// So long a reader may take for a piece.
const PATIENCE: Duration = Duration::from_secs(30);
/// It is looked this often whether he took it.
const LOOK: Duration = Duration::from_millis(20);

/// `/history.zip`: of the first thousand parts of a list those whose picture is in the ring, each with its note, and the list itself.
pub(super) async fn zip(
    State(site): State<Arc<Site>>,
    Extension(connection): Extension<Connection>,
    head: HeaderMap,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let t = Visitor::of(&site, &head, false).t;
    let Some(pictures) = site.pictures.clone() else {
        return say(&site, &head, StatusCode::NOT_FOUND, t.history, t.no_pictures);
    };
    let fields = ListFilter::of(pairs.into_iter().filter(|(name, _)| name != "after").collect());
    let (rows, next) = match slice(&site, &fields, None).await {
        Ok(first) => first,
        Err(why) => return why.page(&site, &head, Place::History),
    };
    let of = site.clone();
    connection.streams();
    let (to, from) = channel(1);
    let name = format!("andon-pictures-{}.zip", of_file());
    tokio::spawn(async move {
        // One after the other: who comes second waits for his first byte.
        let Ok(turn) = of.archives.acquire().await else { return };
        let sent = to.clone();
        let work = move || write(&rows, next.is_some(), pictures.as_ref(), Pieces { to, piece: Vec::new() });
        let made = tokio::task::spawn_blocking(work).await;
        drop(turn);
        if let Ok(Err(why)) = made {
            tracing::debug!("an archive of pictures ended early: {why}");
            // A transfer without its end is one that a browser calls failed.
            drop(sent.send(Err(why)).await);
        }
    });
    let kind = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (kind, Body::from_stream(ReceiverStream::new(from))).into_response()
}

/// Hands on what is written, a piece at a time, as fast as it is taken.
struct Pieces {
    to: Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let mut piece = Ok(Bytes::from(std::mem::take(&mut self.piece)));
        let begun = Instant::now();
        loop {
            piece = match self.to.try_send(piece) {
                Ok(()) => return Ok(()),
                // Others wait for this turn: who stops reading loses it.
                Err(TrySendError::Full(piece)) if begun.elapsed() < PATIENCE => piece,
                Err(_) => return Err(io::Error::other("nobody takes it any more")),
            };
            std::thread::sleep(LOOK);
        }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() { Ok(()) } else { self.send() }
    }
}

/// `parts.csv` with a column that names the picture or is empty, then pictures and notes by the parts' ids. `cut`: the list has more parts than these.
fn write(rows: &[PartRow], cut: bool, pictures: &dyn PictureSource, to: Pieces) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(to);
    // Pictures are compressed already.
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut table = csv_line(COLUMNS.iter().copied().chain(["picture"])) + "\r\n";
    for row in rows {
        let kept = pictures.kept(&row.id);
        let name = kept.as_ref().map(|kept| format!("{}.{}", row.id, kept.ending));
        table += &format!("{},{}\r\n", csv_row(row), name.as_deref().unwrap_or_default());
        let (Some(kept), Some(name)) = (kept, name) else { continue };
        zip.start_file(name, stored)?;
        zip.write_all(&kept.picture)?;
        zip.start_file(format!("{}.json", row.id), stored)?;
        zip.write_all(kept.note.as_bytes())?;
    }
    zip.start_file("parts.csv", stored)?;
    zip.write_all(table.as_bytes())?;
    if cut {
        zip.start_file("more.txt", stored)?;
        let words = format!(
            "The list has more parts than the first {MAX_LIMIT}, which are here. Choose a shorter time for the others.\n"
        );
        zip.write_all(words.as_bytes())?;
    }
    zip.finish()?.into_inner().flush()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;
    use crate::page::pictures::{KeptFiles, Picture, PictureKind, SetUpPicture};
    use crate::page::tests::kept::Kept;
    use andon_core::CameraId;
    use zip::ZipArchive;

    /// A ring with the picture of one part.
    struct One(String);

    impl PictureSource for One {
        fn watch(&self, _: CameraId) -> Box<dyn Send> {
            Box::new(())
        }
        fn latest(&self, _: CameraId) -> Option<String> {
            None
        }
        fn version(&self) -> u64 {
            0
        }
        fn frame_size(&self, _: &str) -> Option<[u32; 2]> {
            None
        }
        fn verdict(&self, _: &str) -> Option<String> {
            None
        }
        fn beside(&self, _: &str) -> [Option<String>; 2] {
            [None, None]
        }
        fn ask_to_set_up(&self, _: CameraId) {}
        fn to_set_up(&self, _: CameraId) -> Option<SetUpPicture> {
            None
        }
        fn at_hand(&self, _: &str, _: PictureKind) -> Option<Picture> {
            None
        }
        fn kept(&self, id: &str) -> Option<KeptFiles> {
            let files = KeptFiles { picture: vec![7; 1000], ending: "png", note: "{\"note\":1}".into() };
            (id == self.0).then_some(files)
        }
        fn read(&self, _: &str, _: PictureKind) -> Option<Picture> {
            None
        }
    }

    #[test]
    fn an_archive_has_every_part_in_its_list_and_the_pictures_that_are_kept() {
        let rows = Kept::with(5).rows();
        let archive = |cut| {
            let (to, mut from) = channel(16);
            write(&rows, cut, &One(rows[2].id.clone()), Pieces { to, piece: Vec::new() }).unwrap();
            let mut bytes = Vec::new();
            while let Some(piece) = from.blocking_recv() {
                bytes.extend_from_slice(&piece.unwrap());
            }
            ZipArchive::new(Cursor::new(bytes)).unwrap()
        };
        let text = |zip: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str| {
            let mut text = Vec::new();
            zip.by_name(name).unwrap().read_to_end(&mut text).unwrap();
            text
        };
        let mut zip = archive(false);
        let id = &rows[2].id;
        let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, [format!("{id}.png"), format!("{id}.json"), "parts.csv".to_owned()]);
        assert_eq!(text(&mut zip, &format!("{id}.png")), vec![7; 1000]);
        assert_eq!(text(&mut zip, &format!("{id}.json")), b"{\"note\":1}");
        let table = String::from_utf8(text(&mut zip, "parts.csv")).unwrap();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 6, "{table}");
        for (row, line) in rows.iter().zip(&lines[1..]) {
            assert!(line.contains(&row.id), "{line}");
            assert_eq!(line.ends_with(&format!(",{id}.png")), row.id == *id, "{line}");
        }
        let mut zip = archive(true);
        assert!(String::from_utf8(text(&mut zip, "more.txt")).unwrap().contains("more parts"));
    }

    #[test]
    fn what_is_written_comes_in_pieces_and_an_end_of_the_reader_is_an_error() {
        let (to, mut from) = channel(4);
        let mut pieces = Pieces { to, piece: Vec::new() };
        pieces.write_all(&vec![1; PIECE + 1]).unwrap();
        pieces.write_all(&[2]).unwrap();
        pieces.flush().unwrap();
        assert_eq!(from.blocking_recv().unwrap().unwrap().len(), PIECE + 1);
        assert_eq!(from.blocking_recv().unwrap().unwrap(), [2][..]);
        drop(from);
        pieces.piece.push(3);
        assert!(pieces.flush().is_err());
    }
}
