"""The emulated board: its disk, its power switch and its console."""

import pathlib
import queue
import shutil
import subprocess
import threading
import time

# One boot takes half a minute on an idle machine; this is for a busy one.
BOOT_LIMIT = 1200

# Nobody logs in, and these take a good part of an emulated boot.
NOT_ON_THIS_BOARD = (
    "getty-static.service", "getty@tty1.service", "serial-getty@ttyAMA0.service",
    "systemd-tmpfiles-clean.timer", "apt-daily.timer", "apt-daily-upgrade.timer",
    "e2scrub_all.timer", "fstrim.timer", "dpkg-db-backup.timer", "systemd-update-utmp.service",
)


class Disk:
    """The root file system as an ext4 image, made from a folder; it keeps what the board writes."""

    def __init__(self, root: pathlib.Path, image: pathlib.Path):
        self.image = image
        image.unlink(missing_ok=True)
        subprocess.run(
            ["mke2fs", "-q", "-t", "ext4", "-L", "board", "-d", root, image, "1G"],
            check=True, stdout=subprocess.DEVNULL,
        )


class Board:
    """One boot: power on, watch the console, and power off or pull the plug."""

    def __init__(self, shared: pathlib.Path, disk: Disk, transcript, rtc: str = "utc"):
        self.transcript = transcript
        self.lines = queue.Queue()
        self.seen = []
        # A CPU that boards have; QEMU's "max" computes pointer signatures, which doubles the time.
        self.process = subprocess.Popen(
            [
                "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-accel", "tcg,thread=multi",
                "-smp", "2", "-m", "512", "-nographic", "-no-reboot", "-monitor", "none",
                "-kernel", shared / "vmlinuz", "-initrd", shared / "initrd.gz",
                "-append", "console=ttyAMA0 quiet systemd.journald.forward_to_console=1 "
                           "systemd.journald.max_level_console=info systemd.show_status=0 "
                           + " ".join(f"systemd.mask={unit}" for unit in NOT_ON_THIS_BOARD),
                "-drive", f"file={disk.image},format=raw,if=none,id=disk",
                "-device", "virtio-blk-pci,drive=disk",
                "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
                "-device", "virtio-rng-pci", "-rtc", f"base={rtc}",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        self.started = time.monotonic()
        threading.Thread(target=self._read_console, daemon=True).start()

    def _read_console(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line.decode(errors="replace").rstrip())
        self.lines.put(None)

    def wait_for(self, text: str) -> str:
        """The next console line that contains the text; an error if the board goes off first."""
        for line in self._console():
            if text in line:
                return line
        raise AssertionError(f"the board went off and never said {text!r}")

    def wait_until_off(self) -> list:
        """All console lines of this boot, once the board has powered itself off."""
        for _ in self._console():
            pass
        self.process.wait()
        return self.seen

    def _console(self):
        while True:
            left = self.started + BOOT_LIMIT - time.monotonic()
            try:
                line = self.lines.get(timeout=max(left, 0))
            except queue.Empty:
                self.pull_the_plug()
                raise AssertionError(f"the board is still on after {BOOT_LIMIT} s") from None
            if line is None:
                return
            self.seen.append(line)
            self.transcript.write(line + "\n")
            self.transcript.flush()
            yield line

    def pull_the_plug(self) -> None:
        """No sync, no shutdown: what the guest had not flushed is lost."""
        self.process.kill()
        self.process.wait()

    def seconds_on(self) -> float:
        return time.monotonic() - self.started


def unpack(archive: pathlib.Path, root: pathlib.Path) -> None:
    """A fresh root file system with the owners and modes of the archive."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    subprocess.run(["tar", "-xpf", archive, "-C", root, "--numeric-owner"], check=True)
