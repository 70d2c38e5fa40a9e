//! Pure: the journal's file. It grows by entries, each a line of JSON, the files that the line
//! announces, and a SHA-256 over both: what a crash cut off is recognised and was never promised.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::record::{Asked, Installation, Planned, Progress, ReceivedFile, Record, Request};
use crate::error::Error;
use crate::secret::Secret;
use crate::sota::directory::Directory;
use crate::sota::files::{FileName, is_replaceable};

/// The format that this program writes; 1 is the directory of version 0.1.0.
const VERSION: u32 = 2;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// It says what no run of ours can have written.
    #[error("is damaged")]
    Damaged,
    /// A newer program wrote it.
    #[error("has version {0}; this program knows {VERSION}")]
    Newer(u32),
}

/// Says which journal it is, and what helps.
pub(super) fn unusable(name: &str, sota: &Directory, cause: Unusable) -> Error {
    let path = sota.path().join(name);
    Error::registration(format!("the journal {path:?} {cause}"))
        .because(cause)
        .hint(
            "finish with the version that wrote it, or give that registration up: \
             lmp-device-register unregister",
        )
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Event {
    /// A registration was decided.
    Begun {
        /// [`VERSION`]
        version: u32,
        /// What was decided.
        plan: Planned,
        /// From interrupted runs before this one.
        orphans: Vec<String>,
    },
    /// A key was made and signed this; a software key is the entry's one file.
    KeyReady {
        /// PKCS#10, PEM.
        csr: String,
    },
    /// The request may leave from now on.
    Sent,
    /// The backend holds the UUID and does not sign it again: another is asked for.
    NewUuid {
        /// The other one.
        uuid: String,
        /// For the same key.
        csr: String,
    },
    /// The verified answer; its files are the entry's.
    Received {
        /// See [`Installation::asked`].
        asked: Asked,
        /// See [`Installation::remove`].
        remove: Vec<String>,
        /// See [`Installation::replaces`].
        replaces: Option<String>,
    },
    /// What was made is given up; no key is waited for any more.
    Abandoned {
        /// The backend may know the device.
        known: bool,
    },
}

impl Event {
    /// The first entry of a journal.
    pub(super) fn begun(plan: Planned, orphans: Vec<String>) -> Self {
        Self::Begun {
            version: VERSION,
            plan,
            orphans,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Header<E> {
    event: E,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<Announced>,
}

#[derive(Serialize, Deserialize)]
struct Announced {
    name: String,
    bytes: usize,
    private: bool,
}

/// Bytes of the line that ends an entry: SHA-256, hex, and a line feed.
const SEAL_BYTES: usize = 65;

/// Appends an entry to `text`.
pub(super) fn write(
    text: &mut Zeroizing<Vec<u8>>,
    event: &Event,
    files: &[ReceivedFile],
) -> serde_json::Result<()> {
    let files_announced = files.iter().map(|file| Announced {
        name: file.name.clone(),
        bytes: file.text.expose().len(),
        private: file.private,
    });
    let header = serde_json::to_vec(&Header {
        event,
        files: files_announced.collect(),
    })?;
    let content: usize = files.iter().map(|file| file.text.expose().len()).sum();
    // A buffer that grows would leave a key or a PIN behind.
    let mut larger = Zeroizing::new(Vec::with_capacity(
        text.len() + header.len() + 1 + content + SEAL_BYTES,
    ));
    larger.extend_from_slice(text);
    let start = larger.len();
    larger.extend_from_slice(&header);
    larger.push(b'\n');
    for file in files {
        larger.extend_from_slice(file.text.expose().as_bytes());
    }
    let seal = sha256(&larger[start..]);
    larger.extend_from_slice(seal.as_bytes());
    larger.push(b'\n');
    *text = larger;
    Ok(())
}

/// The entries that come to `record`.
pub(super) fn rewrite(record: &Record) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let Record {
        plan,
        orphans,
        progress,
    } = record;
    let mut text = Zeroizing::default();
    write(&mut text, &Event::begun(plan.clone(), orphans.clone()), &[])?;
    let Some(Request { csr, software_key }) = progress.request() else {
        return Ok(text);
    };
    let key = software_key.clone().map(ReceivedFile::key);
    let csr = csr.clone();
    write(&mut text, &Event::KeyReady { csr }, key.as_slice())?;
    if record.may_be_known() {
        write(&mut text, &Event::Sent, &[])?;
    }
    if let Progress::Received(_, installation) = progress {
        let Installation {
            asked,
            files,
            remove,
            replaces,
        } = installation.clone();
        let event = Event::Received {
            asked,
            remove,
            replaces,
        };
        write(&mut text, &event, &files)?;
    }
    Ok(text)
}

/// What the entries of a journal come to, and how many bytes of `text` they are: what follows was
/// cut off. `None` if not even the first entry is whole.
pub(super) fn read(text: &[u8]) -> Result<Option<(Record, usize)>, Unusable> {
    let mut record = None;
    let mut end = 0;
    while let Some((event, files, bytes)) = entry(&text[end..]) {
        record = Some(apply(record, event?, files)?);
        end += bytes;
    }
    Ok(record.map(|record| (record, end)))
}

type Entry = (Result<Event, Unusable>, Vec<ReceivedFile>, usize);

/// The entry that `text` begins with, if it is whole.
fn entry(text: &[u8]) -> Option<Entry> {
    let header_end = text.iter().position(|byte| *byte == b'\n')? + 1;
    let header = &text[..header_end];
    let announced: Header<IgnoredAny> = serde_json::from_slice(header).ok()?;
    let mut end = header_end;
    let mut files = Vec::new();
    for Announced {
        name,
        bytes,
        private,
    } in announced.files
    {
        let content = text.get(end..end.checked_add(bytes)?)?;
        files.push(ReceivedFile {
            name,
            text: Secret::from(std::str::from_utf8(content).ok()?),
            private,
        });
        end += bytes;
    }
    let seal = text.get(end..end + SEAL_BYTES)?;
    let is_whole = seal.strip_suffix(b"\n")? == sha256(&text[..end]).as_bytes();
    is_whole.then(|| (known(header), files, end + SEAL_BYTES))
}

/// A whole entry that is not understood was written by a newer program, or not by one of ours.
fn known(header: &[u8]) -> Result<Event, Unusable> {
    #[derive(Deserialize)]
    struct Begun {
        begun: Version,
    }
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    match serde_json::from_slice::<Header<Begun>>(header) {
        Ok(header) if header.event.begun.version > VERSION => {
            Err(Unusable::Newer(header.event.begun.version))
        }
        _ => serde_json::from_slice::<Header<Event>>(header)
            .map(|header| header.event)
            .map_err(|_| Unusable::Damaged),
    }
}

/// What the journal says after an event.
pub(super) fn apply(
    record: Option<Record>,
    event: Event,
    mut files: Vec<ReceivedFile>,
) -> Result<Record, Unusable> {
    if let Event::Begun {
        version: _,
        plan,
        orphans,
    } = event
    {
        return Ok(Record {
            plan,
            orphans,
            progress: Progress::Planned,
        });
    }
    let mut record = record.ok_or(Unusable::Damaged)?;
    record.progress = match (event, record.progress) {
        (Event::KeyReady { csr }, Progress::Planned) => Progress::KeyReady(Request {
            csr,
            software_key: files.pop().map(|file| file.text),
        }),
        (Event::Sent, Progress::KeyReady(request)) => Progress::Sent(request),
        (Event::NewUuid { uuid, csr }, Progress::Sent(request)) => {
            let known = std::mem::replace(&mut record.plan.identity.uuid, uuid);
            record.orphans.push(known);
            Progress::Sent(Request { csr, ..request })
        }
        (
            Event::Received {
                asked,
                remove,
                replaces,
            },
            Progress::Sent(request),
        ) => {
            check_names(files.iter().map(|file| &*file.name), &remove)?;
            Progress::Received(
                request,
                Installation {
                    asked,
                    files,
                    remove,
                    replaces,
                },
            )
        }
        (Event::Abandoned { known }, _) => {
            if known {
                record.orphans.push(record.plan.identity.uuid.clone());
            }
            Progress::Planned
        }
        _ => return Err(Unusable::Damaged),
    };
    Ok(record)
}

/// A journal that somebody planted must not write or remove anything but a registration.
pub(super) fn check_names<'a>(
    mut files: impl Iterator<Item = &'a str>,
    remove: &[String],
) -> Result<(), Unusable> {
    if files.all(|name| FileName::parse(name).is_ok())
        && remove.iter().all(|name| is_replaceable(name))
    {
        Ok(())
    } else {
        Err(Unusable::Damaged)
    }
}

/// SHA-256, hex.
pub(crate) fn sha256(content: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(content)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
