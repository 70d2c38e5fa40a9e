SUMMARY = "Gives a board its identity: key, certificate and sota.toml, once"
DESCRIPTION = "Drop-in for the C++ lmp-device-register of meta-lmp: the same options, files and \
token objects. The package lmp-device-register-unit registers on first boot."
# No public address yet; the same host as the maintainer's address in Cargo.toml.
HOMEPAGE = "https://example.org/lmp-device-register"
SECTION = "base"
# Releases up to wrynose have signs for the words that master asks for, where it has this module.
LICENSE = "MIT ${@'OR' if bb.utils.which(d.getVar('BBPATH'), 'lib/oe/spdx_license.py') else '|'} Apache-2.0"
LIC_FILES_CHKSUM = " \
    file://LICENSE-MIT;md5=56028840cbb9e8219cdcce14d4c23f25 \
    file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
"

inherit cargo cargo-update-recipe-crates systemd lmp-device-register-choice

PV = "${LMP_DEVICE_REGISTER_PV}"

# From the checkout that this layer is in, or from a server, for example in local.conf:
#   LMP_DEVICE_REGISTER_URI = "git://HOST/PATH;protocol=https;branch=main"
# To build a working tree as it is, inherit externalsrc; see docs/yocto.md.
LMP_DEVICE_REGISTER_URI ?= "git://${LMP_DEVICE_REGISTER_CHECKOUT};protocol=file;nobranch=1"
SRC_URI = "${LMP_DEVICE_REGISTER_URI};name=agent"
require ${BPN}-crates.inc
# A release tags a commit (v and the version) and then runs `scripts/yocto-crates --pin TAG`, which
# writes its commit here and its crates beside this file. The name keeps the pin apart from the
# SRCREV of an append for the C++ tool, whose file name is the same.
SRCREV_agent = "914d0e30874ae4b7236c22228c9750d7adbb3d27"
# Where git unpacks: scarthgap has neither of the two variables.
S = "${@os.path.join(d.getVar('UNPACKDIR') or d.getVar('WORKDIR'), \
    d.getVar('BB_GIT_DEFAULT_DESTSUFFIX') or 'git')}"
# The place of a checkout does not change what is built.
LMP_DEVICE_REGISTER_CHECKOUT[vardepvalue] = "checkout"

# Names and defaults are those of meta-lmp's recipe.
LMP_DEVICE_API ?= "https://api.foundries.io/ota/devices/"
LMP_OAUTH_API ?= "https://app.foundries.io/oauth"

PACKAGECONFIG ??= "composeapp"
# The C++ tool always has it, and lists that were written for that do not name it. To leave it out:
#   PACKAGECONFIG:remove:pn-lmp-device-register = "pkcs11"
PACKAGECONFIG:append = " pkcs11"
# Devices always register for compose apps: a list without this name is an error.
PACKAGECONFIG[composeapp] = ""
# Every device is a production device unless told otherwise.
PACKAGECONFIG[production] = ""
# Keys on a PKCS#11 token; the library itself is loaded at run time.
PACKAGECONFIG[pkcs11] = ""

# The build reads these; see build.rs and BuildDefaults in src/settings.rs. Without a commit
# (AUTOREV, externalsrc) build.rs asks git.
export GIT_COMMIT = "${@lmp_device_register_commit(d)}"
export HARDWARE_ID = "${MACHINE}"
export DEVICE_API = "${LMP_DEVICE_API}"
export OAUTH_API = "${LMP_OAUTH_API}"
# Set by the distribution; the program's own default is aktualizr-lite.
export SOTA_CLIENT
export PRODUCTION = "${@bb.utils.contains('PACKAGECONFIG', 'production', 'true', 'false', d)}"
# HARDWARE_ID is the machine's name.
PACKAGE_ARCH = "${MACHINE_ARCH}"

CARGO_BUILD_FLAGS:append = "${@bb.utils.contains('PACKAGECONFIG', 'pkcs11', '', ' --no-default-features', d)}"
# Symbols go to the -dbg package: stripping is the packaging's work, not the build's.
export CARGO_PROFILE_RELEASE_STRIP = "none"
# The program aborts on panic, so nothing reads unwind tables.
RUSTFLAGS:append = " -Cforce-unwind-tables=no"

