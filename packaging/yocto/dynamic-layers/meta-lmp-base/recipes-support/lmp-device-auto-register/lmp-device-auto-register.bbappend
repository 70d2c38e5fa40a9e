# meta-lmp's recipe ships a shell script, its unit and the API token. The script's work is now
# `lmp-device-register auto`, whose unit comes from this layer: what is left here is the token, and
# that an image with this package registers itself.
#
# Nothing is taken away where this layer's program is not used, nor where a factory has its own
# script or unit: those run this program as they ran the other. The build warns of both, unless
# LMP_DEVICE_AUTO_REGISTER_KEEP is "1", which keeps script and unit in any case.
inherit lmp-device-register-choice

# Why meta-lmp's script and unit stay; empty if the agent's unit takes their place.
def lmp_device_auto_register_kept(d):
    reason = lmp_device_register_unused(d)
    if reason:
        return "this layer's lmp-device-register is not used: " + reason
    vendor = os.path.dirname(d.getVar('FILE')) + '/'
    for url in (d.getVar('SRC_URI') or '').split():
        kind, _, name = bb.fetch2.decodeurl(url)[:3]
        base = os.path.basename(name)
        if kind != 'file' or not (base == 'lmp-device-auto-register' or '.service' in base):
            continue
        path, searched = bb.utils.which(d.getVar('FILESPATH'), name, history=True)
        # A file that appears or goes away later is a reason to parse again.
        for candidate in searched:
            bb.parse.mark_dependency(d, candidate)
        if path and not path.startswith(vendor):
            return path + " is not meta-lmp's own file. " + lmp_device_auto_register_places()
    pn = d.getVar('PN')
    enable = d.getVar('SYSTEMD_AUTO_ENABLE:' + pn) or d.getVar('SYSTEMD_AUTO_ENABLE')
    if enable != 'enable':
        return 'SYSTEMD_AUTO_ENABLE is "%s"' % enable
    return ''

def lmp_device_auto_register_places():
    return ('To let `lmp-device-register auto` do its work, undo that and move the settings: '
            'DEVICE_API to LMP_DEVICE_API and PRODUCTION to PACKAGECONFIG:append = " production" in '
            'an append of lmp-device-register, other variables to /etc/default/lmp-device-register. '
            'LMP_DEVICE_AUTO_REGISTER_KEEP = "1" keeps it without a word. See docs/yocto.md.')

python () {
    if d.getVar('LMP_DEVICE_AUTO_REGISTER_KEEP') == '1':
        return
    reason = lmp_device_auto_register_kept(d)
    if reason:
        d.setVar('LMP_DEVICE_AUTO_REGISTER_KEPT', reason)
        d.appendVarFlag('do_install', 'postfuncs', ' lmp_device_auto_register_stays')
        return
    pn = d.getVar('PN')
    d.setVar('SYSTEMD_SERVICE:' + pn, '')
    # Only this layer's recipe has this package: with another one the image is not built.
    d.appendVar('RDEPENDS:' + pn, ' lmp-device-register-unit')
    d.appendVarFlag('do_install', 'postfuncs', ' lmp_device_auto_register_goes')
}

python lmp_device_auto_register_stays() {
    bb.warn("meta-lmp's script and unit register this image: "
            + d.getVar('LMP_DEVICE_AUTO_REGISTER_KEPT'))
}

# Runs after the do_install of every append, and takes nothing away that one of them has changed.
python lmp_device_auto_register_goes() {
    def lines(path):
        with open(path) as file:
            return [line for line in file if not line.startswith('Environment=USE_HOSTNAME=')]

    name = 'lmp-device-auto-register'
    unit = name + '.service'
    units = d.getVar('D') + d.getVar('systemd_system_unitdir')
    for directory, file, source in (
        (d.getVar('D') + d.getVar('bindir'), name, name),
        (units, unit, unit + '.in'),
    ):
        installed = os.path.join(directory, file)
        original = bb.utils.which(d.getVar('FILESPATH'), source)
        if not os.path.exists(installed):
            continue
        if not original or lines(original) != lines(installed):
            bb.fatal("an append has changed %s of meta-lmp's recipe, which this layer would replace. "
                     % file + lmp_device_auto_register_places())
        os.remove(installed)
        if not os.listdir(directory):
            os.removedirs(directory)

    hostname = d.getVar('LMP_AUTO_REGISTER_USE_HOSTNAME')
    if hostname:
        bb.utils.mkdirhier(os.path.join(units, unit + '.d'))
        with open(os.path.join(units, unit + '.d', '50-hostname.conf'), 'w') as file:
            file.write('[Service]\nEnvironment=USE_HOSTNAME=%s\n' % hostname)
}

FILES:${PN} += "${systemd_system_unitdir}"
