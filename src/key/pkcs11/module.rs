//! Loads a PKCS#11 library: initialised once, finalised once, with errors that say what is in the
//! way.

use std::fs::File;
use std::io::Read as _;
use std::mem::ManuallyDrop;
use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as Cause, RvError};
use cryptoki::slot::Slot;

use super::choice::{TokenFacts, Tries, uuid_in};
use crate::error::{Error, Flaw, Kind, Result};

/// Devices that PKCS#11 libraries talk to on boards.
const DEVICES: [&str; 3] = ["/dev/tee0", "/dev/tpmrm0", "/dev/tpm0"];

/// An initialised library.
pub(super) struct Module {
    // Never unloaded: threads and exit handlers of the library may outlive us.
    context: ManuallyDrop<Pkcs11>,
}

impl Drop for Module {
    fn drop(&mut self) {
        // All sessions are closed; a library that fails now can do no harm any more.
        let _ = Pkcs11::clone(&self.context).finalize();
    }
}

impl Module {
    /// Loads and initialises the library at `path`.
    pub(super) fn load(path: &str) -> Result<Self> {
        check_file(Path::new(path))?;
        let context = Pkcs11::new(path).map_err(|cause| not_loaded(path, cause))?;
        let context = ManuallyDrop::new(context);
        context
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .map_err(|cause| {
                Error::token(format!(
                    "the PKCS#11 library {path:?} could not be initialised"
                ))
                .because(words(&cause))
                .hint(device_hint())
            })?;
        Ok(Self { context })
    }

    pub(super) fn context(&self) -> &Pkcs11 {
        &self.context
    }

    /// Every token, and why some could not be read.
    pub(super) fn tokens(&self) -> Result<(Vec<TokenFacts>, Vec<String>)> {
        let slots = self
            .context
            .get_slots_with_token()
            .map_err(|cause| refused("the library did not list its tokens", cause))?;
        let (mut tokens, mut unreadable) = (Vec::new(), Vec::new());
        for slot in slots {
            match self.facts(slot) {
                Ok(facts) => tokens.push(facts),
                // Another reader's trouble is none of ours, unless our token is the one missing.
                Err(cause) => unreadable.push(format!("slot {}: {}", slot.id(), words(&cause))),
            }
        }
        Ok((tokens, unreadable))
    }

    fn facts(&self, slot: Slot) -> cryptoki::error::Result<TokenFacts> {
        let info = self.context.get_token_info(slot)?;
        Ok(TokenFacts {
            slot_id: slot.id(),
            label: info.label().to_owned(),
            serial: info.serial_number().to_owned(),
            manufacturer: info.manufacturer_id().to_owned(),
            model: info.model().to_owned(),
            initialised: info.token_initialized(),
            without_pins: info.token_initialized()
                && !info.user_pin_initialized()
                && info.so_pin_locked()
                && info.so_pin_to_be_changed(),
            login_required: info.login_required(),
            protected_path: info.protected_authentication_path(),
            write_protected: info.write_protected(),
            user: Tries {
                count_low: info.user_pin_count_low(),
                final_try: info.user_pin_final_try(),
                locked: info.user_pin_locked(),
            },
            officer: Tries {
                count_low: info.so_pin_count_low(),
                final_try: info.so_pin_final_try(),
                locked: info.so_pin_locked(),
            },
            pin_bytes: (info.min_pin_length(), info.max_pin_length()),
        })
    }

    /// The UUID in a slot's description: of our slot, else of the first one that has one.
    pub(super) fn uuid(&self, ours: Slot, tokens: &[TokenFacts]) -> Result<Option<String>> {
        let others = tokens
            .iter()
            .filter_map(|token| Slot::try_from(token.slot_id).ok())
            .filter(|slot| *slot != ours);
        for slot in std::iter::once(ours).chain(others) {
            let info = self
                .context
                .get_slot_info(slot)
                .map_err(|cause| refused("the slot did not describe itself", cause))?;
            if let Some(uuid) = uuid_in(info.slot_description()) {
                return Ok(Some(uuid));
            }
        }
        Ok(None)
    }
}

pub(super) fn slot(facts: &TokenFacts) -> Result<Slot> {
    Slot::try_from(facts.slot_id).map_err(|cause| refused("the slot has a strange number", cause))
}

