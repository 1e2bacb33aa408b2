"""The checks in the order of the report. Each is a generator of lines that imports what it needs by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lfb_lightning.doctor import (
    configuration,
    devices,
    extras,
    folders,
    launching,
    machine,
    packages,
    self_test,
    videos,
)
from lfb_lightning.doctor.line import Line
from lfb_lightning.doctor.settings import Settings

Check = Callable[[Settings], Iterator[Line]]
CHECKS: Mapping[str, Check] = {
    # The environment before the packages: some set variables when they are imported.
    "machine": machine.check_machine,
    "limits": machine.check_limits,
    "folders": folders.check_folders,
    "environment": configuration.check_environment,
    "launch": launching.check_launch,
    "configuration": configuration.check_configuration,
    "packages": packages.check_packages,
    "extras": extras.check_extras,
    "video codecs": videos.check_codecs,
    "devices": devices.check_devices,
    "compiling (compile=true)": devices.check_compiling,
    "self test": self_test.check_self_test,
}
