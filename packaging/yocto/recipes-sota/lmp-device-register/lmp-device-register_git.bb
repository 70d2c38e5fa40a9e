SUMMARY = "Gives a board its identity: key, certificate and sota.toml, once"
DESCRIPTION = "Drop-in for the C++ lmp-device-register of meta-lmp: the same options, files and \
token objects. The unit lmp-device-auto-register.service registers on first boot."
SECTION = "base"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = " \
    file://LICENSE-MIT;md5=56028840cbb9e8219cdcce14d4c23f25 \
    file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
"

PV = "0.1.0+git"

# By default the checkout that this layer is in, at its current commit. To build from a server, set
# both, for example in local.conf:
#   LMP_DEVICE_REGISTER_URI = "git://HOST/PATH;protocol=https;branch=main"
#   SRCREV:pn-lmp-device-register = "COMMIT"
LMP_DEVICE_REGISTER_URI ?= "git://${LMP_DEVICE_REGISTER_CHECKOUT};protocol=file;nobranch=1"
SRC_URI = "${LMP_DEVICE_REGISTER_URI}"
SRCREV ?= "${AUTOREV}"
S = "${WORKDIR}/git"

inherit cargo cargo-update-recipe-crates systemd
require ${BPN}-crates.inc

# Names and defaults are those of meta-lmp's recipe.
LMP_DEVICE_API ?= "https://api.foundries.io/ota/devices/"
LMP_OAUTH_API ?= "https://app.foundries.io/oauth"
SOTA_CLIENT ??= "aktualizr-lite"

PACKAGECONFIG ??= "pkcs11"
# Keys on a PKCS#11 token; the library itself is loaded at run time.
PACKAGECONFIG[pkcs11] = ""
# Every device is a production device unless told otherwise.
PACKAGECONFIG[production] = ""

# The build reads these; see build.rs and BuildDefaults in src/settings.rs.
export GIT_COMMIT = "${SRCREV}"
export HARDWARE_ID = "${MACHINE}"
export DEVICE_API = "${LMP_DEVICE_API}"
export OAUTH_API = "${LMP_OAUTH_API}"
export SOTA_CLIENT
export PRODUCTION = "${@bb.utils.contains('PACKAGECONFIG', 'production', 'true', 'false', d)}"
# HARDWARE_ID is the machine's name.
PACKAGE_ARCH = "${MACHINE_ARCH}"

CARGO_BUILD_FLAGS:append = "${@bb.utils.contains('PACKAGECONFIG', 'pkcs11', '', ' --no-default-features', d)}"
# Symbols go to the -dbg package: stripping is the packaging's work, not the build's.
export CARGO_PROFILE_RELEASE_STRIP = "none"
# The program aborts on panic, so nothing reads unwind tables.
RUSTFLAGS:append = " -Cforce-unwind-tables=no"

FILES:${PN} += " \
    ${systemd_system_unitdir} \
    ${nonarch_libdir}/tmpfiles.d \
    ${datadir}/bash-completion ${datadir}/zsh ${datadir}/fish \
"

RDEPENDS:${PN} += "ca-certificates"
RRECOMMENDS:${PN} += "${SOTA_CLIENT}"

# Installed, not enabled: an image that wants it adds lmp-device-auto-register, whose append here
# enables the unit, or sets SYSTEMD_AUTO_ENABLE:pn-lmp-device-register = "enable".
SYSTEMD_SERVICE:${PN} = "lmp-device-auto-register.service"
SYSTEMD_AUTO_ENABLE:${PN} = "disable"

do_install:append() {
    oe_runmake -C ${S} install-files DESTDIR=${D} \
        UNITDIR=${systemd_system_unitdir} SYSCONFDIR=${sysconfdir} \
        DATADIR=${datadir} MANDIR=${mandir} TMPFILESDIR=${nonarch_libdir}/tmpfiles.d
}

# edition and rust-version of Cargo.toml; scarthgap's own Rust is 1.75, so a layer with a newer one
# (the LTS mixins' branch scarthgap/rust) is needed.
LMP_DEVICE_REGISTER_RUST = "1.89"
python () {
    wanted = d.getVar('LMP_DEVICE_REGISTER_RUST')
    found = (d.getVar('RUSTVERSION') or '').rstrip('%')
    if found and bb.utils.vercmp_string(found, wanted) < 0:
        raise bb.parse.SkipRecipe('needs Rust %s or newer, this build has %s: add a layer with a '
                                  'newer Rust, such as the LTS mixins for Rust' % (wanted, found))
}