/// A library is code that runs with our rights: it must be a file that somebody named in full.
fn check_file(path: &Path) -> Result<()> {
    let is_file = std::fs::metadata(path).map(|facts| facts.is_file());
    let error = match is_file {
        Ok(true) => return Ok(()),
        Ok(false) => Error::setting(format!("the PKCS#11 library {path:?} is no regular file")),
        Err(cause) => {
            Error::setting(format!("there is no PKCS#11 library {path:?}")).because(cause)
        }
    };
    Err(error.hint("install it, or give --hsm-module /path/of/the/library.so"))
}

fn not_loaded(path: &str, cause: Cause) -> Error {
    let hint = match (&cause, is_of_this_machine(Path::new(path))) {
        (Cause::MissingSymbol(_), _) => "this library does not speak PKCS#11".to_owned(),
        (Cause::LibraryLoading(_), Some(false)) => format!(
            "it is not built for this machine's architecture, {}",
            std::env::consts::ARCH
        ),
        (Cause::LibraryLoading(_), None) => "it is no shared library".to_owned(),
        (Cause::LibraryLoading(_), Some(true)) => {
            format!("look for a library that it needs and that is missing: ldd {path:?}")
        }
        _ => device_hint(),
    };
    Error::token(format!("the PKCS#11 library {path:?} could not be loaded"))
        .because(words(&cause))
        .hint(hint)
}

/// Whether an ELF file is for the machine that we run on; `None` if it is no ELF file.
fn is_of_this_machine(path: &Path) -> Option<bool> {
    // Class and byte order, bytes 4 and 5; machine, bytes 18 and 19 (ELF-64 header).
    let kind = |path: &Path| {
        let mut header = [0; 20];
        File::open(path).ok()?.read_exact(&mut header).ok()?;
        header
            .starts_with(b"\x7fELF")
            .then_some((header[4], header[5], header[18], header[19]))
    };
    let ours = kind(Path::new("/proc/self/exe"));
    kind(path).map(|theirs| ours.is_none_or(|ours| ours == theirs))
}

/// What to look at when a library loads but reaches no hardware.
fn device_hint() -> String {
    use rustix::fs::{Access, access};
    let closed = DEVICES.into_iter().find(|device| {
        Path::new(device).exists() && access(*device, Access::READ_OK | Access::WRITE_OK).is_err()
    });
    match closed {
        Some(device) => format!("this user may not use {device}: run this as root"),
        None => "look whether its device is there and its daemon runs (/dev/tee0 and \
                 tee-supplicant, or /dev/tpmrm0), and at the library's own configuration"
            .to_owned(),
    }
}

/// A failed call, without the page of text that the crate has for each code.
#[derive(Debug)]
pub(super) struct Words(String);

impl std::fmt::Display for Words {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Words {}

/// `C_Login: CKR_PIN_INCORRECT`
pub(super) fn words(cause: &Cause) -> Words {
    let text = match cause {
        Cause::Pkcs11(RvError::VendorDefined(code) | RvError::UnknownErrorCode(code), function) => {
            format!("C_{function:?}: {code:#010x}")
        }
        Cause::Pkcs11(code, function) => {
            format!("C_{function:?}: CKR{}", screaming(&format!("{code:?}")))
        }
        Cause::LibraryLoading(inner) => inner.to_string(),
        other => other.to_string(),
    };
    Words(text)
}

/// `PinIncorrect` to `_PIN_INCORRECT`.
fn screaming(camel: &str) -> String {
    let mut text = String::new();
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

/// What a token did not do, why, and what helps.
pub(super) fn refused(message: impl Into<Flaw>, cause: Cause) -> Error {
    let error = Error::token(message).because(words(&cause));
    let Cause::Pkcs11(code, _) = cause else {
        return error;
    };
    match code {
        RvError::DeviceRemoved | RvError::TokenNotPresent => {
            error.hint("put the token back and run this again")
        }
        RvError::DeviceMemory => error.hint(
            "the token is full: look at pkcs11-tool --module PATH --login --list-objects, and \
             delete what nobody needs",
        ),
        // The same PIN again would spend what is left of its tries.
        RvError::PinIncorrect
        | RvError::PinInvalid
        | RvError::PinLenRange
        | RvError::PinTooWeak
        | RvError::PinExpired
        | RvError::PinLocked => error.with_kind(Kind::Unauthorised),
        RvError::TokenWriteProtected => error.hint("the token is write protected"),
        RvError::DeviceError | RvError::GeneralError | RvError::FunctionFailed => {
            error.hint(device_hint())
        }
        _ => error,
    }
}
