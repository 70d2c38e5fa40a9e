# meta-lmp's recipe ships a shell wrapper, its unit and the API token. The wrapper's work is now
# `lmp-device-register auto` and the unit comes with lmp-device-register, so what is left here is
# the token and the decision that this image registers itself on first boot.
RDEPENDS:${PN} += "lmp-device-register"
SYSTEMD_SERVICE:${PN} = ""

do_install() {
    install -D -m 0600 ${WORKDIR}/api-token ${D}${sysconfdir}/lmp-device-register-token

    # Sorts before the preset that leaves the unit disabled.
    install -d ${D}${systemd_unitdir}/system-preset
    echo "enable lmp-device-auto-register.service" \
        >${D}${systemd_unitdir}/system-preset/90-lmp-device-auto-register.preset

    if [ -n "${LMP_AUTO_REGISTER_USE_HOSTNAME}" ]; then
        install -d ${D}${systemd_system_unitdir}/lmp-device-auto-register.service.d
        printf '[Service]\nEnvironment=USE_HOSTNAME=%s\n' "${LMP_AUTO_REGISTER_USE_HOSTNAME}" \
            >${D}${systemd_system_unitdir}/lmp-device-auto-register.service.d/50-hostname.conf
    fi
}

FILES:${PN} += "${systemd_unitdir}"
