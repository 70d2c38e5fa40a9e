# Whether an image gets this layer's recipe. The recipe is skipped and the append for meta-lmp does
# nothing for the same reasons, so that no image has one without the other.

# Version and compiler of Cargo.toml; a test compares them.
LMP_DEVICE_REGISTER_PV = "0.1.0+git"
LMP_DEVICE_REGISTER_RUST = "1.89"

# Why the recipe is not used; empty if it is.
def lmp_device_register_unused(d):
    wanted = d.getVar('LMP_DEVICE_REGISTER_RUST')
    found = (d.getVar('RUSTVERSION') or '').rstrip('%')
    if found and bb.utils.vercmp_string(found, wanted) < 0:
        return 'it needs Rust %s or newer and this build has %s: add a layer with a newer Rust' % (
            wanted, found)
    version = d.getVar('LMP_DEVICE_REGISTER_PV')
    asked = d.getVar('PREFERRED_VERSION_lmp-device-register') or version
    if not (asked == version or (asked.endswith('%') and version.startswith(asked[:-1]))):
        return 'PREFERRED_VERSION_lmp-device-register is %s and not %s' % (asked, version)
    provider = d.getVar('PREFERRED_PROVIDER_lmp-device-register') or 'lmp-device-register'
    if provider != 'lmp-device-register':
        return 'PREFERRED_PROVIDER_lmp-device-register is %s' % provider
    return ''