# The unit is a package of its own: whoever installs it wants the image to register itself, and
# meta-lmp's script with its unit of the same name can stay where a factory has changed them.
PACKAGES =+ "${PN}-unit"
SUMMARY:${PN}-unit = "Registers the device on first boot"
FILES:${PN}-unit = "${systemd_system_unitdir} ${datadir}/${BPN}"
RDEPENDS:${PN}-unit = "${PN}"
SYSTEMD_PACKAGES = "${PN}-unit"
SYSTEMD_SERVICE:${PN}-unit = "lmp-device-auto-register.service"

FILES:${PN} += " \
    ${nonarch_libdir}/tmpfiles.d \
    ${datadir}/bash-completion ${datadir}/zsh ${datadir}/fish \
"
# The update client is in another layer, whose distribution names it.
RDEPENDS:${PN} += "ca-certificates ${@d.getVar('SOTA_CLIENT') or ''}"

do_install:append() {
    oe_runmake -C ${S} install-files DESTDIR=${D} \
        UNITDIR=${systemd_system_unitdir} SYSCONFDIR=${sysconfdir} \
        DATADIR=${datadir} MANDIR=${mandir} TMPFILESDIR=${nonarch_libdir}/tmpfiles.d
    # meta-lmp's aktualizr has a line for the same directory; systemd takes both if they agree.
    sed -i 's|^d /var/sota .*|d /var/sota 0700 root root -|' \
        ${D}${nonarch_libdir}/tmpfiles.d/${BPN}.conf
}

# `bitbake -c update_crates` reads every Cargo.lock that it finds; the fuzz targets are not built.
CARGO_LOCK_SRC_DIR = "${WORKDIR}/cargo-lock"
do_update_crates[cleandirs] = "${CARGO_LOCK_SRC_DIR}"
do_update_crates:prepend() {
    cp ${S}/Cargo.lock ${CARGO_LOCK_SRC_DIR}/
}

def lmp_device_register_commit(d):
    commit = d.getVar('SRCREV_agent')
    pinned = len(commit) == 40 and not d.getVar('EXTERNALSRC')
    return commit if pinned else ''

python () {
    reason = lmp_device_register_unused(d)
    if reason:
        raise bb.parse.SkipRecipe(reason)
}

# The fetcher only says that it failed: a tarball has no repository, a shallow clone not the commit,
# and git does not read one of another owner. A mirror may still have it.
python lmp_device_register_source() {
    path = d.getVar('LMP_DEVICE_REGISTER_CHECKOUT')
    if path + ';' not in d.getVar('SRC_URI'):
        return
    commit = lmp_device_register_commit(d) or 'HEAD'
    try:
        bb.process.run(['git', '-C', path, 'cat-file', '-e', commit + '^{commit}'])
    except bb.process.CmdError as error:
        bb.warn('%s cannot give commit %s: set LMP_DEVICE_REGISTER_URI to a server, or build the '
                'directory itself with externalsrc; see docs/yocto.md. %s' % (path, commit, error))
}

# Settings of an append that was written for the C++ recipe, which this one would drop in silence.
python lmp_device_register_settings() {
    places = {
        'DEVICE_API': 'LMP_DEVICE_API', 'OAUTH_API': 'LMP_OAUTH_API', 'SOTA_CLIENT': 'SOTA_CLIENT',
        'PRODUCTION': 'PACKAGECONFIG (production)', 'HARDWARE_ID': 'HARDWARE_ID',
    }
    for word in (d.getVar('EXTRA_OECMAKE') or '').split():
        name = word.partition('=')[0].replace('-D', '', 1).partition(':')[0]
        if name in places:
            bb.fatal('EXTRA_OECMAKE has %s, but this program is not built with cmake: set %s'
                     % (word, places[name]))
    if 'composeapp' not in d.getVar('PACKAGECONFIG').split():
        bb.fatal('PACKAGECONFIG lacks composeapp: this program always registers devices for '
                 'compose apps; add the name if that is right')
    commit = d.getVar('SRCREV')
    if commit not in ('INVALID', d.getVar('SRCREV_agent')):
        bb.warn('SRCREV = "%s" is not used: the commit of this program is SRCREV_agent' % commit)
}
do_fetch[prefuncs] += "lmp_device_register_settings lmp_device_register_source"
